"""What metadata says about whether two photos are of one shot.

Weights are logarithms of odds, set by hand: there are no libraries with metadata to fit them to.
They move what the pictures say; alone they decide nothing.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Final

SAME_MOMENT: Final = 1.0
"""Equal to the fraction of a second: most programs keep the capture time of what they save."""
OTHER_MOMENT: Final = -9.0
"""A copy keeps its capture time or loses it. An edit of the time itself is whole minutes off."""
OTHER_CAMERA: Final = -3.0
SAME_BURST: Final = -1.0
"""Frames of a burst share its id, but so do copies of one frame."""
OTHER_BURST: Final = -4.0
SAME_DOCUMENT: Final = 3.0
"""xmpMM names the file that an export was made from."""

BURST_SECONDS: Final = 10.0
"""Longest time between two frames of one moment."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of a content beside its pixels."""

    taken_at: str | None = None
    """ISO 8601, by the camera's clock."""
    camera: str | None = None
    burst: str | None = None
    document: str | None = None
    derived_from: str | None = None


def weight(a: Metadata, b: Metadata) -> float:
    """Return by how much metadata moves the logarithm of the odds that both are of one shot."""
    total = _time_weight(a, b)
    if a.camera and b.camera and a.camera != b.camera:
        total += OTHER_CAMERA
    if a.burst and b.burst:
        total += SAME_BURST if a.burst == b.burst else OTHER_BURST
    return total + (SAME_DOCUMENT if _one_document(a, b) else 0.0)


def seconds_apart(a: Metadata, b: Metadata) -> float | None:
    """Return the time from a to b by the camera's clock; None where one is not known."""
    first, second = _moment(a.taken_at), _moment(b.taken_at)
    if first is None or second is None:
        return None
    if (first.tzinfo is None) != (second.tzinfo is None):
        # One program wrote the offset and the other did not: the clock's face is the same.
        first, second = first.replace(tzinfo=None), second.replace(tzinfo=None)
    return (second - first).total_seconds()


def may_be_one_moment(a: Metadata, b: Metadata) -> bool:
    """Tell whether capture times allow that both are frames of one moment."""
    apart = seconds_apart(a, b)
    return apart is None or abs(apart) <= BURST_SECONDS


def are_one_moment(a: Metadata, b: Metadata) -> bool:
    """Tell whether metadata says that both are frames of one moment."""
    if a.burst and a.burst == b.burst:
        return True
    apart = seconds_apart(a, b)
    return apart is not None and abs(apart) <= BURST_SECONDS and a.camera == b.camera is not None


def _time_weight(a: Metadata, b: Metadata) -> float:
    apart = seconds_apart(a, b)
    if apart is None:
        return 0.0
    fractions = [bool(one.taken_at and "." in one.taken_at) for one in (a, b)]
    if apart == 0:
        return SAME_MOMENT if all(fractions) else 0.0
    if abs(apart) < 1 and not all(fractions):
        return 0.0  # one program dropped the fraction
    if apart % 900 == 0:
        return 0.0  # the clock was put right, or another time zone written
    return OTHER_MOMENT


def _one_document(a: Metadata, b: Metadata) -> bool:
    names_a = {name for name in (a.document, a.derived_from) if name}
    return bool(names_a & {name for name in (b.document, b.derived_from) if name})


def _moment(text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None
