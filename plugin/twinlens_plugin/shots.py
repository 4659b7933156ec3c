"""Photos as files, and shots: files that are one photo and go everywhere together.

RAW and JPEG, or HEIC and JPEG, of one press of the button are one photo, never duplicates of each
other. Files are one shot when: 1. they lie in one folder; 2. their names differ in the suffix
alone, capitals or not; 3. each is of another kind (RAW, HEIC, anything else); 4. their capture
times, where both are known, agree to the second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from twinlens.media import is_raw


class Photo(NamedTuple):
    """One file that holds a photo, as far as groups care.

    A tuple: a library has tens of thousands of duplicates, and a frozen dataclass takes 8 times as
    long to make.
    """

    content_id: int
    path: bytes
    """Absolute."""
    size: int
    """Bytes."""
    width: int | None = None
    height: int | None = None
    taken_at: str | None = None
    """EXIF local time, ISO 8601."""
    mtime_ns: int = 0
    sha256: bytes = b""
    camera: str | None = None
    """Make and model, where the file tells."""
    format: str | None = None
    """As the catalogue has it: ``JPEG``, ``HEIF``, ``PNG``, ``RAW``."""
    online: bool = True
    """Whether the folder that holds it is there now."""
    place: tuple[int, int] = (0, 0)
    """Root and inode: two names of one file (hard links) share it. Where there is no inode, a place
    of the file's own."""
    derived: bool = False
    """Whether its metadata names a document that it was made from (``xmpMM:DerivedFrom``)."""
    sharpness: float | None = None
    """As the worker measured it: higher is sharper; None where it did not."""
    added_at: float = 0.0
    """When the file came into the library or its bytes changed, seconds since 1970."""
    rating: int | None = None
    """``xmp:Rating`` of its sidecar: -1 rejected, 0 to 5; None where there is none."""
    tagged: bool = False
    """Whether its sidecar holds keywords."""
    reference: bool = False
    """Whether it lies in a reference folder: never proposed for removal."""
    file_id: int = 0
    """Its number in the catalogue, as the review page names it."""
    holds_picture: bool = False
    """Whether another picture was found within it: a page, a story, a frame, or a pale margin."""

    @property
    def pixels(self) -> int:
        """Width times height; 0 where unknown."""
        return (self.width or 0) * (self.height or 0)

    @property
    def folder(self) -> bytes:
        """The folder it lies in."""
        return self.path.rpartition(b"/")[0]

    @property
    def raw(self) -> bool:
        """Whether it is a camera's RAW file."""
        return is_raw(self.path)


class Shot(NamedTuple):
    """One photo: a file, and the other files of the same press of the button beside it."""

    photo: Photo
    """The RAW file where there is one, else HEIC before JPEG."""
    companions: tuple[Photo, ...] = ()
    """They stay and go with ``photo``."""
    chosen: int = 0
    """-1 where a person chose to keep it, 1 where to keep another, 0 where nobody said."""

    @property
    def photos(self) -> tuple[Photo, ...]:
        """All its files."""
        return (self.photo, *self.companions)

    @property
    def contents(self) -> tuple[int, ...]:
        """The numbers of its contents, ascending, each once."""
        if not self.companions:
            return (self.photo.content_id,)
        return tuple(sorted({photo.content_id for photo in self.photos}))

    @property
    def raw(self) -> bool:
        """Whether a RAW file is among its files: it is the photo then."""
        return self.photo.raw

    @property
    def reference(self) -> bool:
        """Whether it lies in a reference folder."""
        return self.photo.reference

    @property
    def rating(self) -> int | None:
        """The best rating of its files."""
        if not self.companions:
            return self.photo.rating
        ratings = [photo.rating for photo in self.photos if photo.rating is not None]
        return max(ratings, default=None)

    @property
    def tagged(self) -> bool:
        """Whether a sidecar of its files holds keywords."""
        return any(photo.tagged for photo in self.photos)


def make_shots(photos: Iterable[Photo]) -> list[Shot]:
    """Put files that are one shot together; every photo is in exactly one."""
    by_stem: dict[bytes, list[Photo]] = defaultdict(list)
    for photo in photos:
        by_stem[stem(photo.path)].append(photo)
    return [shot for same in by_stem.values() for shot in _split(same)]


def are_companions(a: Photo, b: Photo) -> bool:
    """Tell whether two files are one shot."""
    return (
        stem(a.path) == stem(b.path)
        and form(a.path) != form(b.path)
        and _same_moment(a.taken_at, b.taken_at)
    )


def _split(same: Sequence[Photo]) -> list[Shot]:
    """Make shots of files of one folder and stem."""
    if len(same) == 1:
        return [Shot(same[0])]
    left = sorted(same, key=lambda photo: (form(photo.path), photo.path))
    shots = []
    while left:
        first, *rest = left
        companions: list[Photo] = []
        for photo in rest:
            if all(are_companions(photo, other) for other in (first, *companions)):
                companions.append(photo)
        shots.append(Shot(first, tuple(companions)))
        left = [photo for photo in rest if photo not in companions]
    return shots


def stem(path: bytes) -> bytes:
    """Return a path without the suffix of its name: the files of one shot share it."""
    folder, slash, name = path.rpartition(b"/")
    return folder + slash + name.rpartition(b".")[0]


def form(path: bytes) -> int:
    """Return in which form a camera wrote a file: 0 RAW, 1 HEIC, 2 anything else."""
    if is_raw(path):
        return 0
    return 1 if path.lower().endswith((b".heic", b".heif", b".hif")) else 2


def _same_moment(a: str | None, b: str | None) -> bool:
    # To the second: RAW files seldom carry the fraction that their JPEG has.
    return not a or not b or a[:19] == b[:19]
