"""What is within reach in a tuned library: few pairs of unlike photos, the same whatever the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.core.test_tuning import copies, photos
from twinlens import ledger, pairs, tunings
from twinlens.catalogue import Catalogue, set_meta
from twinlens.filestat import FileStat
from twinlens.library import Library
from twinlens.messages import ModelRef
from twinlens.models import Model
from twinlens.roots import Root
from twinlens.settings import Settings
from twinlens.spaces import Space
from twinlens.vectors import Vector, encode, project
from twinlens.views import INNER_MARGIN
from twinlens_worker import all_pairs, seeking
from twinlens_worker.commit import commit
from twinlens_worker.indexer import Indexer
from twinlens_worker.successor import Successor

from .conftest import embedded

KNOWN, NEW = 300, 40
LOWER = 0.7
"""A threshold of the user's own, which many unlike photos reach."""
CLOSE = 3e-3
"""What f16 costs a score."""

Pairs = dict[tuple[int, int], float]
Set = set[tuple[int, int]]
Adder = Callable[[Vector, Vector], None]


pytestmark = pytest.mark.usefixtures("few_are_enough")


@pytest.fixture
def add(catalogue: Catalogue, wide: Model, root: Root) -> Adder:
    """Commit contents with given vectors, numbered on, and the last of them with inner ones."""

    def add_photos(wholes: Vector, inner: Vector) -> None:
        first = 1 + (catalogue.value("SELECT count(*) FROM contents") or 0)
        seen = [(b"%d.jpg" % (first + n), FileStat(10, 1, 1, 1)) for n in range(len(wholes))]
        ledger.record(catalogue, root.id, seen, now=1.0)
        ids = {row["path"]: row["id"] for row in catalogue.rows("SELECT id, path FROM files")}
        without = len(wholes) - len(inner)
        results = [
            replace(
                embedded(ids[path], content=first + n, vector=wholes[n]),
                inner=encode(inner[n - without]) if n >= without else None,
            )
            for n, (path, _) in enumerate(seen)
        ]
        ref = ModelRef(wide.name, wide.digest)
        commit(catalogue, ref, results, now=1.0, max_attempts=3, settle_seconds=2.0)

    return add_photos


def _made() -> tuple[Vector, Vector]:
    """Return edited copies of every 30th photo, more and more, and ten pages that show such copies."""
    base = photos(KNOWN, 1)
    edits = [copies(base[n::30], n, edit) for n, edit in ((3, 0.2), (7, 0.8), (11, 1.4))]
    return np.concatenate([*edits, photos(10, 5)]), copies(base[13::30], 13, 0.2)


def _indexed(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, limit: int = 256
) -> None:
    """Bring index and pairs up to date, as a worker that starts and stops does."""
    indexer = Indexer(catalogue, library, settings, model)
    while indexer.catch_up(limit):
        pass
    indexer.publish()


def _take_over(catalogue: Catalogue, library: Library, settings: Settings, space: Space) -> None:
    successor = Successor(catalogue, library, settings, space)
    while successor.step():
        pass
    assert successor.take_over()


def _forget_pairs(catalogue: Catalogue, model: Model) -> None:
    with catalogue.write_tx() as tx:
        tx.execute("DELETE FROM pairs")
        set_meta(tx, f"pairs_seq:{model.id}", "0")


def _found(catalogue: Catalogue) -> Pairs:
    """Return the pairs of which one is new."""
    rows = catalogue.rows("SELECT a, b, score FROM pairs WHERE b > ?", (KNOWN,))
    return {(row["a"], row["b"]): row["score"] for row in rows}


def _by_hand(space: Space, wholes: Vector, inner: Vector, threshold: float) -> tuple[Set, Set]:
    """Return which pairs may be kept, by the rule written out, and which must be.

    ``inner`` (N, D) are the wholes where there is no inner picture: with the margin they add nothing.
    """
    assert space.tuning is not None
    may, must = np.zeros((2, len(wholes), len(wholes)), bool)
    for one, other, margin, floor in (
        (wholes, wholes, 0.0, pairs.floor(space.model, threshold)),
        *(
            (one, other, INNER_MARGIN, pairs.inner_floor(space.model, threshold))
            for one, other in ((wholes, inner), (inner, wholes), (inner, inner))
        ),
    ):
        scores = space.scores(space.queries(one) @ space.entries(other).T) - margin
        tuned = ((project(side) - space.tuning.centre) @ space.tuning.axes for side in (one, other))
        turned, turned_other = map(project, tuned)
        cosines = turned @ turned_other.T - margin
        near = (cosines >= floor - CLOSE) | (scores >= threshold - CLOSE)
        may |= (scores >= floor - CLOSE) & near
        must |= scores >= threshold + CLOSE
    return _new(may), _new(must)


def _new(pairs_there: np.ndarray) -> Set:
    rows = np.argwhere(np.triu(pairs_there, 1)) + 1
    return {(a, b) for a, b in rows.tolist() if b > KNOWN}


@pytest.mark.parametrize("threshold", [None, LOWER])
def test_all_ways_find_the_same(
    threshold: float | None,
    catalogue: Catalogue,
    library: Library,
    settings: Settings,
    wide: Model,
    add: Adder,
    monkeypatch: pytest.MonkeyPatch,
):
    """One by one as photos come, many sought at once, and when a space takes over.

    Below the threshold none are kept for their score alone, from it on all are, a lower one too.
    """
    settings = replace(settings, copy_threshold=threshold, tune="off")
    base, pages = photos(KNOWN, 1), photos(10, 7)
    add(base, pages)
    _indexed(catalogue, library, settings, wide)
    tunings.refit(catalogue, wide, now=1.0)
    space = tunings.wanted(catalogue, wide)
    _take_over(catalogue, library, settings, space)

    made, shown = _made()
    add(made, shown)
    _indexed(catalogue, library, settings, wide, 1)
    one_by_one = _found(catalogue)

    _forget_pairs(catalogue, wide)
    with monkeypatch.context() as patch:
        patch.setattr(seeking, "MANY", 1)
        patch.setattr(all_pairs, "TILE", 8)
        _indexed(catalogue, library, settings, wide)
    at_once = _found(catalogue)

    _forget_pairs(catalogue, wide)
    _take_over(catalogue, library, settings, space)
    taken_over = _found(catalogue)

    assert at_once == pytest.approx(one_by_one, abs=CLOSE)
    assert taken_over == pytest.approx(one_by_one, abs=CLOSE)
    wholes = np.concatenate([base, made])
    inner = np.concatenate([base[:-10], pages, made[:-10], shown])
    may, must = _by_hand(space, wholes, inner, threshold or wide.copy_threshold)
    assert must <= one_by_one.keys() <= may
    below = {pair for pair in one_by_one if pair not in must}
    assert len(below) > len(made), "else nothing here says a thing"
    assert {(13 + 30 * n + 1, KNOWN + 30 + n + 1) for n in range(10)} <= one_by_one.keys()
