"""The indexer: replay, pairs, snapshots, and what is done when they are unusable."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest

from tests.conftest import Clock
from twinlens import contents, pairs, snapshot
from twinlens.catalogue import Catalogue
from twinlens.errors import AlreadyRunningError
from twinlens.library import Library
from twinlens.messages import ModelRef
from twinlens.models import Model
from twinlens.search import Searcher
from twinlens.settings import Settings
from twinlens.spaces import Space
from twinlens_worker.commit import commit
from twinlens_worker.indexer import Indexer, open_indexer
from twinlens_worker.indexing import IndexingThread

from .conftest import Recorder, embedded, unit_vector

Adder = Callable[..., None]


@pytest.fixture
def add(catalogue: Catalogue, ref: ModelRef, record: Recorder) -> Adder:
    """Commit contents by number, with a vector of one's own where given."""

    def add_contents(numbers: range | list[int], vectors: list[np.ndarray] | None = None) -> None:
        results = [
            embedded(
                record(b"%d.jpg" % number),
                content=number,
                vector=None if vectors is None else vectors[i],
            )
            for i, number in enumerate(numbers)
        ]
        commit(catalogue, ref, results, now=1.0, max_attempts=3, settle_seconds=2.0)

    return add_contents


def _index(
    catalogue: Catalogue,
    library: Library,
    settings: Settings,
    model: Model,
    *,
    publish: bool = True,
) -> Indexer:
    indexer = Indexer(catalogue, library, settings, model)
    while indexer.catch_up():
        pass
    if publish:
        indexer.publish()
    return indexer


def _pairs(catalogue: Catalogue) -> set[tuple[int, int]]:
    return {(row["a"], row["b"]) for row in catalogue.rows("SELECT a, b FROM pairs")}


def _near(vector: np.ndarray, cosine: float, seed: int) -> np.ndarray:
    """Return a unit vector at a given cosine from ``vector``."""
    noise = unit_vector(seed)
    noise -= (noise @ vector) * vector
    noise /= np.linalg.norm(noise)
    return np.asarray(cosine * vector + np.sqrt(1 - cosine**2) * noise)


def test_pairs_are_found_whatever_the_order(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """Pairs within a batch, and across batches and restarts, are stored once each."""
    base = unit_vector(1)
    add([1, 2], [base, _near(base, 0.97, 5)])
    _index(catalogue, library, settings, model)
    add([3, 4], [_near(base, 0.96, 6), unit_vector(9)])
    _index(catalogue, library, settings, model)
    assert _pairs(catalogue) >= {(1, 2), (1, 3)}
    assert not any(4 in pair for pair in _pairs(catalogue))
    scores = {(row["a"], row["b"]): row["score"] for row in catalogue.rows("SELECT * FROM pairs")}
    assert scores[1, 2] == pytest.approx(0.97, abs=0.002)


def test_far_neighbours_are_kept_only_where_they_are_nearest(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """Below the threshold a new content has a few pairs, not one with each photo of its kind."""
    base = unit_vector(1)
    many = [_near(base, model.copy_threshold - 0.1 + 0.001 * n, 30 + n) for n in range(12)]
    add(list(range(1, 14)), [*many, base])
    _index(catalogue, library, settings, model)
    with_base = {a for a, b in _pairs(catalogue) if b == 13}
    assert with_base == set(range(13 - pairs.LOOSE_NEIGHBOURS, 13))
    assert _index(catalogue, library, settings, model)
    assert catalogue.value("SELECT count(*) FROM unverified") == len(_pairs(catalogue))
    lower = dataclasses.replace(settings, copy_threshold=model.copy_threshold - 0.2)
    _index(catalogue, library, lower, model)
    assert {a for a, b in _pairs(catalogue) if b == 13} == set(range(1, 13)), (
        "from the threshold on, all"
    )


def test_replay_after_a_crash_finds_the_pairs_missed(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """A snapshot published before its pairs were stored does not hide them (#3)."""
    base = unit_vector(1)
    add([1, 2], [base, _near(base, 0.97, 5)])
    _index(catalogue, library, settings, model)
    with catalogue.write_tx() as tx:
        tx.execute("DELETE FROM pairs")
        tx.execute("DELETE FROM meta WHERE key LIKE 'pairs_seq:%'")
    _index(catalogue, library, settings, model)
    assert _pairs(catalogue) == {(1, 2)}


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "manifest"])
def test_unusable_snapshot_is_rebuilt(
    catalogue: Catalogue,
    library: Library,
    settings: Settings,
    model: Model,
    add: Adder,
    damage: str,
):
    """Bit rot, truncation or loss of a snapshot costs a rebuild and nothing else (#4, #5, #8)."""
    add(range(1, 40))
    _index(catalogue, library, settings, model)
    folder = snapshot.snapshot_folder(library.index, Space(model))
    [path] = folder.glob("*.usearch")
    raw = bytearray(path.read_bytes())
    if damage == "flip":
        raw[len(raw) // 2] ^= 0x40
        path.write_bytes(raw)
    elif damage == "truncate":
        path.write_bytes(raw[: len(raw) // 2])
    elif damage == "delete":
        path.unlink()
    else:
        (folder / "manifest.json").write_text("{}")
    assert Searcher(catalogue, library, model).problem
    _index(catalogue, library, settings, model)
    searcher = Searcher(catalogue, library, model)
    assert searcher.problem is None
    assert searcher.search(unit_vector(7), 1)[0].content_id == 7


def test_only_one_indexer(catalogue: Catalogue, library: Library, settings: Settings, model: Model):
    """The second indexer on a library refuses (#7)."""
    with (
        open_indexer(catalogue, library, settings, model),
        pytest.raises(AlreadyRunningError, match="another indexer"),
        open_indexer(catalogue, library, settings, model),
    ):
        pytest.fail("two indexers at once")


def test_forgotten_content_leaves_the_index(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """What no file holds any more is not found, from the tail and from the next snapshot."""
    add(range(1, 10))
    _index(catalogue, library, settings, model)
    with catalogue.write_tx() as tx:
        tx.execute("UPDATE files SET missing_since = 0 WHERE path = ?", (b"7.jpg",))
    contents.housekeep(catalogue, now=90 * 86_400.0, tombstone_days=30)
    for _ in range(2):
        hits = Searcher(catalogue, library, model).search(unit_vector(7), 20)
        assert 7 not in [hit.content_id for hit in hits]
        assert len(hits) == 8
        _index(catalogue, library, settings, model)


def test_churn_leads_to_a_rebuild_with_full_recall(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """After most entries were replaced, what is left is found as in a fresh index (#11)."""
    add(range(1, 1500))
    _index(catalogue, library, settings, model)
    with catalogue.write_tx() as tx:
        tx.execute("UPDATE files SET missing_since = 0 WHERE id < 1200")
    contents.housekeep(catalogue, now=90 * 86_400.0, tombstone_days=30)
    indexer = _index(catalogue, library, settings, model)
    manifest = snapshot.read_manifest(
        snapshot.snapshot_folder(library.index, Space(model)), Space(model)
    )
    assert manifest.removed <= 0.2 * 1000
    assert manifest.count == 300
    assert indexer.behind == 0
    searcher = Searcher(catalogue, library, model)
    found = [searcher.search(unit_vector(n), 1)[0].content_id for n in range(1200, 1500)]
    assert found == list(range(1200, 1500))


def test_full_disk_keeps_the_snapshot_before(
    catalogue: Catalogue,
    library: Library,
    settings: Settings,
    model: Model,
    add: Adder,
    monkeypatch: pytest.MonkeyPatch,
):
    """Where the new snapshot cannot be written the old one answers, with the tail (#37)."""
    add(range(1, 10))
    indexer = _index(catalogue, library, settings, model)
    add([10])
    indexer.catch_up()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        indexer.publish()
    searcher = Searcher(catalogue, library, model)
    assert searcher.problem is None
    assert searcher.search(unit_vector(10), 1)[0].content_id == 10
    indexer.publish()
    assert indexer.behind == 0


class SlowIndexer:
    """Stands in for the indexer of a large library: publishing takes ten seconds."""

    def __init__(self, clock: Clock, *, full: bool = False) -> None:
        self._clock = clock
        self._full = full
        self.behind = 1
        self.published = 0

    def publish(self) -> None:
        """Write for ten seconds; on a full disk in vain."""
        self._clock.advance(10.0)
        self.published += 1
        self.behind = int(self._full)


@pytest.mark.parametrize(("full", "rest"), [(False, 200.0), (True, 60.0)])
def test_publishing_takes_a_small_share_of_the_time(
    settings: Settings, clock: Clock, full: bool, rest: float
):
    """One photo more does not write a large index anew at once; neither is a full disk hammered."""
    thread = IndexingThread(settings, clock=clock)
    indexer = SlowIndexer(clock, full=full)
    thread.publish(cast("Indexer", indexer))
    clock.advance(rest - 1.0)
    thread.publish(cast("Indexer", indexer))
    assert indexer.published == 1
    clock.advance(1.0)
    thread.publish(cast("Indexer", indexer))
    assert indexer.published == 2


def test_lower_threshold_has_copies_sought_anew(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """Pairs below what was kept appear once the indexer runs with the lower threshold."""
    base = unit_vector(1)
    add([1, 2], [base, _near(base, 0.34, 5)])
    _index(catalogue, library, settings, model)
    assert not _pairs(catalogue)
    lower = dataclasses.replace(settings, copy_threshold=0.3)
    assert not pairs.are_complete(catalogue, lower, model)
    _index(catalogue, library, lower, model)
    assert _pairs(catalogue) == {(1, 2)}
    assert pairs.are_complete(catalogue, lower, model)
    add([3], [_near(base, 0.33, 7)])
    _index(catalogue, library, settings, model)
    assert (1, 3) in _pairs(catalogue), "a higher threshold set later leaves no gaps"
    assert pairs.are_complete(catalogue, lower, model)


def test_flat_pictures_are_never_paired(
    catalogue: Catalogue,
    library: Library,
    settings: Settings,
    model: Model,
    ref: ModelRef,
    record: Recorder,
):
    """Two black frames look alike to the model and are no copies of one another."""
    base = unit_vector(1)
    results = [
        dataclasses.replace(
            embedded(record(b"%d.jpg" % number), content=number, vector=base), flat=number < 3
        )
        for number in range(1, 6)
    ]
    commit(catalogue, ref, results, now=1.0, max_attempts=3, settle_seconds=2.0)
    _index(catalogue, library, settings, model)
    assert _pairs(catalogue) == {(3, 4), (3, 5), (4, 5)}
