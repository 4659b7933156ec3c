"""What the catalogue knows of duplicates: which photos, and which are related.

A photo takes part when its bytes are what the catalogue says: 1. it is not deleted; 2. no new or
changed version of it waits to be read; 3. where its folder is there, the file on disk still has
the size, time and inode that were recorded; 4. it is not the same file once more, under another
mount. People delete what is listed here.

``duplicates`` must start fast: no numpy in this module.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from twinlens import pairs
from twinlens.catalogue import Catalogue
from twinlens.filestat import NO_INODE, FileStat
from twinlens.media import is_raw
from twinlens.models import Model, get_model
from twinlens.roots import list_roots
from twinlens.settings import Settings
from twinlens_plugin.groups import Group, make_groups
from twinlens_plugin.keeper import Photo

CURRENT = "missing_since IS NULL AND coalesce(priority, 1) != 0"
"""SQL over ``files LEFT JOIN jobs``: the file is there and its content is what was read last. Jobs
of priority 0 are new and changed photos; 1 is a change of model, where the content stays."""

_IDS_AT_ONCE = 500
"""SQLite takes at most 999 parameters where it is old (https://www.sqlite.org/limits.html)."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """All groups of a library, or those with a photo below the folders asked for."""

    groups: tuple[Group, ...]
    stale: int
    """Photos left out because they changed or went away since they were read."""
    sought_from: float | None
    """The score below which copies were not looked for, where the threshold is lower than that."""


def find_duplicates(
    catalogue: Catalogue, settings: Settings, folders: Collection[bytes] = ()
) -> Duplicates:
    """Read all groups; with ``folders`` (real paths) only those with a photo below one of them."""
    with catalogue.read_tx():
        model = get_model(catalogue, "serving")
        scores = _related(catalogue, settings, model) if model else {}
        sought_from = _not_low_enough(catalogue, settings, model) if model else None
        wanted = _held_twice(catalogue).union(*scores)
        found = list(_read_photos(catalogue, wanted))
    # Asking the disk takes its time where it is far away: not within the transaction.
    present = [photo for photo in found if not photo.online or _as_recorded(photo)]
    photos = _without_aliases(present)
    groups = make_groups(photos, _without_companions(scores, photos))
    if folders:
        groups = [group for group in groups if _touches(group, folders)]
    return Duplicates(tuple(groups), stale=len(found) - len(present), sought_from=sought_from)


def _read_photos(catalogue: Catalogue, contents: Collection[int]) -> Iterator[Photo]:
    """Yield the current files of contents."""
    roots = {root.id: (root.path + b"/", root.online) for root in list_roots(catalogue)}
    ids = sorted(contents)
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[start : start + _IDS_AT_ONCE]
        rows = catalogue.iterate(
            "SELECT content_id, root_id, f.path, size, width, height, taken_at, mtime_ns, sha256,"  # noqa: S608
            " camera, format, inode, f.id"
            " FROM files f JOIN contents c ON c.id = content_id LEFT JOIN jobs ON file_id = f.id"
            f" WHERE content_id IN ({','.join('?' * len(some))}) AND {CURRENT}",
            some,
        )
        for content, root, path, size, width, height, taken, mtime, sha256, *more in rows:
            camera, form, inode, file = more
            folder, online = roots[root]
            yield Photo(
                content,
                folder + path,
                size,
                width,
                height,
                taken,
                mtime,
                sha256,
                camera,
                form,
                online,
                # Without inodes there are no hard links: each file has a place of its own.
                place=(root, inode) if inode != NO_INODE else (-file, NO_INODE),
            )


def below(path: bytes, folder: bytes) -> bool:
    """Tell whether ``path`` is ``folder`` or lies below it."""
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _related(
    catalogue: Catalogue, settings: Settings, model: Model
) -> dict[tuple[int, int], float]:
    rows = catalogue.rows(
        "SELECT a, b, score FROM pairs WHERE model_id = ? AND score >= ?",
        (model.id, pairs.copy_threshold(settings, model)),
    )
    return {(a, b): score for a, b, score in rows}


def _not_low_enough(catalogue: Catalogue, settings: Settings, model: Model) -> float | None:
    kept = pairs.kept_floor(catalogue, model)
    return kept if kept is not None and pairs.copy_threshold(settings, model) < kept else None


def _held_twice(catalogue: Catalogue) -> set[int]:
    """Return contents that several files hold, tombstones among them; answered from an index."""
    rows = catalogue.rows(
        "SELECT content_id FROM files WHERE content_id IS NOT NULL"
        " GROUP BY content_id HAVING count(*) > 1"
    )
    return {content for (content,) in rows}


def _as_recorded(photo: Photo) -> bool:
    try:
        found = os.stat(photo.path)  # noqa: PTH116  bytes
    except OSError:
        return False
    recorded = FileStat(photo.size, photo.mtime_ns, 0, photo.place[1])
    return recorded.same_bytes(FileStat.of(found))


def _without_aliases(photos: Sequence[Photo]) -> list[Photo]:
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


def _without_companions(
    scores: Mapping[tuple[int, int], float], photos: Sequence[Photo]
) -> Mapping[tuple[int, int], float]:
    """Leave out RAW + JPEG and HEIC + JPEG of one shot: they are one photo, not a duplicate."""
    shots: dict[bytes, list[Photo]] = defaultdict(list)
    for photo in photos:
        shots[photo.path.rpartition(b".")[0].lower()].append(photo)
    companions = {
        (a.content_id, b.content_id)
        for same in shots.values()
        if len(same) > 1
        for a in same
        for b in same
        if _camera_kind(a.path) != _camera_kind(b.path)
    }
    if not companions:
        return scores
    return {pair: score for pair, score in scores.items() if pair not in companions}


def _camera_kind(path: bytes) -> str:
    """Return in which form of a shot a camera wrote this file."""
    if is_raw(path):
        return "raw"
    return "heic" if path.lower().endswith((b".heic", b".heif", b".hif")) else "jpeg"


def _touches(group: Group, folders: Collection[bytes]) -> bool:
    return any(below(member.photo.path, f) for member in group.members for f in folders)
