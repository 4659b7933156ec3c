"""Labels on their way: from the model through the pipeline, the broker's messages and the commit."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from twinlens import labels, ledger
from twinlens.catalogue import Catalogue
from twinlens.labels import Label
from twinlens.library import Library
from twinlens.messages import (
    Embedded,
    Failed,
    ModelRef,
    Result,
    commit_message,
    embed_message,
    read_commit,
    read_embed,
)
from twinlens.models import Model, set_target
from twinlens.roots import Root
from twinlens.settings import Settings
from twinlens_worker.celery_app import LoadedModels
from twinlens_worker.commit import commit
from twinlens_worker.decode import KnownVectors
from twinlens_worker.models.descriptor import Descriptor
from twinlens_worker.pipeline import Pipeline
from twinlens_worker.target import ref

from .fakes import GridDescriptor, NamingDescriptor
from .test_embedded import record_folder


@pytest.fixture
def settings(library: Library) -> Settings:
    """Settings with one decoder, to start quickly."""
    return Settings(library=library.folder, decode_processes=1)


def choose(catalogue: Catalogue, *, with_labels: bool) -> Model:
    """Make the fake model the target."""
    return set_target(
        catalogue,
        name="grid",
        digest="ab" * 32,
        dimension=48,
        input_size=64,
        copy_threshold=0.99,
        labels=with_labels,
    )[0]


def paint(root: Root) -> None:
    """Write a red, a blue and a black photo; of the last the model gives NaN."""
    for name, colour in (("red.jpg", (220, 9, 9)), ("blue.jpg", (9, 9, 220)), ("x.jpg", (0, 0, 0))):
        Image.new("RGB", (64, 64), colour).save(root.folder / name)


def over_the_broker(
    catalogue: Catalogue, pipeline: Pipeline, model: Model, *, asked: Model | None = None
) -> list[Result]:
    """Lease, embed and commit as Celery workers do, every message through JSON."""
    jobs = ledger.lease(catalogue, "broker", now=1e9, seconds=60, limit=32)
    wanted, photos = read_embed(json.loads(json.dumps(embed_message(ref(asked or model), jobs))))
    results = pipeline.run(photos, with_labels=wanted.with_labels)
    body = json.loads(json.dumps(commit_message(wanted, results)))
    commit(catalogue, *read_commit(body), now=1e9, max_attempts=1, settle_seconds=1)
    return results


def stored(catalogue: Catalogue, model: Model) -> dict[str, tuple[Label, ...]]:
    """Return the labels of every photo by its name."""
    rows = catalogue.rows("SELECT path, content_id FROM files WHERE content_id IS NOT NULL")
    found = labels.of_contents(catalogue, model, [row["content_id"] for row in rows])
    return {os.fsdecode(row["path"]): found.get(row["content_id"], ()) for row in rows}


def test_labels_go_all_the_way(catalogue: Catalogue, root: Root, settings: Settings):
    """From the model to the catalogue, through both messages; a bad vector spoils no other photo."""
    model = choose(catalogue, with_labels=True)
    paint(root)
    record_folder(catalogue, root)
    with Pipeline(NamingDescriptor(), settings) as pipeline:
        results = over_the_broker(catalogue, pipeline, model)
    assert [r.kind for r in results if isinstance(r, Failed)] == ["bad-vector"]
    assert stored(catalogue, model) == {
        "red.jpg": (Label("red", pytest.approx(0.86, abs=0.02)),),
        "blue.jpg": (Label("blue", pytest.approx(0.86, abs=0.02)),),
    }
    assert labels.unlabelled(catalogue, model) == 0


def test_labels_that_nobody_asked_for_are_not_made(
    catalogue: Catalogue, root: Root, settings: Settings
):
    """Without labels wanted the model is not asked, and nothing is stored."""
    model = choose(catalogue, with_labels=False)
    paint(root)
    record_folder(catalogue, root)
    with Pipeline(NamingDescriptor(), settings) as pipeline:
        results = over_the_broker(catalogue, pipeline, model)
    assert all(result.labels is None for result in results if isinstance(result, Embedded))
    assert catalogue.value("SELECT count(*) FROM labels") == 0


def test_labels_wanted_while_photos_are_in_work(
    catalogue: Catalogue, root: Root, settings: Settings
):
    """A result that was asked for without labels keeps its vector; its photo is handed out again."""
    without = choose(catalogue, with_labels=False)
    paint(root)
    (root.folder / "x.jpg").unlink()
    record_folder(catalogue, root)
    known = KnownVectors(Library(settings.library).catalogue, without.id)
    with Pipeline(NamingDescriptor(), settings, known=known) as pipeline:
        model = choose(catalogue, with_labels=True)
        over_the_broker(catalogue, pipeline, model, asked=without)
        assert catalogue.value("SELECT count(*) FROM vectors") == 2
        assert ledger.has_work(catalogue)
        over_the_broker(catalogue, pipeline, model)
    assert set(stored(catalogue, model)) == {"red.jpg", "blue.jpg"}
    assert all(stored(catalogue, model).values())
    assert not ledger.has_work(catalogue)
    assert catalogue.value("SELECT count(*) FROM log") == 2  # the index has nothing to do for it


def test_labels_of_photos_embedded_before(catalogue: Catalogue, root: Root, settings: Settings):
    """Wanted later, they are made by reading the photos again: what has a vector is not skipped."""
    choose(catalogue, with_labels=False)
    paint(root)
    (root.folder / "x.jpg").unlink()
    record_folder(catalogue, root)
    with Pipeline(NamingDescriptor(), settings) as pipeline:
        over_the_broker(catalogue, pipeline, choose(catalogue, with_labels=False))
        model = choose(catalogue, with_labels=True)
        assert ledger.counts(catalogue).pending == 2
    known = KnownVectors(Library(settings.library).catalogue, model.id)
    with Pipeline(NamingDescriptor(), settings, known=known) as pipeline:
        over_the_broker(catalogue, pipeline, model)
    assert all(stored(catalogue, model).values())


class Source:
    """Loads fake models and counts."""

    def __init__(self) -> None:
        self.loaded: list[str] = []

    def load(self, wanted: ModelRef) -> Descriptor:
        """Load one."""
        self.loaded.append(wanted.digest[:2])
        return GridDescriptor(wanted.digest)


def test_two_models_stay_loaded(settings: Settings, tmp_path: Path):
    """Questions for the old model during a change load nothing again; a third takes the oldest's place."""
    source = Source()
    models = LoadedModels(settings, source)
    old, new, third = (ModelRef("grid", digest * 32) for digest in ("aa", "bb", "cc"))
    try:
        first = models.pipeline(old)
        for _ in range(3):
            assert models.pipeline(new).model == new
            assert models.pipeline(old) is first
        assert source.loaded == ["aa", "bb"]
        models.pipeline(third)
        models.pipeline(old)
        assert source.loaded == ["aa", "bb", "cc"]
        models.pipeline(new)
        assert source.loaded == ["aa", "bb", "cc", "bb"]
        path = tmp_path / "photo.jpg"
        Image.new("RGB", (64, 64), (200, 10, 10)).save(path)
        assert models.pipeline(old).embed_file(os.fsencode(path))  # one set of decoders for all
    finally:
        models.close()
