"""A loaded descriptor: photos in, unit vectors out."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from twinlens.labels import Label
from twinlens_worker.models import registry
from twinlens_worker.models.errors import BadOutputError
from twinlens_worker.models.heads import top_labels
from twinlens_worker.models.info import DescriptorInfo

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn

__all__ = ["Descriptor", "DescriptorInfo", "describe", "load"]

MICRO_BATCH: Final = 16
"""Photos a pass on the CPU, whose caches hold no more: one Zen 3 core takes 5.3 ms for one photo of 160
pixels, 3.2 ms each for 8, 3.1 for 16, 3.2 for 32, 3.8 for 64."""
ACCELERATED_BATCH: Final = 64
"""The same on accelerators."""


class Descriptor:
    """A network on its device, ready to embed."""

    def __init__(
        self, info: DescriptorInfo, network: "nn.Module", device: "torch.device", source: str
    ) -> None:
        import torch

        self.info = info
        self._source = source
        self._device = device
        self._precision = _precision(device)
        self._batch = MICRO_BATCH if device.type == "cpu" else ACCELERATED_BATCH
        # channels_last: 1.7 against 2.3 ms a photo for pocket on one Zen 3 core.
        self._network = network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._takes_bytes = bool(getattr(network, "takes_bytes", False))
        self._mean = torch.tensor(info.mean, device=device) * 255
        self._std = torch.tensor(info.std, device=device) * 255

    def embed(self, images: "NDArray[np.uint8]") -> "NDArray[np.float32]":
        """Embed photos: u8 RGB (N, input_size, input_size, 3) to f32 (N, dimension), unit length.

        Raises BadOutputError, which says for which rows, where a vector is not finite or zero.
        """
        return self._embed(images, self._vectors)

    def embed_and_label(
        self, images: "NDArray[np.uint8]"
    ) -> "tuple[NDArray[np.float32], list[tuple[Label, ...]]]":
        """Embed photos as `embed` does, and name what is in them, from the same pass.

        Without a classification head nothing is named. Raises BadOutputError.
        """
        labels: list[tuple[Label, ...]] = []
        if not self.info.categories:
            return self.embed(images), [()] * len(images)
        vectors = self._embed(images, lambda pixels: self._classified(pixels, labels), labels)
        return vectors, labels

    def _embed(
        self,
        images: "NDArray[np.uint8]",
        run: "Callable[[Tensor], Tensor]",
        labels: "list[tuple[Label, ...]] | None" = None,
    ) -> "NDArray[np.float32]":
        import numpy as np

        self._check(images)
        vectors = np.empty((len(images), self.info.dimension), np.float32)
        for start in range(0, len(images), self._batch):
            chunk = images[start : start + self._batch]
            vectors[start : start + len(chunk)] = self._run(chunk, run).numpy()
        self._check_output(vectors, labels)
        return vectors

    def _vectors(self, normalised: "Tensor") -> "Tensor":
        return self._network(normalised)  # type: ignore[no-any-return]

    def _classified(self, normalised: "Tensor", labels: "list[tuple[Label, ...]]") -> "Tensor":
        vectors, logits = self._network.classify(normalised)
        labels.extend(top_labels(logits, self.info.categories))
        return vectors  # type: ignore[no-any-return]

    def _run(self, images: "NDArray[np.uint8]", run: "Callable[[Tensor], Tensor]") -> "Tensor":
        import numpy as np
        import torch

        pixels = torch.from_numpy(np.ascontiguousarray(images)).to(self._device)
        levels = pixels.float()
        if not self._takes_bytes:
            levels.sub_(self._mean).div_(self._std)
        enabled = self._precision is not None
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, dtype=self._precision, enabled=enabled),
        ):
            return run(levels.permute(0, 3, 1, 2)).float().cpu()

    def _check(self, images: "NDArray[np.uint8]") -> None:
        side = self.info.input_size
        if images.dtype != "uint8" or images.shape[1:] != (side, side, 3):
            raise ValueError(
                f"{self.info.name} takes uint8 images (N, {side}, {side}, 3), "
                f"not {images.dtype} {images.shape}"
            )

    def _check_output(
        self, vectors: "NDArray[np.float32]", labels: "list[tuple[Label, ...]] | None"
    ) -> None:
        import numpy as np

        # A network that gives zeros leaves L2 normalisation with zeros.
        good = np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)
        if not good.all():
            rows = np.flatnonzero(~good).tolist()
            raise BadOutputError(
                f"{self._source}: no usable vector for {len(rows)} of {len(vectors)} photos; "
                "if it happens for every photo, fetch the weights again or use another model",
                rows=rows,
                vectors=vectors,
                labels=labels,
            )


def load(
    name: str,
    *,
    weights: Path | None = None,
    device: str = "auto",
    trusted: Collection[str] = (),
) -> Descriptor:
    """Load a descriptor by name, with its own weights or those of a local file.

    `trusted` are the sha256 of the TorchScript programs that may run here. `device` is `auto` (CUDA, else Apple's MPS, else the CPU) or a torch device. Raises ModelError
    with a one-line reason; weights that give no usable vector for a plain grey photo are refused
    here rather than at the first photo.
    """
    import numpy as np
    import torch

    info, network = registry.family(name, trusted).load(name, weights)
    if hasattr(network, "take_bytes"):
        network.take_bytes(torch.tensor(info.mean) * 255, torch.tensor(info.std) * 255)  # type: ignore[operator]
    descriptor = Descriptor(info, network, _device(device), str(weights or name))
    side = info.input_size
    descriptor.embed(np.full((1, side, side, 3), 128, np.uint8))
    return descriptor


def describe(name: str, *, weights: Path | None = None) -> DescriptorInfo:
    """Describe a descriptor that is here; for `pocket` without importing torch."""
    return registry.family(name).describe(name, weights)


def _device(wanted: str) -> "torch.device":
    import torch

    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _precision(device: "torch.device") -> "torch.dtype | None":
    """Half precision on accelerators only: on a Zen 3 CPU bf16 took seven times as long as f32."""
    import torch

    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float16 if device.type == "mps" else None
