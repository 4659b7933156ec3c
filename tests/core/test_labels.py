"""Labels: stored with the vector they came with, found by photo and by name."""

from __future__ import annotations

import pytest

from tests.core.conftest import Shelf
from twinlens import labels, models
from twinlens.catalogue import Catalogue
from twinlens.labels import Held, Label
from twinlens.models import Model

CHAIR, SOFA = Label("folding_chair", 0.98), Label("sofa", 0.2)


@pytest.fixture
def naming(catalogue: Catalogue) -> Model:
    """A model whose labels are kept."""
    return models.set_target(
        catalogue,
        name="torchvision:resnet18",
        digest="ef" * 32,
        dimension=8,
        input_size=224,
        copy_threshold=0.9,
        labels=True,
    )[0]


def put(shelf: Shelf, model: Model, name: str, *found: Label) -> int:
    """Commit a photo with its labels; return its content's number."""
    content = shelf.embed(name, model)
    with shelf.catalogue.write_tx() as tx:
        labels.store(tx, model.id, content, found)
    return content


def test_labels_of_contents(shelf: Shelf, naming: Model, catalogue: Catalogue):
    """The surest first; a photo in which nothing was named has none."""
    both = put(shelf, naming, "a.jpg", SOFA, CHAIR)
    nothing = put(shelf, naming, "b.jpg")
    assert labels.of_contents(catalogue, naming, [both, nothing]) == {both: (CHAIR, SOFA)}
    assert labels.unlabelled(catalogue, naming) == 0


def test_labels_come_once(shelf: Shelf, naming: Model, catalogue: Catalogue):
    """A result that comes twice changes nothing, though it say something else."""
    content = put(shelf, naming, "a.jpg", CHAIR)
    put(shelf, naming, "a.jpg", SOFA)
    assert labels.of_contents(catalogue, naming, [content])[content] == (CHAIR,)


def test_contents_with_a_label(shelf: Shelf, naming: Model, catalogue: Catalogue):
    """Found by name, spaces or not, the surest first, from a probability on."""
    weak = put(shelf, naming, "a.jpg", Label("folding_chair", 0.1))
    sure = put(shelf, naming, "b.jpg", CHAIR)
    put(shelf, naming, "c.jpg", SOFA)
    assert labels.contents_with(catalogue, naming, "folding chair") == [(sure, 0.98), (weak, 0.1)]
    assert labels.contents_with(catalogue, naming, "folding_chair", least=0.5) == [(sure, 0.98)]
    assert labels.contents_with(catalogue, naming, "chair") == []


def test_all_labels_of_the_library(shelf: Shelf, naming: Model, catalogue: Catalogue):
    """Counted over the photos that are there."""
    for name in ("a.jpg", "b.jpg"):
        put(shelf, naming, name, CHAIR, SOFA)
    put(shelf, naming, "c.jpg", CHAIR)
    shelf.lose("b.jpg")
    assert labels.held(catalogue, naming) == [Held("folding_chair", 2), Held("sofa", 1)]


def test_labels_go_with_their_content(shelf: Shelf, naming: Model, catalogue: Catalogue):
    """A photo that is forgotten takes its labels along."""
    from twinlens.contents import housekeep

    put(shelf, naming, "a.jpg", CHAIR)
    shelf.lose("a.jpg", now=0.0)
    housekeep(catalogue, now=1e9, tombstone_days=1)
    assert catalogue.value("SELECT count(*) FROM labels") == 0


def test_labels_of_another_model_are_not_mixed_in(
    shelf: Shelf, naming: Model, model: Model, catalogue: Catalogue
):
    """Labels hang on the model: one without a head has none of the other's."""
    content = put(shelf, naming, "a.jpg", CHAIR)
    shelf.embed("a.jpg", model)
    assert labels.of_contents(catalogue, model, [content]) == {}


def want_labels(catalogue: Catalogue, model: Model, *, labels: bool) -> int:
    """Choose the same model with or without labels; return how many photos are read again."""
    return models.set_target(
        catalogue,
        name=model.name,
        digest=model.digest,
        dimension=model.dimension,
        input_size=model.input_size,
        copy_threshold=model.copy_threshold,
        labels=labels,
    )[1]


def test_labels_wanted_later_have_photos_read_again(
    shelf: Shelf, naming: Model, catalogue: Catalogue
):
    """Vectors that came without labels are made anew where labels come to be wanted, and no others."""
    shelf.embed("a.jpg", naming)
    put(shelf, naming, "b.jpg", CHAIR)
    assert want_labels(catalogue, naming, labels=False) == 0
    assert want_labels(catalogue, naming, labels=True) == 1
    assert shelf.job("a.jpg")["priority"] == 1
    assert shelf.job("b.jpg") is None
    # It goes on answering: nothing has to catch up.
    assert models.get_model(catalogue, "serving") == models.get_model(catalogue, "target")


@pytest.mark.parametrize("name", ["", "two words", "tab\t", "x" * 201, "\x1b[31m"])
def test_what_is_no_label(name: str):
    """Labels are printed as they are: one word, printable, of bounded length."""
    assert not labels.is_label(name)
