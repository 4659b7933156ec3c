"""TorchScript files as descriptors: `torchscript:NAME@SIZE`. Such a file is a program.

`torch.jit.load` runs what is in it, with all that its user may do. So a file is opened only when
1. its sha256 is one of those that the user of this computer has agreed to, and
2. the bytes that were hashed are the bytes that are loaded: the file is read once.

SIZE is the side in pixels of the square that it takes. After a comma may follow how it wants its
numbers: `imagenet` (mean and deviation of ImageNet, the default; SSCD's files want it), `half`
(-1 to 1) or `plain` (0 to 1). All of it is part of the name: the same file fed otherwise gives
other vectors, and is another model.
"""

import hashlib
import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from twinlens_worker.models.errors import (
    UnknownModelError,
    WeightsDamagedError,
    WeightsMismatchError,
    WeightsMissingError,
    WeightsRefusedError,
)
from twinlens_worker.models.info import DescriptorInfo

NAME: Final = re.compile(
    r"torchscript:(?P<label>[\w.-]+)@(?P<size>\d{2,4})(?:,(?P<scale>[a-z]+))?", re.ASCII
)
SCALES: Final[dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "plain": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
"""Mean and deviation of R, G, B in 0..1."""
COPY_THRESHOLD: Final = 0.95
"""Strict, since nobody knows what a file gives before it is measured on the library at hand."""


@dataclass(frozen=True)
class Spec:
    """What a name says."""

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class TorchScript:
    """The family of TorchScript descriptors; knows which files may run."""

    def __init__(self, trusted: frozenset[str]) -> None:
        self._trusted = trusted

    def describe(self, name: str, path: Path | None) -> DescriptorInfo:
        """Describe a descriptor. What it gives is known only by running it: it must be trusted."""
        return self.load(name, path)[0]

    def load(self, name: str, path: Path | None) -> tuple[DescriptorInfo, nn.Module]:
        """Load a trusted file. Raises WeightsRefusedError for any other, unopened."""
        spec = read_name(name)
        if path is None:
            raise WeightsMissingError(
                f"{name}: TorchScript has no official weights; name the file with --weights"
            )
        data = _read(path)
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._trusted:
            raise WeightsRefusedError(_refusal(path, digest))
        network = Scripted(_open(data, path), path)
        info = DescriptorInfo(
            name=name,
            digest=digest,
            dimension=network.dimension(spec.size),
            input_size=spec.size,
            copy_threshold=COPY_THRESHOLD,
            mean=spec.mean,
            std=spec.std,
            notes=f"{path.name}; a program, under the terms of whoever published it",
        )
        return info, network


class Scripted(nn.Module):
    """A TorchScript program: normalised photos (N, 3, S, S) to unit vectors (N, dimension)."""

    def __init__(self, program: Any, path: Path) -> None:  # noqa: ANN401  torch.jit has no types
        super().__init__()
        self.program = program
        self._path = path

    def forward(self, images: Tensor) -> Tensor:
        """Return L2-normalised vectors, f32; in full precision, for which such files are made."""
        with torch.autocast(images.device.type, enabled=False):
            vectors = self._vectors(images.float())
        return nn.functional.normalize(vectors.float(), dim=1)

    def dimension(self, size: int) -> int:
        """Return how many numbers a photo gets, found by running it on two grey ones."""
        with torch.inference_mode():
            return int(self(torch.zeros(2, 3, size, size)).shape[1])

    def _vectors(self, images: Tensor) -> Tensor:
        try:
            vectors = self.program(images)
        except RuntimeError as error:
            raise self._no_descriptor(f"it fails: {str(error).strip().splitlines()[-1]}") from error
        if not isinstance(vectors, Tensor) or vectors.ndim != 2 or len(vectors) != len(images):
            shape = tuple(vectors.shape) if isinstance(vectors, Tensor) else type(vectors).__name__
            raise self._no_descriptor(f"it gives {shape}")
        return vectors

    def _no_descriptor(self, cause: str) -> WeightsMismatchError:
        return WeightsMismatchError(
            f"{self._path}: does not turn photos (N, 3, S, S) into vectors (N, D) ({cause[:160]}); "
            "check the size, or use another file"
        )


def read_name(name: str) -> Spec:
    """Read a name. Raises UnknownModelError, which says how it is written."""
    found = NAME.fullmatch(name)
    scale = SCALES.get((found["scale"] or "imagenet") if found else "")
    if found is None or scale is None:
        raise UnknownModelError(
            f"{name}: write torchscript:NAME@SIZE, as in torchscript:sscd@288; "
            f"after a comma may follow {', '.join(SCALES)}"
        )
    return Spec(int(found["size"]), *scale)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WeightsMissingError(f"{path}: {error.strerror}; check the path") from error


def _refusal(path: Path, digest: str) -> str:
    return (
        f"{path}: not opened: its sha256 is {digest}, which nobody agreed to run on this computer; "
        'TorchScript is a program that can do whatever you can: see "Another model" in docs/guide.md'
    )


def _open(data: bytes, path: Path) -> Any:  # noqa: ANN401  torch.jit has no types
    with warnings.catch_warnings():
        # TorchScript is no longer developed, and says so; published descriptors still come in it.
        warnings.filterwarnings("ignore", r"`torch\.jit\.load` is deprecated", FutureWarning)
        warnings.filterwarnings("ignore", r"`torch\.jit\.load` is deprecated", DeprecationWarning)
        try:
            program: Any = torch.jit.load(io.BytesIO(data), map_location="cpu")  # type: ignore[no-untyped-call]
            return program.eval()
        except (RuntimeError, ValueError, EOFError) as error:
            first = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise WeightsDamagedError(
                f"{path}: not a TorchScript file ({first[:160]}); copy or download it again"
            ) from error
