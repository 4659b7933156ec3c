"""How much is measured: in full, for a look at a checkpoint, and to see that it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of photos; where a folder holds fewer, fewer are taken."""

    matched: int
    """References that edited copies are made of."""
    edits_each: int
    beside: int
    """References that nobody asks for."""
    absent: int
    """Photos that are not among the references, one edited copy of each."""
    crop_pairs: int
    similar: int
    """Photos of each class."""
    frames: int
    """Frames of each burst, from its beginning."""
    full: bool = False


FULL: Final = Size(500, 13, 500, 500, crop_pairs=217, similar=1000, frames=40, full=True)
"""6,500 copies: about 75 of each kind and strength."""
QUICK_ISH: Final = Size(200, 9, 800, 200, crop_pairs=217, similar=12, frames=10)
"""1,800 copies, about 21 of each kind and strength; as many references as in full."""
QUICK: Final = Size(12, 7, 12, 8, crop_pairs=8, similar=3, frames=4)
"""84 copies, nearly one of each kind and strength."""
