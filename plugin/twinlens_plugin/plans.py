"""Plans: what ``apply`` is to do, as a JSON file that people can read, change and keep.

A plan names photos and what it proposes for each; how (tag, trash, ...) is said to ``apply``. Its
schema is docs/plan.schema.json. What no plan may do, whoever wrote it, is refused here:
1. the first photo of a group is its keeper and is kept; 2. the keeper of one group is removed by no
other; 3. no path is named twice; 4. nothing below a reference folder is removed.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinlens import __version__
from twinlens_plugin.acting import files
from twinlens_plugin.acting.records import path_of, paths_as_json, paths_of
from twinlens_plugin.errors import PlanError
from twinlens_plugin.output import json_path, shown

VERSION = 1

PROGRAM = f"twinlens {__version__}"
"""What plans are made by here."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_RELATION = re.compile(r"[a-z-]{1,40}")


@dataclass(frozen=True, slots=True)
class PlannedPhoto:
    """One photo, as it was when the plan was made."""

    path: bytes
    relation: str
    """To the keeper; ``keeper`` for itself, ``pair`` for what goes with another photo of the group."""
    remove: bool
    """What is proposed: to remove it, or to keep it."""
    size: int
    mtime_ns: int
    sha256: str
    note: str | None = None
    """Why it is kept though it is not the keeper, or what was done to it: ``cropped to 42 %``."""
    probability: float | None = None
    """That it shows the same shot as the keeper; None where nothing was compared."""


@dataclass(frozen=True, slots=True)
class PlannedGroup:
    """Photos that are one; the keeper comes first."""

    name: str
    kind: str
    reason: str
    """Why the keeper is kept."""
    photos: tuple[PlannedPhoto, ...]

    @property
    def keeper(self) -> PlannedPhoto:
        """The photo that stays in any case."""
        return self.photos[0]

    def twin(self, photo: PlannedPhoto) -> PlannedPhoto | None:
        """Return a photo that stays and has the same bytes, the keeper first."""
        same = (p for p in self.photos if not p.remove and p.sha256 == photo.sha256)
        return next(same, None)

    @property
    def removals(self) -> tuple[PlannedPhoto, ...]:
        """The photos proposed for removal."""
        return tuple(photo for photo in self.photos if photo.remove)


@dataclass(frozen=True, slots=True)
class Plan:
    """All that one ``apply`` is to do."""

    id: str
    library: str
    """The id of the catalogue that it was made from."""
    made_at: str
    references: tuple[bytes, ...]
    """Folders from which nothing is removed."""
    groups: tuple[PlannedGroup, ...]
    made_by: str = PROGRAM
    """Program and version; empty where the plan does not say."""


def new_plan(
    library: str, groups: Iterable[PlannedGroup], references: Sequence[bytes] = ()
) -> Plan:
    """Return a plan of groups. Raises PlanError where it would do what no plan may."""
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    plan = Plan(secrets.token_hex(8), library, now, tuple(references), tuple(groups))
    _check(plan, "the plan")
    return plan


def write_plan(plan: Plan, file: Path) -> None:
    """Write a plan, in one step. Raises PlanError; overwrites nothing but an older plan."""
    path = os.fsencode(file.absolute())
    token = f"plan-{plan.id}"
    text = "".join(_lines(plan)).encode("ascii")
    try:
        if file.exists():
            read_plan(file)  # whatever is no plan is not ours to replace
            files.replace(path, text, files.beside(path, token), None, times=False)
        else:
            files.create(path, text, files.beside(path, token))
    except PlanError as error:
        raise PlanError(
            f"{shown(path)}: is there already, and is no plan. Choose another name."
        ) from error
    except OSError as error:
        raise PlanError(
            f"{shown(path)}: the plan cannot be written: {error.strerror}. Choose another place."
        ) from error


def read_plan(file: Path) -> Plan:
    """Read and check a plan. Raises PlanError, which says what is wrong where."""
    name = shown(os.fsencode(file))
    try:
        record = json.loads(file.read_bytes())
    except OSError as error:
        raise PlanError(f"{name}: cannot be read: {error.strerror}. Check the path.") from error
    except (ValueError, RecursionError) as error:
        raise PlanError(
            f"{name}: is no plan, for it is no JSON ({error}). Make one: {_MAKE}"
        ) from error
    if not isinstance(record, dict) or not isinstance(record.get("twinlens_plan"), int):
        raise PlanError(f"{name}: is no plan of twinlens. Make one: {_MAKE}")
    if record["twinlens_plan"] != VERSION:
        raise PlanError(
            f"{name}: a plan of version {record['twinlens_plan']}, and this twinlens reads"
            f" version {VERSION}. Make a new one: {_MAKE}"
        )
    plan = _plan_of(record, name)
    _check(plan, name)
    return plan


_MAKE = "twinlens duplicates --plan FILE"


def _lines(plan: Plan) -> Iterator[str]:
    """Yield the JSON of a plan, one photo a line: to read, to edit, and to compare.

    ``json.dumps(indent=1)`` is Python where the rest is C: 4.3 s against 1.8 for 100,000 groups.
    """
    head = {
        "twinlens_plan": VERSION,
        "id": plan.id,
        "library": plan.library,
        "made_at": plan.made_at,
        "made_by": plan.made_by,
        "references": paths_as_json([*plan.references]),
    }
    yield f'{json.dumps(head)[:-1]}, "groups": ['
    for number, group in enumerate(plan.groups):
        named = {"group": group.name, "kind": group.kind, "reason": group.reason}
        photos = ",\n  ".join(json.dumps(_photo_as_json(photo)) for photo in group.photos)
        yield f'{"," if number else ""}\n {json.dumps(named)[:-1]}, "photos": [\n  {photos}\n ]}}'
    yield "\n]}\n"


def _photo_as_json(photo: PlannedPhoto) -> dict[str, Any]:
    return {
        **json_path(photo.path),
        "relation": photo.relation,
        "proposal": "remove" if photo.remove else "keep",
        "note": photo.note,
        "probability": photo.probability,
        "bytes": photo.size,
        "mtime_ns": photo.mtime_ns,
        "sha256": photo.sha256,
    }


class _Wrong(Exception):  # noqa: N818  caught here, and turned into a PlanError
    """What is wrong with a value, and where."""


def _plan_of(record: Mapping[str, Any], name: str) -> Plan:
    try:
        return Plan(
            _text(record, "id", re.compile(r"[0-9a-f]{16}")),
            _text(record, "library", re.compile(r"[0-9a-f]{32}")),
            _text(record, "made_at"),
            tuple(paths_of(_list(record, "references"))),
            tuple(_groups_of(_list(record, "groups"))),
            str(record.get("made_by") or ""),
        )
    except (_Wrong, KeyError, ValueError, TypeError, AttributeError) as error:
        raise PlanError(
            f"{name}: {_why(error)}. The format: docs/plan.schema.json. Or make a new plan: {_MAKE}"
        ) from error


def _groups_of(records: Sequence[Any]) -> Iterator[PlannedGroup]:
    for number, record in enumerate(records, start=1):
        try:
            yield PlannedGroup(
                _text(record, "group"),
                _text(record, "kind", _RELATION),
                _text(record, "reason"),
                tuple(map(_photo_of, _list(record, "photos"))),
            )
        except (_Wrong, KeyError, ValueError, TypeError, AttributeError) as error:
            raise _Wrong(f"group {number}: {_why(error)}") from error


def _photo_of(record: Mapping[str, Any]) -> PlannedPhoto:
    proposal = _text(record, "proposal")
    if proposal not in {"keep", "remove"}:
        raise _Wrong(f"'proposal' has value '{proposal}'. Write keep or remove")
    note, probability = record["note"], record["probability"]
    if note is not None and not isinstance(note, str):
        raise _Wrong("'note' is no text")
    if isinstance(probability, bool) or not isinstance(probability, int | float | None):
        raise _Wrong("'probability' is no number")
    return PlannedPhoto(
        path_of(record),
        _text(record, "relation", _RELATION),
        proposal == "remove",
        _whole(record, "bytes"),
        _whole(record, "mtime_ns"),
        _text(record, "sha256", _SHA256),
        note,
        None if probability is None else float(probability),
    )


def _why(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _text(record: Mapping[str, Any], key: str, form: re.Pattern[str] | None = None) -> str:
    value = record[key]
    if not isinstance(value, str) or (form is not None and not form.fullmatch(value)):
        raise _Wrong(f"'{key}' has value {value!r}, which it cannot have")
    return value


def _whole(record: Mapping[str, Any], key: str) -> int:
    value = record[key]
    if isinstance(value, bool) or not isinstance(value, int):
        raise _Wrong(f"'{key}' is no whole number")
    return value


def _list(record: Mapping[str, Any], key: str) -> list[Any]:
    value = record[key]
    if not isinstance(value, list):
        raise _Wrong(f"'{key}' is no list")
    return value


def _check(plan: Plan, name: str) -> None:
    """Raise PlanError where the plan would do what no plan may."""
    seen: set[bytes] = set()
    for group in plan.groups:
        if not group.photos or group.keeper.remove:
            raise PlanError(
                f"{name}: group {group.name} would lose every photo, or its first, the keeper."
                ' Write "proposal": "keep" for the first.'
            )
        for photo in group.photos:
            if photo.path in seen:
                raise PlanError(f"{name}: {shown(photo.path)} is named twice. Remove one of them.")
            seen.add(photo.path)
            if photo.remove and any(_below(photo.path, folder) for folder in plan.references):
                raise PlanError(
                    f"{name}: {shown(photo.path)} lies in a reference folder, from which nothing is"
                    ' removed. Write "proposal": "keep".'
                )


def _below(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")
