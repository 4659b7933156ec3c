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
from safetensors.torch import save_file

from twinlens_worker.models import backbones, registry
from twinlens_worker.models.descriptor import Descriptor, describe, load
from twinlens_worker.models.errors import WeightsDamagedError, WeightsMissingError

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


@pytest.mark.parametrize(
    ("name", "dimension"),
    [("resnet18", 512), ("shufflenet_v2_x0_5", 1024), ("mobilenet_v3_small", 576), ("squeezenet1_1", 1000),
     ("densenet121", 1024), ("efficientnet_b0", 1280), ("vit_b_16", 768), ("swin_t", 768), ("convnext_tiny", 768)],
)  # fmt: skip
def test_every_family_gives_its_features(name: str, dimension: int):
    """Convolutional maps and class tokens alike; sizes are known without computing anything."""
    skeleton = backbones.Backbone(backbones._skeleton(f"torchvision:{name}"))
    with torch.inference_mode():
        assert skeleton(torch.zeros(1, 3, 224, 224, device="meta")).shape == (1, dimension)


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
    cached = backbones._cached(backbones._official(NAME))
    cached.parent.mkdir(parents=True)
    torch.save(random_state(), cached)
    assert load(NAME).info.digest == hashlib.sha256(cached.read_bytes()).hexdigest()


def test_the_bundled_name_comes_first_in_the_list():
    """And the list holds torchvision's classifiers, not its detectors."""
    names = registry.names()
    assert names[0] == "pocket"
    assert "torchvision:resnet50" in names
    assert not any("rcnn" in name or "quantized" in name for name in names)
