"""The target model, and what it brings along."""

from __future__ import annotations

import time

import pytest

from twinlens import parts, tunings
from twinlens.catalogue import Catalogue
from twinlens.models import set_target
from twinlens.settings import Settings
from twinlens_worker.indexing import IndexingThread
from twinlens_worker.models.descriptor import describe
from twinlens_worker.target import ensure_target, keep_parts, make_target


def test_the_bundled_model_comes_with_its_parts(catalogue: Catalogue, settings: Settings):
    """A new library is in the space of its background before anything is indexed."""
    model = ensure_target(catalogue, settings)
    assert tunings.serving(catalogue, model).metric == "ip"
    assert parts.looks(catalogue, model) is not None


def test_a_model_named_while_a_worker_runs(catalogue: Catalogue, settings: Settings):
    """The indexer does not wait for the worker's loop: the first index is in the space that answers."""
    model = make_target(catalogue, describe("pocket"))  # as `model use` does
    thread = IndexingThread(settings)
    thread.start()
    deadline = time.monotonic() + 30
    while not parts.are_kept(catalogue, model) and time.monotonic() < deadline:
        time.sleep(0.02)
    thread.close()
    assert thread.failure is None
    assert parts.background(catalogue, model) is not None


def test_another_version_brings_nothing(catalogue: Catalogue, settings: Settings):
    """What this twinlens ships is not what the version before went by."""
    before, _ = set_target(
        catalogue, name="pocket", digest="0" * 64, dimension=256, input_size=160, copy_threshold=0.9
    )
    keep_parts(catalogue, settings, before)
    assert not parts.are_kept(catalogue, before)


@pytest.mark.parametrize("name", [parts.BACKGROUND, parts.LOOKS])
def test_a_damaged_part_is_put_back(catalogue: Catalogue, settings: Settings, name: str):
    """As the model brought it; a background that was given up stays away."""
    model = ensure_target(catalogue, settings)
    mark = tunings.serving(catalogue, model).mark
    with catalogue.write_tx() as tx:
        tx.execute("UPDATE model_parts SET data = substr(data, 1, 1000) WHERE name = ?", (name,))
    assert parts.damaged(catalogue, model) == [name]
    ensure_target(catalogue, settings)
    assert parts.damaged(catalogue, model) == []
    assert tunings.serving(catalogue, model).mark == mark
    tunings.give_up(catalogue, model, tunings.OFF)
    with catalogue.write_tx() as tx:
        tx.execute("UPDATE model_parts SET data = x'00'")
    ensure_target(catalogue, settings)
    assert parts.looks(catalogue, model) is not None
    assert parts.background(catalogue, model) is None
