"""Two vectors of a photo: kept, answered with, and forgotten together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twinlens import connecting, contents, forgetting, migrations, snapshot, vectors
from twinlens.asking import answer_views, read_answer
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.models import Model, set_target
from twinlens.search import Hit, Searcher
from twinlens.spaces import Space
from twinlens.views import INNER_MARGIN, Views, views_of

HALF = 2e-3
"""What f16 costs a cosine."""


def vector(seed: int) -> Any:
    """Return a random float32 vector of shape (16,), the same for the same seed."""
    return np.random.default_rng(seed).standard_normal(16).astype(np.float32)


def put(catalogue: Catalogue, model: Model, content: int, whole: int, inner: int | None) -> None:
    """Give a content its vectors by their seeds, and log it, as the worker's commit does."""
    with catalogue.write_tx() as tx:
        for table in ("vectors", "inner_vectors"):
            tx.execute(f"DELETE FROM {table} WHERE content_id = ?", (content,))
        tx.execute(
            "INSERT INTO contents (id, sha256, bytes) VALUES (?, ?, 1) ON CONFLICT DO NOTHING",
            (content, content.to_bytes(32, "big")),
        )
        for table, seed in (("vectors", whole), ("inner_vectors", inner)):
            if seed is not None:
                tx.execute(
                    f"INSERT INTO {table} (content_id, model_id, vector) VALUES (?, ?, ?)",
                    (content, model.id, vectors.encode(vector(seed))),
                )
        tx.execute("INSERT INTO log (content_id, model_id) VALUES (?, ?)", (content, model.id))


def publish(catalogue: Catalogue, library: Library, model: Model) -> None:
    """Publish a snapshot of all that is committed."""
    space = Space(model)
    index = snapshot.new_index(space)
    for row in catalogue.rows("SELECT content_id, vector FROM vectors"):
        raw = vectors.decode(row["vector"], model.dimension)
        index.add(row["content_id"], space.entries(raw), threads=1)
    seq = catalogue.value("SELECT coalesce(max(seq), 0) FROM log")
    snapshot.publish(index, snapshot.snapshot_folder(library.index, space), space, seq=seq)


def expected(
    held: dict[int, tuple[int, int | None]], asked: tuple[int, int | None]
) -> dict[int, float]:
    """Return the score of each content by the rule, every pair of vectors written out."""

    def cosine(one: int, other: int) -> float:
        return float(vectors.project(vector(one)) @ vectors.project(vector(other)))

    whole, inner = asked
    scores = {}
    for content, (its_whole, its_inner) in held.items():
        scores[content] = cosine(whole, its_whole)
        for one, other in ((inner, its_whole), (whole, its_inner), (inner, its_inner)):
            if one is not None and other is not None:
                scores[content] = max(scores[content], cosine(one, other) - INNER_MARGIN)
    return scores


SEED = st.integers(0, 12)
SEEDS = st.tuples(SEED, st.none() | SEED)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    before=st.dictionaries(st.integers(1, 9), SEEDS),
    after=st.dictionaries(st.integers(1, 9), SEEDS),
    asked=SEEDS,
    k=st.integers(1, 12),
)
def test_an_answer_is_the_best_of_all_vectors(
    before: dict[int, tuple[int, int | None]],
    after: dict[int, tuple[int, int | None]],
    asked: tuple[int, int | None],
    k: int,
    catalogue: Catalogue,
    library: Library,
    model: Model,
):
    """Of whole and inner on both sides, the margin taken; in the snapshot and since."""
    with catalogue.write_tx() as tx:
        for table in ("vectors", "inner_vectors", "contents"):
            tx.execute(f"DELETE FROM {table}")
    for content, seeds in before.items():
        put(catalogue, model, content, *seeds)
    publish(catalogue, library, model)
    searcher = Searcher(catalogue, library, model)
    for content, seeds in after.items():
        put(catalogue, model, content, *seeds)
    truth = expected({**before, **after}, asked)
    query = np.stack([vector(seed) for seed in asked if seed is not None])
    for hits in (searcher.search(query, k), searcher.alike(query, k)):
        assert len(hits) == min(k, len(truth))
        assert len({hit.content_id for hit in hits}) == len(hits), "found twice"
        for hit in hits:
            assert hit.score == pytest.approx(truth[hit.content_id], abs=HALF)
        best = sorted(truth.values(), reverse=True)[: len(hits)]
        np.testing.assert_allclose([hit.score for hit in hits], best, atol=HALF)


def test_one_vector_asks_as_it_always_did(catalogue: Catalogue, library: Library, model: Model):
    """A query may be a single vector; what the library knows within photos is found by it too."""
    put(catalogue, model, 1, 1, 2)
    searcher = Searcher(catalogue, library, model)
    assert searcher.search(vector(1), 5) == searcher.search(vector(1)[None], 5)
    [hit] = searcher.search(vector(2), 5)
    assert hit == Hit(1, pytest.approx(1 - INNER_MARGIN, abs=HALF))


def test_vectors_of_a_content(catalogue: Catalogue, model: Model):
    """Both, the whole alone, or none."""
    put(catalogue, model, 1, 1, 2)
    put(catalogue, model, 2, 3, None)
    assert views_of(catalogue, model, 1) == Views(*map(vectors.encode, (vector(1), vector(2))))
    assert views_of(catalogue, model, 2) == Views(vectors.encode(vector(3)))
    assert views_of(catalogue, model, 3) is None
    assert [len(one.blobs) for one in (Views(b"a"), Views(b"a", b"b"))] == [1, 2]


@pytest.mark.parametrize("views", [Views(b"ab"), Views(b"ab", b"cd")])
def test_an_answer_carries_them(views: Views):
    """An answer without the inner one, as older workers give it, is read as well."""
    assert read_answer(answer_views(views)) == views
    assert ("inner" in answer_views(views)) == (views.inner is not None)


def test_orphans_leave_none_behind(catalogue: Catalogue, model: Model):
    """What no file holds is forgotten with both vectors, by one entry of the log."""
    put(catalogue, model, 1, 1, 2)
    before = catalogue.value("SELECT count(*) FROM log")
    with catalogue.write_tx() as tx:
        assert contents.drop_orphans(tx) == 1
    assert catalogue.value("SELECT count(*) FROM inner_vectors") == 0
    assert catalogue.value("SELECT count(*) FROM log") == before + 1


def use_another(catalogue: Catalogue) -> Model:
    """Make another model the one in use, and return it."""
    other, _ = set_target(
        catalogue,
        name="other",
        digest="cd" * 32,
        dimension=16,
        input_size=96,
        copy_threshold=0.9,
        at_once=True,
    )
    return other


def test_a_forgotten_model_leaves_none_behind(catalogue: Catalogue, library: Library, model: Model):
    """They count for what the model takes, and go with it; the others' stay."""
    put(catalogue, model, 1, 1, 2)
    other = use_another(catalogue)
    [stored] = [one for one in forgetting.stored_models(catalogue, library) if one.vectors]
    assert (stored.vectors, stored.bytes) == (1, 2 * 16 * 2)
    forgetting.forget(catalogue, library, model)
    assert catalogue.value("SELECT count(*) FROM inner_vectors") == 0
    assert [one.model.id for one in forgetting.stored_models(catalogue, library)] == [other.id]


def test_forgetting_that_was_killed_leaves_no_gap(
    catalogue: Catalogue, library: Library, model: Model, monkeypatch: pytest.MonkeyPatch
):
    """The wholes go first: what lacks that of the whole is embedded again, with its inner one."""
    put(catalogue, model, 1, 1, 2)
    use_another(catalogue)

    def killed(_catalogue: object, table: str, _model: object) -> bool:
        with catalogue.write_tx() as tx:
            tx.execute(f"DELETE FROM {table}")
        raise KeyboardInterrupt

    monkeypatch.setattr(forgetting, "_delete_some", killed)
    with pytest.raises(KeyboardInterrupt):
        forgetting.forget(catalogue, library, model)
    assert views_of(catalogue, model, 1) is None


def test_a_library_from_before_goes_on_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its photos have their vectors, and no inner ones until they are embedded anew."""
    path = tmp_path / "catalogue.db"
    place = migrations.MIGRATIONS.index(migrations.m012_inner_vectors)
    with monkeypatch.context() as patch:
        patch.setattr(connecting, "MIGRATIONS", migrations.MIGRATIONS[:place])
        patch.setattr(connecting, "VERSION", place)
        with Catalogue.open(path) as old, old.write_tx() as tx:
            tx.execute("INSERT INTO contents (id, sha256, bytes) VALUES (1, x'00', 1)")
            tx.execute(
                "INSERT INTO models (id, name, digest, dimension, input_size, copy_threshold)"
                " VALUES (1, 'pocket', 'ab', 16, 96, 0.9)"
            )
            tx.execute(
                "INSERT INTO vectors (content_id, model_id, vector) VALUES (1, 1, ?)",
                (vectors.encode(vector(1)),),
            )
            tx.execute("INSERT INTO log (content_id, model_id) VALUES (1, 1)")
    model = Model(1, "pocket", "ab", 16, 96, 0.9, None)
    with Catalogue.open(path) as catalogue:
        assert views_of(catalogue, model, 1) == Views(vectors.encode(vector(1)))
        [hit] = Searcher(catalogue, Library(tmp_path), model).search(vector(1), 3)
        assert hit == Hit(1, pytest.approx(1, abs=HALF))
        put(catalogue, model, 2, 3, 4)
        assert catalogue.value("PRAGMA foreign_key_check") is None
