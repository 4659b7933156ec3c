"""Answers as collections of Geeqie: files that list photos, which a running Geeqie opens.

Geeqie does not read a collection again that it has open (2.0.1), so that each answer gets a name of
its own. The oldest answers are removed; a collection that was changed and saved in Geeqie has lost
our mark, belongs to the user, and stays.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from twinlens.media import printable
from twinlens_plugin import output
from twinlens_plugin.acting import files
from twinlens_plugin.dam.machine import Machine
from twinlens_plugin.errors import IntegrationError

KEPT = 20
"""Answers that are kept."""

_HEAD = b"#Geeqie collection\n#twinlens: an answer; the oldest are removed\n"
_LONGEST_NAME = 60
_OPEN_SECONDS = 20.0


def show(title: str, photos: Iterable[bytes], *, as_json: bool) -> None:
    """Write photos (absolute paths, in order) as a collection, and have Geeqie open it; say so.

    Raises IntegrationError where Geeqie is missing, or the collection cannot be written.
    """
    machine = Machine(dict(os.environ))
    geeqie = machine.program("geeqie")
    if geeqie is None:
        raise IntegrationError("geeqie is not on this computer. Install it: apt install geeqie")
    listed = _listable(photos)
    path = _store(machine, title, listed) if listed else None
    if path is not None:
        _open(machine, geeqie, path)
    _say(path, len(listed), as_json=as_json)


def _store(machine: Machine, title: str, listed: Sequence[bytes]) -> Path:
    folder = machine.data_home / "geeqie/collections"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = _write(folder, title, listed)
        _prune(folder)
    except OSError as error:
        raise IntegrationError(
            f"{folder}: the collection cannot be written: {error.strerror}."
            " Correct its permissions, or make space."
        ) from error
    return path


def _say(path: Path | None, photos: int, *, as_json: bool) -> None:
    if as_json:
        name = output.json_path(os.fsencode(path), "collection") if path else {"collection": None}
        output.write_json({**name, "photos": photos})
    elif path is None:
        output.write_lines(["Nothing found: nothing to show."])
    else:
        output.write_lines([f"Geeqie shows {output.plural(photos, 'photo')}: {path.stem}"])


def collection(photos: Iterable[bytes]) -> bytes:
    """Return the text of a collection."""
    return _HEAD + b"".join(b'"%s"\n' % photo for photo in photos) + b"#end\n"


def _listable(photos: Iterable[bytes]) -> list[bytes]:
    """Return each photo once, without those whose names would break the file; say which."""
    listed = []
    for photo in dict.fromkeys(photos):
        if b'"' in photo or b"\n" in photo:
            output.remark(
                f'{output.shown(photo)}: left out: Geeqie cannot list names with " or line breaks.'
            )
        else:
            listed.append(photo)
    return listed


def _write(folder: Path, title: str, photos: Sequence[bytes]) -> Path:
    """Write a collection under a name that is not taken; return its path."""
    stem = title.replace("/", "_")[:_LONGEST_NAME].strip(". ")
    for number in itertools.count(1):
        path = folder / (f"{stem} ({number}).gqv" if number > 1 else f"{stem}.gqv")
        target = os.fsencode(path)
        with contextlib.suppress(FileExistsError):
            files.create(target, collection(photos), files.beside(target, f"gqv-{os.getpid()}"))
            return path
    raise AssertionError("there are numbers without end")


def _prune(folder: Path) -> None:
    """Remove our oldest answers."""
    ours = [path for path in folder.glob("*.gqv") if _is_ours(path)]
    ours.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in ours[KEPT:]:
        path.unlink(missing_ok=True)


def _is_ours(path: Path) -> bool:
    try:
        with path.open("rb") as handle:
            return handle.read(len(_HEAD)) == _HEAD
    except OSError:
        return False


def _open(machine: Machine, geeqie: Path, path: Path) -> None:
    """Have Geeqie open a collection; it is started where it does not run.

    Started, it stays: it is not waited for longer than a running one needs to take a message.
    """
    process = subprocess.Popen(
        [geeqie, "--remote", f"file:{path}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(machine.environ),
        start_new_session=True,
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        if process.wait(_OPEN_SECONDS):
            raise IntegrationError(
                f"{path}: was written, but Geeqie does not open it. Open it in Geeqie:"
                " File > Open collection."
            )


def name_of(photos: Sequence[bytes]) -> str:
    """Return words for some photos: ``IMG_1041.JPG and 3 more``."""
    if not photos:
        return "nothing"
    first = printable(os.path.basename(photos[0]))  # noqa: PTH119  bytes
    return first if len(photos) == 1 else f"{first} and {len(photos) - 1:,} more"
