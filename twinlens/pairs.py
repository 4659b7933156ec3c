"""Pairs: contents that are near one another, found when they come in and kept in the catalogue.

Kept are all pairs from the copy threshold on, and of each content the nearest few from a *floor* well
below it, a higher one for those that only inner pictures bring about: which of them are copies, the
verifier sees. Where the threshold is set lower than it ever was, the pairs are sought anew.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from twinlens.catalogue import Catalogue, set_meta
from twinlens.models import Model
from twinlens.settings import Settings

MARGIN = 0.05
"""How far below the copy threshold pairs are kept, if that was set lower than the model's own."""

LOOSE = 0.4
"""Share of the model's own threshold from which pairs are sought: whether they are copies, the verifier
sees. Of 1,100 edits of photos that no benchmark uses (those that leave half of the frame) 95.5 % reached
half of pocket's threshold with 1.8 pairs to compare each, 97.4 % reached 0.4 of it with 3.1: what the
lower floor adds are small photos on pages, which look like the page.

Tuned, the cosine of the turned vectors has to reach it too, until the score is that of a copy: of unlike
photos many score far above it, since what is alone in its library is near to all. Of the benchmark's
6,500 copies among 1,000 photos (pocket 3) 99.0 % were compared with their own, untuned, and with 1.6
others each; tuned by the score alone 99.2 % and 4.5, with the cosine 98.9 % and 1.1, with cosines from
.30 or .45 99.2 % and 2.4 or 98.2 % and 0.4 (docs/decisions/0015)."""

LOOSE_NEIGHBOURS = 5
"""Pairs below the threshold that are kept for each new content, its nearest: they are compared at 5 ms
CPU each, and photos of one kind of thing are many. Of those edits none had its original below the
third place."""

LOOSE_INNER = 0.7
"""Share of the model's own threshold from which pairs count that only an inner picture brings about
(``twinlens.views``): alone it is a copy like any other, and scores as one. Of 226 screenshots and stories
in which one was found, 98.7 % had their photo in the first place and above, and 2 to 17 in a hundred
other photos came as near to one of 100 to 2,300 inner pictures. Tuned, this too is a cosine: by the score
alone 57 in a hundred copies that hold no picture had a photo more to be compared with, for each 97 inner
pictures, by cosine as well none."""

LOOSE_INNER_NEIGHBOURS = 2
"""Such pairs that are kept for each new content below the threshold."""


def copy_threshold(settings: Settings, model: Model) -> float:
    """Return the cosine similarity from which two photos are called copies."""
    wanted = settings.copy_threshold
    return model.copy_threshold if wanted is None else wanted


def floor(model: Model, threshold: float) -> float:
    """Return the score, and cosine, from which pairs are kept by a threshold, the model's or another."""
    return min(model.copy_threshold * LOOSE, threshold - MARGIN)


def wanted_floor(settings: Settings, model: Model) -> float:
    """Return the score from which pairs should be kept now."""
    return floor(model, copy_threshold(settings, model))


def inner_floor(model: Model, threshold: float) -> float:
    """Return the score, and cosine, from which pairs are kept that only an inner picture brings about."""
    return min(model.copy_threshold * LOOSE_INNER, threshold)


def worth_verifying(
    scores: Mapping[tuple[int, int], float],
    new: Collection[int],
    threshold: float,
    loose: int = LOOSE_NEIGHBOURS,
) -> Iterator[tuple[tuple[int, int], float]]:
    """Yield pairs ``(a, b)``, a < b, and their scores: all from the threshold on, few below it.

    ``new`` are the contents whose neighbours these are; each has ``loose`` below it.
    """
    below: dict[int, int] = defaultdict(int)
    for (a, b), score in sorted(scores.items(), key=lambda item: (-item[1], item[0])):
        owner = b if b in new else a
        if score < threshold:
            below[owner] += 1
        if below[owner] <= loose:
            yield (a, b), score


def kept_threshold(catalogue: Catalogue, model: Model) -> float | None:
    """Return the copy threshold by which pairs have been kept, None before the first were."""
    kept = catalogue.meta(f"pairs_threshold:{model.id}")
    return None if kept is None else float(kept)


def lowest_threshold(catalogue: Catalogue, settings: Settings, model: Model) -> float:
    """Return the lowest copy threshold that was ever wanted, or is now.

    Pairs are kept by it: a higher one set later must not leave gaps below it.
    """
    wanted, kept = copy_threshold(settings, model), kept_threshold(catalogue, model)
    return wanted if kept is None else min(wanted, kept)


def sought(catalogue: Catalogue, model: Model) -> int:
    """Return the log number up to which the neighbours of contents have been sought."""
    return int(catalogue.meta(f"pairs_seq:{model.id}") or 0)


def set_sought(tx: sqlite3.Connection, model: Model, seq: int) -> None:
    """Record up to which log number neighbours have been sought."""
    set_meta(tx, f"pairs_seq:{model.id}", str(seq))


def are_complete(catalogue: Catalogue, settings: Settings, model: Model) -> bool:
    """Tell whether the pairs of all contents are known, by as low a threshold as is wanted."""
    # Backwards, not max(): that would go through the whole log, several times a second.
    last = catalogue.value(
        "SELECT seq FROM log WHERE model_id = ? ORDER BY seq DESC LIMIT 1", (model.id,)
    )
    if last is None:
        return True
    kept = kept_threshold(catalogue, model)
    low_enough = kept is None or kept <= copy_threshold(settings, model)
    return low_enough and sought(catalogue, model) >= int(last)


def lower_threshold(catalogue: Catalogue, settings: Settings, model: Model) -> bool:
    """Where the threshold is below that by which pairs were kept, have them sought anew.

    Returns whether any have to be.
    """
    wanted, kept = copy_threshold(settings, model), kept_threshold(catalogue, model)
    if kept is not None and kept <= wanted:
        return False
    with catalogue.write_tx() as tx:
        set_kept_threshold(tx, model, wanted)
        # Where pairs were kept by nobody knows what (an older twinlens), they are sought as well.
        again = sought(catalogue, model) > 0
        set_sought(tx, model, 0)
    return again


def set_kept_threshold(tx: sqlite3.Connection, model: Model, threshold: float) -> None:
    """Record by which copy threshold pairs are kept."""
    set_meta(tx, f"pairs_threshold:{model.id}", repr(threshold))
