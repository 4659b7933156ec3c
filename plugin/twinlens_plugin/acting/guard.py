"""What must hold on disk, right before a photo is acted on.

1. Both files lie in watched folders that are there now (the disk is not away), reached without a
   symbolic link. 2. The one to go is below no reference folder. 3. Both are read whole, and are what
   the plan says. 4. They are two files: not one file by two paths, by two mounts, or by names that
   differ in case. 5. Nothing that the whole plan keeps is that file either. 6. Nobody decided since
   that both are wanted. 7. Nor were the two compared again, and are no duplicates.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

from twinlens.errors import PhotoError, VanishedError
from twinlens.roots import Root, why_offline
from twinlens_plugin.acting import files
from twinlens_plugin.acting.files import Reading
from twinlens_plugin.current import below
from twinlens_plugin.decisions import NOT_DUPLICATES, Decision
from twinlens_plugin.errors import SkippedError
from twinlens_plugin.output import shown
from twinlens_plugin.plans import Plan, PlannedPhoto
from twinlens_plugin.shots import stem


class Guard:
    """Decides for one plan what may be done."""

    def __init__(
        self,
        plan: Plan,
        roots: Sequence[Root],
        decisions: Iterable[Decision] = (),
        apart: Iterable[bytes] = (),
    ) -> None:
        """``apart``: photos that were found to be no duplicates, as ``since.apart`` has it."""
        self._roots = roots
        self._references = {os.path.realpath(folder) for folder in plan.references}
        kept = [photo.path for group in plan.groups for photo in group.photos if not photo.remove]
        self._kept = _by_inode(kept)
        self._wanted = frozenset(_wanted_photos(plan, decisions))
        self._apart = frozenset(apart)

    def root_of(self, path: bytes) -> Root:
        """Return the root that holds a path, which is there now. Raises SkippedError."""
        for root in self._roots:
            if below(path, root.path):
                if (reason := why_offline(root)) is not None:
                    raise SkippedError(
                        f"{shown(path)}: its disk is away ({reason}). Bring it back."
                    )
                return root
        raise SkippedError(f"{shown(path)}: lies in no watched folder. Make a new plan.")

    def look(self, photo: PlannedPhoto, kept: Collection[PlannedPhoto]) -> None:
        """Check what can be checked without reading the files. Raises SkippedError."""
        for path in (photo.path, *(other.path for other in kept)):
            self.root_of(path)
            _refuse_links(path)
        if any(below(photo.path, folder) for folder in self._references):
            raise SkippedError(
                f"{shown(photo.path)}: lies in a reference folder, from which nothing is removed."
            )
        if photo.path in self._wanted:
            raise SkippedError(
                f"{shown(photo.path)}: you decided since that it is to stay. Make a new plan."
            )
        if photo.path in self._apart:
            raise SkippedError(
                f"{shown(photo.path)}: was compared again since, and is no duplicate of the photo to keep."
                " Make a new plan."
            )
        self._refuse_aliases(photo.path)

    def read(self, photo: PlannedPhoto, kept: Collection[PlannedPhoto]) -> dict[bytes, Reading]:
        """Read all files whole; return them by path. Raises SkippedError where any changed."""
        self.look(photo, kept)
        return {other.path: read_as_planned(other) for other in (*kept, photo)}

    def _refuse_aliases(self, path: bytes) -> None:
        """Refuse a path that is a keeper's file by another name, of this group or of any other."""
        found = _status(path)
        for keeper in self._kept.get(found.st_ino, ()):
            if files.is_same_entry(path, keeper):
                raise SkippedError(
                    f"{shown(path)}: is {shown(keeper)} by another path, which is to be kept."
                )
            # A network share mounted twice shows one file with one inode on two devices.
            kept = _status(keeper)
            if kept.st_dev != found.st_dev and _version(kept) == _version(found):
                raise SkippedError(
                    f"{shown(path)}: may be {shown(keeper)} by another mount, which is to be kept."
                )


def _wanted_photos(plan: Plan, decisions: Iterable[Decision]) -> Iterator[bytes]:
    """Yield the photos to remove that a person wants beside the keeper, or beside a twin that stays.

    What is said of one file of a shot, the JPEG beside its RAW file, is said of the shot.
    """
    wanted: dict[str, set[str]] = defaultdict(set)
    for one, other in (pair for decision in decisions for pair in _wanted(decision)):
        wanted[one].add(other)
    for group in plan.groups if wanted else ():
        keeper = stem(group.keeper.path)
        kept = {p.sha256 for p in group.photos if not p.remove and stem(p.path) == keeper}
        stems = {
            stem(photo.path)
            for photo in group.removals
            if (beside := wanted.get(photo.sha256))
            and (not beside.isdisjoint(kept) or (photo.sha256 in beside and group.twin(photo)))
        }
        yield from (photo.path for photo in group.removals if stem(photo.path) in stems)


def _wanted(decision: Decision) -> Iterator[tuple[str, str]]:
    """Yield ``(one, other)`` where a person wants one beside the other, both as hashes."""
    a, b = decision.a.hex(), decision.b.hex()
    if decision.verdict == NOT_DUPLICATES:
        yield from ((a, b), (b, a))
    elif decision.keeper is not None:
        yield (a, b) if decision.keeper == decision.a else (b, a)


def read_as_planned(photo: PlannedPhoto) -> Reading:
    """Read a file that should be as it was planned. Raises SkippedError where it is not."""
    try:
        reading = files.read(photo.path)
    except VanishedError as error:
        raise SkippedError(
            f"{shown(photo.path)}: is gone since the plan was made. Run: twinlens scan"
        ) from error
    except PhotoError as error:
        raise SkippedError(str(error)) from error
    if reading.sha256 != photo.sha256:
        raise SkippedError(
            f"{shown(photo.path)}: changed since the plan was made. Make a new plan."
        )
    return reading


def unchanged_at_a_glance(photo: PlannedPhoto) -> bool:
    """Tell, for a dry run, whether size and time are still those of the plan."""
    found = _status(photo.path)
    return (found.st_size, found.st_mtime_ns) == (photo.size, photo.mtime_ns)


def _by_inode(paths: Sequence[bytes]) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = defaultdict(list)
    for path in paths:
        with contextlib.suppress(OSError):  # its group is skipped when its turn comes
            found[os.lstat(path).st_ino].append(path)
    return dict(found)


def _version(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_size, found.st_mtime_ns


def _status(path: bytes) -> os.stat_result:
    try:
        return os.lstat(path)
    except OSError as error:
        raise SkippedError(
            f"{shown(path)}: {(error.strerror or 'cannot be read').lower()}. Run: twinlens scan"
        ) from error


def _refuse_links(path: bytes) -> None:
    folder = os.path.dirname(path)
    if os.path.realpath(folder) != folder:
        raise SkippedError(
            f"{shown(path)}: is reached through a symbolic link now. Run: twinlens scan"
        )
