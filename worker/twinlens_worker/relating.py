"""Saying what unseen photos are to contents of the library: for ``similar`` and ``check``.

Nothing is stored: neither a relation nor a thumbnail of what is not in the library.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Final, Self

from twinlens.asking import answer_error
from twinlens.catalogue import Catalogue
from twinlens.errors import PhotoError, TwinlensError
from twinlens.library import Library
from twinlens.messages import decode_bytes, read_relate
from twinlens.settings import Settings
from twinlens_worker.decode import Decoded, DecodeRequest
from twinlens_worker.decode.process import DecoderProcess
from twinlens_worker.flatness import is_flat
from twinlens_worker.one_thread import one_thread
from twinlens_worker.verify.decide import File, Subject, decide
from twinlens_worker.verify.metadata import Metadata
from twinlens_worker.verify.pictures import NoPictureError, Pictures, unsquashed
from twinlens_worker.verify.sketch import SIDE, Sketch
from twinlens_worker.verify.verifier import Subjects

Answer = dict[str, Any]
Decode = Callable[[DecodeRequest], Decoded]
"""Reads a photo. Raises PhotoError."""

CANNOT: Final = "its picture cannot be had now"


def relate(settings: Settings, asked: Iterable[Answer]) -> Iterator[Answer]:
    """Answer questions as ``Comparer`` does, in order, with a decoder of its own.

    A question is ``{"path": base64, "content": number, "score": cosine similarity}``. Questions about
    one photo come one after the other: it is decoded once.
    """
    decoder = DecoderProcess(settings)
    try:
        with one_thread(), Comparer(settings, decoder.decode) as comparer:
            for question in asked:
                path = decode_bytes(question["path"])
                yield comparer.relate(path, question["content"], question["score"])
    finally:
        decoder.close()


def answer_relate(settings: Settings, decode: Decode, body: object) -> Answer:
    """Answer a ``relate_message`` with ``{"relations": [...]}``, in order, as ``Comparer`` has them."""
    try:
        path, candidates = read_relate(body)
        with one_thread(), Comparer(settings, decode) as comparer:
            return {"relations": [comparer.relate(path, *one) for one in candidates]}
    except TwinlensError as error:
        return answer_error(error)


class Comparer:
    """Compares unseen photos with contents. Used by one thread."""

    def __init__(self, settings: Settings, decode: Decode) -> None:
        library = Library(settings.library)
        unseen = dataclasses.replace(settings, thumbnails=False)  # makes no files
        self._catalogue = Catalogue.open_to_read(library.catalogue)
        self._subjects = Subjects(self._catalogue)
        self._pictures = Pictures(unseen, library.thumbnails)
        self._decode = decode
        self._last: tuple[bytes, _Unseen | PhotoError] | None = None

    def relate(self, path: bytes, content: int, score: float) -> Answer:
        """Return ``{"kind", "probability", "words", "words_there", "pixels", "camera"}`` or ``{"error"}``.

        ``words`` are said of the unseen photo, ``words_there`` of the library's. ``pixels`` (width
        times height, null where unknown) and ``camera`` (whether it names one) are those of the
        unseen photo.
        """
        try:
            return self._relate(self._read(path), content, score)
        except (PhotoError, NoPictureError) as error:
            return {"error": str(error) or CANNOT}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pictures.close()
        self._catalogue.close()

    def _relate(self, seen: _Unseen, content: int, score: float) -> Answer:
        known = self._subjects[content]
        if known is None:
            raise NoPictureError
        here, there = (seen.sha256, [seen.path]), (known.sha256, known.paths)
        found = decide(
            known.subject,
            seen.subject,
            lambda: (self._pictures.sketch(*there), seen.sketch),
            partial(self._pictures.same_pixels, there, here),
            score,
        )
        return {
            "kind": found.kind,
            "probability": round(found.probability, 4),
            "words": found.detail.words,
            "words_there": found.detail.words_of("a"),
            "pixels": seen.subject.pixels,
            "camera": seen.subject.metadata.camera is not None,
        }

    def _read(self, path: bytes) -> _Unseen:
        """Decode a photo, unless it is the one before. Raises PhotoError."""
        if self._last is None or self._last[0] != path:
            self._last = path, self._decoded(path)
        if isinstance(self._last[1], PhotoError):
            raise self._last[1]
        return self._last[1]

    def _decoded(self, path: bytes) -> _Unseen | PhotoError:
        try:
            return _Unseen(path, self._decode(DecodeRequest(path, SIDE, None, None)))
        except PhotoError as error:
            return error


class _Unseen:
    """A photo that the library does not know, as it was read."""

    def __init__(self, path: bytes, seen: Decoded) -> None:
        assert seen.pixels is not None
        folder, name = os.path.split(path)
        self.path = path
        self.sha256 = seen.sha256
        self.subject = Subject(
            Metadata(seen.taken_at, seen.camera, seen.burst, seen.document, seen.derived_from),
            (File(folder, name),),
            (seen.width or 0) * (seen.height or 0) or None,
            seen.format,
            is_flat(seen.pixels),
        )
        # Square as decoders give it: in its own proportions it is what a thumbnail would be.
        upright = unsquashed(seen)
        assert upright is not None  # a decoder says how large what it gives was
        self.sketch = Sketch(upright)
