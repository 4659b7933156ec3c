"""torchvision's classifiers as descriptors: local files, official weights, no network."""

import hashlib
import io
import urllib.request
from email.message import Message
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file

from twinlens.labels import FLOOR
from twinlens_worker.models import backbones, listing, official
from twinlens_worker.models.descriptor import Descriptor, describe, load
from twinlens_worker.models.errors import (
    WeightsDamagedError,
    WeightsMismatchError,
    WeightsMissingError,
)
from twinlens_worker.models.widths import WIDTHS

NAME = "torchvision:mobilenet_v2"


def random_state(name: str = "mobilenet_v2") -> dict[str, torch.Tensor]:
    """Weights of the right layout that nobody trained."""
    torch.manual_seed(1)
    state: dict[str, torch.Tensor] = torchvision.models.get_model(name, weights=None).state_dict()
    return state


def noise(descriptor: Descriptor, count: int = 2) -> np.ndarray:
    """Pictures of the size that the descriptor asks for."""
    side = descriptor.info.input_size
    return np.random.default_rng(1).integers(0, 256, (count, side, side, 3), np.uint8)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_local_file_of_weights(tmp_path: Path, suffix: str):
    """GeM over the last feature map, computed here a second way from the same weights."""
    path = tmp_path / f"mine{suffix}"
    state = random_state()
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    descriptor = load(NAME, weights=path, device="cpu")
    assert descriptor.info == describe(NAME, weights=path)
    assert descriptor.info.dimension == 1280
    assert descriptor.info.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    images = noise(descriptor)
    model = torchvision.models.mobilenet_v2()
    model.load_state_dict(state)
    scaled = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    mean, std = (
        torch.tensor(v).view(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    with torch.inference_mode():
        features = model.eval().features((scaled - mean) / std)
    pooled = features.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3)
    expected = torch.nn.functional.normalize(pooled, dim=1).numpy()
    assert descriptor.embed(images) == pytest.approx(expected, abs=1e-4)


def test_half_precision_weights_are_taken(tmp_path: Path):
    """A file of f16 weights gives nearly the vectors of the f32 file."""
    state = random_state()
    save_file(state, tmp_path / "f32.safetensors")
    save_file({key: value.half() if value.is_floating_point() else value for key, value in state.items()},
              tmp_path / "f16.safetensors")  # fmt: skip
    full, half = (load(NAME, weights=tmp_path / f"{kind}.safetensors") for kind in ("f32", "f16"))
    assert (full.embed(noise(full)) * half.embed(noise(half))).sum(1).min() > 0.999


@pytest.fixture(scope="module")
def small_head(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of a network that was trained further, on three categories of its own."""
    state = random_state()
    state["classifier.1.weight"] = state["classifier.1.weight"][:3] * 50
    state["classifier.1.bias"] = state["classifier.1.bias"][:3]
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    save_file(state, path)
    return path


def test_labels_come_from_the_same_pass(small_head: Path, tmp_path: Path):
    """The probabilities are the softmax of the classifier's own answer; the vectors are the same."""
    path = tmp_path / "named.safetensors"
    save_file(load_file(small_head), path, {"categories": '["tabby cat", "dog", "folding chair"]'})
    descriptor = load(NAME, weights=path, device="cpu")
    assert (descriptor.info.categories, descriptor.info.named) == (
        ("tabby_cat", "dog", "folding_chair"),
        True,
    )
    images = noise(descriptor)
    vectors, labels = descriptor.embed_and_label(images)
    assert vectors == pytest.approx(descriptor.embed(images))
    model = torchvision.models.mobilenet_v2(num_classes=3)
    model.load_state_dict(load_file(path))
    scaled = (
        torch.from_numpy(images).permute(0, 3, 1, 2) / 255
        - torch.tensor(descriptor.info.mean).view(3, 1, 1)
    ) / torch.tensor(descriptor.info.std).view(3, 1, 1)
    with torch.inference_mode():
        expected = model.eval()(scaled).softmax(1)
    for row, found in zip(expected, labels, strict=True):
        by_name = dict(zip(descriptor.info.categories, row.tolist(), strict=True))
        assert [label.name for label in found] == sorted(
            (n for n, p in by_name.items() if p >= FLOOR), key=lambda n: -by_name[n]
        )
        assert all(
            label.probability == pytest.approx(by_name[label.name], abs=2e-3) for label in found
        )


def test_names_beside_the_weights(small_head: Path, tmp_path: Path):
    """A text file beside the weights names the outputs; without one they are numbered."""
    path = tmp_path / "mine.safetensors"
    path.write_bytes(small_head.read_bytes())
    info = describe(NAME, weights=path)
    assert (info.categories, info.named) == (("class_0", "class_1", "class_2"), False)
    beside = tmp_path / "mine.categories.txt"
    beside.write_text("Ada\nGrace Hopper\nAlan\n")
    info = describe(NAME, weights=path)
    assert (info.categories, info.named) == (("Ada", "Grace_Hopper", "Alan"), True)
    beside.write_text("Ada\nGrace\n")
    with pytest.raises(
        WeightsMismatchError, match=r"mine\.categories\.txt: 2 categories for a head of 3"
    ):
        describe(NAME, weights=path)


def test_an_official_layout_has_the_official_names(tmp_path: Path):
    """A head of 1000 outputs is taken for ImageNet's."""
    path = tmp_path / "mine.pth"
    torch.save(random_state(), path)
    info = describe(NAME, weights=path)
    assert info.named
    assert info.categories[559] == "folding_chair"


@pytest.mark.parametrize(
    ("name", "dimension"),
    [("resnet18", 512), ("shufflenet_v2_x0_5", 1024), ("mobilenet_v3_small", 576), ("squeezenet1_1", 512),
     ("densenet121", 1024), ("googlenet", 1024), ("inception_v3", 2048), ("regnet_y_400mf", 440), ("vit_h_14", 1280), ("efficientnet_b0", 1280), ("vit_b_16", 768), ("swin_t", 768), ("convnext_tiny", 768)],
)  # fmt: skip
def test_every_family_gives_its_features(name: str, dimension: int):
    """Convolutional maps and class tokens alike; sizes are known without computing anything."""
    full = f"torchvision:{name}"
    weights = official.weights_of(full)
    backbone = backbones.Backbone(backbones.skeleton(full, weights))
    size = int(weights.transforms().crop_size[0])
    with torch.inference_mode():
        vectors, logits = backbone.classify(torch.zeros(1, 3, size, size, device="meta"))
    assert (vectors.shape, logits.shape) == ((1, dimension), (1, 1000))
    assert WIDTHS[name] == dimension
    assert all(parameter.is_meta for parameter in backbone.parameters())


@pytest.mark.data
def test_real_weights_see_what_is_alike(data: Path):
    """ImageNet weights put a photo nearer to its mirror image than to any other photo."""
    weights = data / "teacher" / "mobilenet_v2_imagenet.safetensors"
    if not weights.is_file():
        pytest.skip("TWINLENS_DATA has no teacher weights")
    from PIL import Image

    from training.photos import squash

    descriptor = load(NAME, weights=weights)
    paths = sorted((data / "copies" / "originals").iterdir())[::150]
    images = np.stack([squash(Image.open(path), descriptor.info.input_size) for path in paths])
    similarity = descriptor.embed(images) @ descriptor.embed(images[:, :, ::-1]).T
    assert (similarity.argmax(1) == np.arange(len(images))).all()


def offline(*_args: object, **_kwargs: object) -> object:
    """What urllib does without a network."""
    raise URLError("no network here")


def test_official_weights_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The message says which file to put where; nothing half-done stays behind."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", offline)
    with pytest.raises(WeightsMissingError, match=r"mobilenet_v2-\w+\.pth .* into ") as error:
        load(NAME)
    assert str(tmp_path) in str(error.value)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    with pytest.raises(WeightsMissingError, match="not here yet"):
        describe(NAME)


def test_a_download_that_is_not_the_published_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Torchvision's hash is checked before anything is believed."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def portal(*_args: object, **_kwargs: object) -> object:
        return urllib.request.addinfourl(io.BytesIO(b"<html>log in</html>"), Message(), "x")

    monkeypatch.setattr("torch.hub.urlopen", portal)
    with pytest.raises(WeightsDamagedError, match="try again"):
        load(NAME)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_official_weights_that_are_already_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """They are used without a network, and the digest is the cached file's."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", offline)
    cached = official.cached(official.weights_of(NAME))
    cached.parent.mkdir(parents=True)
    torch.save(random_state(), cached)
    digest = hashlib.sha256(cached.read_bytes()).hexdigest()
    with pytest.raises(WeightsDamagedError, match=r"not the published file.*delete it"):
        load(NAME)  # put there by hand, and not what torchvision published
    monkeypatch.setattr(official, "_hash_prefix", lambda _path: digest[:8])
    assert load(NAME).info.digest == digest


def test_the_list_says_what_each_model_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The bundled one first, then torchvision's classifiers, not its detectors; and what is here."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = official.cached(official.weights_of(NAME))
    cached.parent.mkdir(parents=True)
    cached.touch()
    first, *others = listing.list_models()
    assert (first.name, first.bundled, first.here, first.labels) == ("pocket", True, True, False)
    assert not any("rcnn" in model.name or "quantized" in model.name for model in others)
    assert [model.name for model in others if model.here] == [NAME]
    known = {model.name: model for model in others}
    mobile, huge = known[NAME], known["torchvision:vit_h_14"]
    assert (mobile.dimension, mobile.input_size, mobile.cost) == (1280, 224, "small")
    assert (huge.input_size, huge.cost) == (518, "huge")
    assert all(model.dimension for model in others), "a new classifier: add its width"
