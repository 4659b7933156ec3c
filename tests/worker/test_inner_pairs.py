"""Pairs by inner pictures: the margin, nothing lost, the same pairs whatever the order or the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.core.test_tuning import photos
from twinlens import contents, ledger, pairs, tuning, tunings
from twinlens.catalogue import Catalogue, set_meta
from twinlens.filestat import FileStat
from twinlens.library import Library
from twinlens.messages import Embedded, ModelRef
from twinlens.models import Model, set_target
from twinlens.roots import Root
from twinlens.settings import Settings
from twinlens.vectors import encode
from twinlens.views import INNER_MARGIN
from twinlens_worker import all_pairs, inner_pairs, seeking
from twinlens_worker.commit import commit
from twinlens_worker.indexer import Indexer
from twinlens_worker.inner_pairs import Found
from twinlens_worker.tuner import Tuner

from .conftest import Recorder, embedded, unit_vector

Vector = np.ndarray
Pairs = dict[tuple[int, int], float]
Adder = Callable[..., None]

CLOSE = 3e-3
"""What f16 costs a score."""


@pytest.fixture
def add(catalogue: Catalogue, ref: ModelRef, record: Recorder) -> Adder:
    """Commit a content by its number, with its two vectors, or several at once."""

    def commit_all(*items: tuple[int, Vector, Vector | None], flat: bool = False) -> None:
        results = [
            dataclasses.replace(result_of(record(b"%d.jpg" % n), n, whole, inner), flat=flat)
            for n, whole, inner in items
        ]
        commit(catalogue, ref, results, now=1.0, max_attempts=3, settle_seconds=2.0)

    return commit_all


def result_of(file_id: int, number: int, whole: Vector, inner: Vector | None) -> Embedded:
    """Return what a worker says of a photo."""
    result = embedded(file_id, content=number, vector=whole)
    return dataclasses.replace(result, inner=None if inner is None else encode(inner))


def indexed(catalogue: Catalogue, library: Library, settings: Settings, model: Model) -> Indexer:
    """Bring the index up to date, as a worker that starts and stops does."""
    indexer = Indexer(catalogue, library, settings, model)
    while indexer.catch_up():
        pass
    indexer.publish()
    return indexer


def found(catalogue: Catalogue) -> Pairs:
    """Return the pairs that are stored, by the hashes of their contents."""
    rows = catalogue.rows(
        "SELECT one.sha256 AS a, two.sha256 AS b, score FROM pairs"
        " JOIN contents one ON one.id = a JOIN contents two ON two.id = b"
    )
    numbers = ((*map(int.from_bytes, (row["a"], row["b"])), row["score"]) for row in rows)
    return {(min(a, b), max(a, b)): score for a, b, score in numbers}


def near(vector: Vector, cosine: float, seed: int) -> Vector:
    """Return a unit vector at a given cosine from ``vector``."""
    noise = unit_vector(seed)
    noise -= (noise @ vector) * vector
    noise /= np.linalg.norm(noise)
    return np.asarray(cosine * vector + np.sqrt(1 - cosine**2) * noise)


PHOTO, PAGE, OTHER_PAGE = (unit_vector(seed) for seed in (1, 3, 21))
"""Three that are nothing to each other."""


def test_the_three_are_far_apart():
    """Below the floor from which pairs are kept: else nothing here would say a thing."""
    assert max(PHOTO @ PAGE, PHOTO @ OTHER_PAGE, PAGE @ OTHER_PAGE) < 0.3


@pytest.mark.parametrize("photo_first", [True, False])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_photo_and_the_page_that_shows_it(
    photo_first: bool,
    at_once: bool,
    catalogue: Catalogue,
    library: Library,
    settings: Settings,
    model: Model,
    add: Adder,
):
    """They are a pair, the margin taken off, in one batch or two, whichever came first."""
    items = [(1, PHOTO, None), (2, PAGE, near(PHOTO, 0.96, 5))]
    for some in [items] if at_once else [[one] for one in items[:: 1 if photo_first else -1]]:
        add(*some)
        indexed(catalogue, library, settings, model)
    assert found(catalogue) == {(1, 2): pytest.approx(0.96 - INNER_MARGIN, abs=CLOSE)}
    assert pairs.are_complete(catalogue, settings, model)


def test_two_pages_that_show_one_photo(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """Their inner pictures are compared too."""
    add((1, PAGE, PHOTO))
    indexed(catalogue, library, settings, model)
    add((2, OTHER_PAGE, near(PHOTO, 0.97, 5)))
    indexed(catalogue, library, settings, model)
    assert found(catalogue) == {(1, 2): pytest.approx(0.97 - INNER_MARGIN, abs=CLOSE)}


def test_the_wholes_count_in_full(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """Where they are more alike than the inner pictures less the margin, that is the score."""
    add((1, PHOTO, PAGE), (2, near(PHOTO, 0.96, 5), PAGE))
    indexed(catalogue, library, settings, model)
    assert found(catalogue)[1, 2] == pytest.approx(0.96, abs=CLOSE)


def test_what_the_wholes_find_is_found_whatever_inner_pictures_add(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """Below the threshold few pairs are kept: pages must not take the places of photos."""
    loose = [(n, near(PHOTO, 0.60 - 0.01 * n, 40 + n), None) for n in range(1, 6)]
    shows = near(PHOTO, 0.92, 7)
    pages = [(n, near(PAGE, 0.1, 60 + n), shows) for n in range(6, 16)]
    add(*loose, *pages)
    indexed(catalogue, library, settings, model)
    add((20, PHOTO, None))
    indexed(catalogue, library, settings, model)
    mine = {a for a, b in found(catalogue) if b == 20}
    assert mine >= {1, 2, 3, 4, 5}
    assert len(mine) == 5 + pairs.LOOSE_INNER_NEIGHBOURS


def test_a_threshold_lowered_later_has_inner_pictures_compared_anew(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """Though wholes are kept from a floor that is lower still; a pair that is known gets its best score."""
    add((1, PHOTO, None))
    add((2, OTHER_PAGE, near(PHOTO, 0.60, 5)))
    add((3, near(PHOTO, 0.45, 9), near(PHOTO, 0.61, 6)))
    indexed(catalogue, library, settings, model)
    assert found(catalogue) == {(1, 3): pytest.approx(0.45, abs=CLOSE)}
    lower = dataclasses.replace(settings, copy_threshold=0.5)
    assert pairs.wanted_floor(lower, model) == pairs.wanted_floor(settings, model)
    assert not pairs.are_complete(catalogue, lower, model)
    indexed(catalogue, library, lower, model)
    assert pairs.are_complete(catalogue, lower, model)
    scores = found(catalogue)
    assert scores[1, 2] == pytest.approx(0.60 - INNER_MARGIN, abs=CLOSE)
    assert scores[1, 3] == pytest.approx(0.61 - INNER_MARGIN, abs=CLOSE)


def test_flat_pictures_have_no_pairs(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """Neither by their own inner picture, which is not kept, nor by another's."""
    add((1, PAGE, PHOTO), flat=True)
    add((2, PHOTO, None), flat=True)
    add((3, OTHER_PAGE, PHOTO))
    indexed(catalogue, library, settings, model)
    assert found(catalogue) == {}
    owners = catalogue.rows("SELECT content_id FROM inner_vectors")
    assert [tuple(row) for row in owners] == [(3,)]


def test_a_page_that_is_gone_is_no_pair_any_more(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """The running indexer follows the log: what was forgotten is compared with nothing."""
    add((1, PAGE, PHOTO), (2, unit_vector(77), None))
    indexer = indexed(catalogue, library, settings, model)
    with catalogue.write_tx() as tx:
        tx.execute("UPDATE files SET missing_since = 0 WHERE path = ?", (b"1.jpg",))
    contents.housekeep(catalogue, now=90 * 86_400.0, tombstone_days=30)
    add((3, PHOTO, None))
    while indexer.catch_up():
        pass
    assert found(catalogue) == {}
    known = indexer._inner_vectors()
    assert list(known.near(indexer._reaches.inner, np.array([9]), PHOTO[None], 9)) == []
    add((4, PAGE, PHOTO))  # and come back
    while indexer.catch_up():
        pass
    assert set(found(catalogue)) == {(3, 4)}


def test_killed_between_commit_and_index(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """The log stands for both vectors: the next worker finds the pair (#2, #3).

    Also where the snapshot has the content and its pairs were never stored.
    """
    add((1, PHOTO, None))
    indexed(catalogue, library, settings, model)
    add((2, PAGE, PHOTO))
    half_done = Indexer(catalogue, library, settings, model)
    half_done._store_pairs = lambda *_: None  # type: ignore[method-assign]
    half_done.catch_up()
    half_done.publish()
    assert found(catalogue) == {}
    indexed(catalogue, library, settings, model)
    assert set(found(catalogue)) == {(1, 2)}


CENTRES = [unit_vector(seed) for seed in range(100, 104)]
KIND = st.tuples(st.integers(0, 3), st.integers(0, 4))
"""Near which of four motifs, and how near."""
PHOTOS = st.lists(st.tuples(KIND, st.none() | KIND), min_size=2, max_size=10)


def of_kind(kind: tuple[int, int], seed: int) -> Vector:
    """Return a vector of one motif: all of one are copies, at cosines of .95 and up."""
    motif, far = kind
    return near(CENTRES[motif], 1 - 0.005 * far, 1000 + seed)


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(made=PHOTOS, random=st.randoms(use_true_random=False), cut=st.integers(1, 9))
def test_the_same_pairs_whatever_the_order(
    made: list[tuple[tuple[int, int], tuple[int, int] | None]],
    random: object,
    cut: int,
    catalogue: Catalogue,
    library: Library,
    settings: Settings,
    model: Model,
    add: Adder,
):
    """In one batch, in two in another order, by an index built anew, and sought all at once."""
    items = [
        (n, of_kind(whole, n), None if inner is None else of_kind(inner, 50 + n))
        for n, (whole, inner) in enumerate(made, start=1)
    ]
    truth = by_hand(items, model.copy_threshold)
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    for batches in ([items], [shuffled[:cut], shuffled[cut:]]):
        begin_anew(catalogue, library)
        for batch in batches:
            add(*batch)
            indexed(catalogue, library, settings, model)
        assert above(found(catalogue), model) == pytest.approx(truth, abs=CLOSE)
    for path in sorted(library.index.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    forget_pairs(catalogue, model)
    indexed(catalogue, library, settings, model)
    assert above(found(catalogue), model) == pytest.approx(truth, abs=CLOSE)
    forget_pairs(catalogue, model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeking, "MANY", 1)
        patch.setattr(all_pairs, "TILE", 4)
        patch.setattr(inner_pairs, "CHUNK", 3)
        indexed(catalogue, library, settings, model)
    assert above(found(catalogue), model) == pytest.approx(truth, abs=CLOSE)


def by_hand(items: Sequence[tuple[int, Vector, Vector | None]], threshold: float) -> Pairs:
    """Return the scores of all pairs, by the rule written out, that reach the threshold."""
    scores: Pairs = {}
    for a, *mine in items:
        for b, *theirs in items:
            if a >= b:
                continue
            scores[a, b] = max(
                float(one @ other) - (0.0 if i == j == 0 else INNER_MARGIN)
                for i, one in enumerate(mine)
                for j, other in enumerate(theirs)
                if one is not None and other is not None
            )
    return {pair: score for pair, score in scores.items() if score >= threshold}


def above(scores: Pairs, model: Model) -> Pairs:
    """Return the pairs that reach the threshold: all of them are kept, others are few."""
    return {pair: score for pair, score in scores.items() if score >= model.copy_threshold}


def begin_anew(catalogue: Catalogue, library: Library) -> None:
    """Empty the catalogue and the index."""
    with catalogue.write_tx() as tx:
        for table in ("jobs", "files", "vectors", "inner_vectors", "pairs", "unverified", "log"):
            tx.execute(f"DELETE FROM {table}")
        tx.execute("DELETE FROM contents")
        tx.execute("DELETE FROM meta WHERE key GLOB 'pairs_*'")
    for path in library.index.rglob("*.json"):
        path.unlink()


def forget_pairs(catalogue: Catalogue, model: Model) -> None:
    """Let all pairs be sought anew."""
    with catalogue.write_tx() as tx:
        tx.execute("DELETE FROM pairs")
        set_meta(tx, f"pairs_seq:{model.id}", "0")


def test_broken_off_and_gone_on(
    catalogue: Catalogue,
    library: Library,
    settings: Settings,
    model: Model,
    add: Adder,
    monkeypatch: pytest.MonkeyPatch,
):
    """Sought many at once, stopped in the middle: the next worker seeks the rest."""
    whole = [(n, unit_vector(n), None) for n in range(1, 21)]
    pages = [
        (20 + n, unit_vector(500 + n), near(unit_vector(n), 0.97, 900 + n)) for n in range(1, 21)
    ]
    add(*pages[:10], *whole, *pages[10:])  # before their photos and after them
    indexed(catalogue, library, settings, model)
    known = above(found(catalogue), model)
    assert {(n, 20 + n) for n in range(1, 21)} <= known.keys()
    forget_pairs(catalogue, model)
    monkeypatch.setattr(seeking, "MANY", 2)
    monkeypatch.setattr(all_pairs, "TILE", 8)
    first = Indexer(catalogue, library, settings, model)
    first.catch_up()
    first.catch_up()
    assert first.is_seeking_many
    assert 0 < len(above(found(catalogue), model)) < len(known)
    indexed(catalogue, library, settings, model)
    assert above(found(catalogue), model) == pytest.approx(known, abs=CLOSE)


def test_contents_that_wait_in_the_log_are_not_met_by_their_inner_pictures_alone(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """A worker that starts with much to do gives a pair its best score, and not the first found."""
    add((3, OTHER_PAGE, None))
    indexed(catalogue, library, settings, model)
    alike = near(PHOTO, 0.97, 5)
    add((1, PHOTO, None), (2, alike, near(PHOTO, 0.85, 6)))
    indexer = Indexer(catalogue, library, settings, model)
    while indexer.catch_up(1):
        pass
    assert found(catalogue) == {(1, 2): pytest.approx(0.97, abs=CLOSE)}


def test_a_tuned_library_finds_them_too(
    catalogue: Catalogue,
    library: Library,
    settings: Settings,
    root: Root,
    monkeypatch: pytest.MonkeyPatch,
):
    """When another space takes over, and one by one in it, by its own scores less the margin."""
    monkeypatch.setattr(tuning, "LEAST", 64)
    wide = set_target(
        catalogue,
        name="wide",
        digest="cd" * 32,
        dimension=64,
        input_size=96,
        copy_threshold=0.9,
        at_once=True,
    )[0]
    made = photos(340, 1)
    ledger.record(
        catalogue, root.id, [(b"%d" % n, FileStat(10, 1, 1, 1)) for n in range(340)], now=1.0
    )
    ids = {row["path"]: row["id"] for row in catalogue.rows("SELECT id, path FROM files")}
    results = [
        result_of(ids[b"%d" % n], n + 1, made[n], made[n - 300] if n >= 320 else None)
        for n in range(340)
    ]
    ref = ModelRef(wide.name, wide.digest)
    commit(catalogue, ref, results, now=1.0, max_attempts=3, settle_seconds=2.0)
    indexer = indexed(catalogue, library, settings, wide)
    tunings.refit(catalogue, wide, now=1.0)
    tuner = Tuner(catalogue, library, settings, indexer, clock=lambda: 5.0)
    while tuner.step() and not tuner.took_over:
        pass
    assert tunings.serving(catalogue, wide).tuning is not None
    wanted = {
        (n - 300 + 1, n + 1): pytest.approx(1 - INNER_MARGIN, abs=0.01) for n in range(320, 340)
    }
    taken_over = found(catalogue)
    assert {pair: taken_over.get(pair) for pair in wanted} == wanted
    forget_pairs(catalogue, wide)
    indexed(catalogue, library, settings, wide)
    one_by_one = found(catalogue)
    assert {pair: one_by_one.get(pair) for pair in wanted} == wanted


def test_thousands_that_look_the_same_are_few_pairs():
    """Of each content the nearest alone: of 3,000 equal screenshots no batch has a million pairs."""
    many = np.tile(PHOTO, (3000, 1))
    products = many[:5] @ many.T
    rows, _ = inner_pairs._best(products, 0.5, 64)
    assert np.bincount(rows).tolist() == [65] * 5


def test_scores_of_both_ways_make_one_pair():
    """The better one counts."""
    both = Found({(1, 2): 0.95, (3, 4): 0.5}, {(1, 2): 0.92, (3, 4): 0.93, (5, 6): 0.91})
    assert dict(both.kept([2, 4, 6], 0.9)) == {(1, 2): 0.95, (3, 4): 0.93, (5, 6): 0.91}
