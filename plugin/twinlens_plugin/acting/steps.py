"""The steps that actions are made of: move, trash, write or remove a sidecar (link: ``linking``)."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from twinlens.errors import ChangedError
from twinlens_plugin.acting import files, trash
from twinlens_plugin.acting.dressing import Dress
from twinlens_plugin.acting.linking import Link
from twinlens_plugin.acting.records import (
    Record,
    bytes_as_json,
    bytes_of,
    dress_as_json,
    dress_of,
    path_of,
    paths_as_json,
    paths_of,
)
from twinlens_plugin.acting.step import Step, changed
from twinlens_plugin.errors import ActingError, SkippedError
from twinlens_plugin.output import json_path, shown


@dataclass(frozen=True, slots=True)
class Move:
    """A file gets another name, perhaps on another disk."""

    kind: ClassVar[str] = "move"
    source: bytes
    target: bytes
    sha256: str
    token: str
    made: tuple[bytes, ...] = ()
    """Folders that have to be made for it."""

    def do(self) -> Record:
        """Move it; what is at the target already is never overwritten."""
        try:
            files.make_folders(os.path.dirname(self.target))
            files.move(self.source, self.target, self.sha256, self.token)
        except BaseException:
            files.remove_empty([*self.made])
            raise
        return {}

    def undo(self, told: Mapping[str, Any], *, finished: bool) -> None:  # noqa: ARG002
        """Move it back, and remove the folders that were made for it, where empty."""
        files.discard(files.beside(self.target, self.token))
        _bring_back(self.target, self.source, self.sha256, self.token, finished=finished)
        files.remove_empty([*self.made])

    def as_json(self) -> Record:
        """Return it for the journal."""
        return {
            "step": self.kind,
            **json_path(self.source, "source"),
            **json_path(self.target, "target"),
            "token": self.token,
            "sha256": self.sha256,
            "made": paths_as_json([*self.made]),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Move:
        """Return what ``as_json`` wrote."""
        return cls(
            path_of(record, "source"),
            path_of(record, "target"),
            record["sha256"],
            record["token"],
            tuple(paths_of(record["made"])),
        )


@dataclass(frozen=True, slots=True)
class Trash:
    """A file goes to the system's trash."""

    kind: ClassVar[str] = "trash"
    path: bytes
    sha256: str
    mark: trash.Mark
    token: str

    def do(self) -> Record:
        """Trash it; tell where it lies now."""
        try:
            trash.put(self.path)
        except BaseException:
            self.undo({}, finished=False)  # a copy, or a .trashinfo, to which it did not come
            raise
        found = trash.find(self.path, self.mark)
        return json_path(found, "location") if found else {}

    def undo(self, told: Mapping[str, Any], *, finished: bool) -> None:
        """Take it out of the trash again."""
        location = path_of(told, "location") if "location" in told else None
        if location is None or not os.path.lexists(location):
            location = trash.find(self.path, self.mark)
        if location is not None:
            _bring_back(location, self.path, self.sha256, self.token, finished=finished)
            trash.forget(location)
        elif not _holds(self.path, self.sha256):
            raise ActingError(f"{shown(self.path)}: is no longer in the trash. Was it emptied?")
        trash.forget_unused(self.path, self.mark)

    def as_json(self) -> Record:
        """Return it for the journal."""
        return {
            "step": self.kind,
            **json_path(self.path),
            "token": self.token,
            "sha256": self.sha256,
            "mark": self.mark.as_json(),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Trash:
        """Return what ``as_json`` wrote."""
        mark = trash.Mark.from_json(record["mark"])
        return cls(path_of(record), record["sha256"], mark, record["token"])


@dataclass(frozen=True, slots=True)
class Write:
    """A sidecar gets new content; its former bytes are in the journal."""

    kind: ClassVar[str] = "write"
    path: bytes
    former: bytes | None
    dressed: Dress | None
    sha256: str
    """Of the new content."""
    token: str
    content: bytes = b""
    """The new content; not in the journal, which has to bring back the old one alone."""
    gave: Mapping[str, object] = field(default_factory=dict)
    """The rating and the label that it gave, None for none: what a later one may take back."""

    @property
    def temporary(self) -> bytes:
        """The name under which new content is written."""
        return files.beside(self.path, self.token)

    def do(self) -> Record:
        """Write it in one step, unless somebody else wrote meanwhile."""
        if content_of(self.path) != self.former:
            raise ChangedError(f"{shown(self.path)}: was just written by another program.")
        try:
            if self.former is None:
                files.create(self.path, self.content, self.temporary)
            else:
                files.replace(self.path, self.content, self.temporary, self.dressed, times=False)
        except OSError as error:  # of the sidecar: nobody knows the temporary name
            raise OSError(error.errno, error.strerror, self.path) from error
        return {}

    def undo(self, told: Mapping[str, Any], *, finished: bool) -> None:  # noqa: ARG002
        """Bring the former bytes back, or remove a sidecar that was not there before."""
        files.discard(self.temporary)
        now = content_of(self.path)
        if now == self.former:
            return
        if now is None or hashlib.sha256(now).hexdigest() != self.sha256:
            raise changed(self.path)
        if self.former is None:
            os.unlink(self.path)
            files.sync_folder(os.path.dirname(self.path))
        else:
            files.replace(self.path, self.former, self.temporary, self.dressed, times=True)

    def as_json(self) -> Record:
        """Return it for the journal."""
        return {
            "step": self.kind,
            **json_path(self.path),
            "token": self.token,
            "former_base64": bytes_as_json(self.former),
            "dress": dress_as_json(self.dressed),
            "sha256": self.sha256,
            "gave": dict(self.gave),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Write:
        """Return what ``as_json`` wrote."""
        return cls(
            path_of(record),
            bytes_of(record["former_base64"]),
            dress_of(record["dress"]),
            record["sha256"],
            record["token"],
            gave=dict(record.get("gave", {})),
        )


@dataclass(frozen=True, slots=True)
class Remove:
    """A sidecar that says nothing any more goes; its bytes are in the journal."""

    kind: ClassVar[str] = "remove"
    path: bytes
    former: bytes
    dressed: Dress
    token: str
    gave: Mapping[str, object] = field(default_factory=dict)
    """As ``Write`` has it."""

    def do(self) -> Record:
        """Remove it, unless somebody else wrote meanwhile."""
        if content_of(self.path) != self.former:
            raise ChangedError(f"{shown(self.path)}: was just written by another program.")
        os.unlink(self.path)
        files.sync_folder(os.path.dirname(self.path))
        return {}

    def undo(self, told: Mapping[str, Any], *, finished: bool) -> None:  # noqa: ARG002
        """Write it again, where nobody did."""
        temporary = files.beside(self.path, self.token)
        files.discard(temporary)
        now = content_of(self.path)
        if now is not None and now != self.former:
            raise changed(self.path)
        if now is None:
            files.replace(self.path, self.former, temporary, self.dressed, times=True)

    def as_json(self) -> Record:
        """Return it for the journal."""
        return {
            "step": self.kind,
            **json_path(self.path),
            "token": self.token,
            "former_base64": bytes_as_json(self.former),
            "dress": dress_as_json(self.dressed),
            "gave": dict(self.gave),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Remove:
        """Return what ``as_json`` wrote."""
        former, dressed = bytes_of(record["former_base64"]), dress_of(record["dress"])
        if former is None or dressed is None:
            raise ValueError("a sidecar that was removed has no bytes")
        return cls(path_of(record), former, dressed, record["token"], dict(record["gave"]))


_KINDS: dict[str, Callable[[Mapping[str, Any]], Step]] = {
    kind.kind: kind.from_json for kind in (Move, Trash, Link, Write, Remove)
}


def step_from_json(record: Mapping[str, Any]) -> Step:
    """Return the step that the journal wrote down. Raises KeyError, ValueError, TypeError."""
    return _KINDS[record["step"]](record)


def content_of(path: bytes) -> bytes | None:
    """Return the bytes of a small file, None where there is none."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except FileNotFoundError:
        return None


def _holds(path: bytes, sha256: str) -> bool:
    found = files.read_if_there(path)
    return found is not None and found.sha256 == sha256


def _bring_back(there: bytes, home: bytes, sha256: str, token: str, *, finished: bool) -> None:
    """Move what lies at ``there`` to ``home`` again, from whatever state."""
    files.discard(files.beside(home, token))
    away, back = files.read_if_there(there), files.read_if_there(home)
    is_back = back is not None and back.sha256 == sha256
    if away is None:
        if not is_back:
            _refuse_away(os.path.dirname(there))
            raise ActingError(f"{shown(there)}: is gone, and {shown(home)} is not back.")
    elif is_back:
        # Killed between the copy and the removal of the source, or between two names for one file;
        # or, with the action finished, somebody put it back already: then both stay.
        leftover = away.sha256 in (sha256, files.EMPTY_SHA256)
        if not finished and leftover and not files.is_same_entry(there, home):
            os.unlink(there)
    elif away.sha256 != sha256:
        raise changed(there)
    elif back is not None:
        raise ActingError(f"{shown(home)}: another file is there by now; {shown(there)} stays.")
    else:
        files.make_folders(os.path.dirname(home))
        files.move(there, home, sha256, token)


def _refuse_away(folder: bytes) -> None:
    if not os.path.isdir(folder):
        raise SkippedError(f"{shown(folder)}: is not there. Is its disk away? Bring it back.")
