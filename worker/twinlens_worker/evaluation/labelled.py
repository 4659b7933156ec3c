"""The photos of a labelled collection, and which of them can be judged."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from twinlens.errors import MessageError, TwinlensError
from twinlens.media import printable


class TooFewPhotosError(TwinlensError):
    """The collection has nothing to find, or nothing to mistake it for."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One photo and the folder whose photos belong together."""

    folder: bytes
    path: bytes
    """Absolute."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Why a photo is not judged."""

    place: int
    """In the list of photos."""
    kind: str
    """``unreadable``, ``twice`` or ``ambiguous``."""
    reason: str


def read_labelled(data: bytes) -> list[Labelled]:
    r"""Read ``folder\0path\0folder\0path\0...``. Raises MessageError."""
    *words, rest = data.split(b"\0")
    if rest or len(words) % 2:
        raise MessageError("the list of photos breaks off. Install one version of twinlens.")
    pairs = zip(words[::2], words[1::2], strict=True)
    return [Labelled(folder, path) for folder, path in pairs]


def refuse_too_few(photos: Sequence[Labelled]) -> None:
    """Raise TooFewPhotosError unless two folders have two photos each."""
    sizes = Counter(photo.folder for photo in photos)
    if sum(size > 1 for size in sizes.values()) < 2:
        raise TooFewPhotosError(
            "fewer than two folders have two photos that can be read and differ: there is nothing to"
            " find, or nothing to mistake it for. Add photos."
        )


def repeated(photos: Sequence[Labelled], digests: Mapping[int, bytes]) -> Iterator[LeftOut]:
    """Yield the photos that would spoil the figures: files whose bytes are there more than once.

    ``digests`` are sha256 by place in ``photos``. 1. In one folder, the first stands for all:
    finding the same file is no feat. 2. In several folders, none is judged: whatever it is found
    by, one of the answers would be called wrong.
    """
    same: dict[bytes, list[int]] = defaultdict(list)
    for place in sorted(digests):
        same[digests[place]].append(place)
    for first, *others in same.values():
        folders = {photos[place].folder for place in (first, *others)}
        if len(folders) > 1:
            yield LeftOut(first, "ambiguous", _same_as(photos[others[-1]]))
        for place in others:
            kind = "ambiguous" if len(folders) > 1 else "twice"
            yield LeftOut(place, kind, _same_as(photos[first]))


def _same_as(other: Labelled) -> str:
    return f"the same file as {printable(other.path)}"
