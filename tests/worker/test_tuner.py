"""The library is tuned as it grows; a new space takes over whole, or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.core.test_tuning import copies, photos
from twinlens import contents, ledger, pairs, parts, snapshot, tuning, tunings
from twinlens.catalogue import Catalogue, set_meta
from twinlens.errors import TuningError
from twinlens.filestat import FileStat
from twinlens.library import Library
from twinlens.messages import ModelRef
from twinlens.models import Model
from twinlens.roots import Root
from twinlens.search import Searcher
from twinlens.settings import Settings
from twinlens.vectors import Vector, project
from twinlens_worker.commit import commit
from twinlens_worker.indexer import Indexer
from twinlens_worker.tuner import Tuner

from .conftest import embedded

DIMENSION = 64
Adder = Callable[[Vector], None]


pytestmark = pytest.mark.usefixtures("few_are_enough")


@pytest.fixture
def add(catalogue: Catalogue, wide: Model, root: Root) -> Adder:
    """Commit contents with given vectors, numbered on; in two transactions, not in thousands."""
    ref = ModelRef(wide.name, wide.digest)

    def add_photos(vectors: Vector) -> None:
        first = 1 + (catalogue.value("SELECT count(*) FROM contents") or 0)
        seen = [(b"%d.jpg" % (first + n), FileStat(10, 1, 1, 1)) for n in range(len(vectors))]
        ledger.record(catalogue, root.id, seen, now=1.0)
        ids = {row["path"]: row["id"] for row in catalogue.rows("SELECT id, path FROM files")}
        results = [
            embedded(ids[path], content=first + n, vector=vectors[n])
            for n, (path, _) in enumerate(seen)
        ]
        commit(catalogue, ref, results, now=1.0, max_attempts=3, settle_seconds=2.0)

    return add_photos


def follow(catalogue: Catalogue, library: Library, settings: Settings, model: Model) -> Indexer:
    """Do what the indexing thread does until nothing is left to do."""
    while True:
        indexer = Indexer(catalogue, library, settings, model)
        snapshot.remove_other_spaces(library.index, indexer.space)
        tuner = Tuner(catalogue, library, settings, indexer, clock=lambda: 5.0)
        while indexer.catch_up() or tuner.step():
            if tuner.took_over:
                break
        else:
            indexer.publish()
            return indexer


def kept(catalogue: Catalogue) -> dict[tuple[int, int], float]:
    """Return the pairs above the threshold, all of which are kept: below, only the nearest few are."""
    rows = catalogue.rows("SELECT * FROM pairs WHERE score >= 0.92")
    return {(row["a"], row["b"]): row["score"] for row in rows}


def same(one: dict[tuple[int, int], float], other: dict[tuple[int, int], float]) -> bool:
    """Tell whether two sets of pairs agree, but for scores that rounding may take over the edge."""
    return all(
        abs(one.get(pair, 0.9) - other.get(pair, 0.9)) < 3e-3 for pair in one.keys() | other.keys()
    )


def check(catalogue: Catalogue, library: Library, model: Model, asked: Vector) -> None:
    """The answers are those of comparing with all vectors in the space that serves."""
    space = tunings.serving(catalogue, model)
    rows = catalogue.rows("SELECT content_id, vector FROM vectors ORDER BY content_id")
    raw = np.stack([np.frombuffer(row["vector"], "<f2").astype(np.float32) for row in rows])
    expected = space.scores(space.entries(raw) @ space.queries(asked))
    searcher = Searcher(catalogue, library, model)
    hits = searcher.search(asked, 10)
    best = np.sort(expected)[::-1][:10]
    assert [hit.score for hit in hits] == pytest.approx(best.tolist(), abs=5e-3)
    cosines = dict(zip([r["content_id"] for r in rows], project(raw) @ project(asked), strict=True))
    alike = searcher.alike(asked, 10)
    assert [hit.score for hit in alike] == sorted((hit.score for hit in alike), reverse=True)
    assert all(hit.score == pytest.approx(cosines[hit.content_id], abs=5e-3) for hit in alike)
    nearest = sorted(cosines, key=lambda content: -cosines[content])[:10]
    assert len({hit.content_id for hit in alike} & {*nearest}) >= 8


def test_grown_library_is_tuned(
    catalogue: Catalogue, library: Library, settings: Settings, wide: Model, add: Adder
):
    """From a size on, and again when it has doubled; answers, pairs and index go along."""
    add(photos(999, 1))
    follow(catalogue, library, settings, wide)
    assert tunings.serving_id(catalogue, wide) == tunings.OFF
    add(copies(photos(999, 1)[600:601], 2, 0.1))
    indexer = follow(catalogue, library, settings, wide)
    assert indexer.space.tuning is not None
    assert indexer.space.tuning.photos == 1000
    first = tunings.serving_id(catalogue, wide)
    assert kept(catalogue)[601, 1000] > 0.97
    check(catalogue, library, wide, photos(5, 3)[4])
    assert Searcher(catalogue, library, wide).problem is None
    add(photos(990, 4))
    follow(catalogue, library, settings, wide)
    assert tunings.serving_id(catalogue, wide) == first, "not yet doubled"
    add(photos(10, 5))
    follow(catalogue, library, settings, wide)
    assert tunings.serving_id(catalogue, wide) != first
    assert catalogue.value("SELECT count(*) FROM tunings") == 1
    check(catalogue, library, wide, photos(5, 6)[4])


def test_off_is_back_and_stays(
    catalogue: Catalogue, library: Library, settings: Settings, wide: Model, add: Adder
):
    """Switched off, pairs are what they were before tuning, and growth changes nothing."""
    off = replace(settings, tune="off")
    add(np.concatenate([photos(1000, 1), copies(photos(1000, 1)[500:560], 2, 0.3)]))
    follow(catalogue, library, off, wide)
    before = kept(catalogue)
    follow(catalogue, library, settings, wide)
    assert not same(kept(catalogue), before)
    tunings.turn_off(catalogue, wide)
    follow(catalogue, library, settings, wide)
    assert same(kept(catalogue), before)
    add(photos(1100, 3))
    follow(catalogue, library, settings, wide)
    assert tunings.serving_id(catalogue, wide) == tunings.OFF
    tunings.refit(catalogue, wide, now=1.0)
    follow(catalogue, library, settings, wide)
    assert tunings.serving_id(catalogue, wide) != tunings.OFF


def test_old_space_answers_meanwhile(
    catalogue: Catalogue, library: Library, settings: Settings, wide: Model, add: Adder
):
    """Photos that come while the next space is made are found and paired, in both, and compared."""
    off = replace(settings, tune="off")
    add(photos(600, 1))
    indexer = Indexer(catalogue, library, off, wide)
    while indexer.catch_up():
        pass
    indexer.publish()
    tunings.refit(catalogue, wide, now=1.0)
    tuner = Tuner(catalogue, library, off, indexer)
    assert tuner.step()
    assert tuner.step()
    add(copies(photos(600, 1)[400:401], 2, 0.1))
    while indexer.catch_up():
        pass
    assert (401, 601) in kept(catalogue)
    check(catalogue, library, wide, photos(600, 1)[400])
    while not tuner.took_over:
        assert tuner.step()
        assert (401, 601) in kept(catalogue)
    follow(catalogue, library, off, wide)
    assert tunings.serving_id(catalogue, wide) != tunings.OFF
    assert (401, 601) in kept(catalogue)
    check(catalogue, library, wide, photos(600, 1)[400])
    waiting = catalogue.rows("SELECT a FROM unverified WHERE b = 601")
    assert 401 in {a for (a,) in waiting}, "it is compared, and told if it is a copy"


def test_content_that_went_meanwhile(
    catalogue: Catalogue, library: Library, settings: Settings, wide: Model, add: Adder
):
    """What was forgotten while the next space was made is in none of its answers."""
    off = replace(settings, tune="off")
    add(np.concatenate([photos(600, 1), copies(photos(600, 1)[400:401], 2, 0.1)]))
    indexer = Indexer(catalogue, library, off, wide)
    while indexer.catch_up():
        pass
    tunings.refit(catalogue, wide, now=1.0)
    tuner = Tuner(catalogue, library, off, indexer)
    for _ in range(3):
        tuner.step()
    with catalogue.write_tx() as tx:
        tx.execute("UPDATE files SET missing_since = 0 WHERE path = ?", (b"601.jpg",))
    contents.housekeep(catalogue, now=90 * 86_400.0, tombstone_days=30)
    while not tuner.took_over:
        indexer.catch_up()
        tuner.step()
    assert not any(601 in pair for pair in kept(catalogue))
    hits = Searcher(catalogue, library, wide).search(photos(600, 1)[400], 700)
    assert 601 not in {hit.content_id for hit in hits}


def test_reader_of_before_goes_on(
    catalogue: Catalogue, library: Library, settings: Settings, wide: Model, add: Adder
):
    """A search that was open when another space took over answers on in its own."""
    off = replace(settings, tune="off")
    add(photos(600, 1))
    follow(catalogue, library, off, wide)
    reader = Searcher(catalogue, library, wide)
    before = reader.search(photos(600, 1)[3], 5)
    tunings.refit(catalogue, wide, now=1.0)
    follow(catalogue, library, off, wide)
    assert reader.search(photos(600, 1)[3], 5) == before
    check(catalogue, library, wide, photos(600, 1)[3])


def test_missing_snapshot_of_a_tuned_library(
    catalogue: Catalogue, library: Library, settings: Settings, wide: Model, add: Adder
):
    """Without its snapshot a tuned library is read from the catalogue, with the same answers."""
    add(photos(1000, 1))
    indexer = follow(catalogue, library, settings, wide)
    folder = snapshot.snapshot_folder(library.index, indexer.space)
    for path in folder.iterdir():
        path.unlink()
    assert Searcher(catalogue, library, wide).problem is not None
    check(catalogue, library, wide, photos(1000, 1)[3])


@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_damaged_tuning(
    catalogue: Catalogue,
    library: Library,
    settings: Settings,
    wide: Model,
    add: Adder,
    damage: str,
):
    """A damaged tuning is said, answered without, given up by the indexer, and fitted anew."""
    add(photos(1000, 1))
    follow(catalogue, library, settings, wide)
    blob = bytearray(catalogue.value("SELECT tuning FROM tunings"))
    blob[len(blob) // 2] ^= 1
    with catalogue.write_tx() as tx:
        if damage == "gone":
            tx.execute("DELETE FROM tunings")
        else:
            tx.execute(
                "UPDATE tunings SET tuning = ?", (bytes(blob if damage == "flip" else blob[:99]),)
            )
    with pytest.raises(TuningError, match="twinlens model tune"):
        tunings.serving(catalogue, wide)
    searcher = Searcher(catalogue, library, wide)
    assert "twinlens model tune" in (searcher.problem or "")
    assert searcher.search(photos(1000, 1)[7], 1)[0].content_id == 8
    follow(catalogue, library, settings, wide)
    assert tunings.serving_id(catalogue, wide) != tunings.OFF
    check(catalogue, library, wide, photos(1000, 1)[7])


@pytest.mark.parametrize("whole", [True, False])
def test_damaged_tuning_of_a_model_with_a_background(
    catalogue: Catalogue,
    library: Library,
    settings: Settings,
    wide: Model,
    add: Adder,
    *,
    whole: bool,
):
    """Without its tuning the library is in the background's space, or of cosines where that is damaged too."""
    off = replace(settings, tune="off")
    background = tuning.around(project(photos(200, 3)), 200, 3)
    parts.keep(catalogue, wide, {parts.BACKGROUND: background.to_bytes()})
    add(photos(600, 1))
    tunings.refit(catalogue, wide, now=1.0)
    follow(catalogue, library, off, wide)
    with catalogue.write_tx() as tx:
        tx.execute("UPDATE tunings SET tuning = substr(tuning, 1, 99)")
        if not whole:
            tx.execute("UPDATE model_parts SET data = substr(data, 1, 99)")
    indexer = follow(catalogue, library, off, wide)
    assert indexer.space.mark == (background.digest if whole else "")
    assert indexer.space.mark == tunings.serving(catalogue, wide).mark
    assert Searcher(catalogue, library, wide).problem is None


def test_too_few_unlike_photos_are_tried_once(
    catalogue: Catalogue,
    library: Library,
    settings: Settings,
    wide: Model,
    add: Adder,
    monkeypatch: pytest.MonkeyPatch,
):
    """A library that cannot be tuned stays as it is, and is not tried again before it has grown."""
    monkeypatch.setattr(tuning, "LEAST", 5000)
    add(photos(1000, 1))
    assert tunings.is_due(catalogue, settings, wide)
    follow(catalogue, library, settings, wide)
    assert tunings.serving_id(catalogue, wide) == tunings.OFF
    assert tunings.is_settled(catalogue, settings, wide)


MAKE_AND_TAKE_OVER = """
import sys
from pathlib import Path
from twinlens import tuning, tunings
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.models import get_model
from twinlens.settings import Settings
from twinlens_worker.indexer import Indexer
from twinlens_worker.tuner import Tuner
tuning.LEAST = 64
library = Library(Path(sys.argv[1]))
settings = Settings(library=library.folder, tune="off")
with Catalogue.open(library.catalogue) as catalogue:
    model = get_model(catalogue, "target")
    print("ready", flush=True)
    while True:
        if tunings.serving_id(catalogue, model):
            tunings.turn_off(catalogue, model)
        else:
            tunings.refit(catalogue, model, now=1.0)
        indexer = Indexer(catalogue, library, settings, model)
        tuner = Tuner(catalogue, library, settings, indexer)
        while not tuner.took_over:
            indexer.catch_up()
            tuner.step()
"""


def test_killed_anywhere_leaves_one_of_both(
    catalogue: Catalogue, library: Library, settings: Settings, wide: Model, add: Adder
):
    """Kill -9 at random moments: the pairs are those of the space that serves, never a mixture."""
    off = replace(settings, tune="off")
    add(np.concatenate([photos(600, 1), copies(photos(600, 1)[300:400], 2, 0.4)]))
    follow(catalogue, library, off, wide)
    plain = kept(catalogue)
    tunings.refit(catalogue, wide, now=1.0)
    follow(catalogue, library, off, wide)
    tuned = kept(catalogue)
    assert not same(plain, tuned)
    numbers = np.random.default_rng(1)
    for _ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", MAKE_AND_TAKE_OVER, str(library.folder)],
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        time.sleep(float(numbers.uniform(0.0, 2.5)))
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        serves = tunings.serving_id(catalogue, wide)
        assert same(kept(catalogue), tuned if serves else plain)
        check(catalogue, library, wide, photos(600, 1)[303])
    follow(catalogue, library, off, wide)
    assert tunings.is_settled(catalogue, off, wide)
    assert pairs.are_complete(catalogue, off, wide)


def test_folders_of_other_spaces_are_removed(
    catalogue: Catalogue, library: Library, settings: Settings, wide: Model, add: Adder
):
    """Once another space answers, the files of the one before are gone."""
    add(photos(1000, 1))
    follow(catalogue, library, replace(settings, tune="off"), wide)
    untuned = list(library.index.rglob("*.usearch"))
    follow(catalogue, library, settings, wide)
    [left] = library.index.rglob("*.usearch")
    assert left not in untuned
    with catalogue.write_tx() as tx:
        set_meta(tx, f"tuning_wanted:{wide.id}", str(tunings.OFF))
    follow(catalogue, library, replace(settings, tune="off"), wide)
    [back] = library.index.rglob("*.usearch")
    assert back.parent == untuned[0].parent
