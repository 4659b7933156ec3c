"""Photos as they are now: which files of the catalogue hold the bytes that it says.

A photo takes part when: 1. it is not deleted; 2. no new or changed version of it waits to be read;
3. where its folder is there, the file on disk still has the size, time and inode that were
recorded; 4. it is not the same file once more, under another mount. People delete what is listed.

``duplicates`` must start fast: no numpy in this module.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from twinlens.catalogue import Catalogue
from twinlens.filestat import NO_INODE, FileStat
from twinlens.roots import Root, list_roots
from twinlens_plugin.shots import Photo

CURRENT = "missing_since IS NULL AND coalesce(priority, 1) != 0"
"""SQL over ``files LEFT JOIN jobs``: the file is there and its content is what was read last. Jobs
of priority 0 are new and changed photos; 1 is a change of model, where the content stays."""

AT_ONCE = 500
"""SQLite takes at most 999 parameters where it is old (https://www.sqlite.org/limits.html)."""

_COLUMNS = (
    "content_id, root_id, f.path, size, width, height, taken_at, mtime_ns, sha256, camera,"
    " format, inode, f.id, derived_from IS NOT NULL, sharpness, added_at,"
    " EXISTS (SELECT 1 FROM inner_vectors v WHERE v.content_id = c.id)"
)
_TABLES = "JOIN contents c ON c.id = content_id LEFT JOIN jobs ON file_id = f.id"


class Row(NamedTuple):
    """A current file, and where the catalogue has it."""

    photo: Photo
    root_id: int
    relative: bytes
    """Its path below the root."""


def below(path: bytes, folder: bytes) -> bool:
    """Tell whether ``path`` is ``folder`` or lies below it."""
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def chunks(numbers: Collection[int]) -> Iterator[tuple[list[int], str]]:
    """Yield numbers in pieces that SQLite takes, each with its question marks."""
    ordered = sorted(numbers)
    for start in range(0, len(ordered), AT_ONCE):
        some = ordered[start : start + AT_ONCE]
        yield some, ",".join("?" * len(some))


class Files:
    """Reads the current files of contents."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._roots: dict[int, Root] = {root.id: root for root in list_roots(catalogue)}

    def of(self, contents: Collection[int]) -> list[Row]:
        """Return the current files that hold these contents."""
        return [
            self._row(row)
            for some, marks in chunks(contents)
            for row in self._catalogue.iterate(
                f"SELECT {_COLUMNS} FROM files f {_TABLES}"  # noqa: S608
                f" WHERE content_id IN ({marks}) AND {CURRENT}",
                some,
            )
        ]

    def beside(self, files: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
        """Yield each of these files with each that differs from it in the suffix of its name alone."""
        stems = [(f, f.relative.rpartition(b".")[0]) for f in files]
        for start in range(0, len(stems), AT_ONCE // 4):
            some = stems[start : start + AT_ONCE // 4]
            values = ",".join(f"({i},?,?,?,?)" for i in range(len(some)))
            rows = self._catalogue.iterate(
                f"WITH near (i, root, own, low, high) AS (VALUES {values})"  # noqa: S608
                f" SELECT {_COLUMNS}, i FROM near CROSS JOIN files f"
                " ON root_id = root AND f.path > low AND f.path < high AND f.path != own"
                f" {_TABLES} WHERE {CURRENT}",
                # "/" follows "." in bytes: a range of the index, not a walk through the folder.
                [v for f, stem in some for v in (f.root_id, f.relative, stem + b".", stem + b"/")],
            )
            for *row, i in rows:
                file, stem = some[i]
                if b"." not in row[2][len(stem) + 1 :]:
                    yield file, self._row(row)

    def _row(self, row: Any) -> Row:  # noqa: ANN401  sqlite3.Row
        content, root_id, path, size, width, height, taken, mtime, sha256, *more = row
        camera, form, inode, file_id, derived, sharpness, added_at, holds_picture = more
        root = self._roots[root_id]
        photo = Photo(
            content,
            root.path + b"/" + path,
            size,
            width,
            height,
            taken,
            mtime,
            sha256,
            camera,
            form,
            root.online,
            # Without inodes there are no hard links: each file has a place of its own.
            (root_id, inode) if inode != NO_INODE else (-file_id, NO_INODE),
            bool(derived),
            sharpness,
            added_at,
            file_id=file_id,
            holds_picture=bool(holds_picture),
        )
        return Row(photo, root_id, path)


def present(photos: Iterable[Photo]) -> list[Photo]:
    """Return the photos whose files are as recorded; those of a disk that is away are believed."""
    return [photo for photo in photos if not photo.online or _as_recorded(photo)]


def _as_recorded(photo: Photo) -> bool:
    try:
        found = os.stat(photo.path)  # noqa: PTH116  bytes
    except OSError:
        return False
    if (found.st_size, found.st_mtime_ns, found.st_ino) == (
        photo.size,
        photo.mtime_ns,
        photo.place[1],
    ):
        return True  # as nearly all are; the rest is for odd disks, and slower
    recorded = FileStat(photo.size, photo.mtime_ns, 0, photo.place[1])
    return recorded.same_bytes(FileStat.of(found))


def without_aliases(photos: Sequence[Photo]) -> list[Photo]:
    """Leave out files that are one file: a folder mounted at two places, and both of them watched.

    Of those paths each would be the spare of the other, and to delete it would delete the photo.
    Hard links, of which there are no more than the file says that it has, stay.
    """
    same: dict[tuple[int, ...], list[Photo]] = defaultdict(list)
    for photo in photos:
        if photo.online:
            same[photo.place[1], photo.size, photo.mtime_ns].append(photo)
    aliases = {photo.path for alike in same.values() if len(alike) > 1 for photo in _aliases(alike)}
    return [photo for photo in photos if photo.path not in aliases] if aliases else [*photos]


def _aliases(photos: Sequence[Photo]) -> list[Photo]:
    """Return, of photos with the same inode, those that are another one's file."""
    names: dict[tuple[int, int], list[Photo]] = defaultdict(list)
    links: dict[tuple[int, int], int] = {}
    for photo in sorted(photos, key=lambda photo: photo.path):
        with contextlib.suppress(OSError):
            status = os.stat(photo.path)  # noqa: PTH116  bytes
            names[status.st_dev, status.st_ino].append(photo)
            links[status.st_dev, status.st_ino] = status.st_nlink
    return [alias for file, same in names.items() if len(same) > links[file] for alias in same[1:]]
