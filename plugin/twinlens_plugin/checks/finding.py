"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it must be."""

    check: str
    """``catalogue``, ``jobs``, ``folder``, ``disk``, ``vectors`` or ``index``."""
    text: str
    """What is wrong, for people."""
    cure: str
    """What to do about it, for people."""
    path: bytes | None = None
    """The photo or folder, where it is about one."""
