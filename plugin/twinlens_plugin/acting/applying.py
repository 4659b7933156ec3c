"""Doing what a plan proposes, photo by photo, or saying what would be done."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from twinlens import ledger
from twinlens.catalogue import Catalogue
from twinlens.errors import TwinlensError
from twinlens.filestat import FileStat
from twinlens.media import skip_folder
from twinlens.roots import Root, why_offline
from twinlens_plugin.acting import files
from twinlens_plugin.acting.actions import Action, AlreadyError, Maker, Order
from twinlens_plugin.acting.guard import Guard, read_as_planned, unchanged_at_a_glance
from twinlens_plugin.acting.journal import Entry, Run, Writer
from twinlens_plugin.acting.step import Step
from twinlens_plugin.acting.steps import Move, Remove, Write
from twinlens_plugin.acting.undoing import failure, take_back
from twinlens_plugin.current import below
from twinlens_plugin.errors import ActingError, JournalError, SkippedError
from twinlens_plugin.interrupts import Interrupt
from twinlens_plugin.output import shown
from twinlens_plugin.plans import Plan, PlannedGroup, PlannedPhoto


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one photo of a plan."""

    group: PlannedGroup
    photo: PlannedPhoto
    state: str
    """``done``, ``would`` (dry run), ``already``, ``skipped`` or ``failed``."""
    reason: str | None = None
    target: bytes | None = None
    """Where it was, or would be, moved to."""
    sidecars: tuple[bytes, ...] = ()
    """Sidecars that are, or would be, written to tag it."""
    starred: bool = False
    """Whether it could go, and was not rejected for the stars that somebody gave it."""


def photos_to_act_on(
    plan: Plan, action: Action, *, whole_groups: bool = False
) -> Iterator[tuple[PlannedGroup, PlannedPhoto]]:
    """Yield the photos of a plan that an action is about: those to remove, or all to tag.

    ``whole_groups``: of groups too from which nothing is to go.
    """
    for group in plan.groups:
        if group.removals or whole_groups:
            for photo in group.photos if action is Action.TAG else group.removals:
                yield group, photo


def _already(
    group: PlannedGroup, photo: PlannedPhoto, error: AlreadyError, maker: Maker
) -> Outcome:
    return Outcome(group, photo, "already", str(error), starred=maker.keeps_stars(photo.path))


class DryRun:
    """Says what would be done. Files are not read whole: size and time are compared."""

    def __init__(
        self, plan: Plan, order: Order, guard: Guard, maker: Maker, done_before: frozenset[bytes]
    ) -> None:
        self._plan = plan
        self._order = order
        self._guard = guard
        self._maker = maker
        self._done_before = done_before

    def run(self) -> Iterator[Outcome]:
        """Yield what would become of each photo."""
        for group, photo in _chosen(self._plan, self._order):
            if _was_done(photo, self._order.action, self._done_before):
                yield _done_before(group, photo)
                continue
            try:
                yield self._look(group, photo)
            except AlreadyError as error:
                yield _already(group, photo, error, self._maker)
            except SkippedError as error:
                yield Outcome(group, photo, "skipped", str(error))

    def _look(self, group: PlannedGroup, photo: PlannedPhoto) -> Outcome:
        kept = _kept(group, photo)
        if photo.remove:
            self._guard.look(photo, kept)
        else:
            self._guard.root_of(photo.path)
        for planned in () if self._order.clear else (photo, *kept):
            if not unchanged_at_a_glance(planned):
                read_as_planned(planned)  # another time, but perhaps the same bytes
        if self._order.action is Action.TAG:
            sidecars = _sidecars(self._maker.tags(photo, group))
            _refuse_read_only(sidecars)
            return Outcome(
                group,
                photo,
                "would",
                sidecars=sidecars,
                starred=self._maker.keeps_stars(photo.path),
            )
        if self._order.action.links:
            self._maker.refuse_to_link(photo, kept[-1])
        target = None
        if self._order.action is Action.MOVE:
            target = self._maker.target(photo.path, self._guard.root_of(photo.path))
        return Outcome(group, photo, "would", target=target)


class Apply:
    """Acts, with a journal."""

    def __init__(
        self,
        plan: Plan,
        order: Order,
        guard: Guard,
        maker: Maker,
        writer: Writer,
        catalogue: Catalogue,
        done_before: frozenset[bytes],
    ) -> None:
        """``done_before``: photos with which an earlier apply of this plan was done."""
        self._plan = plan
        self._order = order
        self._guard = guard
        self._maker = maker
        self._writer = writer
        self._catalogue = catalogue
        self._done_before = done_before
        self._number = 0

    def run(self, interrupt: Interrupt) -> Iterator[Outcome]:
        """Act on each photo and yield what became of it; a signal ends it between two of them.

        Raises JournalError: nothing is done without a journal.
        """
        for group, photo in _chosen(self._plan, self._order):
            if interrupt.number is not None:
                return
            if _was_done(photo, self._order.action, self._done_before):
                yield _done_before(group, photo)
                continue
            yield self._act(group, photo)

    def _act(self, group: PlannedGroup, photo: PlannedPhoto) -> Outcome:
        try:
            steps = self._prepare(group, photo)
            self._do(group, photo, steps)
        except AlreadyError as error:
            return _already(group, photo, error, self._maker)
        except SkippedError as error:
            return Outcome(group, photo, "skipped", str(error))
        except JournalError:
            raise
        except TwinlensError as error:
            return Outcome(group, photo, "failed", str(error))
        except OSError as error:
            return Outcome(group, photo, "failed", failure(photo.path, error))
        target = steps[-1].target if isinstance(steps[-1], Move) else None
        tagged = self._order.action is Action.TAG
        return Outcome(
            group,
            photo,
            "done",
            target=target,
            sidecars=_sidecars(steps) if tagged else (),
            starred=tagged and self._maker.keeps_stars(photo.path),
        )

    def _prepare(self, group: PlannedGroup, photo: PlannedPhoto) -> Sequence[Step]:
        """Read both files whole and return the steps, nothing of which is done yet."""
        if self._order.action is Action.TAG:
            return self._prepare_tags(group, photo)
        kept = _kept(group, photo)
        readings = self._guard.read(photo, kept)
        roots = self._guard.root_of(photo.path), self._guard.root_of(group.keeper.path)
        steps = self._maker.removal(photo, kept[0], kept[-1], readings[photo.path], roots)
        for path, reading in readings.items():  # exiftool took its time meanwhile
            if not files.still_is(path, reading):
                raise SkippedError(f"{shown(path)}: is being changed. Try again when it is done.")
        return steps

    def _prepare_tags(self, group: PlannedGroup, photo: PlannedPhoto) -> Sequence[Step]:
        self._guard.root_of(photo.path)
        steps = self._maker.tags(photo, group)  # first: what says it already need not be read
        if photo.remove:
            self._guard.read(photo, _kept(group, photo))
        elif not self._order.clear:
            read_as_planned(photo)
        return steps

    def _do(self, group: PlannedGroup, photo: PlannedPhoto, steps: Sequence[Step]) -> None:
        self._number += 1
        entry = Entry(self._number, photo.path, self._order.action, tuple(steps))
        kept = {other.path: os.lstat(other.path) for other in _kept(group, photo)}
        self._writer.begin(entry)
        try:
            for step in steps:
                entry.told.append(step.do())
                self._writer.told(entry)
            for path, status in kept.items():
                _refuse_loss(path, status)
        except (TwinlensError, OSError) as error:
            self._take_back(entry, error)
            raise
        self._writer.end(entry, "done")
        if self._order.action.removes:
            self._forget(photo.path)
        elif self._order.action.links:
            self._replaced(photo)

    def _take_back(self, entry: Entry, error: Exception) -> None:
        # A step that fails has changed nothing: those before it are taken back.
        done = Entry(
            entry.number, entry.path, entry.action, entry.steps[: len(entry.told)], entry.told
        )
        problems = take_back(done)
        if not problems:
            self._writer.end(entry, "failed", str(error))
            return
        raise ActingError(
            f"{error} And it could not be taken back: {'; '.join(problems)} Run: twinlens undo"
        ) from error

    def _forget(self, path: bytes) -> None:
        """Tell the catalogue, so that the next scan does not take many removed photos for a lost disk."""
        # The photo is gone and the journal has it: a scan finds out what cannot be written now.
        with contextlib.suppress(sqlite3.Error, SkippedError):
            root = self._guard.root_of(path)
            relative = os.path.relpath(path, root.path)
            ledger.tombstone(self._catalogue, root.id, [relative], now=time.time())

    def _replaced(self, photo: PlannedPhoto) -> None:
        """Tell the catalogue of a link, which has another inode: the photo would be left out till a scan."""
        with contextlib.suppress(sqlite3.Error, SkippedError, OSError):
            root = self._guard.root_of(photo.path)
            stat = FileStat.of(os.lstat(photo.path))
            relative = os.path.relpath(photo.path, root.path)
            ledger.replaced(self._catalogue, root.id, relative, stat, photo.sha256, now=time.time())


def _chosen(plan: Plan, order: Order) -> Iterator[tuple[PlannedGroup, PlannedPhoto]]:
    return photos_to_act_on(plan, order.action, whole_groups=order.whole_groups)


def _sidecars(steps: Sequence[Step]) -> tuple[bytes, ...]:
    return tuple(step.path for step in steps if isinstance(step, Write | Remove))


def _refuse_read_only(paths: Sequence[bytes]) -> None:
    """Raise SkippedError where a sidecar cannot be written: a dry run should say so."""
    for path in paths:
        if not os.access(os.path.dirname(path), os.W_OK | os.X_OK):
            raise SkippedError(
                f"{shown(path)}: cannot be written, its folder is read-only. Correct its permissions."
            )


def _kept(group: PlannedGroup, photo: PlannedPhoto) -> list[PlannedPhoto]:
    """Return what has to be there when a photo goes: the keeper, then a file with the same bytes."""
    return [*dict.fromkeys((group.keeper, group.twin(photo) or group.keeper))]


def _refuse_loss(path: bytes, kept: os.stat_result) -> None:
    """See that a file that stays is still there.

    Were both one file, in a way that nobody knew of, the photo comes back at once.
    """
    try:
        found = os.lstat(path)
    except OSError as error:
        raise ActingError(f"{shown(path)}: it went as well, so both are back.") from error
    if (found.st_size, found.st_mtime_ns) != (kept.st_size, kept.st_mtime_ns):
        raise ActingError(f"{shown(path)}: was replaced just now. Make a new plan.")


def _was_done(photo: PlannedPhoto, action: Action, done_before: frozenset[bytes]) -> bool:
    """Tell whether there is nothing left to do; a photo that somebody put back is there to be done."""
    if photo.path not in done_before:
        return False
    return action is Action.REFLINK or (action.removes and not os.path.lexists(photo.path))


def _done_before(group: PlannedGroup, photo: PlannedPhoto) -> Outcome:
    return Outcome(group, photo, "already", f"{shown(photo.path)}: was done before.")


def done_before(runs: Sequence[Run], plan: Plan, action: Action) -> frozenset[bytes]:
    """Return the photos of a plan with which an earlier run was done, and that were not undone."""
    return frozenset(
        entry.path
        for run in runs
        if run.plan == plan.id and run.action == action
        for entry in run.entries.values()
        if entry.state == "done"
    )


def folder_to_move_to(folder: bytes, roots: Sequence[Root]) -> bytes:
    """Return the real path of the folder to move to. Raises ActingError where it is a bad choice."""
    real = os.path.realpath(folder)
    if os.path.lexists(real) and not os.path.isdir(real):
        raise ActingError(f"{shown(real)}: is no folder. Name another.")
    for root in roots:
        if not below(real, root.path):
            continue
        if (reason := why_offline(root)) is not None:
            raise ActingError(f"{shown(real)}: its disk is away ({reason}). Bring it back.")
        parts = os.path.relpath(real, root.path).split(b"/")
        if real == root.path or not any(map(skip_folder, parts)):
            raise ActingError(
                f"{shown(real)}: lies in {shown(root.path)}, which is watched: what is moved there"
                " would be found again. Choose a folder outside, or a hidden one (.spare)."
            )
    return real
