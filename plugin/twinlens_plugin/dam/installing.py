"""Writes the files of an integration, and removes them, so that nobody loses a file of their own.

What may happen to a file is decided in this order:

1. Where nothing is, it is written.
2. What is as it should be stays; it counts as ours from then on.
3. What is as the record has it is ours, and replaced.
4. What the record has, but otherwise, its user changed: left, unless forced.
5. Everything else is somebody else's: left, forced or not.

To remove: as the record has it, it goes; changed, it stays, unless forced.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from twinlens_plugin.acting import files
from twinlens_plugin.acting.dressing import Dress
from twinlens_plugin.dam.integration import Call, Integration, Lines, Piece
from twinlens_plugin.dam.machine import Machine
from twinlens_plugin.dam.record import Record, Written, digest
from twinlens_plugin.errors import IntegrationError

WROTE, UPDATED, UNCHANGED = "wrote", "updated", "unchanged"
REMOVED, GONE, LEFT = "removed", "gone", "left"

_CHANGED = "was changed since twinlens wrote it. --force all the same"
_STRANGE = "is there and was not written by twinlens. Move it away to install"


class Outcome(NamedTuple):
    """What happened to one file, or would."""

    path: Path
    did: str
    """``wrote``, ``updated``, ``unchanged``, ``removed``, ``gone`` or ``left``."""
    why: str = ""
    """Why it was left."""


@dataclass(frozen=True, slots=True)
class Installer:
    """Installs and removes integrations, and keeps the record."""

    machine: Machine
    record: Record
    force: bool = False
    dry_run: bool = False
    """Say what would happen; do nothing."""

    def install(self, integration: Integration, call: Call) -> list[Outcome]:
        """Write what should be on disk; remove what an earlier version wrote and this one does not.

        Raises IntegrationError where a folder cannot be written; what was done by then is recorded.
        """
        pieces = integration.pieces(self.machine, call)
        wanted = {piece.path for piece in pieces}
        with self._recording():
            done = [self._write(piece, integration.name) for piece in pieces]
            for entry in self.record.of(integration.name):
                if entry.path not in wanted:
                    done += self._remove(entry, integration.name)
            if not self.dry_run:
                self.record.calls[integration.name] = call
                integration.refresh(self.machine)
        return done

    def remove(self, integration: Integration) -> list[Outcome]:
        """Remove what was written and is unchanged, and folders that were made and are empty."""
        with self._recording():
            done: list[Outcome] = []
            for entry in self.record.of(integration.name):
                done += self._remove(entry, integration.name)
            if not self.dry_run:
                self.record.calls.pop(integration.name, None)
                integration.refresh(self.machine)
                self._remove_folders()
        return done

    def compare(self, integration: Integration, call: Call) -> list[Outcome]:
        """Return what ``install`` would do to each file."""
        pieces = integration.pieces(self.machine, call)
        return [self._judge(piece, read(piece.path)) for piece in pieces]

    @contextlib.contextmanager
    def _recording(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise IntegrationError(
                f"{os.fsdecode(error.filename or '')}: cannot be written: {error.strerror}."
                " Correct its permissions, or make space."
            ) from error
        finally:
            if not self.dry_run:
                self.record.save()

    def _judge(self, piece: Piece, found: bytes | None) -> Outcome:
        """Say what is to happen to a file that holds ``found`` now; None where there is none."""
        if not _is_plain(piece):
            return Outcome(piece.path, LEFT, "is no file, or a link. Move it away to install")
        try:
            own = piece.own(found)
        except IntegrationError as error:
            return Outcome(piece.path, LEFT, f"{error}. Take them out by hand")
        if own is None:
            return Outcome(piece.path, WROTE)
        if own == piece.content:
            ready = not piece.executable or os.access(piece.path, os.X_OK)
            return Outcome(piece.path, UNCHANGED if ready else UPDATED)
        return self._judge_other(piece, digest(own))

    def _judge_other(self, piece: Piece, sha256: str) -> Outcome:
        """Say what is to happen where something else is than there should be."""
        entry = self.record.written.get(piece.path)
        if entry is None and not isinstance(piece, Lines):  # the marks show whose lines are
            return Outcome(piece.path, LEFT, _STRANGE)
        if self.force or (entry is not None and entry.sha256 == sha256):
            return Outcome(piece.path, UPDATED)
        return Outcome(piece.path, LEFT, _CHANGED)

    def _write(self, piece: Piece, name: str) -> Outcome:
        found = read(piece.path)
        outcome = self._judge(piece, found)
        if self.dry_run or outcome.did == LEFT:
            return outcome
        if outcome.did != UNCHANGED:
            self._make_folders(piece.path.parent)
            _put(piece.path, piece.put(found), new=found is None)
        if piece.executable:
            piece.path.chmod(piece.path.stat().st_mode | 0o111)
        earlier = self.record.written.get(piece.path)
        by = (earlier.by if earlier else frozenset[str]()) | {name}
        alone = earlier.alone if earlier else found is None
        self.record.written[piece.path] = Written.of(piece, by, alone=alone)
        return outcome

    def _remove(self, entry: Written, name: str) -> list[Outcome]:
        """Remove what one integration wrote; nothing is said of what another one still wants."""
        others = entry.by - {name}
        if others:
            if not self.dry_run:
                self.record.written[entry.path] = entry.wanted_by(others)
            return []
        outcome = self._judge_removal(entry)
        if not self.dry_run and outcome.did != LEFT:
            if outcome.did == REMOVED:
                _take_out(entry)
            del self.record.written[entry.path]
        return [outcome]

    def _judge_removal(self, entry: Written) -> Outcome:
        piece = entry.piece()
        if not _is_plain(piece):
            return Outcome(entry.path, LEFT, "is no file any more, or a link. Remove it by hand")
        try:
            own = piece.own(read(entry.path))
        except IntegrationError as error:
            return Outcome(entry.path, LEFT, f"{error}. Take them out by hand")
        if own is None:
            return Outcome(entry.path, GONE)
        if digest(own) == entry.sha256 or self.force:
            return Outcome(entry.path, REMOVED)
        return Outcome(entry.path, LEFT, _CHANGED)

    def _make_folders(self, folder: Path) -> None:
        missing = [part for part in (folder, *folder.parents) if not part.exists()]
        for part in reversed(missing):
            part.mkdir(exist_ok=True)
            if part not in self.record.folders:
                self.record.folders.append(part)

    def _remove_folders(self) -> None:
        """Remove folders that we made, where nothing is in them; forget those that others use."""
        needed = {parent for path in self.record.written for parent in path.parents}
        for folder in reversed(list(self.record.folders)):
            if folder in needed:
                continue
            with contextlib.suppress(OSError):  # not empty, or gone
                folder.rmdir()
            self.record.folders.remove(folder)


def read(path: Path) -> bytes | None:
    """Return the bytes of a file; None where there is none. Raises IntegrationError."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        raise IntegrationError(
            f"{path}: cannot be read: {error.strerror}. Correct its permissions."
        ) from error


def _is_plain(piece: Piece) -> bool:
    """Tell whether a file may be written in its place: a link to it would be lost.

    Lines go into the file that the link leads to: many keep their settings that way.
    """
    if isinstance(piece, Lines):
        return not piece.path.exists() or piece.path.is_file()
    return not piece.path.is_symlink() and (not piece.path.exists() or piece.path.is_file())


def _put(path: Path, content: bytes, *, new: bool) -> None:
    target = os.fsencode(os.path.realpath(path))
    temporary = files.beside(target, f"plugin-{os.getpid()}")
    if new:
        files.create(target, content, temporary)
    else:
        files.replace(target, content, temporary, Dress.of(target), times=False)


def _take_out(entry: Written) -> None:
    left = entry.piece().without(entry.path.read_bytes())
    if left or (isinstance(entry.piece(), Lines) and not entry.alone):
        _put(entry.path, left, new=False)
    else:
        entry.path.unlink()
