"""What a model brings along for searching: kept in the catalogue, and used where nothing is tuned."""

from __future__ import annotations

import numpy as np
import pytest

from twinlens import parts, tuning, tunings, vectors
from twinlens.catalogue import Catalogue
from twinlens.errors import TuningError
from twinlens.forgetting import forget
from twinlens.library import Library
from twinlens.looks import Looks
from twinlens.models import Model, set_target
from twinlens.search import Searcher
from twinlens.tuning import Tuning
from twinlens.vectors import Vector, project


def landmarks(count: int, dimension: int) -> Vector:
    """Return unit vectors, some of them crowded, rounded as they are stored."""
    rng = np.random.default_rng(5)
    rows = rng.standard_normal((count, dimension)) / np.sqrt(1 + np.arange(dimension))
    rows[: count // 4, 0] += 3
    return project(rows).astype(np.float16).astype(np.float32)


@pytest.fixture
def background(model: Model, monkeypatch: pytest.MonkeyPatch) -> Tuning:
    """What makers of the model fitted to few photos."""
    monkeypatch.setattr(tuning, "LEAST", 64)
    return tuning.around(landmarks(200, model.dimension), 200, 3)


@pytest.fixture
def looks(model: Model) -> Looks:
    """Looks by the first two numbers alone."""
    centre = np.zeros(model.dimension, np.float32)
    return Looks(centre, np.eye(model.dimension, 2, dtype=np.float32))


def put(catalogue: Catalogue, model: Model, rows: Vector) -> None:
    """Give the library contents 1, 2, ... with these vectors."""
    with catalogue.write_tx() as tx:
        for number, row in enumerate(rows, 1):
            tx.execute(
                "INSERT INTO contents (id, sha256, bytes) VALUES (?, ?, 1)",
                (number, number.to_bytes(32, "big")),
            )
            tx.execute(
                "INSERT INTO vectors (content_id, model_id, vector) VALUES (?, ?, ?)",
                (number, model.id, vectors.encode(row)),
            )
            tx.execute("INSERT INTO log (content_id, model_id) VALUES (?, ?)", (number, model.id))


def test_kept_once_and_read_back(
    catalogue: Catalogue, model: Model, background: Tuning, looks: Looks
):
    """What is there stays as it is: an index was made by it."""
    assert not parts.are_kept(catalogue, model)
    parts.keep(catalogue, model, {parts.BACKGROUND: background.to_bytes()})
    parts.keep(catalogue, model, {parts.BACKGROUND: b"other", parts.LOOKS: looks.to_bytes()})
    assert parts.are_kept(catalogue, model)
    found = parts.background(catalogue, model)
    assert found is not None
    assert found.digest == background.digest
    assert found.neighbours == 3
    same = parts.looks(catalogue, model)
    assert same is not None
    assert same.to_bytes() == looks.to_bytes()


def test_a_model_without_parts(catalogue: Catalogue, model: Model):
    """Its space is that of its cosines."""
    parts.keep(catalogue, model, {})
    assert parts.background(catalogue, model) is None
    assert parts.looks(catalogue, model) is None
    assert tunings.serving(catalogue, model).metric == "cos"


def test_the_background_is_the_space_of_a_library_not_tuned(
    catalogue: Catalogue, library: Library, model: Model, background: Tuning
):
    """Scores are scaled by it: a photo among many like it is less surely a copy."""
    parts.keep(catalogue, model, {parts.BACKGROUND: background.to_bytes()})
    space = tunings.serving(catalogue, model)
    assert (space.metric, space.tuning_id, space.mark) == ("ip", tunings.OFF, background.digest)
    rng = np.random.default_rng(1)
    crowded, lonely = np.zeros(model.dimension), np.zeros(model.dimension)
    crowded[0], lonely[-1] = 1, 1
    moved = rng.standard_normal(model.dimension) * 0.04
    put(catalogue, model, np.array([crowded, lonely], np.float32))
    searcher = Searcher(catalogue, library, model)
    assert searcher.problem is None or "snapshot" in searcher.problem
    of_crowd, of_lonely = (
        searcher.search((photo + moved).astype(np.float32), 1)[0].score
        for photo in (crowded, lonely)
    )
    assert of_crowd < of_lonely < 1
    assert searcher.search(lonely.astype(np.float32), 1)[0].score == pytest.approx(1, abs=1e-3)


def test_a_damaged_background_is_given_up(
    catalogue: Catalogue, library: Library, model: Model, background: Tuning
):
    """Reading says so and goes on by cosine; the worker forgets it and has pairs sought anew."""
    parts.keep(catalogue, model, {parts.BACKGROUND: background.to_bytes()})
    with catalogue.write_tx() as tx:
        tx.execute("UPDATE model_parts SET data = substr(data, 1, 5000)")
        tx.execute("INSERT INTO meta (key, value) VALUES (?, '7')", (f"pairs_seq:{model.id}",))
    with pytest.raises(TuningError, match=r"background of model .* is damaged.*scan"):
        tunings.serving(catalogue, model)
    put(catalogue, model, np.eye(model.dimension, dtype=np.float32)[:2])
    searcher = Searcher(catalogue, library, model)
    assert searcher.problem is not None
    assert "damaged" in searcher.problem
    assert searcher.search(np.eye(model.dimension, dtype=np.float32)[0], 1)[0].content_id == 1
    tunings.give_up(catalogue, model, tunings.serving_id(catalogue, model))
    assert tunings.serving(catalogue, model).metric == "cos"
    assert catalogue.meta(f"pairs_seq:{model.id}") is None


@pytest.mark.parametrize("cut", [0, 50, 300])
def test_damaged_looks_are_refused(cut: int, looks: Looks, model: Model):
    """Cut short anywhere they are no looks, nor are those of another dimension."""
    with pytest.raises(TuningError, match="looks"):
        Looks.from_bytes(looks.to_bytes()[:cut], model.dimension)
    with pytest.raises(TuningError, match="another model"):
        Looks.from_bytes(looks.to_bytes(), model.dimension + 1)


def test_what_looks_alike_is_ordered_by_looks(
    catalogue: Catalogue, library: Library, model: Model, looks: Looks
):
    """Of two photos equally near, that of the same kind comes first; the same picture before both."""
    same = np.zeros(model.dimension, np.float32)
    same[[0, 5]] = 1, 1
    kind, other = same.copy(), same.copy()
    kind[5], kind[6] = 0, 1
    other[0], other[1] = 0, 1
    put(catalogue, model, np.array([other, kind, same]))
    plain = [hit.content_id for hit in Searcher(catalogue, library, model).alike(same, 3)]
    assert plain == [3, 1, 2]
    parts.keep(catalogue, model, {parts.LOOKS: looks.to_bytes()})
    hits = Searcher(catalogue, library, model).alike(same, 3)
    assert [hit.content_id for hit in hits] == [3, 2, 1]
    assert hits[0].score == pytest.approx(1, abs=1e-3)
    assert hits[1].score == pytest.approx((0.5 + 1) / 2, abs=1e-3)


def test_what_looks_alike_is_found_after_the_snapshot(
    catalogue: Catalogue, library: Library, model: Model, background: Tuning
):
    """Among more new photos than are looked at, the nearest are: not those of the lowest numbers."""
    parts.keep(catalogue, model, {parts.BACKGROUND: background.to_bytes()})
    rows = np.random.default_rng(3).standard_normal((600, model.dimension)).astype(np.float32)
    put(catalogue, model, rows)
    hits = Searcher(catalogue, library, model).alike(rows[-1], 5)
    cosines = project(rows) @ project(rows[-1])
    assert [hit.content_id for hit in hits] == (np.argsort(-cosines)[:5] + 1).tolist()


def test_parts_go_with_their_model(
    catalogue: Catalogue, library: Library, model: Model, looks: Looks
):
    """To forget a model forgets them."""
    parts.keep(catalogue, model, {parts.LOOKS: looks.to_bytes()})
    with catalogue.write_tx() as tx:
        tx.execute("DELETE FROM meta WHERE key LIKE 'model_%'")
    set_target(
        catalogue, name="other", digest="0" * 64, dimension=8, input_size=32, copy_threshold=0.9
    )
    forget(catalogue, library, model)
    assert not parts.are_kept(catalogue, model)
