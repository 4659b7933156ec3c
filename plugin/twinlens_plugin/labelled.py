"""Folders as labels: which photos has a user put together?

1. The folder that a photo lies in is its group; with a depth of N, the first N folders below the top.
2. Photos that lie in the top folder itself belong to no group.
3. What a scan does not read is not read here: hidden files and folders, other programs' thumbnails,
   symbolic links.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from twinlens.media import is_photo_name, skip_folder
from twinlens_plugin.errors import LabelsError
from twinlens_plugin.output import absolute, plural, shown


@dataclass(frozen=True, slots=True)
class Labels:
    """Photos and the folders that they belong to."""

    photos: list[tuple[bytes, bytes]]
    """(folder below the top, absolute path)."""
    loose: int
    """How many photos lie in the top folder itself."""
    closed: list[bytes]
    """Folders that cannot be listed."""


def read_labels(top: bytes, depth: int | None) -> Labels:
    """Find the photos below ``top``. Raises LabelsError where they are no two groups."""
    real = absolute(top)
    if not os.path.isdir(real):  # noqa: PTH112  bytes
        raise LabelsError(f"{shown(top)}: no such folder. Check the path.")
    closed: list[bytes] = []
    found = list(_photos(real, closed))
    photos = [(_label(folder, depth), os.path.join(real, folder, name)) for folder, name in found if folder]  # noqa: PTH118  # fmt: skip
    labels = Labels(photos, len(found) - len(photos), closed)
    _refuse_too_few(top, labels)
    return labels


def _photos(top: bytes, closed: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield (folder below the top, name), sorted; the top itself is an empty folder."""

    def note(error: OSError) -> None:
        closed.append(os.fsencode(error.filename))

    for folder, folders, names in os.walk(top, onerror=note):
        folders[:] = sorted(name for name in folders if not skip_folder(name))
        below = b"" if folder == top else os.path.relpath(folder, top)
        for name in sorted(filter(is_photo_name, names)):
            if _is_file(os.path.join(folder, name)):  # noqa: PTH118  bytes
                yield below, name


def _is_file(path: bytes) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return True  # the worker says what is wrong with it


def _label(folder: bytes, depth: int | None) -> bytes:
    separator = os.fsencode(os.sep)
    return separator.join(folder.split(separator)[:depth])


def _refuse_too_few(top: bytes, labels: Labels) -> None:
    sizes = Counter(folder for folder, _ in labels.photos)
    if sum(size > 1 for size in sizes.values()) < 2:
        there = f"{plural(len(labels.photos), 'photo')} in {plural(len(sizes), 'subfolder')}"
        raise LabelsError(
            f"{shown(top)}: needs two subfolders with two photos each, has {there} and"
            f" {labels.loose:,} beside them. Put photos that belong together into a folder of their"
            " own."
        )
