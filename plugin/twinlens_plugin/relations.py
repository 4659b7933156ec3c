"""What the catalogue knows of duplicates: which photos, and which are related.

A photo takes part when its bytes are what the catalogue says: 1. it is not deleted; 2. no new or
changed version of it waits to be read; 3. where its folder is there, the file on disk still has
the size, time and inode that were recorded, since people delete what is listed here.

``duplicates`` must start fast: no numpy in this module.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twinlens.catalogue import Catalogue
from twinlens.ledger import FileStat
from twinlens.media import is_raw
from twinlens.models import get_model
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


def find_duplicates(
    catalogue: Catalogue, settings: Settings, folders: Collection[bytes] = ()
) -> Duplicates:
    """Read all groups; with ``folders`` (real paths) only those with a photo below one of them."""
    with catalogue.read_tx():
        scores = _related(catalogue, settings)
        wanted = _held_twice(catalogue).union(*scores)
        found = list(_read_photos(catalogue, wanted))
    # Asking the disk takes its time where it is far away: not within the transaction.
    photos = [photo for photo, stat in found if not photo.online or _as_recorded(photo.path, stat)]
    groups = make_groups(photos, _without_companions(scores, photos))
    if folders:
        groups = [group for group in groups if _touches(group, folders)]
    return Duplicates(tuple(groups), stale=len(found) - len(photos))


def _read_photos(
    catalogue: Catalogue, contents: Collection[int]
) -> Iterator[tuple[Photo, FileStat]]:
    """Yield the current files of contents, each with what was recorded of it."""
    ids = sorted(contents)
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[start : start + _IDS_AT_ONCE]
        marks = ",".join("?" * len(some))
        rows = catalogue.rows(
            "SELECT f.content_id, f.root_id, f.size, f.mtime_ns, f.ctime_ns, f.inode, f.path,"  # noqa: S608
            " r.path AS root, r.online, c.sha256, c.width, c.height, c.taken_at"
            " FROM files f JOIN roots r ON r.id = f.root_id JOIN contents c ON c.id = f.content_id"
            f" LEFT JOIN jobs ON file_id = f.id WHERE f.content_id IN ({marks}) AND {CURRENT}",
            some,
        )
        for row in rows:
            recorded = FileStat(row["size"], row["mtime_ns"], row["ctime_ns"], row["inode"])
            yield _photo(row), recorded


def below(path: bytes, folder: bytes) -> bool:
    """Tell whether ``path`` is ``folder`` or lies below it."""
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _related(catalogue: Catalogue, settings: Settings) -> dict[tuple[int, int], float]:
    model = get_model(catalogue, "serving")
    if model is None:
        return {}
    threshold = settings.copy_threshold
    rows = catalogue.rows(
        "SELECT a, b, score FROM pairs WHERE model_id = ? AND score >= ?",
        (model.id, model.copy_threshold if threshold is None else threshold),
    )
    return {(a, b): score for a, b, score in rows}


def _held_twice(catalogue: Catalogue) -> set[int]:
    """Return contents that several files hold, tombstones among them; answered from an index."""
    rows = catalogue.rows(
        "SELECT content_id FROM files WHERE content_id IS NOT NULL"
        " GROUP BY content_id HAVING count(*) > 1"
    )
    return {content for (content,) in rows}


def _photo(row: Any) -> Photo:  # noqa: ANN401  sqlite3.Row
    return Photo(
        content_id=row["content_id"],
        path=os.path.join(row["root"], row["path"]),  # noqa: PTH118  bytes
        size=row["size"],
        width=row["width"],
        height=row["height"],
        taken_at=row["taken_at"],
        mtime_ns=row["mtime_ns"],
        sha256=row["sha256"],
        online=bool(row["online"]),
        place=(row["root_id"], row["inode"]),
    )


def _as_recorded(path: bytes, recorded: FileStat) -> bool:
    try:
        return recorded.same_bytes(FileStat.of(os.stat(path)))  # noqa: PTH116  bytes
    except OSError:
        return False


def _without_companions(
    scores: Mapping[tuple[int, int], float], photos: Sequence[Photo]
) -> dict[tuple[int, int], float]:
    """Leave out RAW + JPEG and HEIC + JPEG of one shot: they are one photo, not a duplicate."""
    names: dict[int, set[tuple[bytes, str]]] = defaultdict(set)
    for photo in photos:
        stem, _, suffix = photo.path.rpartition(b".")
        names[photo.content_id].add((stem.lower(), _camera_kind(suffix.lower())))
    return {
        (a, b): score
        for (a, b), score in scores.items()
        if not any(
            stem == other and {kind, kind_b} in ({"raw", "jpeg"}, {"heic", "jpeg"}, {"raw", "heic"})
            for stem, kind in names[a]
            for other, kind_b in names[b]
        )
    }


def _camera_kind(suffix: bytes) -> str:
    if is_raw(b"." + suffix):
        return "raw"
    return "heic" if suffix in (b"heic", b"heif", b"hif") else "jpeg"


def _touches(group: Group, folders: Collection[bytes]) -> bool:
    return any(below(member.photo.path, f) for member in group.members for f in folders)
