"""Models: the target is what workers compute, the serving one answers, and the two never mix."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Clock
from tests.core.conftest import Shelf
from twinlens import ledger, models, roots
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.models import Model
from twinlens.search import Searcher


def use(catalogue: Catalogue, name: str = "resnet50", digest: str = "cd" * 32) -> tuple[Model, int]:
    """Make another model of 8 dimensions the target."""
    return models.set_target(
        catalogue, name=name, digest=digest, dimension=8, input_size=224, copy_threshold=0.8
    )


def role(catalogue: Catalogue, name: str) -> str | None:
    """Return the name of the model in a role."""
    model = models.get_model(catalogue, name)
    return model.name if model else None


def work_off(shelf: Shelf, model: Model) -> list[bytes]:
    """Do all jobs as a worker with ``model`` does; return the paths in order."""
    done = []
    while jobs := ledger.lease(shelf.catalogue, "w", now=1e6, seconds=1.0, limit=32):
        for job in jobs:
            content = shelf.catalogue.value(
                "SELECT trim(CAST(sha256 AS TEXT), char(0)) FROM contents JOIN files"
                " ON content_id = contents.id WHERE files.id = ?",
                (job.file_id,),
            )
            shelf.embed(job.path.decode(), model, content=content or "")
            done.append(job.path)
    return done


def test_no_model_before_the_first_worker(catalogue: Catalogue):
    """A new library has neither target nor serving model, and nothing to promote."""
    assert models.get_model(catalogue, "target") is None
    assert models.get_model(catalogue, "serving") is None
    assert not models.promote(catalogue)


def test_first_model_serves_at_once(catalogue: Catalogue):
    """The first model of a library is target and serving, with what it was given."""
    model, again = use(catalogue)
    assert again == 0
    assert models.get_model(catalogue, "target") == model
    assert models.get_model(catalogue, "serving") == model
    assert (model.dimension, model.input_size, model.copy_threshold) == (8, 224, 0.8)


def test_same_target_twice(shelf: Shelf, model: Model, catalogue: Catalogue):
    """Setting the target again changes nothing and queues nothing."""
    shelf.embed("a.jpg", model)
    again = models.set_target(
        catalogue,
        name=model.name,
        digest=model.digest,
        dimension=16,
        input_size=96,
        copy_threshold=0.9,
    )
    assert again == (model, 0)
    assert not ledger.has_work(catalogue)


def test_same_new_target_twice(shelf: Shelf, model: Model, catalogue: Catalogue):
    """What still waits for a target is said again, where the target is set again."""
    shelf.embed("a.jpg", model)
    shelf.embed("b.jpg", model)
    first, again = use(catalogue)
    assert again == 2
    assert use(catalogue) == (first, 2)
    assert role(catalogue, "serving") == "pocket"


def test_other_weights_are_another_model(shelf: Shelf, model: Model, catalogue: Catalogue):
    """#48: the same name with other weights is another model, whose vectors are its own."""
    shelf.embed("a.jpg", model)
    other, again = use(catalogue, name=model.name)
    assert other.id != model.id
    assert again == 1


def test_switch_keeps_the_old_serving(shelf: Shelf, model: Model, catalogue: Catalogue):
    """#48: the old model answers until the last photo is embedded again; then the new one does."""
    for name in ("a.jpg", "b.jpg"):
        shelf.embed(name, model)
    other, again = use(catalogue)
    assert again == 2
    assert (role(catalogue, "target"), role(catalogue, "serving")) == ("resnet50", "pocket")
    shelf.embed("a.jpg", other)
    assert not models.promote(catalogue)
    assert role(catalogue, "serving") == "pocket"
    shelf.embed("b.jpg", other)
    assert models.promote(catalogue)
    assert role(catalogue, "serving") == "resnet50"
    assert not models.promote(catalogue)


def test_models_never_mix(shelf: Shelf, model: Model, catalogue: Catalogue, library: Library):
    """#48: in the middle of a switch each model's search finds its own vectors alone."""
    for name in ("a.jpg", "b.jpg"):
        shelf.embed(name, model)
    other, _ = use(catalogue)
    content = shelf.embed("a.jpg", other)
    import numpy as np

    old = Searcher(catalogue, library, model).search(np.ones(16, np.float32), 10)
    new = Searcher(catalogue, library, other).search(np.ones(8, np.float32), 10)
    assert len(old) == 2
    assert [hit.content_id for hit in new] == [content]


def test_new_photos_come_first(shelf: Shelf, model: Model, catalogue: Catalogue):
    """Photos that are new are embedded before those that only need the new model."""
    shelf.embed("old.jpg", model)
    other, _ = use(catalogue)
    shelf.see("new.jpg")
    assert work_off(shelf, other) == [b"new.jpg", b"old.jpg"]


def test_copies_are_embedded_once(shelf: Shelf, model: Model, catalogue: Catalogue):
    """Of several files with the same bytes one is embedded again."""
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        shelf.embed(name, model, content="same")
    other, again = use(catalogue)
    assert again == 1
    assert len(work_off(shelf, other)) == 1
    assert models.promote(catalogue)


def missing(catalogue: Catalogue, model: Model) -> int:
    """Count live photos that a model cannot find."""
    return int(
        catalogue.value(
            "SELECT count(*) FROM files WHERE missing_since IS NULL AND NOT EXISTS (SELECT 1"
            " FROM vectors v WHERE v.content_id = files.content_id AND model_id = ?)",
            (model.id,),
        )
    )


@pytest.mark.parametrize("what", ["deleted", "changed", "quarantined"])
def test_copy_that_was_to_be_embedded_is_lost(
    what: str, shelf: Shelf, model: Model, catalogue: Catalogue
):
    """#48: where the copy that was queued goes away, changes or fails, the other takes its place."""
    shelf.embed("a.jpg", model, content="same")
    shelf.embed("b.jpg", model, content="same")
    other, _ = use(catalogue)
    if what == "deleted":
        shelf.lose("a.jpg")
    elif what == "changed":
        shelf.see("a.jpg", version=2)
        shelf.embed("a.jpg", other, content="changed")
    else:
        with catalogue.write_tx() as tx:
            ledger.fail(
                tx,
                shelf.id("a.jpg"),
                kind="unreadable",
                reason="",
                permanent=True,
                max_attempts=3,
                now=1.0,
            )
    assert not models.promote(catalogue)
    assert work_off(shelf, other) == [b"b.jpg"]
    assert models.promote(catalogue)
    assert missing(catalogue, other) == 0


def test_copy_in_quarantine_is_not_the_one_queued(shelf: Shelf, model: Model, catalogue: Catalogue):
    """#48: a copy that cannot be read is passed over for one that can."""
    shelf.embed("a.jpg", model, content="same")
    shelf.embed("b.jpg", model, content="same")
    shelf.see("a.jpg", version=2)
    with catalogue.write_tx() as tx:
        ledger.fail(
            tx,
            shelf.id("a.jpg"),
            kind="damaged",
            reason="",
            permanent=True,
            max_attempts=3,
            now=1.0,
        )
    other, again = use(catalogue)
    assert again == 1
    assert work_off(shelf, other) == [b"b.jpg"]


def test_photo_that_nobody_can_read_holds_up_nothing(
    shelf: Shelf, model: Model, catalogue: Catalogue
):
    """A photo that ends in quarantine during the switch does not keep the old model for ever."""
    shelf.embed("a.jpg", model)
    use(catalogue)
    with catalogue.write_tx() as tx:
        ledger.fail(
            tx,
            shelf.id("a.jpg"),
            kind="damaged",
            reason="",
            permanent=True,
            max_attempts=3,
            now=1.0,
        )
    assert models.promote(catalogue)


def test_photo_that_returns_after_the_switch(shelf: Shelf, model: Model, catalogue: Catalogue):
    """#48: a photo that was away during the switch is embedded with the new model on return."""
    shelf.embed("a.jpg", model)
    shelf.lose("a.jpg")
    other, again = use(catalogue)
    assert again == 0
    assert role(catalogue, "serving") == "resnet50"
    assert shelf.see("a.jpg") == 1
    assert work_off(shelf, other) == [b"a.jpg"]
    assert missing(catalogue, other) == 0


def test_switching_back_is_immediate(shelf: Shelf, model: Model, catalogue: Catalogue):
    """Going back to the model before needs no photo again, and drops what was queued."""
    shelf.embed("a.jpg", model)
    use(catalogue)
    back, again = models.set_target(
        catalogue,
        name=model.name,
        digest=model.digest,
        dimension=16,
        input_size=96,
        copy_threshold=0.9,
    )
    assert (back, again) == (model, 0)
    assert (role(catalogue, "target"), role(catalogue, "serving")) == ("pocket", "pocket")
    assert not ledger.has_work(catalogue)


def test_copy_on_a_disk_that_is_here_is_taken(
    shelf: Shelf, model: Model, catalogue: Catalogue, tmp_path: Path
):
    """Of two copies, one on a disk that is away, the other is embedded again."""
    shelf.embed("a.jpg", model, content="same")
    (tmp_path / "other").mkdir()
    second = type(shelf)(catalogue, roots.add_root(catalogue, tmp_path / "other", now=1.0))
    second.embed("b.jpg", model, content="same")
    roots.set_online(catalogue, shelf.root, reason="away", now=1.0)
    use(catalogue)
    jobs = ledger.lease(catalogue, "w", now=1.0, seconds=1.0, limit=9)
    assert [job.path for job in jobs] == [b"b.jpg"]


def away(shelf: Shelf, catalogue: Catalogue, tmp_path: Path, model: Model) -> None:
    """Embed a photo of a second disk, which then goes away."""
    (tmp_path / "archive").mkdir()
    archive = type(shelf)(catalogue, roots.add_root(catalogue, tmp_path / "archive", now=1.0))
    archive.embed("old.jpg", model)
    roots.set_online(catalogue, archive.root, reason="away", now=1.0)


def test_a_disk_in_a_drawer_does_not_hold_up_the_change(
    shelf: Shelf, model: Model, catalogue: Catalogue, tmp_path: Path, clock: Clock
):
    """Once only photos of disks that are away wait, the old model answers for a day, not for ever."""
    shelf.embed("here.jpg", model)
    away(shelf, catalogue, tmp_path, model)
    other, again = use(catalogue)
    assert again == 2
    assert models.waiting(catalogue) == models.Waiting(here=1, away=1)
    shelf.embed("here.jpg", other)
    assert not models.promote(catalogue, clock)
    clock.advance(models.AWAY_SECONDS - 1)
    assert not models.promote(catalogue, clock)
    clock.advance(1)
    assert models.promote(catalogue, clock)
    assert role(catalogue, "serving") == "resnet50"
    assert models.waiting(catalogue) == models.Waiting(here=0, away=1)


def test_a_mount_that_drops_out_costs_nothing(
    shelf: Shelf, model: Model, catalogue: Catalogue, tmp_path: Path, clock: Clock
):
    """Each time that photos which are here wait, the day begins anew."""
    shelf.embed("here.jpg", model)
    away(shelf, catalogue, tmp_path, model)
    other, _ = use(catalogue)
    shelf.embed("here.jpg", other)
    assert not models.promote(catalogue, clock)
    clock.advance(models.AWAY_SECONDS / 2)
    [archive] = [root for root in roots.list_roots(catalogue) if root.name == "archive"]
    roots.set_online(catalogue, archive, reason=None, now=2.0)
    assert not models.promote(catalogue, clock)  # back: its photo waits here
    roots.set_online(catalogue, archive, reason="away", now=3.0)
    assert not models.promote(catalogue, clock)
    clock.advance(models.AWAY_SECONDS / 2)
    assert not models.promote(catalogue, clock)
    assert role(catalogue, "serving") == "pocket"


def test_a_model_that_embedded_nothing_never_serves_by_itself(
    shelf: Shelf, model: Model, catalogue: Catalogue, clock: Clock
):
    """With every disk away the library would answer nothing."""
    shelf.embed("a.jpg", model)
    roots.set_online(catalogue, shelf.root, reason="away", now=1.0)
    use(catalogue)
    assert not models.promote(catalogue, clock)
    clock.advance(models.AWAY_SECONDS * 9)
    assert not models.promote(catalogue, clock)


def test_now_means_now(shelf: Shelf, model: Model, catalogue: Catalogue):
    """The user may let a model answer before it has caught up."""
    shelf.embed("a.jpg", model)
    models.set_target(
        catalogue,
        name="resnet50",
        digest="cd" * 32,
        dimension=8,
        input_size=224,
        copy_threshold=0.8,
        at_once=True,
    )
    assert role(catalogue, "serving") == "resnet50"
    assert ledger.has_work(catalogue)
