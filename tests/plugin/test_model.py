"""twinlens model, with the real worker, which alone knows the models."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.conftest import Built, Cli
from twinlens.models import get_model


def test_a_model_is_chosen_and_the_old_one_answers_meanwhile(built: Built, twinlens: Cli):
    """The photos wait for the new model's numbers; until then the old model serves."""
    built.photo("a.jpg")
    built.photo("b.jpg")
    text = twinlens("model", "use", "pocket").stdout
    assert text == "pocket is wanted. 2 photos to embed again: twinlens scan\n"
    target, serving = (get_model(built.catalogue, role) for role in ("target", "serving"))
    assert target
    assert serving
    assert (serving.digest, serving.dimension) == (built.model.digest, built.model.dimension)
    assert target.digest != serving.digest
    (facts,) = twinlens.json("status")
    assert facts["model"]["target"]["digest"] == target.digest
    assert facts["photos"]["pending"] == 2
    assert "has caught up" in twinlens("status").stdout
    assert twinlens.json("similar", built.photos / "a.jpg")


def test_a_model_that_is_none_is_refused(built: Built, twinlens: Cli):
    """The worker's reason is the user's."""
    result = twinlens("model", "use", "nonsense", code=1)
    assert result.stderr.startswith("twinlens: nonsense: no such model")
    assert result.stderr.count("\n") == 1


@pytest.mark.timeout(240)
def test_models_are_listed_with_the_one_in_use(built: Built, twinlens: Cli):
    """The bundled model is first, and marked."""
    first, *others = twinlens.json("model", "list")
    assert first == {"name": "pocket", "bundled": True, "used": "in use"}
    assert "torchvision:resnet50" in {model["name"] for model in others}


def test_weights_that_are_not_there_are_a_mistake(built: Built, twinlens: Cli):
    """Said before anything is loaded."""
    result = twinlens("model", "use", "pocket", "--weights", "/nowhere", code=2)
    assert "'/nowhere' does not exist" in result.stderr


def test_weights_of_another_kind_are_refused(built: Built, twinlens: Cli, tmp_path: Path):
    """Before the library is promised to them: a worker that cannot load its model does nothing."""
    weights = tmp_path / "holiday.safetensors"
    weights.write_bytes(b"no weights at all")
    name = "torchvision:mobilenet_v3_small"
    result = twinlens("model", "use", name, "--weights", weights, code=1)
    assert "holiday.safetensors: damaged weights" in result.stderr
    assert get_model(built.catalogue, "target") == built.model


def test_official_weights_are_fetched(
    built: Built, twinlens: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Choosing a model downloads its weights; without a network that is said, with a way out."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nobody answers there
    result = twinlens("model", "use", "torchvision:mobilenet_v3_small", code=1)
    assert "no way to its weights" in result.stderr
    assert f"into {tmp_path}" in result.stderr
