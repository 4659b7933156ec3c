"""twinlens model, with the real worker, which alone knows the models."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.plugin.conftest import Built, Cli
from twinlens.models import get_model, set_target


def test_a_model_is_chosen_and_the_old_one_answers_meanwhile(built: Built, twinlens: Cli):
    """The photos wait for the new model's numbers; until then the old model serves."""
    built.photo("a.jpg")
    built.photo("b.jpg")
    text = twinlens("model", "use", "pocket").stdout
    assert text == (
        "pocket is wanted. 2 photos to embed again: twinlens scan."
        " Until then the old index goes on answering.\n"
    )
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
    built.photo("a.jpg")
    first, *others = twinlens.json("model", "list")
    assert (first["name"], first["bundled"], first["used"]) == ("pocket", True, "in use")
    assert first["vectors"] == 1
    resnet = next(model for model in others if model["name"] == "torchvision:resnet50")
    assert (resnet["used"], resnet["dimension"], resnet["cost"]) == (None, 2048, "medium")
    assert "1 vector" in twinlens("model", "list", "--here").stdout.splitlines()[0]


def test_a_model_with_weights_of_ones_own_is_here_while_they_are(
    built: Built, twinlens: Cli, tmp_path: Path
):
    """Not in torchvision's folder, but on this computer."""
    weights = tmp_path / "mine.safetensors"
    weights.touch()
    set_target(
        built.catalogue,
        name="torchvision:resnet50",
        digest="d1",
        dimension=2048,
        input_size=224,
        copy_threshold=0.95,
        weights=str(weights),
    )

    def here() -> list[str]:
        return [model["name"] for model in twinlens.json("model", "list", "--here")]

    assert "torchvision:resnet50" in here()
    weights.unlink()
    assert "torchvision:resnet50" not in here()


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


def test_a_model_that_is_not_used_any_more_is_kept_until_forgotten(
    built: Built, twinlens: Cli, monkeypatch: pytest.MonkeyPatch
):
    """The list says what it takes; forgetting it frees that, and never touches the one in use."""
    monkeypatch.setattr("twinlens_plugin.commands.model.listing.known_models", list)
    built.photo("a.jpg")
    used = dict(dimension=8, input_size=64, copy_threshold=0.9)  # noqa: C408  as the call has it
    set_target(built.catalogue, name="torchscript:x@64", digest="12" * 32, at_once=True, **used)  # type: ignore[arg-type]
    old, new = twinlens.json("model", "list")
    assert (old["name"], old["used"], old["vectors"]) == ("pocket", "kept", 1)
    assert (new["name"], new["used"]) == ("torchscript:x@64", "in use")
    assert "(twinlens model forget pocket)" in twinlens("model", "list").stdout
    assert "in use" in twinlens("model", "forget", "torchscript:x@64", code=1).stderr
    assert "nothing is kept" in twinlens("model", "forget", "other", code=1).stderr
    assert twinlens("model", "forget", "pocket").stdout.startswith("pocket is forgotten: 1 vector")
    assert [model["name"] for model in twinlens.json("model", "list")] == ["torchscript:x@64"]


PROGRAM = "torchscript:tiny@32"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sha256", "ab" * 32], "add --allow-torchscript"),
        (["--allow-torchscript"], "--sha256 HEX"),
        (["--allow-torchscript", "--sha256", "beef"], "64 hexadecimal digits"),
    ],
)
def test_torchscript_is_refused_before_anything_looks_at_it(
    built: Built,
    twinlens: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
):
    """Without the opt-in or without the sha256: wrong usage, and what is missing."""
    monkeypatch.setattr("twinlens_plugin.asking_worker._run", None)
    weights = tmp_path / "tiny.pt"
    weights.write_bytes(b"whatever")
    result = twinlens("model", "use", PROGRAM, "--weights", weights, *words, code=2)
    assert said in result.stderr
    assert get_model(built.catalogue, "target") == built.model


def test_torchscript_with_another_sha256_is_refused(built: Built, twinlens: Cli, tmp_path: Path):
    """The file's own sha256 is said; nothing is chosen."""
    weights = tmp_path / "tiny.pt"
    weights.write_bytes(b"whatever")
    words = ("--weights", weights, "--allow-torchscript", "--sha256", "ab" * 32)
    result = twinlens("model", "use", PROGRAM, *words, code=1)
    assert hashlib.sha256(b"whatever").hexdigest() in result.stderr
    assert "not opened" in result.stderr
    assert get_model(built.catalogue, "target") == built.model


def test_weights_with_another_sha256_are_refused(built: Built, twinlens: Cli):
    """--sha256 pins any weights."""
    result = twinlens("model", "use", "pocket", "--sha256", "ab" * 32, code=1)
    assert "not the one given" in result.stderr
    assert get_model(built.catalogue, "target") == built.model


def test_labels_of_a_model_that_names_nothing(built: Built, twinlens: Cli):
    """Refused with the reason."""
    result = twinlens("model", "use", "pocket", "--labels", code=1)
    assert "no classification head" in result.stderr
