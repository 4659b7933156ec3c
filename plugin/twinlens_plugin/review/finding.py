"""Finding what looks like a photo: one of the library, one that a person names, or one they bring."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from twinlens.catalogue import Catalogue
from twinlens.errors import PhotoError
from twinlens.media import PHOTO_SUFFIXES
from twinlens.models import Model, get_model
from twinlens.views import Views, views_of
from twinlens_plugin.answers import Answerer
from twinlens_plugin.errors import EmptyLibraryError
from twinlens_plugin.output import shown
from twinlens_plugin.photos import Lookup, Query
from twinlens_plugin.review import ids
from twinlens_plugin.review.asked import Box, Limits
from twinlens_plugin.review.matches import Seen, seen
from twinlens_plugin.review.state import State
from twinlens_plugin.review.words import thumb, version

PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked for, as the page shows it."""

    name: str
    """For people: of the file, or its path where it is not of the library."""
    photo: int | None = None
    """Its number, where it is a photo of the library."""
    ratio: float = 1.5
    """Width over height."""
    there: bool = True
    """Whether its file is there, so that a part of it can be looked for."""
    thumb: str = ""
    full: str = ""
    """Addresses of its pictures, where it is a photo of the library."""
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A subject, and the photos that look like it, best first."""

    subject: Subject
    matches: list[Seen]
    most: int
    """How many were asked for at most."""


class Finder:
    """Answers one search."""

    def __init__(self, state: State, catalogue: Catalogue, limits: Limits) -> None:
        """Raises EmptyLibraryError."""
        model = get_model(catalogue, "serving")
        if model is None:
            raise EmptyLibraryError("This library holds no photos yet. Run: twinlens scan FOLDER")
        self._state = state
        self._catalogue = catalogue
        self._limits = limits
        self._model: Model = model

    def like_photo(self, number: int, box: Box | None) -> Result:
        """Find what looks like a photo of the library, or a part of it. Raises Refused, PhotoError."""
        file = ids.find(self._catalogue, number)
        views = None if box else self._views(file.content_id)
        if views is None:
            file.open().close()  # it must be there, and be it
            views = self._state.assistant.embed(self._model, file.path, box)
        # Of a part of a photo, other photos with the same bytes are as good an answer as any.
        content = None if box else file.content_id
        query = Query(file.path, file.path, content)
        return Result(subject_of(file, box), self._matches(query, views), self._limits.k)

    def like_path(self, path: bytes) -> Result:
        """Find what looks like a file, of the library or not. Raises PhotoError."""
        query = Lookup(self._catalogue, self._model).find(path)
        number = self._number(query)
        if number is not None:
            return self.like_photo(number, None)
        return Result(Subject(shown(path)), self._like(query, None), self._limits.k)

    def like_dropped(self, name: str, data: BinaryIO, box: Box | None) -> Result:
        """Find what looks like the photo in ``data``, which is nowhere else. Raises PhotoError."""
        with _private_copy(self._state.assistant.folder, name, data) as path:
            try:
                query = Lookup(self._catalogue, self._model).find(path)
                matches = self._like(query, box)
            except PhotoError as error:
                text = str(error).replace(shown(path), name)
                raise type(error)(text) from error
        return Result(Subject(name, box=box), matches, self._limits.k)

    def _like(self, query: Query, box: Box | None) -> list[Seen]:
        views = None if box else query.views
        if views is None:
            views = self._state.assistant.embed(self._model, query.path, box)
        if box:
            query = Query(query.given, query.path)
        return self._matches(query, views)

    def _matches(self, query: Query, views: Views) -> list[Seen]:
        session, limits = self._state.session, self._limits
        answerer = Answerer(self._catalogue, session.library, self._model)
        found = answerer.answer(query, views, k=limits.k, min_score=limits.min_score)
        return seen(self._catalogue, session.settings, self._model, query.content_id, found)

    def _views(self, content: int | None) -> Views | None:
        return None if content is None else views_of(self._catalogue, self._model, content)

    def _number(self, query: Query) -> int | None:
        """Return the number of a photo of the library by its path."""
        if query.content_id is None:
            return None
        rows = self._catalogue.rows(
            "SELECT f.id, r.path AS root, f.path FROM files f JOIN roots r ON r.id = root_id"
            " WHERE content_id = ? AND missing_since IS NULL",
            (query.content_id,),
        )
        paths = {os.path.join(row["root"], row["path"]): row["id"] for row in rows}  # noqa: PTH118
        return paths.get(query.path)


def subject_of(file: ids.File, box: Box | None = None) -> Subject:
    """Return a photo of the library as what is looked for."""
    return Subject(
        name=shown(file.relative.rpartition(b"/")[2]),
        photo=file.id,
        ratio=round(file.width / file.height, 4) if file.width and file.height else 1.5,
        there=file.online,
        thumb=thumb(file.id, file.sha256),
        full=f"/photos/{file.id}/full?v={version(file.sha256)}",
        box=box,
    )


@contextlib.contextmanager
def _private_copy(folder: Path, name: str, data: BinaryIO) -> Iterator[bytes]:
    """Write data to a file of its own, for decoders to read; it is gone right afterwards."""
    suffix = name.rpartition(".")[2].lower()
    ending = f".{suffix}" if suffix in PHOTO_SUFFIXES else ""  # RAW files are told by their names
    path = folder / f"dropped-{secrets.token_hex(8)}{ending}"
    try:
        with open(path, "xb", opener=_private) as copy:
            while piece := data.read(PIECE):
                copy.write(piece)
        yield os.fsencode(path)
    finally:
        path.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
