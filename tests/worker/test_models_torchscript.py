"""TorchScript descriptors: programs that run only where somebody agreed to exactly this file."""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from twinlens_worker.models import torchscript
from twinlens_worker.models.descriptor import load
from twinlens_worker.models.errors import (
    UnknownModelError,
    WeightsDamagedError,
    WeightsMismatchError,
    WeightsMissingError,
    WeightsRefusedError,
)

NAME = "torchscript:tiny@32"


class Tiny(nn.Module):
    """A descriptor of five numbers."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.convolution = nn.Conv2d(3, 5, 4)

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 5)."""
        return self.convolution(images).mean(dim=(2, 3))  # type: ignore[no-any-return]


class Maps(nn.Module):
    """What gives maps, not vectors."""

    def forward(self, images: Tensor) -> Tensor:
        """Return (N, 3, S, S)."""
        return images * 2


def scripted(path: Path, module: nn.Module) -> str:
    """Write a module as TorchScript; return the file's sha256."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", FutureWarning
        )  # torch.jit, which we test because it is used
        torch.jit.save(torch.jit.script(module), buffer)  # type: ignore[no-untyped-call]
    path.write_bytes(buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


@pytest.fixture
def tiny(tmp_path: Path) -> tuple[Path, str]:
    """A file and its sha256."""
    path = tmp_path / "tiny.pt"
    return path, scripted(path, Tiny())


def noise(side: int = 32) -> np.ndarray:
    """Three pictures."""
    return np.random.default_rng(1).integers(0, 256, (3, side, side, 3), np.uint8)


@pytest.mark.parametrize(
    ("suffix", "mean", "std"),
    [("", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), (",half", [0.5] * 3, [0.5] * 3), (",plain", [0.0] * 3, [1.0] * 3)],
)  # fmt: skip
def test_a_trusted_file(tiny: tuple[Path, str], suffix: str, mean: list[float], std: list[float]):
    """Its vectors are those of the module itself, fed as the name says, at unit length."""
    path, digest = tiny
    descriptor = load(NAME + suffix, weights=path, device="cpu", trusted={digest})
    assert (descriptor.info.digest, descriptor.info.dimension) == (digest, 5)
    assert (descriptor.info.name, descriptor.info.input_size) == (NAME + suffix, 32)
    images = noise()
    scaled = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        raw = Tiny()((scaled - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1))
    expected = nn.functional.normalize(raw, dim=1).numpy()
    assert descriptor.embed(images) == pytest.approx(expected, abs=1e-5)
    assert descriptor.info.categories == ()


def refuse_to_open(*_args: object, **_kwargs: object) -> object:
    """What torch.jit.load must not come to."""
    raise AssertionError("the file was opened")


def test_nobody_agreed(tiny: tuple[Path, str], monkeypatch: pytest.MonkeyPatch):
    """Unopened; the message says what TorchScript is, and the sha256 that would have to be agreed to."""
    path, digest = tiny
    monkeypatch.setattr(torch.jit, "load", refuse_to_open)
    with pytest.raises(WeightsRefusedError) as error:
        load(NAME, weights=path)
    text = str(error.value)
    assert text.startswith(f"{path}: not opened")
    assert digest in text
    assert "can do whatever you can" in text
    assert "\n" not in text


def test_another_file_than_agreed_to(
    tiny: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """One bit makes another file."""
    path, digest = tiny
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    monkeypatch.setattr(torch.jit, "load", refuse_to_open)
    with pytest.raises(WeightsRefusedError):
        load(NAME, weights=path, trusted={digest})


def test_the_bytes_that_were_hashed_are_the_bytes_that_run(
    tiny: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A file that is replaced after it was checked is not looked at again."""
    path, digest = tiny
    swapped = tmp_path / "other.pt"
    scripted(swapped, Maps())
    honest = hashlib.sha256

    def hash_then_swap(data: bytes) -> hashlib._Hash:
        swapped.replace(path)
        return honest(data)

    monkeypatch.setattr(torchscript.hashlib, "sha256", hash_then_swap)
    descriptor = load(NAME, weights=path, device="cpu", trusted={digest})
    assert descriptor.embed(noise()).shape == (3, 5)
    assert not swapped.exists()


def test_the_same_file_fed_otherwise_is_another_model(tiny: tuple[Path, str]):
    """Size and scaling are in the name, so that vectors of the two never mix."""
    path, digest = tiny
    one, other = (
        load(name, weights=path, device="cpu", trusted={digest}).info
        for name in (NAME, "torchscript:tiny@64")
    )
    assert one.digest == other.digest
    assert one.name != other.name


@pytest.mark.parametrize(
    "name", ["torchscript:tiny", "torchscript:@32", "torchscript:tiny@0", "torchscript:tiny@32,loud", "torchscript:a b@32"]
)  # fmt: skip
def test_a_name_that_does_not_say_it_all(tiny: tuple[Path, str], name: str):
    """The message shows how it is written."""
    with pytest.raises(UnknownModelError, match="torchscript:sscd@288"):
        load(name, weights=tiny[0], trusted={tiny[1]})


def test_what_gives_no_vectors(tmp_path: Path):
    """Said when the model is chosen, with what it gives instead."""
    path = tmp_path / "maps.pt"
    digest = scripted(path, Maps())
    with pytest.raises(WeightsMismatchError, match=r"maps\.pt: does not turn photos .*\(2, 3, 32, 32\)"):  # fmt: skip
        load(NAME, weights=path, trusted={digest})


def test_what_is_no_torchscript(tmp_path: Path):
    """Agreed to, but not such a file; and a file that is not there, and none named."""
    path = tmp_path / "holiday.pt"
    path.write_bytes(b"\xff\xd8\xff\xe0" * 100)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(WeightsDamagedError, match=r"holiday\.pt: not a TorchScript file"):
        load(NAME, weights=path, trusted={digest})
    with pytest.raises(WeightsMissingError, match="No such file"):
        load(NAME, weights=tmp_path / "none.pt", trusted={digest})
    with pytest.raises(WeightsMissingError, match="--weights"):
        load(NAME, trusted={digest})


def test_torchscript_is_not_taken_for_weights(tiny: tuple[Path, str]):
    """Under a classifier's name it is not run either, whatever is trusted."""
    with pytest.raises(WeightsRefusedError, match="a TorchScript program"):
        load("torchvision:mobilenet_v2", weights=tiny[0], trusted={tiny[1]})
