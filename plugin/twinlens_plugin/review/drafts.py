"""Plans that are looked at before they are carried out: what is proposed, less what was left out.

A draft is two files in ``<library>/plans``: ``review-ID.json``, a plan as ``apply`` takes it, and
``review-ID.left.json``, what was left out of it since, with the draft's revision. A plan of 100,000
groups takes seconds to write and its rest a moment: so a tick writes the latter, and ``settle`` the
plan that is left.

A revision is a random word that is new after each change. It stands on the overview and nowhere
else: who can name it has been shown what is about to be done.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from twinlens_plugin.acting import files
from twinlens_plugin.errors import PlanError
from twinlens_plugin.output import shown
from twinlens_plugin.plans import Plan, PlannedGroup, new_plan, read_plan, write_plan
from twinlens_plugin.review.draft import Draft, Spot
from twinlens_plugin.review.problems import Refused

_FILE = re.compile(r"review-([0-9a-f]{16})\.json")
_ID = re.compile(r"[0-9a-f]{16}")
_PLAN_ID = re.compile(rb'"id": "([0-9a-f]{16})"')

KEPT_SECONDS = 7 * 86_400.0
"""For how long a plan that nobody carried out stays."""

_OPEN = 2
"""Plans held in memory: one of 100,000 groups takes 150 MB."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A draft in a list: the plan itself is not read for it."""

    name: str
    plan: str
    """The id within the file, by which the journal knows it."""
    at: float
    """When it was made, seconds since 1970."""
    photos: int
    bytes: int


class Drafts:
    """The drafts of a library. One thread at a time works with them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._held: OrderedDict[str, tuple[object, Draft]] = OrderedDict()

    def add(self, library: str, groups: Iterable[PlannedGroup], references: Sequence[bytes]) -> str:
        """Write a new draft; return its id. Raises PlanError, Refused where nothing would go."""
        plan = new_plan(library, groups, references)
        if not plan.groups:
            raise Refused(
                "Nothing can go for certain: no group here has a photo that could be removed now.",
                409,
            )
        self._make_folder()
        with self._lock:
            name = secrets.token_hex(8)
            self._write(plan, name)
            self._keep(Draft.of(name, plan, _word()))
        return name

    def file(self, name: str) -> Path:
        """Return the plan file of a draft."""
        return self.folder / f"review-{name}.json"

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[Draft]:
        """Give a draft, for this thread alone. Raises Refused (404), PlanError."""
        if not _ID.fullmatch(name):
            raise _unknown()
        with self._lock:
            yield self._get(name)

    def changed(self, draft: Draft) -> None:
        """Keep what was left out or taken in, under a new revision. Raises PlanError."""
        draft.revision = _word()
        self._keep(draft)

    def settle(self, draft: Draft) -> Draft:
        """Write the plan that is left in the draft's place; return the draft of it.

        Raises PlanError, Refused where nothing would go.
        """
        plan = draft.rest()
        # Always, even where nothing was left out: what is carried out is what was shown.
        self._write(plan, draft.id)
        settled = Draft.of(draft.id, plan, _word())
        self._keep(settled)
        return settled

    def forget(self, name: str) -> None:
        """Remove a draft's files. Raises Refused (404)."""
        with self.open(name):
            self._remove(name)

    def listed(self) -> list[Listed]:
        """Return all drafts, the newest first."""
        found = [self._listed(file, match[1]) for file, match in self._files()]
        return sorted((one for one in found if one), key=lambda one: one.at, reverse=True)

    def _listed(self, file: Path, name: str) -> Listed | None:
        plan = plan_id(file)
        try:
            kept = json.loads(self._left_file(name).read_bytes())
            photos, size = kept["photos"], kept["bytes"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return Listed(name, plan, _time(file), photos, size) if plan else None

    def sweep(self, used: Collection[str], now: float) -> None:
        """Remove what nobody carried out for a week; ``used``: ids of plans that were."""
        with self._lock:
            for file, match in self._files():
                if now - _time(file) > KEPT_SECONDS and plan_id(file) not in used:
                    self._remove(match[1])

    def _remove(self, name: str) -> None:
        self._held.pop(name, None)
        for file in (self.file(name), self._left_file(name)):
            file.unlink(missing_ok=True)

    def _write(self, plan: Plan, name: str) -> None:
        try:
            write_plan(plan, self.file(name))
        except PlanError as error:
            if isinstance(error.__cause__, OSError):
                raise _unwritable(os.fsencode(self.file(name)), error.__cause__) from error
            raise

    def _files(self) -> list[tuple[Path, re.Match[str]]]:
        if not self.folder.is_dir():
            return []
        found = [(file, _FILE.fullmatch(file.name)) for file in self.folder.iterdir()]
        return [(file, match) for file, match in found if match]

    def _left_file(self, name: str) -> Path:
        return self.folder / f"review-{name}.left.json"

    def _get(self, name: str) -> Draft:
        state = _state(self.file(name))
        if state is None:
            raise _unknown()
        held = self._held.get(name)
        if held is None or held[0] != state:
            draft = self._read(name, state)
            if draft is None:  # another file than the one that was ticked: it has to be shown anew
                draft = Draft.of(name, read_plan(self.file(name)), _word())
                self._keep(draft)
            self._hold(draft)
        self._held.move_to_end(name)
        return self._held[name][1]

    def _read(self, name: str, state: list[int]) -> Draft | None:
        try:
            kept = json.loads(self._left_file(name).read_bytes())
            if kept["file"] != state:
                return None
            left = [Spot(*spot) for spot in kept["left"]]
            return Draft.of(name, read_plan(self.file(name)), str(kept["revision"]), left)
        except (OSError, ValueError, KeyError, TypeError, Refused):
            return None

    def _keep(self, draft: Draft) -> None:
        kept = {
            "file": _state(self.file(draft.id)),
            "revision": draft.revision,
            "photos": draft.size.photos,
            "bytes": draft.size.bytes,
            "left": sorted(draft.left),
        }
        path = os.fsencode(self._left_file(draft.id).absolute())
        try:
            text = json.dumps(kept).encode("ascii")
            files.replace(path, text, files.beside(path, draft.revision), None, times=False)
        except OSError as error:
            self._held.pop(draft.id, None)  # what is on disk counts
            raise _unwritable(path, error) from error
        self._hold(draft)

    def _hold(self, draft: Draft) -> None:
        self._held[draft.id] = (_state(self.file(draft.id)), draft)
        self._held.move_to_end(draft.id)
        while len(self._held) > _OPEN:
            self._held.popitem(last=False)

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise _unwritable(os.fsencode(self.folder), error) from error


def plan_id(file: Path) -> str | None:
    """Return the id of a plan file without reading all of it."""
    try:
        with file.open("rb") as handle:
            found = _PLAN_ID.search(handle.read(4096))
    except OSError:
        return None
    return found[1].decode("ascii") if found else None


def _word() -> str:
    return secrets.token_hex(8)


def _unknown() -> Refused:
    return Refused("There is no such plan (any more). Make a new one from the list of groups.", 404)


def _unwritable(path: bytes, error: OSError) -> Refused:
    return Refused(
        f"{shown(path)}: the plan cannot be written: {error.strerror}. Make space, or correct the"
        " permissions.",
        507,
    )


def _state(file: Path) -> list[int] | None:
    """Return by what a file is known to be the one that was shown."""
    try:
        found = file.stat()
    except OSError:
        return None
    return [found.st_ino, found.st_size, found.st_mtime_ns]


def _time(file: Path) -> float:
    with contextlib.suppress(OSError):
        return file.stat().st_mtime
    return 0.0
