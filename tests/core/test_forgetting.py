"""Forgetting a model: all of it goes, and nothing of the others."""

from __future__ import annotations

import pytest

from tests.core.conftest import Shelf
from tests.core.test_models import use
from twinlens import forgetting, labels, models, parts, snapshot
from twinlens.catalogue import Catalogue, set_meta
from twinlens.errors import ModelError
from twinlens.forgetting import forget, stored_models
from twinlens.labels import Label
from twinlens.library import Library
from twinlens.models import Model
from twinlens.spaces import Space


@pytest.fixture
def old(shelf: Shelf, model: Model, catalogue: Catalogue, library: Library) -> Model:
    """A model that was used: with vectors, labels, pairs and an index."""
    contents = [shelf.embed(name, model) for name in ("a.jpg", "b.jpg", "c.jpg")]
    with catalogue.write_tx() as tx:
        labels.store(tx, model.id, contents[0], [Label("sofa", 0.5)])
        tx.execute(
            "INSERT INTO pairs (model_id, a, b, score) VALUES (?, ?, ?, 0.9)",
            (model.id, *contents[:2]),
        )
        set_meta(tx, f"pairs_seq:{model.id}", "3")
    folder = snapshot.snapshot_folder(library.index, Space(model))
    folder.mkdir(parents=True)
    (folder / "index").write_bytes(bytes(1000))
    parts.keep(catalogue, model, {parts.LOOKS: bytes(500)})
    return model


def replace(shelf: Shelf, catalogue: Catalogue) -> Model:
    """Let another model take over."""
    other, _ = use(catalogue)
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        shelf.embed(name, other)
    assert models.promote(catalogue)
    return other


def test_all_of_it_goes(
    shelf: Shelf,
    old: Model,
    catalogue: Catalogue,
    library: Library,
    monkeypatch: pytest.MonkeyPatch,
):
    """No row and no file of it is left; the model in use keeps everything."""
    monkeypatch.setattr(forgetting, "ROWS", 2)  # in several transactions
    other = replace(shelf, catalogue)
    before = {stored.model.name: stored for stored in stored_models(catalogue, library)}
    assert (before["pocket"].vectors, before["pocket"].role) == (3, None)
    assert before["pocket"].bytes == 3 * 16 * 2 + 500 + 1000
    assert before["resnet50"].role == "serving"
    forget(catalogue, library, old)
    for table in ("vectors", "labels", "pairs", "log", "model_parts"):
        sql = f"SELECT count(*) FROM {table} WHERE model_id = ?"
        assert catalogue.value(sql, (old.id,)) == 0, table
    assert catalogue.meta(f"pairs_seq:{old.id}") is None
    assert not snapshot.model_folder(library.index, old).exists()
    assert [stored.model for stored in stored_models(catalogue, library)] == [other]
    assert catalogue.value("SELECT count(*) FROM vectors") == 3


def test_one_in_use_is_refused(shelf: Shelf, old: Model, catalogue: Catalogue, library: Library):
    """Neither the model that answers nor the one that is wanted is touched."""
    other, _ = use(catalogue)
    for used in (old, other):
        with pytest.raises(ModelError, match="in use"):
            forget(catalogue, library, used)
    assert catalogue.value("SELECT count(*) FROM vectors") == 3


def test_a_forgotten_model_can_be_used_again(
    shelf: Shelf, old: Model, catalogue: Catalogue, library: Library
):
    """Every photo is then embedded anew."""
    replace(shelf, catalogue)
    forget(catalogue, library, old)
    again = models.set_target(
        catalogue,
        name=old.name,
        digest=old.digest,
        dimension=16,
        input_size=96,
        copy_threshold=0.9,
    )[1]
    assert again == 3
