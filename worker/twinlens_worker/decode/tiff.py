"""Whether a TIFF-like file, as most RAW formats are, holds all the picture data it speaks of."""

from __future__ import annotations

import struct
from collections.abc import Iterator

# Tag numbers: TIFF 6.0, sections 8, 15 and 22; SubIFDs: TIFF/EP (ISO 12234-2).
_SUB_DIRECTORIES = 330
_PICTURE_DATA = ((273, 279), (324, 325))  # where strips and tiles lie, and their lengths
_SHAPES = {3: "H", 4: "I", 13: "I"}
_MOST_DIRECTORIES = 64
"""Cameras write a handful; a loop of directories must end."""

_Values = dict[int, tuple[int, ...]]


def data_overruns(data: bytes) -> bool:
    """Tell whether some strip or tile reaches beyond the end of the file; False for other files."""
    end = len(data)
    return any(
        offset + length > end
        for tags in _directories(data)
        for offsets, lengths in _PICTURE_DATA
        for offset, length in zip(tags.get(offsets, ()), tags.get(lengths, ()), strict=False)
    )


def _directories(data: bytes) -> Iterator[_Values]:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 8:
        return
    waiting = [struct.unpack_from(order + "I", data, 4)[0]]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_DIRECTORIES:
        at = waiting.pop()
        if at in seen or not 0 < at < len(data) - 2:
            continue
        seen.add(at)
        tags, following = _directory(data, at, order)
        waiting += [following, *tags.get(_SUB_DIRECTORIES, ())]
        yield tags


def _directory(data: bytes, at: int, order: str) -> tuple[_Values, int]:
    """Return the whole numbers in a directory, by tag, and the place of the next directory."""
    tags: _Values = {}
    count = struct.unpack_from(order + "H", data, at)[0]
    after = at + 2 + 12 * count
    if after + 4 > len(data):
        return tags, 0
    for place in range(at + 2, after, 12):
        tag, kind, many = struct.unpack_from(order + "HHI", data, place)
        shape = _SHAPES.get(kind)
        if shape is not None:
            tags[tag] = _values(data, place + 8, f"{order}{many}{shape}", order)
    return tags, struct.unpack_from(order + "I", data, after)[0]


def _values(data: bytes, place: int, shape: str, order: str) -> tuple[int, ...]:
    size = struct.calcsize(shape)
    if size > 4:
        place = struct.unpack_from(order + "I", data, place)[0]
    return struct.unpack_from(shape, data, place) if place + size <= len(data) else ()
