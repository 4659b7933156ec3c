"""Views: what a model says of one photo, as a vector of the whole and perhaps one of a part.

Photos that hold another picture (a screenshot, a story, a frame, bars) have a vector of that picture
alone beside that of the whole. Of two photos the score is the best of these:
1. the whole of one and the whole of the other;
2. the inner picture of one and the whole, or the inner picture, of the other, less ``INNER_MARGIN``.

Whatever is found by the wholes alone is found as well with them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from twinlens.catalogue import Catalogue
from twinlens.models import Model

INNER_MARGIN: Final = 0.05
"""What a score counts less where an inner picture is part of it: a door or a pale frame may be taken for
one. Recall at 99 % precision on the benchmark's 6,500 copies, pocket 2 tuned at 160 pixels: .921
without, .925 with .05, .931 with .1; all else was measured with .05 (docs/decisions/0026)."""


class Views(NamedTuple):
    """A photo's vectors, f16 as ``twinlens.vectors`` stores them."""

    whole: bytes
    inner: bytes | None = None
    """Of the picture within it; None where it holds none."""

    @property
    def blobs(self) -> list[bytes]:
        """The vectors that there are, the whole first."""
        return [self.whole] if self.inner is None else [self.whole, self.inner]


def views_of(catalogue: Catalogue, model: Model, content_id: int) -> Views | None:
    """Return the vectors of a content; None where the model has not embedded it."""
    row = catalogue.row(
        "SELECT v.vector, i.vector FROM vectors v LEFT JOIN inner_vectors i USING (content_id, model_id)"
        " WHERE content_id = ? AND model_id = ?",
        (content_id, model.id),
    )
    return None if row is None else Views(*row)
