"""Answers for programs that have no terminal: pages in the browser.

A contact sheet shows what was found; where a command fails, a page says why. The pages lie in the
user's cache folder, the oldest are removed.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twinlens.errors import TwinlensError
from twinlens_plugin import output
from twinlens_plugin.cards import photos_in
from twinlens_plugin.children import python_module
from twinlens_plugin.dam.machine import Machine
from twinlens_plugin.errors import IntegrationError
from twinlens_plugin.options import Session
from twinlens_plugin.places import contents_of, real_paths

QUESTIONS = ("similar", "duplicates", "check")

KEPT = 20
"""Pages that are kept."""

ITSELF = "in the library"
"""What a photo is that lies in the library."""

SOME_NEW = 3
"""Exit code of "check" where some are new."""

_SHOWN_FAILURE = 1000
"""Characters of a message: a page, no log."""


def answer(
    machine: Machine, session: Session, question: str, photos: Sequence[bytes]
) -> tuple[Path, int]:
    """Ask a question about photos; return the page that shows what came of it, and the exit code.

    Folders stand for the photos in them, but for "similar". Raises IntegrationError where no page can
    be written.
    """
    page = _new_page(machine, question)
    if question != "similar":
        photos = list(photos_in(photos))
    if not photos:
        words = "No photo was chosen. Choose some photos first, then ask again."
        return _write(page, question, failure=words), 2
    if question == "check":
        own = _in_library(session, photos)
        photos = [photo for photo in photos if photo not in own]
        asked = _ask(machine, session, photos, question, "--json")
        remarks = _remarks(asked.stderr)
        if asked.returncode in (0, SOME_NEW) or asked.stdout:
            checked = [json.loads(line) for line in asked.stdout.splitlines()]
            checked += [
                {**output.json_path(photo), "status": ITSELF, "new": False} for photo in own
            ]
            return _write(page, question, checked=checked, remarks=remarks), 0
    else:
        asked = _ask(machine, session, photos, question, "--html", os.fspath(page))
        remarks = _remarks(asked.stderr)
    if not page.exists():
        said = "\n".join(remarks) or f"twinlens {question} ended with exit code {asked.returncode}."
        return _write(page, question, failure=said[:_SHOWN_FAILURE]), asked.returncode or 1
    if remarks:
        _add_remarks(page, remarks)
    return page, asked.returncode


def _ask(
    machine: Machine, session: Session, photos: Sequence[bytes], *words: str
) -> subprocess.CompletedProcess[bytes]:
    """Run a command of ours as another program would."""
    listed = ("--files-from", "-", "-0", *session.child_arguments())
    return subprocess.run(
        python_module("twinlens_plugin", *words, *listed),
        input=b"\0".join(photos),
        capture_output=True,
        env=dict(machine.environ),
        check=False,
    )


def _in_library(session: Session, photos: Sequence[bytes]) -> list[bytes]:
    """Return those of the photos that are of the library themselves; "check" looks for others."""
    try:
        with session.open_to_read() as catalogue:
            real = {photo: absolute for photo in photos for absolute in real_paths([photo])}
            known = contents_of(catalogue, set(real.values()))
            return [photo for photo in photos if real[photo] in known]
    except TwinlensError:
        return []  # the command says what is wrong with the library


def _new_page(machine: Machine, question: str) -> Path:
    """Return the path of a page that is not there yet; remove the oldest pages."""
    folder = machine.cache_home / "twinlens/answers"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        pages = sorted(folder.glob("*.html"), key=lambda page: page.stat().st_mtime_ns)
        for page in pages[: max(0, len(pages) - KEPT + 1)]:
            page.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder / f"{question}-{time.time_ns()}.html"


def _write(page: Path, question: str, **fields: Any) -> Path:  # noqa: ANN401  of the template
    try:
        page.write_text(_template("page.html").render(question=question, **fields), "utf-8")
    except OSError as error:
        raise _unwritable(page, error) from error
    return page


def _add_remarks(page: Path, remarks: Sequence[str]) -> None:
    """Put what was said beside the answer above it: nobody reads the standard error."""
    above = _template("remarks.html").render(remarks=remarks).encode()
    text = page.read_bytes()
    page.write_bytes(text.replace(b"<main>", b"<main>" + above, 1))


def _template(name: str) -> Any:  # noqa: ANN401  jinja2 is imported when there is a page to write
    import jinja2

    loader = jinja2.ChoiceLoader(
        [
            jinja2.PackageLoader("twinlens_plugin.dam.answering"),
            jinja2.PackageLoader("twinlens_plugin.sheets"),
        ]
    )
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["shown"] = lambda text: text.encode("utf-8", "backslashreplace").decode()
    return environment.get_template(name)


def _remarks(said: bytes) -> list[str]:
    lines = said.decode("utf-8", "backslashreplace").splitlines()
    return [line.removeprefix("twinlens: ") for line in lines if line.startswith("twinlens: ")]


def _unwritable(path: Path, error: OSError) -> IntegrationError:
    return IntegrationError(
        f"{path}: the answer cannot be written: {error.strerror}."
        " Correct its permissions, or make space."
    )
