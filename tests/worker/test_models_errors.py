"""Weights that cannot be used: one line that names the file and the cure."""

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from twinlens.errors import ModelError
from twinlens_worker.models import pocket_file
from twinlens_worker.models.descriptor import Descriptor, describe, load
from twinlens_worker.models.errors import (
    BadOutputError,
    UnknownModelError,
    WeightsDamagedError,
    WeightsMismatchError,
    WeightsMissingError,
    WeightsRefusedError,
)
from twinlens_worker.models.pocket import PocketNet, PocketShape


def write_pocket(path: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> Path:
    """Write the bundled weights with a change, under their own header."""
    state = load_file(pocket_file.BUNDLED)
    change(state)
    from twinlens_worker.models.weights import safetensors_metadata

    save_file(state, path, safetensors_metadata(pocket_file.BUNDLED))
    return path


def poison(state: dict[str, torch.Tensor]) -> None:
    """Put one NaN where nobody looks."""
    state["head.bias"][7] = float("nan")


def check(error: pytest.ExceptionInfo[ModelError], path: Path) -> None:
    """Every message is one line that starts with the file and ends with what to do."""
    text = str(error.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    assert ";" in text


def test_a_missing_file(tmp_path: Path):
    """The path is in the message."""
    path = tmp_path / "none.safetensors"
    with pytest.raises(WeightsMissingError) as error:
        load("pocket", weights=path)
    check(error, path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_file(tmp_path: Path, share: float):
    """Cut anywhere: in the header, in the tensors, at the very end."""
    whole = pocket_file.BUNDLED.read_bytes()
    path = tmp_path / "cut.safetensors"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(WeightsDamagedError) as error:
        load("pocket", weights=path)
    check(error, path)


@pytest.mark.parametrize("name", ["photo.safetensors", "photo.pth"])
def test_a_file_of_something_else(tmp_path: Path, name: str):
    """A JPEG renamed, or any other bytes."""
    path = tmp_path / name
    path.write_bytes(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 20)
    with pytest.raises(WeightsDamagedError) as error:
        load("torchvision:mobilenet_v2", weights=path)
    check(error, path)


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path: Path):
    """`.pth` files are read as weights only."""
    marker = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (marker,))  # type: ignore[return-value]

    path = tmp_path / "trap.pth"
    torch.save({"weight": Trap()}, path)
    with pytest.raises(WeightsRefusedError, match=r"not opened: it asks for getattr") as error:
        load("torchvision:mobilenet_v2", weights=path)
    check(error, path)
    assert not marker.exists()
    path.write_bytes(pickle.dumps({"weight": Trap()}))  # of another protocol, without torch's zip
    with pytest.raises(ModelError) as error:
        load("torchvision:mobilenet_v2", weights=path)
    check(error, path)
    assert not marker.exists()


def test_weights_of_another_architecture(tmp_path: Path):
    """Sound weights, wrong network: the first tensor that differs is named."""
    path = tmp_path / "resnet.safetensors"
    save_file({"conv1.weight": torch.zeros(64, 3, 7, 7)}, path)
    with pytest.raises(WeightsMismatchError, match=r"features\.0\.0\.weight is missing") as error:
        load("torchvision:mobilenet_v2", weights=path)
    check(error, path)
    with pytest.raises(WeightsMismatchError, match="not weights of pocket"):
        load("pocket", weights=path)


def test_pocket_weights_of_another_shape(tmp_path: Path):
    """The header and the tensors must agree."""
    path = write_pocket(
        tmp_path / "odd.safetensors", lambda s: s.update({"head.bias": torch.zeros(9)})
    )
    with pytest.raises(WeightsMismatchError, match=r"head\.bias is 9, not 256") as error:
        load("pocket", weights=path)
    check(error, path)


def test_a_header_of_a_later_version(tmp_path: Path):
    """Unknown fields mean a newer twinlens wrote it."""
    path = tmp_path / "later.safetensors"
    save_file(
        load_file(pocket_file.BUNDLED), path,
        {"format": pocket_file.FORMAT, "twinlens": '{"version": "9", "rotations": 8}'},
    )  # fmt: skip
    with pytest.raises(WeightsMismatchError, match="update twinlens") as error:
        describe("pocket", weights=path)
    check(error, path)


def test_nan_in_the_weights(tmp_path: Path):
    """Refused when loading; the tensor is named."""
    path = write_pocket(tmp_path / "nan.safetensors", poison)
    with pytest.raises(WeightsDamagedError, match=r"head\.bias holds NaN") as error:
        load("pocket", weights=path)
    check(error, path)


def test_weights_that_give_no_vectors(tmp_path: Path):
    """All zero: each number is sound, the vectors are not."""
    path = write_pocket(
        tmp_path / "zero.safetensors", lambda state: [tensor.zero_() for tensor in state.values()]
    )
    with pytest.raises(BadOutputError) as error:
        load("pocket", weights=path)
    check(error, path)


class Fickle(torch.nn.Module):
    """A network that fails on black pictures only."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return NaN for them, and a unit vector for all others."""
        brightness = images.mean(dim=(1, 2, 3))
        good = torch.nn.functional.one_hot(torch.zeros(len(images), dtype=torch.long), 256).float()
        return torch.where((brightness < -1)[:, None], torch.nan, good)


def test_one_bad_photo_does_not_cost_the_others_their_vectors():
    """The error says which rows are bad and brings the good ones along."""
    descriptor = Descriptor(describe("pocket"), Fickle(), torch.device("cpu"), "fickle.safetensors")
    side = descriptor.info.input_size
    images = np.full((5, side, side, 3), 200, np.uint8)
    images[[1, 3]] = 0
    with pytest.raises(BadOutputError, match=r"fickle\.safetensors: .* 2 of 5 photos") as error:
        descriptor.embed(images)
    assert error.value.rows == [1, 3]
    assert np.isfinite(error.value.vectors[[0, 2, 4]]).all()


@pytest.mark.parametrize("name", ["clip", "torchvision:resnet5000", "torchvision:", "Pocket"])
def test_an_unknown_name(name: str):
    """The message says what names there are."""
    with pytest.raises(UnknownModelError, match=rf"^{name}: .*;"):
        load(name)


def test_folding_changes_nothing(tmp_path: Path):
    """A network with its normalisation folded in gives the same vectors, also from the f16 file."""
    torch.manual_seed(3)
    network = PocketNet(PocketShape(channels=(16, 32), blocks=(1, 1), dimension=24))
    images = torch.randn(4, 3, 64, 64)
    for _ in range(20):
        network(torch.randn(8, 3, 64, 64) * 2 + 1)  # statistics away from 0 and 1
    before = network.eval()(images)
    network.fold()
    assert torch.allclose(network(images), before, atol=1e-5)
    path = tmp_path / "small.safetensors"
    header = pocket_file.PocketHeader(
        "test", 24, 64, (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 0.5, (16, 32), (1, 1), "0" * 40
    )
    pocket_file.write(path, network, header)
    _, again = pocket_file.load("pocket", path)
    assert float((again(images) * before).sum(1).min().detach()) > 0.999
