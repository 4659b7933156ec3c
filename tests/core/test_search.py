"""Search: the snapshot and the tail of the log together answer as if every vector were compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.conftest import Shelf
from twinlens import roots, snapshot, vectors
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.models import Model
from twinlens.search import Hit, Searcher
from twinlens.spaces import Space

HALF = 2e-3
"""What f16 costs a cosine: the index stores unit vectors with 11 bits (measured, at most 1e-3)."""


def vector(seed: int) -> Any:
    """Return a random float32 vector of shape (16,), the same for the same seed."""
    return np.random.default_rng(seed).standard_normal(16).astype(np.float32)


def put(catalogue: Catalogue, model: Model, content: int, seed: int | None) -> None:
    """Give a content a vector, another one, or none, and log it, as the worker's commit does."""
    with catalogue.write_tx() as tx:
        tx.execute("DELETE FROM vectors WHERE content_id = ?", (content,))
        if seed is not None:
            tx.execute(
                "INSERT INTO contents (id, sha256, bytes) VALUES (?, ?, 1) ON CONFLICT DO NOTHING",
                (content, content.to_bytes(32, "big")),
            )
            tx.execute(
                "INSERT INTO vectors (content_id, model_id, vector) VALUES (?, ?, ?)",
                (content, model.id, vectors.encode(vector(seed))),
            )
        tx.execute("INSERT INTO log (content_id, model_id) VALUES (?, ?)", (content, model.id))


def stored(catalogue: Catalogue, model: Model) -> dict[int, Any]:
    """Return all vectors of a model, unit length, by content."""
    rows = catalogue.rows("SELECT content_id, vector FROM vectors WHERE model_id = ?", (model.id,))
    return {
        row["content_id"]: vectors.project(vectors.decode(row["vector"], model.dimension))
        for row in rows
    }


def publish(catalogue: Catalogue, library: Library, model: Model) -> None:
    """Publish a snapshot of all that is committed."""
    index = snapshot.new_index(Space(model))
    for content, unit in stored(catalogue, model).items():
        index.add(content, unit, threads=1)
    seq = catalogue.value("SELECT coalesce(max(seq), 0) FROM log")
    space = Space(model)
    snapshot.publish(index, snapshot.snapshot_folder(library.index, space), space, seq=seq)


def check(hits: list[Hit], catalogue: Catalogue, model: Model, query: Any, k: int) -> None:
    """Fail unless ``hits`` are what comparing every vector gives, up to the precision of f16."""
    unit = vectors.project(query)
    truth = {content: float(v @ unit) for content, v in stored(catalogue, model).items()}
    assert len(hits) == min(k, len(truth))
    assert len({hit.content_id for hit in hits}) == len(hits), "found twice"
    assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.content_id))
    for hit in hits:
        assert hit.score == pytest.approx(truth[hit.content_id], abs=HALF)
    best = sorted(truth.values(), reverse=True)[: len(hits)]
    np.testing.assert_allclose([hit.score for hit in hits], best, atol=HALF)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 12), st.integers(0, 1000)),
        st.tuples(st.just("remove"), st.integers(1, 12), st.just(0)),
        st.tuples(st.just("publish"), st.just(0), st.just(0)),
        st.tuples(st.just("open"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, k=st.integers(0, 15), seed=st.integers(0, 1000))
def test_answers_equal_comparing_all(
    steps: list[tuple[str, int, int]],
    k: int,
    seed: int,
    catalogue: Catalogue,
    library: Library,
    model: Model,
):
    """A searcher answers as a comparison with every committed vector does.

    That holds after any order of additions, replacements, removals and snapshots, before and after
    it was opened.
    """
    with catalogue.write_tx() as tx:
        tx.execute("DELETE FROM vectors")
        tx.execute("DELETE FROM log")
    publish(catalogue, library, model)
    searcher = Searcher(catalogue, library, model)
    for what, content, number in steps:
        if what == "put":
            put(catalogue, model, content, number)
        elif what == "remove":
            put(catalogue, model, content, None)
        elif what == "publish":
            publish(catalogue, library, model)
        else:
            searcher = Searcher(catalogue, library, model)
            assert searcher.problem is None
        check(searcher.search(vector(seed), k), catalogue, model, vector(seed), k)


def test_never_staler_than_the_last_commit(catalogue: Catalogue, library: Library, model: Model):
    """What another process commits after a searcher was opened is in its next answer."""
    put(catalogue, model, 1, 1)
    publish(catalogue, library, model)
    with Catalogue.open_to_read(library.catalogue) as reader:
        searcher = Searcher(reader, library, model)
        assert [hit.content_id for hit in searcher.search(vector(2), 5)] == [1]
        put(catalogue, model, 2, 2)
        assert [hit.content_id for hit in searcher.search(vector(2), 5)] == [2, 1]
        put(catalogue, model, 1, None)
        assert [hit.content_id for hit in searcher.search(vector(2), 5)] == [2]
        put(catalogue, model, 2, 3)
        (hit,) = searcher.search(vector(3), 5)
        assert hit.score == pytest.approx(1.0, abs=HALF)


@pytest.mark.parametrize("damage", ["none yet", "flipped", "truncated", "missing", "manifest"])
def test_damaged_snapshot(damage: str, catalogue: Catalogue, library: Library, model: Model):
    """#4, #5: with an unusable snapshot the answers are the same, and ``problem`` says why."""
    for content in range(1, 30):
        put(catalogue, model, content, content)
    folder = snapshot.snapshot_folder(library.index, Space(model))
    if damage != "none yet":
        publish(catalogue, library, model)
        (file,) = folder.glob("*.usearch")
        if damage == "flipped":
            content = bytearray(file.read_bytes())
            content[len(content) // 2] ^= 1
            file.write_bytes(content)
        elif damage == "truncated":
            file.write_bytes(file.read_bytes()[:-100])
        elif damage == "missing":
            file.unlink()
        else:
            (folder / snapshot.MANIFEST).write_text("{")
    searcher = Searcher(catalogue, library, model)
    assert searcher.problem is not None
    assert str(folder) in searcher.problem
    for seed in (1, 100):
        check(searcher.search(vector(seed), 5), catalogue, model, vector(seed), 5)


def test_snapshot_of_another_catalogue(
    catalogue: Catalogue, library: Library, model: Model, tmp_path: Path
):
    """#8: a new catalogue beside the index of the old one does not answer with its numbers."""
    from twinlens.models import set_target

    put(catalogue, model, 1, 1)
    publish(catalogue, library, model)
    with Catalogue.open(tmp_path / "new.sqlite3") as new:
        same, _ = set_target(
            new,
            name=model.name,
            digest=model.digest,
            dimension=16,
            input_size=96,
            copy_threshold=0.9,
        )
        searcher = Searcher(new, library, same)
        assert "another model, catalogue" in (searcher.problem or "")
        assert searcher.search(vector(1), 5) == []


def test_catalogue_restored_from_a_backup(
    catalogue: Catalogue, library: Library, model: Model, tmp_path: Path
):
    """A snapshot that is newer than the catalogue hides none of its commits."""
    import sqlite3

    put(catalogue, model, 1, 1)
    copy = sqlite3.connect(tmp_path / "backup.sqlite3")
    catalogue._connection.backup(copy)
    copy.close()
    for content in range(2, 6):
        put(catalogue, model, content, content)
    publish(catalogue, library, model)
    with Catalogue.open(tmp_path / "backup.sqlite3") as restored:
        put(restored, model, 3, 77)
        searcher = Searcher(restored, library, model)
        assert "restored from a backup" in (searcher.problem or "")
        check(searcher.search(vector(77), 9), restored, model, vector(77), 9)


def test_empty_library(catalogue: Catalogue, library: Library, model: Model):
    """A library without photos gives no answer and no error, with a snapshot or without."""
    assert Searcher(catalogue, library, model).search(vector(1), 5) == []
    publish(catalogue, library, model)
    assert Searcher(catalogue, library, model).search(vector(1), 5) == []


@pytest.mark.parametrize("k", [0, 1, 99])
def test_how_many(k: int, catalogue: Catalogue, library: Library, model: Model):
    """As many answers come as were asked for, or as there are; none for none."""
    put(catalogue, model, 1, 1)
    publish(catalogue, library, model)
    put(catalogue, model, 2, 2)
    assert len(Searcher(catalogue, library, model).search(vector(1), k)) == min(k, 2)


def test_long_query_vector(catalogue: Catalogue, library: Library, model: Model):
    """The length of a query does not change its scores."""
    put(catalogue, model, 1, 1)
    (hit,) = Searcher(catalogue, library, model).search(vector(1) * 500, 1)
    assert hit.score == pytest.approx(1.0, abs=HALF)


def test_identical_photos(shelf: Shelf, model: Model, catalogue: Catalogue, library: Library):
    """#10: 3,000 identical photos cost one vector, and all others are found by themselves."""
    shelf.see(*(f"{i}.jpg" for i in range(3000)))
    content = shelf.embed("0.jpg", model, content="same")
    with catalogue.write_tx() as tx:
        tx.execute("UPDATE files SET content_id = ?", (content,))
        tx.execute("DELETE FROM jobs")
    others = [shelf.embed(f"other-{i}.jpg", model) for i in range(60)]
    assert catalogue.value("SELECT count(*) FROM vectors") == 61
    publish(catalogue, library, model)
    searcher = Searcher(catalogue, library, model)
    for number in [content, *others]:
        unit = stored(catalogue, model)[number]
        assert searcher.search(unit, 1)[0].content_id == number
    assert catalogue.value("SELECT count(*) FROM files WHERE content_id = ?", (content,)) == 3000


def test_graph_above_the_exact_size(
    catalogue: Catalogue, library: Library, model: Model, monkeypatch: pytest.MonkeyPatch
):
    """Above the size for exact search, the graph answers, and overridden entries cost no place."""
    from twinlens import search

    monkeypatch.setattr(search, "EXACT_BELOW", 10)
    for content in range(1, 60):
        put(catalogue, model, content, content)
    publish(catalogue, library, model)
    searcher = Searcher(catalogue, library, model)
    for content in range(1, 41):
        put(catalogue, model, content, None)
    hits = searcher.search(vector(50), 19)
    assert {hit.content_id for hit in hits} == set(range(41, 60))
    check(hits, catalogue, model, vector(50), 19)


def test_removed_root_is_found_no_more(
    shelf: Shelf, model: Model, catalogue: Catalogue, library: Library
):
    """Photos of a root that was removed are in no answer from then on, before any new snapshot."""
    shelf.embed("a.jpg", model)
    publish(catalogue, library, model)
    searcher = Searcher(catalogue, library, model)
    assert len(searcher.search(vector(1), 5)) == 1
    roots.remove_root(catalogue, shelf.root)
    assert searcher.search(vector(1), 5) == []


def test_many_queries_read_the_tail_once(catalogue: Catalogue, library: Library, model: Model):
    """Queries in a row read the vectors after the snapshot once, until something is committed."""
    put(catalogue, model, 1, 1)
    searcher = Searcher(catalogue, library, model)
    statements: list[str] = []
    catalogue._connection.set_trace_callback(statements.append)
    for seed in range(5):
        searcher.search(vector(seed), 3)
    catalogue._connection.set_trace_callback(None)
    for table in ("JOIN vectors", "FROM inner_vectors"):
        assert sum(table in text for text in statements) == 1
