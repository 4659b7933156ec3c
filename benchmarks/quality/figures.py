"""Figures as the tables show them and as JSON holds them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any


def share(value: float | None) -> str:
    """Return a share for a table, `.123`; nothing where there is none."""
    return "" if value is None or math.isnan(value) else f"{value:.3f}"


def as_json(value: Any) -> Any:  # noqa: ANN401  results of any part
    """Return a result as JSON can hold it: dataclasses as objects, what is no number as null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [as_json(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
