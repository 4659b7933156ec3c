"""Photos that a worker did not find: are they gone, or is it their disk, or the worker's mount?

That a worker does not find a photo does not make it a deleted one (immich#30817: 68,811 photos
forgotten because a drive was not mounted). The owner looks for itself:
1. The root is away: it goes offline, and all stays as it is known.
2. The owner finds the photo: the worker looks in the wrong place, or the photo is back already.
3. Neither: it was deleted.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from twinlens.catalogue import Catalogue
from twinlens.errors import VanishedError
from twinlens.messages import Failed, Result
from twinlens.roots import Root, list_roots, set_online, why_offline

NOT_FOUND = "not-found"
"""Kind of the failure where the owner sees a photo that the worker does not."""

NOT_FOUND_REASON = (
    "the worker did not find this photo, which is there. Where it runs on another computer, set"
    " TWINLENS_MOUNTS there to where the folder is, then: twinlens scan --retry"
)


@dataclass(frozen=True, slots=True)
class Search:
    """What the owner found of the photos that a worker did not find."""

    there: frozenset[int] = frozenset()
    """Files that are there."""
    away: frozenset[int] = frozenset()
    """Roots that are not."""


def search(catalogue: Catalogue, results: Sequence[Result], *, now: float) -> Search:
    """Look for the photos that ``results`` call vanished; roots that are away go offline.

    Outside of any transaction, as a disk may take its time.
    """
    wanted = [r.file_id for r in results if isinstance(r, Failed) and r.kind == VanishedError.kind]
    if not wanted:
        return Search()
    known = {root.id: root for root in list_roots(catalogue)}
    sql = "SELECT id, root_id, path FROM files WHERE id = ?"
    files = [row for file_id in wanted if (row := catalogue.row(sql, (file_id,)))]
    roots = [known[root_id] for root_id in {row["root_id"] for row in files} if root_id in known]
    return Search(
        there=frozenset(
            row["id"]
            for row in files
            if row["root_id"] in known and _is_there(known[row["root_id"]], row["path"])
        ),
        away=frozenset(root.id for root in roots if _goes_offline(catalogue, root, now)),
    )


def _goes_offline(catalogue: Catalogue, root: Root, now: float) -> bool:
    reason = why_offline(root)
    if reason is not None:
        set_online(catalogue, root, reason=reason, now=now)
    return reason is not None


def _is_there(root: Root, path: bytes) -> bool:
    try:
        status = os.lstat(os.path.join(root.path, path))  # noqa: PTH118  bytes
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # in doubt nothing is taken for deleted
    return stat.S_ISREG(status.st_mode)
