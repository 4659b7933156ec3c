"""Comparing unseen photos with photos of the library, by a worker's child process."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from twinlens.messages import encode_bytes
from twinlens.relations import KINDS
from twinlens_plugin.children import python_module
from twinlens_plugin.errors import ChildError
from twinlens_plugin.options import Session


class Question(NamedTuple):
    """What is this photo to that content?"""

    path: bytes
    """Absolute, no symbolic link."""
    content: int
    score: float
    """Cosine similarity of their descriptors."""


class Answer(NamedTuple):
    """What it is."""

    kind: str
    """One of ``twinlens.relations.KINDS``."""
    probability: float
    """That both show one shot."""
    words: str
    """What was done to the unseen photo, against the library's."""
    pixels: int | None = None
    """Width times height of the unseen photo; None where unknown."""
    camera: bool = False
    """Whether the unseen photo names its camera."""
    words_there: str = ""
    """What was done to the library's photo, against the unseen one."""


def relate(session: Session, questions: Sequence[Question]) -> Iterator[Answer | None]:
    """Yield the answer to each question, in order; None where the two cannot be compared now.

    Raises ChildError where the worker cannot be started.
    """
    command = python_module("twinlens_worker", *session.child_arguments(), "relate")
    lines = "".join(json.dumps(_as_json(question)) + "\n" for question in questions)
    # Files, not pipes: neither side can wait for the other with a full pipe between them.
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as complaints:
        asked.write(lines.encode("ascii"))
        asked.seek(0)
        answered = 0
        with subprocess.Popen(
            command, stdin=asked, stdout=subprocess.PIPE, stderr=complaints, text=True
        ) as child:
            try:
                for line, _ in zip(child.stdout or (), questions, strict=False):
                    yield _read(line)
                    answered += 1
            finally:
                child.terminate()
        complaints.seek(0)
        if answered < len(questions):
            said = complaints.read().decode("utf-8", "backslashreplace").strip().splitlines()
            why = said[-1] if said else "the worker gave no answer"
            raise ChildError(f"photos cannot be compared: {why}")


def _as_json(question: Question) -> dict[str, object]:
    path, content, score = question
    return {"path": encode_bytes(path), "content": content, "score": score}


def _read(line: str) -> Answer | None:
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise _no_relation(error) from error
    return read_answer(answer)


def read_answer(answer: Any) -> Answer | None:  # noqa: ANN401  as JSON has it
    """Read what a worker says of one question; None where it cannot compare. Raises ChildError."""
    try:
        if "error" in answer:
            return None
        found = Answer(
            str(answer["kind"]),
            float(answer["probability"]),
            str(answer["words"]),
            answer["pixels"],
            bool(answer["camera"]),
            str(answer["words_there"]),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _no_relation(error) from error
    return found if found.kind in KINDS else None


def _no_relation(error: Exception) -> ChildError:
    return ChildError(
        f"the worker answered what is no relation ({error}). Install one version of twinlens."
    )
