"""The fixed, seeded generator of edited copies: every kind of edit in three strengths.

What a query looks like depends on the seed, the photo's name, the kind and the strength alone:
not on what was made before, nor on how many processes share the work.
"""

from __future__ import annotations

import zlib
from typing import Final

import numpy as np
from numpy.random import Generator
from PIL import Image

from benchmarks.quality.augly_edits import AUGLY
from benchmarks.quality.edit import STRENGTHS, Kind, reencode
from benchmarks.quality.own_edits import OWN
from benchmarks.tables import Table

GROUPS: Final = (
    ("crop", "tilt", "mirror", "stretch", "perspective", "resize"),
    ("tone", "colour cast", "grey", "filter", "sharpen"),
    ("meme text", "caption", "text", "emoji", "logo", "watermark", "border"),
    ("jpeg", "blur", "noise"),
)
"""What combinations are drawn from: one edit of a group, in this order, as people work."""


def _several(image: Image.Image, rng: Generator, amount: tuple[int, str]) -> Image.Image:
    count, word = amount
    strength = STRENGTHS.index(word)
    for group in sorted(rng.choice(len(GROUPS), count, replace=False)):
        kind = _SINGLE[str(rng.choice(GROUPS[group]))]
        image = kind.make(image, rng, kind.amounts[strength])
    return image


MAKERS: Final = ("ours", "AugLy", "both")
_BY_AUGLY: Final = {kind.name for kind in AUGLY}
_SINGLE: Final = {kind.name: kind for kind in (*OWN, *AUGLY)}
KINDS: Final = _SINGLE | {
    "several": Kind(
        "several",
        _several,
        ((2, "mild"), (3, "mild"), (3, "medium")),
        "{} edits of different groups, each {}",
    )
}
"""Every kind by its name."""


def edited(image: Image.Image, kind: str, strength: str, *, seed: int, name: str) -> Image.Image:
    """Return the edited copy of an RGB picture, saved as a JPEG like any that gets around."""
    made = KINDS[kind]
    step = STRENGTHS.index(strength)
    rng = np.random.default_rng([seed, _number(name), _number(kind), step])
    copy = made.make(image, rng, made.amounts[step])
    return reencode(copy, int(rng.integers(60, 91))) if made.resaved else copy


def made_by(kind: str) -> str:
    """Return which of MAKERS a kind of edit is of."""
    if kind == "several":
        return "both"
    return "AugLy" if kind in _BY_AUGLY else "ours"


def table() -> Table:
    """Return what each kind does in each strength."""
    return Table(
        "The edits",
        ("edit", "made by", *STRENGTHS),
        [(name, made_by(name), *kind.described()) for name, kind in KINDS.items()],
        (
            "Afterwards every copy but `jpeg` is saved as a JPEG of quality 60 to 90.",
            "`several` draws from both makers: "
            + "; ".join(", ".join(group) for group in GROUPS)
            + ".",
        ),
    )


def _number(text: str) -> int:
    return zlib.crc32(text.encode())
