"""What `pocket.safetensors` holds beside the network: its background and its looks.

The background's landmarks are unit vectors as int8, a quarter of f32's bytes: a megabyte of four thousand
photos, where the cosines of two of them are off by 0.001.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from twinlens import parts
from twinlens.looks import Looks
from twinlens.tuning import Tuning
from twinlens.vectors import Vector, project
from twinlens_worker.models import pocket_file

if TYPE_CHECKING:
    from torch import Tensor

LANDMARKS: Final = f"{pocket_file.PART}landmarks"
CENTRE: Final = f"{pocket_file.PART}looks.centre"
AXES: Final = f"{pocket_file.PART}looks.axes"


@dataclass(frozen=True)
class Parts:
    """Both parts of a pocket, as they are fitted."""

    background: Tuning
    """Without axes of its own: the network's last layer whitens."""
    looks: Looks

    def tensors(self) -> "dict[str, Tensor]":
        """Return what the file holds of them; the background's levels go into its header."""
        import torch

        return {
            LANDMARKS: torch.from_numpy(packed(self.background.landmarks)),
            CENTRE: torch.from_numpy(self.looks.centre).half(),
            AXES: torch.from_numpy(self.looks.axes).half(),
        }

    def levels(self) -> tuple[float, ...]:
        """Return what the header holds of the background."""
        fitted = self.background
        return fitted.nearest, fitted.edge, fitted.typical, fitted.photos, fitted.neighbours


def stored(path: Path | None) -> dict[str, bytes]:
    """Return the parts as the catalogue keeps them; none of a file that has none. Raises ModelError."""
    from twinlens_worker.models import weights

    path = path or pocket_file.BUNDLED
    levels = pocket_file.read_header(path).background
    if not levels:
        return {}
    state = {
        name: tensor.numpy()
        for name, tensor in weights.read_state(path).items()
        if name.startswith(pocket_file.PART)
    }
    looks = Looks(state[CENTRE].astype(np.float32), state[AXES].astype(np.float32))
    return {
        parts.BACKGROUND: background(unpacked(state[LANDMARKS]), *levels).to_bytes(),
        parts.LOOKS: looks.to_bytes(),
    }


def background(
    landmarks: Vector, nearest: float, edge: float, typical: float, photos: float, neighbours: float
) -> Tuning:
    """Return a tuning of known levels that leaves the vectors (M, D) of unit length as they are."""
    dimension = landmarks.shape[1]
    nowhere, axes = np.zeros(dimension, np.float32), np.eye(dimension, dtype=np.float32)
    return Tuning(nowhere, axes, landmarks, nearest, edge, typical, int(photos), int(neighbours))


def packed(landmarks: Vector) -> "np.ndarray[Any, np.dtype[np.int8]]":
    """Return unit vectors (M, D) as int8; each row's greatest number becomes 127."""
    rounded = np.round(landmarks / np.abs(landmarks).max(axis=1, keepdims=True) * 127)
    return np.asarray(rounded, np.int8)


def unpacked(rows: "np.ndarray[Any, np.dtype[np.int8]]") -> Vector:
    """Return unit vectors (M, D), rounded as a stored tuning rounds them."""
    return project(rows.astype(np.float32)).astype(np.float16).astype(np.float32)
