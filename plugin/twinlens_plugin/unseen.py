"""Embedding photos that the catalogue does not know.

A running worker is asked first: its model is loaded. Otherwise one child process embeds all of
them.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence

from twinlens.asking import ask_worker, read_answer
from twinlens.errors import PhotoError
from twinlens.messages import ModelRef
from twinlens.models import Model
from twinlens.views import Views
from twinlens_plugin.children import python_module
from twinlens_plugin.errors import ChildError
from twinlens_plugin.options import Session
from twinlens_plugin.output import shown

Embedding = Views | PhotoError
"""A photo's vectors, or why there are none."""


def embed(session: Session, model: Model, paths: Sequence[bytes]) -> Iterator[Embedding]:
    """Yield the embedding of each photo, in order. Raises ChildError where nothing can embed."""
    for done, path in enumerate(paths):
        try:
            views = ask_worker(session.settings, ModelRef(model.name, model.digest), path)
        except PhotoError as error:
            yield error
            continue
        if views is None:  # nobody there: no use in asking for the others
            yield from _embed_in_child(session, paths[done:])
            return
        yield views


def _embed_in_child(session: Session, paths: Sequence[bytes]) -> Iterator[Embedding]:
    command = python_module("twinlens_worker", *session.child_arguments(), "embed")
    # Files, not pipes: neither side can wait for the other with a full pipe between them.
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as complaints:
        asked.write(b"\0".join(paths))
        asked.seek(0)
        with subprocess.Popen(
            command, stdin=asked, stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as child:
            try:
                answered = 0
                for line, path in zip(child.stdout or (), paths, strict=False):
                    yield _read(line, path)
                    answered += 1
            finally:
                child.terminate()
        complaints.seek(0)
        if answered < len(paths):
            raise ChildError(_refused(complaints.read(), paths[answered]))


def _read(line: str, path: bytes) -> Embedding:
    try:
        answer = json.loads(line)
        views = read_answer(answer)
        if views is not None:
            return views
        return PhotoError(f"{shown(path)}: {_without_path(str(answer['error']), path)}")
    except (ValueError, KeyError, TypeError) as error:
        raise ChildError(
            f"the worker answered what is no vector ({error}). Install one version of twinlens."
        ) from error


def _without_path(reason: str, path: bytes) -> str:
    return reason.removeprefix(f"{shown(path)}: ")


def _refused(complaints: bytes, path: bytes) -> str:
    lines = complaints.decode("utf-8", "backslashreplace").strip().splitlines()
    why = lines[-1].removeprefix("twinlens-worker: ") if lines else "the worker gave no answer"
    return f"{shown(path)}: cannot be embedded: {why}"
