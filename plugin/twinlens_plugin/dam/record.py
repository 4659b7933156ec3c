"""What was written into other programs: which files, and their bytes by hash.

By it a file that is not ours, or that its user changed, is known, and left. The record is one JSON
file in the user's data folder. Lost, it is no harm: files that are just as they should be are taken
for ours again, and others are left.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from twinlens_plugin.acting import files
from twinlens_plugin.acting.dressing import Dress
from twinlens_plugin.dam.integration import Call, File, Lines, Piece
from twinlens_plugin.errors import IntegrationError

VERSION = 1


@dataclass(frozen=True, slots=True)
class Written:
    """A file, or lines in one, that we wrote."""

    path: Path
    kind: str
    sha256: str
    by: frozenset[str]
    """The integrations that want it: two of them may share an icon."""
    alone: bool = False
    """Whether there was no file before: then none is left that holds nothing else."""
    comment: str = ""
    """What starts a comment, where ``kind`` is ``lines``."""

    @classmethod
    def of(cls, piece: Piece, by: frozenset[str], *, alone: bool) -> Self:
        """Return the entry for what is on disk as it should be."""
        comment = piece.comment if isinstance(piece, Lines) else ""
        return cls(piece.path, piece.kind, digest(piece.content), by, alone, comment)

    def piece(self) -> Piece:
        """Return something that finds it on disk."""
        if self.kind == Lines.kind:
            return Lines(self.path, (), self.comment)
        return File(self.path, b"")

    def wanted_by(self, by: frozenset[str]) -> Self:
        """Return the entry with other integrations that want it."""
        return replace(self, by=by)


@dataclass(slots=True)
class Record:
    """All that was written. Change it, then ``save``."""

    file: Path
    written: dict[Path, Written] = field(default_factory=dict)
    folders: list[Path] = field(default_factory=list)
    """Folders that were made, in that order: outer ones first."""
    calls: dict[str, Call] = field(default_factory=dict)
    """How each integration was told to start twinlens."""

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read the record; an empty one where there is none. Raises IntegrationError."""
        try:
            stored = json.loads(file.read_bytes())
        except FileNotFoundError:
            return cls(file)
        except (OSError, ValueError) as error:
            raise _damaged(file, str(error)) from error
        if not isinstance(stored, dict) or stored.get("twinlens_plugins") != VERSION:
            raise _damaged(file, f"is no record of version {VERSION}")
        try:
            return cls(file, *_from_json(stored))
        except (KeyError, TypeError) as error:
            raise _damaged(file, f"{type(error).__name__}: {error}") from error

    def save(self) -> None:
        """Write the record, in one step; where there is nothing to record, there is no file."""
        if not (self.written or self.folders or self.calls):
            self.file.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # a library may be beside it
                self.file.parent.rmdir()
            return
        target = os.fsencode(self.file)
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = json.dumps(_as_json(self), indent=1) + "\n"
        dressed = Dress.of(target) if self.file.exists() else None
        temporary = files.beside(target, "plugins")
        files.replace(target, text.encode("ascii"), temporary, dressed, times=False)

    def of(self, name: str) -> list[Written]:
        """Return what was written for one integration."""
        return [entry for entry in self.written.values() if name in entry.by]


def digest(content: bytes) -> str:
    """Return the SHA-256 of something, in lower-case hex."""
    return hashlib.sha256(content).hexdigest()


def _damaged(file: Path, why: str) -> IntegrationError:
    return IntegrationError(
        f"{file}: the record of what was written cannot be read: {why}."
        " Move it away: files that are as twinlens writes them are known again at the next install."
    )


def _as_json(record: Record) -> dict[str, Any]:
    return {
        "twinlens_plugins": VERSION,
        "written": [
            {
                "path": str(entry.path),
                "kind": entry.kind,
                "sha256": entry.sha256,
                "by": sorted(entry.by),
                "alone": entry.alone,
                "comment": entry.comment,
            }
            for entry in record.written.values()
        ],
        "folders": list(map(str, record.folders)),
        "calls": {
            name: {
                "program": call.program,
                "options": call.options,
                "to": None if call.to is None else str(call.to),
            }
            for name, call in record.calls.items()
        },
    }


def _from_json(
    stored: dict[str, Any],
) -> tuple[dict[Path, Written], list[Path], dict[str, Call]]:
    entries = [
        Written(
            Path(item["path"]),
            item["kind"],
            item["sha256"],
            frozenset(item["by"]),
            item["alone"],
            item["comment"],
        )
        for item in stored["written"]
    ]
    calls = {
        name: Call(
            tuple(item["program"]),
            tuple(item["options"]),
            Path(item["to"]) if item.get("to") else None,
        )
        for name, item in stored["calls"].items()
    }
    return (
        {entry.path: entry for entry in entries},
        [Path(folder) for folder in stored["folders"]],
        calls,
    )
