"""The schemas of docs/, and how tests read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"


def schema(name: str) -> dict[str, Any]:
    """Return a schema by its path below docs."""
    read: dict[str, Any] = json.loads((DOCS / name).read_text(encoding="utf-8"))
    return read


def strict(part: Any) -> Any:
    """Return a schema that takes no field but those that it names.

    Those who read our answers must let new fields pass; our tests must not let undocumented ones.
    """
    if isinstance(part, list):
        return [strict(one) for one in part]
    if not isinstance(part, dict):
        return part
    made = {key: strict(one) for key, one in part.items()}
    return {**made, "additionalProperties": False} if isinstance(part.get("properties"), dict) else made  # fmt: skip
