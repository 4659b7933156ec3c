"""Decisions as a JSON file, to carry them to a catalogue made anew or to another computer.

The format is docs/decisions.schema.json. A file is taken whole or not at all. Of two decisions on
the same photos the later one counts, so that to read a file twice, or two files in either order,
comes to the same.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from twinlens.catalogue import Catalogue
from twinlens_plugin import decisions
from twinlens_plugin.decisions import KEEP, NOT_DUPLICATES, VERDICTS, Decision
from twinlens_plugin.errors import DecisionError

VERSION = 1

_SHA256 = re.compile(r"[0-9a-f]{64}")


def dump(stored: Iterable[Decision]) -> str:
    """Return decisions as the text of a file: one a line, always the same for the same decisions."""
    lines = ",\n".join("  " + json.dumps(_as_json(decision)) for decision in stored)
    body = f"[\n{lines}\n ]" if lines else "[]"
    return f'{{\n "twinlens_decisions": {VERSION},\n "decisions": {body}\n}}\n'


def load(data: bytes, name: str) -> list[Decision]:
    """Read the decisions of a file called ``name``. Raises DecisionError, which says what is wrong."""
    try:
        record = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DecisionError(
            f"{name}: holds no decisions, for it is no JSON ({error}). {_CURE}"
        ) from error
    if not isinstance(record, dict) or not _is_whole(record.get("twinlens_decisions")):
        raise DecisionError(f"{name}: holds no decisions of twinlens. {_CURE}")
    if record["twinlens_decisions"] != VERSION:
        raise DecisionError(
            f"{name}: decisions of version {record['twinlens_decisions']}, and this twinlens reads"
            f" version {VERSION}. Upgrade twinlens on this computer."
        )
    listed = record.get("decisions")
    if not isinstance(listed, list):
        raise DecisionError(f"{name}: 'decisions' is no list. {_CURE}")
    return [_decision(item, f"{name}: decision {i}") for i, item in enumerate(listed, start=1)]


def merge(catalogue: Catalogue, read: Iterable[Decision]) -> int:
    """Add decisions to the catalogue, the later of two; return how many were new or changed."""
    with catalogue.write_tx() as tx:
        newer = [decision for decision in read if _is_news(tx, decision)]
        decisions.store(tx, sorted(newer, key=lambda decision: decision.at))
    return len(newer)


_CURE = "Make one: twinlens decisions export FILE"


def _is_news(tx: sqlite3.Connection, decision: Decision) -> bool:
    pair = (decision.a, decision.b)
    row = tx.execute("SELECT at FROM decisions WHERE a = ? AND b = ?", pair).fetchone()
    return row is None or row["at"] < decision.at


def _as_json(decision: Decision) -> dict[str, Any]:
    at = dt.datetime.fromtimestamp(decision.at, dt.UTC)
    return {
        "a": decision.a.hex(),
        "b": decision.b.hex(),
        "verdict": decision.verdict,
        **({"keep": decision.keeper.hex()} if decision.keeper else {}),
        "at": at.isoformat(timespec="microseconds"),
    }


def _decision(item: object, where: str) -> Decision:
    if not isinstance(item, dict):
        raise DecisionError(f"{where} is no object. {_CURE}")
    a, b = sorted(_hash(item, key, where) for key in ("a", "b"))
    verdict = item.get("verdict")
    if verdict not in VERDICTS:
        raise DecisionError(
            f"{where}: 'verdict' has value {verdict!r}. Must be one of: {', '.join(VERDICTS)}."
        )
    keeper = _hash(item, "keep", where) if verdict == KEEP else None
    if a == b and verdict != NOT_DUPLICATES:
        raise DecisionError(f"{where}: a photo is always the same as itself. Remove it.")
    if keeper not in (None, a, b):
        raise DecisionError(f"{where}: 'keep' is neither 'a' nor 'b'. Correct it.")
    return Decision(a, b, verdict, keeper, _time(item, where))


def _hash(item: Mapping[str, object], key: str, where: str) -> bytes:
    value = item.get(key)
    if not isinstance(value, str) or not _SHA256.fullmatch(value):
        raise DecisionError(f"{where}: '{key}' is no SHA-256, 64 hexadecimal digits. Correct it.")
    return bytes.fromhex(value)


def _time(item: Mapping[str, object], where: str) -> float:
    try:
        moment = dt.datetime.fromisoformat(str(item.get("at")))
        if moment.tzinfo is None:
            raise ValueError
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise DecisionError(
            f"{where}: 'at' is no time as 2026-05-01T12:00:00+00:00. Correct it."
        ) from None


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
