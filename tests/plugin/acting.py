"""What the tests of apply, undo and check share: a home of their own, plans, and pictures of a disk."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.plugin.conftest import Built
from twinlens_plugin.plans import Plan, PlannedGroup, PlannedPhoto, new_plan, write_plan

State = Mapping[str, tuple[int, int, str]]
"""Path below a folder: mode, time, and content's hash; of folders ``folder``."""


def state(folder: Path) -> State:
    """Return all that a folder holds, hidden files too."""
    return {str(path.relative_to(folder)): _look(path) for path in sorted(folder.rglob("*"))}


def _look(path: Path) -> tuple[int, int, str]:
    found = path.lstat()
    if stat.S_ISDIR(found.st_mode):
        return 0, 0, "folder"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return stat.S_IMODE(found.st_mode), found.st_mtime_ns, digest


def contents(*folders: Path) -> set[str]:
    """Return the hashes of all contents that lie anywhere below folders."""
    return {look[2] for folder in folders if folder.exists() for look in state(folder).values()}


def planned_photo(path: Path, relation: str, *, remove: bool) -> PlannedPhoto:
    """Return a photo of a plan as it is on disk now."""
    found = path.stat()
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return PlannedPhoto(
        os.fsencode(path), relation, remove, found.st_size, found.st_mtime_ns, digest
    )


def planned_group(name: str, keeper: Path, *spare: Path, kept: Iterable[Path] = ()) -> PlannedGroup:
    """Return a group that proposes to remove ``spare``."""
    photos = [planned_photo(keeper, "keeper", remove=False)]
    photos += [planned_photo(path, "copy", remove=True) for path in spare]
    photos += [planned_photo(path, "copy", remove=False) for path in kept]
    return PlannedGroup(name, "copy", "most pixels", tuple(photos))


def plan_of(
    built: Built, *groups: PlannedGroup, references: Iterable[Path] = ()
) -> tuple[Path, Plan]:
    """Write a plan of groups beside the photos; return its file, and the plan."""
    library = built.catalogue.meta("catalogue_id")
    assert library is not None
    plan = new_plan(library, groups, [os.fsencode(folder) for folder in references])
    file = built.photos.parent / f"plan-{plan.id}.json"
    write_plan(plan, file)
    return file, plan
