"""Reading files of weights, with an error that says what is wrong with them."""

import hashlib
import json
import re
import struct
import warnings
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Final

from twinlens.errors import ModelError
from twinlens_worker.models.errors import (
    WeightsDamagedError,
    WeightsMismatchError,
    WeightsMissingError,
    WeightsRefusedError,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

FETCH_AGAIN: Final = "copy or download it again"
LARGEST_HEADER: Final = 100_000_000
"""Bytes; the limit that the safetensors format sets itself."""

_ASKED_FOR: Final = re.compile(
    r"(?:unsupported global:?\s+(?:GLOBAL\s+)?|unrecognized function )([\w.]+)", re.IGNORECASE
)
"""How torch names what a pickle would have it import or call."""


def digest(path: Path) -> str:
    """Return the sha256 of a file, hexadecimal."""
    with _open(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def safetensors_metadata(path: Path) -> dict[str, str]:
    """Return the free-text metadata of a safetensors file, reading only its header.

    The format: eight bytes of little-endian length, then that much JSON, whose `__metadata__`
    maps strings to strings. Needs no torch, so that a command line can start fast.
    """
    try:
        with _open(path) as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(min(length, LARGEST_HEADER)))
            return dict(header.get("__metadata__", {}))
    except (struct.error, ValueError, AttributeError, TypeError) as error:
        raise _damaged(path, "not a safetensors file") from error


def read_state(path: Path) -> "dict[str, Tensor]":
    """Return the tensors of a `.safetensors` file, or of a `.pth` file without running its code."""
    if not path.is_file():
        raise WeightsMissingError(f"{path}: no such file of weights; check the path")
    state = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    broken = [name for name, tensor in state.items() if not bool(tensor.isfinite().all())]
    if broken:
        raise _damaged(path, f"{broken[0]} holds NaN or infinity")
    return state


def load_into(network: "nn.Module", state: "Mapping[str, Tensor]", path: Path, name: str) -> None:
    """Give a network its weights as f32; they must be exactly the ones that it asks for."""
    wanted = network.state_dict()
    odd = _first_difference(wanted, state)
    if odd:
        raise WeightsMismatchError(
            f"{path}: not the weights of {name} ({odd}); name the model that they belong to"
        )
    try:
        network.load_state_dict(state, strict=True, assign=True)
    except (RuntimeError, ValueError) as error:
        raise WeightsMismatchError(
            f"{path}: not the weights of {name} ({_first_line(error)}); "
            "name the model that they belong to"
        ) from error
    network.float()


def _first_difference(wanted: "Mapping[str, Tensor]", state: "Mapping[str, Tensor]") -> str:
    for key, tensor in wanted.items():
        if key not in state:
            return f"{key} is missing"
        if state[key].shape != tensor.shape:
            return f"{key} is {_size(state[key])}, not {_size(tensor)}"
    extra = next((key for key in state if key not in wanted), None)
    return f"{extra} is not part of it" if extra else ""


def _size(tensor: "Tensor") -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def _read_safetensors(path: Path) -> "dict[str, Tensor]":
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, _first_line(error)) from error


def _read_pickle(path: Path) -> "dict[str, Tensor]":
    import torch

    try:
        with warnings.catch_warnings():
            # Of TorchScript and of odd pickles, both of which it then refuses.
            warnings.simplefilter("ignore", UserWarning)
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load leaks whatever unpickling garbage raises
        raise _not_loaded(path, error) from error
    if isinstance(state, Mapping) and isinstance(state.get("state_dict"), Mapping):
        state = state["state_dict"]  # the layout of most training checkpoints
    if not isinstance(state, dict) or not all(isinstance(t, torch.Tensor) for t in state.values()):
        raise _damaged(path, "it holds something other than named tensors")
    return state


def _open(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise WeightsMissingError(f"{path}: {error.strerror}; check the path") from error


def _not_loaded(path: Path, error: Exception) -> ModelError:
    """Say why `torch.load` refused; its own text tells people how to load the file all the same."""
    text = str(error)
    if "TorchScript" in text:
        return WeightsRefusedError(
            f"{path}: a TorchScript program, not weights alone; "
            "if you trust it, use it as torchscript:NAME@SIZE (docs/guide.md)"
        )
    if found := _ASKED_FOR.search(text):
        return WeightsRefusedError(
            f"{path}: not opened: it asks for {found[1]}, and weights are numbers alone; "
            "have its state_dict saved, best as safetensors"
        )
    return _damaged(path, "not a file of weights" if "Weights only" in text else _first_line(error))


def _damaged(path: Path, cause: str) -> WeightsDamagedError:
    return WeightsDamagedError(f"{path}: damaged weights ({cause}); {FETCH_AGAIN}")


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
