"""Any torchvision classifier as a descriptor: `torchvision:NAME`.

Convolutional networks give their last feature map, pooled by GeM. Networks with layer
normalisation (ViT, Swin, MaxViT, ConvNeXt) give what their last linear layer reads: the class
token or the pooled map, which may be negative, where GeM would cut it off.
"""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlparse

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import WeightsEnum

from twinlens_worker.models import weights as weight_files
from twinlens_worker.models.errors import (
    UnknownModelError,
    WeightsDamagedError,
    WeightsMissingError,
)
from twinlens_worker.models.info import DescriptorInfo
from twinlens_worker.models.pocket import gem

PREFIX: Final = "torchvision:"
COPY_THRESHOLD: Final = 0.95
"""Unwhitened GeM features of classifiers lie close together; measured with MobileNetV2."""
ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    name: {"aux_logits": False, "init_weights": False, "transform_input": True}
    for name in ("googlenet", "inception_v3")
}
"""These two carry training-only heads and expect their official weights' input scaling."""
AUXILIARY: Final = ("aux1.", "aux2.", "AuxLogits.")


class Backbone(nn.Module):
    """A classifier cut off before its head: (N, 3, S, S) to unit vectors (N, dimension)."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier
        self._kept: Tensor | None = None
        modules = list(classifier.modules())
        self._pooled = any(isinstance(module, nn.LayerNorm) for module in modules)
        if self._pooled:
            _last_linear(modules).register_forward_pre_hook(self._keep_input)
        else:
            for module in modules:
                if not list(module.children()):
                    module.register_forward_hook(self._keep_map)

    def forward(self, images: Tensor) -> Tensor:
        """Return L2-normalised features, f32."""
        self.classifier(images)
        assert self._kept is not None
        features, self._kept = self._kept.float(), None
        if not self._pooled:
            features = gem(features)
        return nn.functional.normalize(features, dim=1)

    def _keep_input(self, _module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._kept = inputs[0].flatten(1)

    def _keep_map(self, _module: nn.Module, _inputs: object, output: object) -> None:
        """Keep the last output that still has a height and a width."""
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[-1] > 1:
            self._kept = output


def names() -> list[str]:
    """Every name that this module understands."""
    return [PREFIX + name for name in torchvision.models.list_models(module=torchvision.models)]


def describe(name: str, path: Path | None) -> DescriptorInfo:
    """Describe a backbone whose weights are already on this computer."""
    official = _official(name)
    path = path or _cached(official)
    if not path.is_file():
        raise WeightsMissingError(
            f"{path}: the weights of {name} are not here yet; "
            f"`twinlens model use {name}` downloads them"
        )
    return _info(name, path, official, Backbone(_skeleton(name)))


def load(name: str, path: Path | None) -> tuple[DescriptorInfo, nn.Module]:
    """Load a backbone from a local file, or with its official weights, downloaded when needed."""
    official = _official(name)
    path = path or _fetch(name, official)
    state = weight_files.read_state(path)
    state = {key: tensor for key, tensor in state.items() if not key.startswith(AUXILIARY)}
    backbone = Backbone(_skeleton(name))
    info = _info(name, path, official, backbone)
    weight_files.load_into(backbone.classifier, state, path, name)
    return info, backbone


def _official(name: str) -> WeightsEnum:
    plain = name.removeprefix(PREFIX)
    try:
        if name not in names():
            raise ValueError(plain)
        return torchvision.models.get_model_weights(plain).DEFAULT
    except ValueError as error:
        raise UnknownModelError(
            f"{name}: torchvision {torchvision.__version__} has no such classifier; "
            "`twinlens model list` shows what there is"
        ) from error


def _skeleton(name: str) -> nn.Module:
    """Build the network without memory or initial weights, which would be thrown away."""
    plain = name.removeprefix(PREFIX)
    with torch.device("meta"):
        return torchvision.models.get_model(plain, weights=None, **ARGUMENTS.get(plain, {})).eval()  # type: ignore[no-any-return]


def _info(name: str, path: Path, official: WeightsEnum, skeleton: Backbone) -> DescriptorInfo:
    preset = official.transforms()
    size = int(preset.crop_size[0])
    with torch.inference_mode():
        dimension = skeleton(torch.zeros(1, 3, size, size, device="meta")).shape[1]
    return DescriptorInfo(
        name=name,
        digest=weight_files.digest(path),
        dimension=dimension,
        input_size=size,
        copy_threshold=COPY_THRESHOLD,
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        notes=f"{path.name}; weights under the terms of whoever published them",
    )


def _cached(official: WeightsEnum) -> Path:
    """Where torchvision keeps its download: the folder that `TORCH_HOME` decides."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(official.url).path).name


def _fetch(name: str, official: WeightsEnum) -> Path:
    path = _cached(official)
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Progress belongs on stderr: stdout may be read by a program.
        with redirect_stdout(sys.stderr):
            torch.hub.download_url_to_file(official.url, str(path), _hash_prefix(path))
    except RuntimeError as error:
        raise WeightsDamagedError(
            f"{official.url}: arrived damaged ({error}); try again"
        ) from error
    except OSError as error:
        raise WeightsMissingError(
            f"{name}: no way to its weights ({error}); connect once, "
            f"or put the file {path.name} from another computer into {path.parent}"
        ) from error
    return path


def _hash_prefix(path: Path) -> str | None:
    match = torch.hub.HASH_REGEX.search(path.name)
    return match.group(1) if match else None


def _last_linear(modules: list[nn.Module]) -> nn.Linear:
    return next(module for module in reversed(modules) if isinstance(module, nn.Linear))
