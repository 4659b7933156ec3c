"""Labels in answers: for programs and for people."""

from __future__ import annotations

from collections.abc import Sequence

from twinlens.labels import Label


def json_labels(found: Sequence[Label]) -> list[dict[str, object]]:
    """Return labels as they stand in every ``--json``."""
    return [{"label": label.name, "probability": round(label.probability, 4)} for label in found]


def percent(label: Label) -> str:
    """Return a probability for people: `` 98 %``."""
    return f"{label.probability * 100:3.0f} %"
