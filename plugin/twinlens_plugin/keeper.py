"""Which photo of a group to keep.

The keeper is the photo with: 1. the most pixels; 2. then what the camera wrote into it, which editors
and messengers often drop; 3. then the format that a camera writes: a PNG made of a JPEG is larger,
not better; 4. then the most bytes, being compressed least; 5. then the earliest capture time (the
file's own time where the camera left none); 6. then the oldest file; 7. then the shortest path;
8. then the first path in byte order, so that the choice never depends on the order in which photos
were found.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple

from twinlens.media import is_raw

Rank = tuple[int, bool, int, int, str, int, int, bytes]

_FROM_CAMERA = ("HEIF", "JPEG")
_OF_UNKNOWN_ORIGIN = ("JPEG", "HEIF")
"""After RAW. A phone's HEIF is seldom made of a JPEG with its camera data kept, but without such
data a JPEG is the likelier original. What is neither comes last."""

_REASONS = (
    "most pixels",
    "has the camera's data",
    "in a camera's format",
    "least compressed",
    "taken first",
    "oldest file",
    "shortest path",
    "first by name",
)


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

    @property
    def pixels(self) -> int:
        """Width times height; 0 where unknown."""
        return (self.width or 0) * (self.height or 0)


def rank(photo: Photo) -> Rank:
    """Return a key that sorts the best photo first. No two photos have the same."""
    return (
        -photo.pixels,
        photo.camera is None,
        _format_rank(photo),
        -photo.size,
        photo.taken_at or _file_time(photo.mtime_ns),
        photo.mtime_ns,
        len(photo.path),
        photo.path,
    )


def reason(keeper: Photo, others: Iterable[Photo]) -> str:
    """Say why ``keeper`` is kept: the first rule by which it beats the best of ``others``, one at least."""
    mine, best = rank(keeper), min(map(rank, others))
    for place, words in enumerate(_REASONS):
        if mine[place] != best[place]:
            return words
    return _REASONS[-1]


def _format_rank(photo: Photo) -> int:
    if is_raw(photo.path):
        return 0
    order = _OF_UNKNOWN_ORIGIN if photo.camera is None else _FROM_CAMERA
    return 1 + (order.index(photo.format) if photo.format in order else len(order))


def _file_time(mtime_ns: int) -> str:
    """Return a file's time as EXIF has times: local, ISO 8601, without a zone."""
    local = dt.datetime.fromtimestamp(mtime_ns // 10**9)  # noqa: DTZ006  EXIF times are local
    return local.isoformat()
