"""Photos of a card, an export, any folder that is not watched: what the library has of each.

1. The bytes are hashed: a file of the library with the same bytes is *identical*. 2. What is left is
embedded and looked for: where the library has nothing like it, it is *new*. 3. What looks like a
photo of the library is compared with it, as a scan compares photos: it is a *copy* or an *edit* of
it, or *new* (another frame of a *burst*, say). 4. A card is erased for the answer: a copy counts as new
where it is better than what the library has, an edit always, since the library may have the grey one and
the card the original. 5. Where that cannot be done, it is *like* it, which counts as new too: a photo
that was never imported must not be taken for one that was. 6. Where a photo cannot be embedded for the
index that answers (of the model before an upgrade, whose weights are gone), its bytes alone speak, and it
is *unknown*, which counts as new as well.

Nothing is written where the photos are.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from twinlens import pairs, vectors
from twinlens.catalogue import Catalogue
from twinlens.errors import PhotoError
from twinlens.media import is_photo_name, is_raw, skip_folder
from twinlens.models import Model
from twinlens.relations import BURST, DUPLICATES, EDIT, IDENTICAL, KINDS
from twinlens.search import Searcher
from twinlens_plugin.acting import files
from twinlens_plugin.comparing import Answer, Question, relate
from twinlens_plugin.current import Files, present
from twinlens_plugin.errors import ChildError
from twinlens_plugin.options import Session
from twinlens_plugin.output import absolute, remark, shown
from twinlens_plugin.shots import Photo

if TYPE_CHECKING:
    from twinlens_plugin.unseen import Embedding

LIKE, NEW, UNKNOWN, UNREADABLE = "like", "new", "unknown", "unreadable"

_TOLD = DUPLICATES | {BURST}
"""Relations that are worth a word. What is similar, no more, is new."""

CANDIDATES = 10
"""Nearest photos looked at for some that are still there and no plain surfaces."""

COMPARED = 3
"""Of these, how many a photo is compared with, whatever their scores: crops and turned copies score
low but come first, and to compare two pictures takes a few ms."""


LARGER = 1.05
"""Times the pixels from which a photo is larger: to turn a JPEG without loss trims its edges."""


class _Near(NamedTuple):
    """A photo of the library that is near."""

    photo: Photo
    score: float


@dataclass(frozen=True, slots=True)
class Checked:
    """A photo, and what the library has of it."""

    path: bytes
    status: str
    """A kind of ``twinlens.relations.DUPLICATES``, ``burst``, ``like``, ``new``,
    ``unknown`` or ``unreadable``."""
    match: bytes | None = None
    """The photo of the library."""
    score: float | None = None
    """Cosine similarity to it; 1.0 for the same bytes."""
    probability: float | None = None
    """That both show one shot; None where they were not compared."""
    words: str = ""
    """What was done to one of the two, and what it has that the library's has not."""
    better: bool = False
    """Whether it is more than what the library has of the shot."""
    deleted: bytes | None = None
    """Where the library had the same bytes, before they were deleted there."""
    reason: str | None = None
    """Why it cannot be read, or what it shows cannot be looked for."""

    @property
    def is_new(self) -> bool:
        """Whether the library may lack it."""
        return self.better or self.status not in {*DUPLICATES, UNREADABLE} - {EDIT}


def photos_in(given: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the photos below folders, and files as they are named, in the order of their names.

    Symbolic links are not followed. A folder that cannot be read is said, and yielded as it is.
    """
    for path in given:
        if os.path.isdir(path):  # noqa: PTH112  bytes
            yield from _walk(path)
        else:
            yield path


def _walk(folder: bytes) -> Iterator[bytes]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        remark(f"{shown(folder)}: cannot be read: {error.strerror}. Correct its permissions.")
        yield folder
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            if not skip_folder(entry.name):
                yield from _walk(entry.path)
        elif is_photo_name(entry.name) and entry.is_file(follow_symlinks=False):
            yield entry.path


class Checker:
    """Checks photos against one library."""

    def __init__(self, session: Session, catalogue: Catalogue, model: Model | None) -> None:
        self._session = session
        self._catalogue = catalogue
        self._files = Files(catalogue)
        self._model = model

    def check(self, paths: Iterable[bytes]) -> list[Checked]:
        """Return what the library has of each photo, in order.

        Raises ChildError where photos that were found cannot be compared.
        """
        checked = [self._by_bytes(path) for path in paths]
        unknown = [n for n, one in enumerate(checked) if one.status == NEW]
        if self._model is not None and unknown:
            alike = self._by_looks(self._model, [checked[n] for n in unknown])
            for n, one in zip(unknown, alike, strict=True):
                checked[n] = one
        return checked

    def _by_bytes(self, path: bytes) -> Checked:
        try:
            digest = bytes.fromhex(files.read(absolute(path)).sha256)
        except PhotoError as error:
            return Checked(path, UNREADABLE, reason=str(error))
        content = self._catalogue.value("SELECT id FROM contents WHERE sha256 = ?", (digest,))
        if content is None:
            return Checked(path, NEW)
        match = self._there(content, path)
        if match is not None:
            return Checked(path, IDENTICAL, match.path, 1.0, 1.0)
        return Checked(path, NEW, deleted=self._deleted(content))

    def _there(self, content: int, besides: bytes) -> Photo | None:
        """Return a file that holds a content, but for ``besides``; None where there is none.

        The disk is asked: a card is erased for the answer, and nobody may have swept since a photo
        was deleted.
        """
        photos = present(row.photo for row in self._files.of([content]))
        own = absolute(besides)
        others = [photo for photo in photos if photo.path != own]
        return min(others, key=lambda photo: photo.path, default=None)

    def _deleted(self, content: int) -> bytes | None:
        """Return where a content was, as far as its deletion was seen."""
        row = self._catalogue.row(
            "SELECT r.path, f.path FROM files f JOIN roots r ON r.id = f.root_id"
            " WHERE content_id = ? AND missing_since IS NOT NULL ORDER BY r.path, f.path",
            (content,),
        )
        return None if row is None else os.path.join(*row)  # noqa: PTH118  bytes

    def _by_looks(self, model: Model, unknown: Sequence[Checked]) -> Iterator[Checked]:
        seen = list(self._nearest(model, unknown))
        questions = [
            Question(absolute(one.path), near.photo.content_id, near.score)
            for one, candidates in seen
            for near in candidates
        ]
        answers = iter(relate(self._session, questions) if questions else ())
        threshold = pairs.copy_threshold(self._session.settings, model)
        for one, candidates in seen:
            compared = [(near, next(answers)) for near in candidates]
            yield _closest(one, compared, threshold)

    def _nearest(
        self, model: Model, unknown: Sequence[Checked]
    ) -> Iterator[tuple[Checked, list[_Near]]]:
        """Yield each photo with those of the library that it is worth to compare it with."""
        searcher = Searcher(self._catalogue, self._session.library, model)
        embedded = _embedded(self._session, model, [absolute(one.path) for one in unknown])
        for one, views in zip(unknown, embedded, strict=True):
            if isinstance(views, PhotoError):
                yield replace(one, status=UNREADABLE, reason=str(views)), []
                continue
            if isinstance(views, ChildError):
                yield replace(one, status=UNKNOWN, reason=str(views)), []
                continue
            hits = searcher.search(vectors.stack(views.blobs, model.dimension), CANDIDATES)
            near = [self._near(one, hit.content_id, hit.score) for hit in hits]
            yield one, [found for found in near if found is not None][:COMPARED]

    def _near(self, one: Checked, content: int, score: float) -> _Near | None:
        """Return a content with its file, if it has one, and structure to be known by."""
        if self._catalogue.value("SELECT flat FROM contents WHERE id = ?", (content,)) != 0:
            return None
        photo = self._there(content, one.path)
        return None if photo is None else _Near(photo, min(1.0, score))


def _embedded(
    session: Session, model: Model, paths: Sequence[bytes]
) -> Iterator[Embedding | ChildError]:
    """Yield the embedding of each photo, in order; from where nothing can embed any more, why not."""
    from twinlens_plugin.unseen import embed

    done = 0
    try:
        for embedding in embed(session, model, paths):
            yield embedding
            done += 1
    except ChildError as error:
        yield from itertools.repeat(error, len(paths) - done)


def _closest(
    one: Checked, compared: Sequence[tuple[_Near, Answer | None]], threshold: float
) -> Checked:
    """Return what a photo is to the photo of the library that it is closest to.

    Those that have all that it has come before those that it is better than.
    """
    known = [(near, answer) for near, answer in compared if answer is not None]
    told = [
        (_better(one, answer, near.photo), near, answer)
        for near, answer in known
        if answer.kind in _TOLD
    ]
    if told:
        better, near, answer = min(told, key=_distance)
        return replace(
            one,
            status=answer.kind,
            match=near.photo.path,
            score=near.score,
            probability=answer.probability,
            words=", ".join(filter(None, (answer.words, better))),
            better=bool(better),
        )
    for near, unknown in compared:
        if unknown is None and near.score >= threshold:
            return replace(one, status=LIKE, match=near.photo.path, score=near.score)
    return one


def _distance(told: tuple[str, _Near, Answer]) -> tuple[bool, bool, int, float]:
    better, _, answer = told
    kind = answer.kind
    return kind not in DUPLICATES, bool(better), KINDS.index(kind), -answer.probability


def _better(one: Checked, answer: Answer, there: Photo) -> str:
    """Return what would be lost with a photo of which the library's alone remained, in words.

    Empty where that is nothing, and for what is no duplicate.
    """
    if answer.kind not in DUPLICATES:
        return ""
    if is_raw(one.path) and not there.raw:
        return "RAW, which the library's is not"
    if there.pixels and (answer.pixels or 0) > LARGER * there.pixels:
        return "larger than the library's"
    if answer.camera and there.camera is None:
        return "has the camera's data, which the library's has not"
    return ""
