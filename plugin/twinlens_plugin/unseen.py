"""Photos that the catalogue does not know: embedded, and compared with photos that it knows.

A running worker is asked first: its model is loaded. Otherwise a child process is started, once, and
answers all that is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Final, Self

from twinlens.asking import ask_to_relate, ask_worker, read_answer, read_relations
from twinlens.errors import PhotoError
from twinlens.messages import ModelRef, encode_bytes, relate_message
from twinlens.models import Model
from twinlens.views import Views
from twinlens_plugin import comparing
from twinlens_plugin.children import python_module
from twinlens_plugin.conversation import Conversation
from twinlens_plugin.errors import ChildError
from twinlens_plugin.options import Session
from twinlens_plugin.output import shown

Embedding = Views | PhotoError
"""A photo's vectors, or why there are none."""

LOADING_SECONDS: Final = 60.0
"""Beyond ``decode_seconds``: importing torch from a cold disk on a busy computer."""


def embed(session: Session, model: Model, paths: Sequence[bytes]) -> Iterator[Embedding]:
    """Yield the embedding of each photo, in order. Raises ChildError where nothing can embed."""
    with Helper(session) as helper:
        for path in paths:
            yield helper.embed(model, path)


class Helper:
    """Whoever answers: the worker that runs, else a child of ours, which ends with the ``with`` block."""

    def __init__(self, session: Session) -> None:
        self._settings = session.settings
        self._alone = False
        """Whether no worker answered: no use in asking again."""
        self._child = Conversation(
            python_module("twinlens_worker", *session.child_arguments(), "assistant"),
            seconds=session.settings.decode_seconds + LOADING_SECONDS,
        )

    def embed(self, model: Model, path: bytes) -> Embedding:
        """Return the embedding of a photo. Raises ChildError."""
        ref = ModelRef(model.name, model.digest)
        try:
            views = None if self._alone else ask_worker(self._settings, ref, path)
            if views is None:
                self._alone = True
                question = {"embed": encode_bytes(path), "model": [ref.name, ref.digest]}
                views = read_answer(self._ask(path, question))
        except PhotoError as error:
            return PhotoError(f"{shown(path)}: {_without_path(str(error), path)}")
        if views is None:
            raise ChildError(f"{shown(path)}: cannot be embedded. Install one version of twinlens.")
        return views

    def relate(
        self, path: bytes, candidates: Sequence[tuple[int, float]]
    ) -> list[comparing.Answer | None]:
        """Return what a photo is to contents, each with the cosine similarity of the descriptors.

        None where the two cannot be compared now. Raises ChildError.
        """
        found = None if self._alone else ask_to_relate(self._settings, path, candidates)
        if found is None:
            answer = self._child.ask({"relate": relate_message(path, candidates)})
            found = read_relations(answer)
        if found is None or len(found) != len(candidates):
            raise ChildError(f"{shown(path)}: cannot be compared. Install one version of twinlens.")
        return [comparing.read_answer(one) for one in found]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._child.close()

    def _ask(self, path: bytes, question: dict[str, Any]) -> dict[str, Any]:
        answer = self._child.ask(question)
        if "error" in answer and not answer.get("photo"):
            why = _without_path(str(answer["error"]), path)
            raise ChildError(f"{shown(path)}: cannot be embedded: {why}")
        return answer


def _without_path(reason: str, path: bytes) -> str:
    return reason.removeprefix(f"{shown(path)}: ")
