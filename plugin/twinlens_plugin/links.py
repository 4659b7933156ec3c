"""Links: what two contents, or two shots, are to each other, as far as groups care."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from twinlens.relations import (
    BURST,
    COPY,
    EDIT,
    IDENTICAL,
    PAIR,
    SAME_PIXELS,
    SIMILAR,
    Detail,
)

APART = "apart"
"""A person said that the two are no duplicates."""

_CLOSEST = (APART, IDENTICAL, SAME_PIXELS, COPY, EDIT, PAIR, BURST, SIMILAR)
"""Of several links between two shots the first of these counts: what a person said, then the
closest relation. A pair before a burst: to be one photo is more than to be of one moment."""


_SPOILT = {
    "greyed": "grey, as the keeper is",
    "framed": "framed, as the keeper is",
    "cropped": "cropped, as the keeper is",
    "doubtful": "framed, as the keeper may be",
}
"""What cannot be made good again, by the field of ``Detail.done`` that says to which it was done."""


class Link(NamedTuple):
    """What two contents are to each other."""

    kind: str
    """One of ``twinlens.relations.KINDS``, or ``APART``."""
    strength: float = 1.0
    """Probability that both show one shot; the descriptors' cosine similarity before they were
    compared."""
    verified: bool = True
    """Whether the pictures were compared, or a person decided."""
    decided: bool = False
    """Whether a person said that they are the same."""
    detail: str | None = None
    """``twinlens.relations.Detail`` as stored: read for those that are shown alone, since reading
    the JSON of a hundred thousand relations takes half a second."""

    @property
    def found(self) -> Detail:
        """What verification found; empty where it has not been there."""
        return Detail.from_json(self.detail) if self.detail else Detail("")

    @property
    def score(self) -> float | None:
        """Cosine similarity of the descriptors; None where the model had no part in it."""
        if self.kind == IDENTICAL:
            return 1.0
        if not self.verified:
            return self.strength
        return self.found.score if self.detail else None

    @property
    def turned(self) -> bool:
        """Whether one is the other rotated or mirrored."""
        if not any(map(self._mentions, ("rotated", "mirrored"))):
            return False
        done = self.found.done
        return bool(done.get("rotated") or done.get("mirrored"))

    def spoils(self, side: str) -> str | None:
        """Return what was done to one of the two, ``a`` or ``b``, that the other is free of."""
        if not any(map(self._mentions, _SPOILT)):
            return None
        done = self.found.done
        return next((said for name, said in _SPOILT.items() if done.get(name) == side), None)

    def shown_on(self, side: str) -> float | None:
        """Return the share of one of the two, ``a`` or ``b``, that shows the other.

        Where that one is a page, a frame or a story around the other; None where it is not.
        """
        return self._share(side) if self._says("framed", side) else None

    def cut_from(self, side: str) -> float | None:
        """Return the share of one of the two that the other shows, where that is called its crop."""
        return self._share(side) if self._says("cropped", "a" if side == "b" else "b") else None

    def _says(self, name: str, side: str) -> bool:
        return self._mentions(name) and self.found.done.get(name) == side

    def _share(self, side: str) -> float | None:
        transform = self.found.transform
        return None if transform is None else share_of(transform, inverse=side == "a")

    def _mentions(self, name: str) -> bool:
        """Tell whether a field may be there, for the price of a look at the text."""
        return self.detail is not None and f'"{name}":' in self.detail


Links = Mapping[tuple[int, int], Link]
"""Links of contents ``(a, b)`` with a < b."""

TWIN = Link(IDENTICAL)
"""Between files with the same bytes."""


def share_of(transform: Sequence[float], *, inverse: bool) -> float | None:
    """Return the area that a homography (9, by rows) makes of the unit square, or its inverse does.

    The middle's, which stands for all of it; None where there is none.
    """
    a, b, c, d, e, f, g, h, i = transform
    depth = (g + h) / 2 + i
    if not depth:
        return None
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    share = abs(determinant / depth**3)
    if inverse:
        return 1 / share if share else None
    return share


def closeness(link: Link) -> tuple[int, bool, bool, float, str]:
    """Return a key that sorts the closest link first; no two links share it that differ."""
    place = _CLOSEST.index(link.kind)
    return place, not link.verified, not link.decided, -link.strength, link.detail or ""
