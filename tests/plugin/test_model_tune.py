"""``twinlens model tune``: what it does to the catalogue, and what it says."""

from __future__ import annotations

import numpy as np
import pytest

from twinlens import models, parts, tuning, tunings
from twinlens.catalogue import set_meta
from twinlens.models import Model
from twinlens.settings import Settings
from twinlens_plugin import shipped
from twinlens_plugin.scanning import Hands

from .conftest import DIMENSION, Built, Cli


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small libraries be tuned, which are quick to make."""
    monkeypatch.setattr(tuning, "LEAST", 64)


@pytest.fixture
def filled(built: Built) -> Built:
    """A library of 100 unlike photos."""
    numbers = np.random.default_rng(1)
    for number in range(100):
        built.photo(f"{number}.jpg", vector=numbers.standard_normal(DIMENSION).tolist())
    built.publish()
    return built


def test_tuning_is_wanted_until_it_is_indexed(filled: Built, twinlens: Cli):
    """Without waiting, the old space answers on; status says what will be."""
    [said] = twinlens.json("model", "tune", "--no-wait")
    assert (said["model"], said["tuned"], said["photos"]) == ("pocket", True, 100)
    assert (said["in_use"], said["copies"], said["copy_threshold"]) == (False, None, 0.9)
    assert tunings.wanted(filled.catalogue, filled.model).tuning is not None
    assert tunings.serving_id(filled.catalogue, filled.model) == tunings.OFF
    assert "soon tuned on 100 photos" in twinlens("status").stdout
    [status] = twinlens.json("status")
    assert status["model"]["serving"]["tuned"] is None
    assert status["model"]["serving"]["tuning_wanted"]["photos"] == 100
    assert "the old index answers" in twinlens("model", "tune", "--no-wait").stdout


def test_off_takes_it_back(filled: Built, twinlens: Cli):
    """A tuning that is not in use yet is given up at once; none is fitted by itself after that."""
    twinlens("model", "tune", "--no-wait")
    [said] = twinlens.json("model", "tune", "--off")
    assert (said["tuned"], said["photos"], said["in_use"]) == (False, None, True)
    assert filled.catalogue.value("SELECT count(*) FROM tunings") == 0
    assert "pocket is untuned" in twinlens("model", "tune", "--off").stdout


@pytest.mark.parametrize("begun", [True, False])
def test_off_while_the_library_goes_over_to_another_version(
    filled: Built,
    twinlens: Cli,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    *,
    begun: bool,
):
    """It holds for the new index, and nobody waits for the old one, which answers as it is till then."""
    monkeypatch.setattr(Hands, "__init__", lambda *_: pytest.fail("started a worker"))
    twinlens("model", "tune", "--no-wait")
    wanted = tunings.wanted_id(filled.catalogue, filled.model)
    with filled.catalogue.write_tx() as tx:
        tx.execute("UPDATE models SET weights = NULL")
        set_meta(tx, f"tuning_serving:{filled.model.id}", str(wanted))
    old = filled.model
    if begun:
        use_shipped(filled)
    [said] = twinlens.json("model", "tune", "--off")
    assert (said["tuned"], said["in_use"], said["copies"]) == (False, False, None)
    assert "the old index answers" in twinlens("model", "tune", "--off").stdout
    assert tunings.serving_id(filled.catalogue, old) == wanted
    new = use_shipped(filled)
    monkeypatch.setattr(tunings, "FIRST", 0)
    assert not tunings.is_due(filled.catalogue, settings, new)
    tunings.refit(filled.catalogue, old, now=0.0)
    assert tunings.is_due(filled.catalogue, settings, new), "tuned by hand, it is tuned again"


def use_shipped(built: Built) -> Model:
    """Make the bundled model the target, as a worker does after an upgrade."""
    return models.set_target(
        built.catalogue,
        name="pocket",
        digest=shipped.digest() or "",
        dimension=DIMENSION,
        input_size=96,
        copy_threshold=0.9,
    )[0]


@pytest.fixture
def settings(built: Built) -> Settings:
    """Settings of the library under test."""
    return Settings(library=built.library.folder)


def test_too_few_photos(built: Built, twinlens: Cli):
    """A dozen photos cannot be tuned on: one line, exit code 1, nothing changed."""
    for number in range(12):
        built.photo(f"{number}.jpg")
    result = twinlens("model", "tune", "--no-wait", code=1)
    assert "12 unlike photos are too few to tune on" in result.stderr
    assert result.stdout == ""
    assert tunings.wanted_id(built.catalogue, built.model) == tunings.OFF


def test_damaged_tuning_is_reported(filled: Built, twinlens: Cli):
    """Doctor names a damaged tuning and its cure; similar answers without it."""
    twinlens("model", "tune", "--no-wait")
    with filled.catalogue.write_tx() as tx:
        tx.execute("UPDATE tunings SET tuning = x'00'")
        tx.execute(
            "UPDATE meta SET key = replace(key, 'wanted', 'serving') WHERE key GLOB 'tuning_w*'"
        )
    [problem] = [each for each in twinlens.json("doctor", code=1) if each.get("check") == "tuning"]
    assert "damaged" in problem["problem"]
    assert problem["cure"] == "run: twinlens model tune"
    assert twinlens.json("similar", filled.photos / "7.jpg")[0]["rank"] == 1


@pytest.mark.parametrize("name", [parts.BACKGROUND, parts.LOOKS])
def test_a_damaged_part_of_the_model_is_reported(filled: Built, twinlens: Cli, name: str):
    """Doctor names it and says that a scan puts it back; similar answers without it."""
    parts.keep(filled.catalogue, filled.model, {name: b"as it was brought"})
    with filled.catalogue.write_tx() as tx:
        tx.execute("UPDATE model_parts SET data = x'00'")
    found = [each for each in twinlens.json("doctor", code=1) if each.get("check") == "model"]
    assert [(name in one["problem"], one["cure"]) for one in found] == [
        (True, "run: twinlens scan")
    ]
    assert twinlens.json("similar", filled.photos / "7.jpg")[0]["rank"] == 1
