"""Saying what a few unseen photos are to contents of the library, and going away: for ``check``.

Nothing is stored: neither a relation nor a thumbnail of what is not in the library.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, Final, Self

from twinlens.catalogue import Catalogue
from twinlens.errors import PhotoError
from twinlens.library import Library
from twinlens.messages import decode_bytes
from twinlens.settings import Settings
from twinlens_worker.decode import Decoded, DecodeRequest
from twinlens_worker.decode.process import DecoderProcess
from twinlens_worker.flatness import is_flat
from twinlens_worker.verify.decide import File, Subject, decide
from twinlens_worker.verify.metadata import Metadata
from twinlens_worker.verify.pictures import NoPictureError, Pictures
from twinlens_worker.verify.sketch import SIDE
from twinlens_worker.verify.verifier import Subjects

Answer = dict[str, Any]

CANNOT: Final = "its picture cannot be had now"


def relate(settings: Settings, asked: Iterable[Answer]) -> Iterator[Answer]:
    """Yield ``{"kind", "probability", "words", "pixels", "camera"}`` or ``{"error"}``, in order.

    ``pixels`` (width times height, null where unknown) and ``camera`` (whether it names one) are those
    of the unseen photo.

    A question is ``{"path": base64, "content": number, "score": cosine similarity}``. Questions about
    one photo come one after the other: it is decoded once.
    """
    unseen = dataclasses.replace(settings, thumbnails=False)  # makes no files
    library = Library(settings.library)
    with (
        Catalogue.open_to_read(library.catalogue) as catalogue,
        Pictures(unseen, library.thumbnails) as pictures,
        _Reader(unseen) as reader,
    ):
        subjects = Subjects(catalogue)
        for question in asked:
            path = decode_bytes(question["path"])
            try:
                yield _relate(path, question, reader, subjects, pictures)
            except (PhotoError, NoPictureError) as error:
                yield {"error": str(error) or CANNOT}


def _relate(
    path: bytes, question: Answer, reader: _Reader, subjects: Subjects, pictures: Pictures
) -> Answer:
    known = subjects[question["content"]]
    if known is None:
        raise NoPictureError
    seen = reader.read(path)
    subject = _subject(path, seen)
    found = decide(
        known.subject,
        subject,
        lambda: (
            pictures.sketch(known.sha256, known.paths),
            pictures.sketch(seen.sha256, [path]),
        ),
        partial(pictures.same_pixels, (known.sha256, known.paths), (seen.sha256, [path])),
        question["score"],
    )
    return {
        "kind": found.kind,
        "probability": round(found.probability, 4),
        "words": found.detail.words,
        "pixels": subject.pixels,
        "camera": seen.camera is not None,
    }


def _subject(path: bytes, seen: Decoded) -> Subject:
    folder, name = os.path.split(path)
    return Subject(
        Metadata(seen.taken_at, seen.camera, seen.burst, seen.document, seen.derived_from),
        (File(folder, name),),
        (seen.width or 0) * (seen.height or 0) or None,
        seen.format,
        seen.pixels is not None and is_flat(seen.pixels),
    )


class _Reader:
    """Decodes photos in a process of its own, and remembers the last one."""

    def __init__(self, settings: Settings) -> None:
        self._decoder = DecoderProcess(settings)
        self._last: tuple[bytes, Decoded] | None = None

    def read(self, path: bytes) -> Decoded:
        """Return what a photo holds. Raises PhotoError."""
        if self._last is None or self._last[0] != path:
            self._last = path, self._decoder.decode(DecodeRequest(path, SIDE, None, None))
        return self._last[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._decoder.close()
