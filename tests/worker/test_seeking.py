"""Many pairs sought at once: the same pairs as one by one, flat pictures none, broken off and gone on."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Callable

import numpy as np
import pytest

from twinlens import contents, pairs
from twinlens.catalogue import Catalogue, set_meta
from twinlens.library import Library
from twinlens.messages import ModelRef
from twinlens.models import Model
from twinlens.settings import Settings
from twinlens_worker import all_pairs, seeking
from twinlens_worker.commit import commit
from twinlens_worker.indexer import Indexer
from twinlens_worker.indexing import IndexingThread

from .conftest import Recorder, embedded, unit_vector

COUNT = 60
Adder = Callable[[range], None]


@pytest.fixture
def add(catalogue: Catalogue, ref: ModelRef, record: Recorder) -> Adder:
    """Commit contents by number: every fifth a copy, more or less, of the one before; 13 and 14 flat."""

    def add_contents(numbers: range) -> None:
        results = [
            dataclasses.replace(
                embedded(record(b"%d.jpg" % number), content=number, vector=_vector(number)),
                flat=number in (13, 14),
            )
            for number in numbers
        ]
        commit(catalogue, ref, results, now=1.0, max_attempts=3, settle_seconds=2.0)

    return add_contents


def _vector(number: int) -> np.ndarray:
    if number % 5:
        return unit_vector(number)
    near = unit_vector(number - 1) + 0.5 * number / COUNT * unit_vector(1000 + number)
    return np.asarray(near / np.linalg.norm(near), dtype=np.float32)


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seek from two contents on, eight at a time."""
    monkeypatch.setattr(seeking, "MANY", 2)
    monkeypatch.setattr(all_pairs, "TILE", 8)


def _all(indexer: Indexer) -> None:
    while indexer.catch_up():
        pass


def _indexed(catalogue: Catalogue, library: Library, settings: Settings, model: Model) -> Indexer:
    indexer = Indexer(catalogue, library, settings, model)
    _all(indexer)
    indexer.publish()
    return indexer


def _pairs(catalogue: Catalogue) -> dict[tuple[int, int], float]:
    rows = catalogue.rows("SELECT a, b, score FROM pairs")
    return {(row["a"], row["b"]): row["score"] for row in rows}


def _forget_pairs(catalogue: Catalogue, model: Model, sought: int = 0) -> None:
    with catalogue.write_tx() as tx:
        tx.execute("DELETE FROM pairs")
        set_meta(tx, f"pairs_seq:{model.id}", str(sought))


@pytest.mark.usefixtures("in_parts")
def test_all_at_once_finds_what_one_by_one_does(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """Pairs sought anew are the pairs found when the photos came in, with their scores."""
    add(range(1, COUNT + 1))
    _indexed(catalogue, library, settings, model)
    known = _pairs(catalogue)
    assert len(known) >= 10
    _forget_pairs(catalogue, model)
    indexer = Indexer(catalogue, library, settings, model)
    assert indexer.catch_up() == 8
    assert indexer.is_seeking_many
    _all(indexer)
    assert not indexer.is_seeking_many
    assert _pairs(catalogue) == pytest.approx(known, abs=1e-3)
    assert pairs.are_complete(catalogue, settings, model)


@pytest.mark.usefixtures("in_parts")
def test_goes_on_where_it_was_broken_off(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """What was stored stands: the next worker seeks only the rest."""
    add(range(1, COUNT + 1))
    _indexed(catalogue, library, settings, model)
    known = _pairs(catalogue)
    _forget_pairs(catalogue, model)
    first = Indexer(catalogue, library, settings, model)
    for _ in range(3):
        first.catch_up()
    done = pairs.sought(catalogue, model)
    assert 0 < done < first.seq
    with catalogue.write_tx() as tx:
        tx.execute("DELETE FROM pairs")
    _all(Indexer(catalogue, library, settings, model))
    entered = {
        row["content_id"]: row["seq"] for row in catalogue.rows("SELECT content_id, seq FROM log")
    }
    later = {pair for pair in known if max(entered[pair[0]], entered[pair[1]]) > done}
    assert later
    assert _pairs(catalogue).keys() == later


@pytest.mark.usefixtures("in_parts")
def test_photos_that_come_meanwhile_are_compared_too(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """They wait until the many are done, and are then looked up as ever."""
    add(range(1, COUNT - 9))
    _indexed(catalogue, library, settings, model)
    _forget_pairs(catalogue, model)
    indexer = Indexer(catalogue, library, settings, model)
    indexer.catch_up()
    add(range(COUNT - 9, COUNT + 1))
    _all(indexer)
    found = _pairs(catalogue)
    _forget_pairs(catalogue, model)
    _all(Indexer(catalogue, library, settings, model))
    assert found.keys() == _pairs(catalogue).keys()
    assert any(b > COUNT - 10 for _, b in found)


@pytest.mark.usefixtures("in_parts")
def test_forgotten_photos_are_passed_over(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """A content that was forgotten while pairs are sought gets none."""
    add(range(1, COUNT + 1))
    _indexed(catalogue, library, settings, model)
    _forget_pairs(catalogue, model)
    indexer = Indexer(catalogue, library, settings, model)
    indexer.catch_up()
    with catalogue.write_tx() as tx:
        tx.execute("DELETE FROM jobs")
        tx.execute("DELETE FROM files WHERE content_id > 30")
        contents.drop_orphans(tx)
    _all(indexer)
    found = _pairs(catalogue)
    assert found
    assert max(itertools.chain(*found)) <= 30
    assert pairs.are_complete(catalogue, settings, model)


def test_few_are_looked_up_in_the_index(
    catalogue: Catalogue, library: Library, settings: Settings, model: Model, add: Adder
):
    """To read all vectors for the sake of a few photos would take longer."""
    add(range(1, COUNT + 1))
    _indexed(catalogue, library, settings, model)
    _forget_pairs(catalogue, model)
    indexer = Indexer(catalogue, library, settings, model)
    assert indexer.catch_up() == COUNT
    assert not indexer.is_seeking_many


@pytest.mark.usefixtures("in_parts")
def test_the_worker_can_be_stopped_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
    catalogue: Catalogue,
    library: Library,
    settings: Settings,
    model: Model,
    add: Adder,
):
    """A million photos take half an hour: to stop does not wait for it."""
    add(range(1, COUNT + 1))
    _indexed(catalogue, library, settings, model)
    _forget_pairs(catalogue, model)
    begun, stop = threading.Event(), threading.Event()
    real = all_pairs.all_pairs

    def slow(*args: object, **rest: object) -> object:
        for part in real(*args, **rest):  # type: ignore[arg-type]
            yield part
            begun.set()
            stop.wait(30)

    monkeypatch.setattr(seeking, "all_pairs", slow)
    thread = IndexingThread(settings)
    thread.start()
    assert begun.wait(30)
    threading.Timer(0.1, stop.set).start()
    thread.close()
    assert thread.failure is None
    assert 0 < pairs.sought(catalogue, model) < COUNT
