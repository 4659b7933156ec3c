"""Evaluating models in a child process: ``twinlens-worker evaluate``."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

from twinlens_plugin.children import TERM_SECONDS, python_module
from twinlens_plugin.errors import ChildError
from twinlens_plugin.options import Session


def evaluate(
    session: Session, photos: Sequence[tuple[bytes, bytes]], models: Sequence[tuple[str, str]]
) -> Iterator[dict[str, Any]]:
    """Yield what the worker says of ``photos``, (folder, path), judged by (name, weights or "").

    Raises ChildError where it cannot go on. Whoever stops listening ends it.
    """
    named = [word for name, weights in models for word in ("--model", name, weights)]
    command = python_module("twinlens_worker", *session.child_arguments(), "evaluate", *named)
    # A file, not a pipe: neither side can wait for the other with a full pipe between them.
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as complaints:
        asked.writelines(b"%s\0%s\0" % pair for pair in photos)
        asked.seek(0)
        # The progress of a download belongs on the terminal.
        errors = None if sys.stderr.isatty() else complaints
        child = subprocess.Popen(
            command,
            stdin=asked,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            # A session of its own: Ctrl-C reaches only us, and we stop it in good order.
            start_new_session=True,
        )
        try:
            yield from _records(child)
            _check(child.wait(), complaints)
        finally:
            _stop(child)


def _records(child: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    for line in child.stdout or ():
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ChildError(
                "the worker answered what is no JSON. Install one version of twinlens."
            ) from error
        if "error" in record:
            raise ChildError(str(record["error"]))
        yield record


def _check(code: int, complaints: IO[bytes]) -> None:
    if code != 0:
        complaints.seek(0)
        lines = complaints.read().decode("utf-8", "backslashreplace").strip().splitlines()
        why = lines[-1].removeprefix("twinlens-worker: ") if lines else f"exit code {code}"
        raise ChildError(f"the worker stopped in the middle of it: {why}")


def _stop(child: subprocess.Popen[str]) -> None:
    child.terminate()
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(TERM_SECONDS)
    finally:
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()
