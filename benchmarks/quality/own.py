"""How twinlens itself compares photos by a descriptor of its own or of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.quality.methods import (
    Compare,
    Method,
    Similarity,
    best_picture,
    best_turn,
    inner,
)
from benchmarks.quality.peers import PICTURES, Peer, Vectors
from twinlens import parts, tuning
from twinlens.looks import Looks
from twinlens.tuning import Tuning

Fit = Callable[[Vectors], Compare]
"""From the references' whole pictures, (N, D), to how vectors are compared in their library."""
Views = Callable[[Vectors, Vectors, Compare], Similarity]


@dataclass(frozen=True, slots=True)
class Own:
    """A descriptor, with what it brings along for searching (`twinlens.parts`)."""

    threshold: float
    """The score from which on two photos are called copies, tuned or not."""
    background: Tuning | None = None
    looks: Looks | None = None

    @classmethod
    def of(cls, threshold: float, dimension: int, brought: Mapping[str, bytes]) -> Own:
        """Return a descriptor with the parts that its file holds, as the catalogue keeps them."""
        if not brought:
            return cls(threshold)
        return cls(
            threshold,
            Tuning.from_bytes(brought[parts.BACKGROUND], dimension),
            Looks.from_bytes(brought[parts.LOOKS], dimension),
        )

    def method(
        self,
        peer: Peer,
        fit: Fit,
        name: str = "",
        *,
        views: Views | None = None,
        turns: Peer | None = None,
    ) -> Method:
        """Return a row: photos described by a peer, compared as ``fit`` says, by all their ``views``."""
        alike = _viewed(self.by_looks, views)
        return Method(name or peer.name, peer, _viewed(fit, views), self.threshold, turns, alike)

    def untuned(self, _references: Vectors) -> Compare:
        """Compare as in a library that is too small to be tuned."""
        return self._scores(self.background) if self.background else inner

    def tuned(self, references: Vectors) -> Compare:
        """Compare as in a library that `twinlens model tune` was run on."""
        return self._scores(tuning.fit(references, self.threshold))

    def by_cosine(self, _references: Vectors) -> Compare:
        """Compare by the vectors alone."""
        return inner

    def by_looks(self, _references: Vectors) -> Compare:
        """Compare as `twinlens similar` orders what it finds."""
        if self.looks is None:
            return inner
        of = self.looks.of
        return lambda queries, references: inner(of(queries), of(references))

    def _scores(self, fitted: Tuning) -> Compare:
        return lambda queries, references: fitted.scores(
            -(fitted.queries(queries) @ fitted.entries(references).T), self.threshold
        )


def _viewed(fit: Fit, views: Views | None) -> Compare:
    pictures = PICTURES if views is best_picture else 1

    def compare(queries: Vectors, references: Vectors) -> Similarity:
        by = fit(np.split(references, pictures, axis=1)[0])
        return views(queries, references, by) if views else by(queries, references)

    return compare


def rows(own: Own, whole: Peer, both: Peer, turns: Peer) -> tuple[Method, ...]:
    """Return the rows of a descriptor: as it is used, as it comes and tuned, then whole pictures only."""
    return (
        own.method(both, own.untuned, views=best_picture),
        own.method(both, own.tuned, f"{both.name}, tuned", views=best_picture),
        *(
            (own.method(both, own.by_cosine, f"{both.name}, cosine alone", views=best_picture),)
            if own.background
            else ()
        ),
        own.method(whole, own.untuned),
        own.method(whole, own.untuned, f"{whole.name}, with turns", views=best_turn, turns=turns),
        own.method(whole, own.tuned, f"{whole.name}, tuned"),
    )
