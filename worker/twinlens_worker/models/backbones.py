"""Any torchvision classifier as a descriptor: `torchvision:NAME`.

Convolutional networks give their last feature map, pooled by GeM. Networks with layer
normalisation (ViT, Swin, MaxViT, ConvNeXt) give what their classification head reads: the class
token or the pooled map, which may be negative, where GeM would cut it off. The head's own answer
comes out of the same pass, so that labels cost nothing more.
"""

from pathlib import Path
from typing import Any, Final

import torch
import torchvision
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torchvision.models import WeightsEnum

from twinlens_worker.models import heads, official
from twinlens_worker.models import weights as weight_files
from twinlens_worker.models.errors import WeightsMissingError
from twinlens_worker.models.info import DescriptorInfo
from twinlens_worker.models.official import PREFIX
from twinlens_worker.models.pocket import gem

COPY_THRESHOLD: Final = 0.95
"""Strict: of 19,900 pairs of different photos MobileNetV2 puts none above 0.90, of copies it puts 86 %
(JPEG quality 30) to 40 % (cropped to 90 %) above 0.95 (docs/decisions/0014). Other classifiers were
not measured; tuning calibrates each on the library at hand."""
ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    name: {"aux_logits": False, "init_weights": False, "transform_input": True}
    for name in ("googlenet", "inception_v3")
}
"""These two carry training-only heads and expect their official weights' input scaling."""
AUXILIARY: Final = ("aux1.", "aux2.", "AuxLogits.")


class Backbone(nn.Module):
    """A classifier: (N, 3, S, S) to unit vectors (N, dimension), and to its head's answer."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier
        self._kept: Tensor | None = None
        modules = list(classifier.modules())
        head = classifier.get_submodule(head_name(classifier))
        pools = [module for module in modules if isinstance(module, nn.AdaptiveAvgPool2d)]
        self._pooled = any(isinstance(module, nn.LayerNorm) for module in modules)
        if self._pooled or isinstance(head, nn.Conv2d):  # SqueezeNet's head is a convolution
            head.register_forward_pre_hook(self._keep_input)
        elif pools:
            # Squeeze-and-excitation pools too; the last that is called is the network's own.
            for pool in pools:
                pool.register_forward_pre_hook(self._keep_input)
        else:
            for module in modules:
                if not list(module.children()):
                    module.register_forward_hook(self._keep_map)

    def forward(self, images: Tensor) -> Tensor:
        """Return L2-normalised features, f32."""
        return self.classify(images)[0]

    def classify(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return L2-normalised features and the head's logits (N, outputs), both f32."""
        logits = self.classifier(images)
        assert self._kept is not None
        features, self._kept = self._kept.float(), None
        features = features.flatten(1) if self._pooled else gem(features)
        return nn.functional.normalize(features, dim=1), logits.float()

    def _keep_input(self, _module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._kept = inputs[0]

    def _keep_map(self, _module: nn.Module, _inputs: object, output: object) -> None:
        """Keep the last output that still has a height and a width."""
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[-1] > 1:
            self._kept = output


def describe(name: str, path: Path | None) -> DescriptorInfo:
    """Describe a backbone whose weights are already on this computer."""
    weights = official.weights_of(name)
    path = path or official.cached(weights)
    if not path.is_file():
        raise WeightsMissingError(
            f"{path}: the weights of {name} are not here yet; "
            f"`twinlens model use {name}` downloads them"
        )
    return _read(name, path, weights)[0]


def load(name: str, path: Path | None) -> tuple[DescriptorInfo, nn.Module]:
    """Load a backbone from a local file, or with its official weights, downloaded when needed."""
    weights = official.weights_of(name)
    path = path or official.fetch(name, weights)
    info, backbone, state = _read(name, path, weights)
    weight_files.load_into(backbone.classifier, state, path, name)
    return info, backbone


def head_name(network: nn.Module) -> str:
    """Return the name of a classifier's head: its last linear layer, else its last convolution."""
    for kind in (nn.Linear, nn.Conv2d):
        names: list[str] = [
            name for name, module in network.named_modules() if isinstance(module, kind)
        ]
        if names:
            return names[-1]
    raise ValueError("a network with neither a linear layer nor a convolution")


def skeleton(name: str, weights: WeightsEnum, outputs: int | None = None) -> nn.Module:
    """Build a network whose parameters have shapes but no memory and no values yet."""
    plain = name.removeprefix(PREFIX)
    arguments = dict(ARGUMENTS.get(plain, {}))
    if plain.startswith("vit_"):  # its positions are counted in patches of the official input
        arguments["image_size"] = int(weights.transforms().crop_size[0])
    if outputs is not None:
        arguments["num_classes"] = outputs
    with _NoMemory():
        network = torchvision.models.get_model(plain, weights=None, **arguments)
    return network.eval().to("meta")  # type: ignore[no-any-return]


class _NoMemory(TorchFunctionMode):
    """Parameters are made on the meta device; what a network computes to find its shape is not.

    `with torch.device("meta")` would take that too, and RegNet reads its widths from tensors.
    """

    def __torch_function__(
        self,
        function: Any,  # noqa: ANN401  torch's signature
        types: Any,  # noqa: ANN401
        args: Any = (),  # noqa: ANN401
        kwargs: Any = None,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        kwargs = kwargs or {}
        if function is torch.empty and kwargs.get("device") is None:
            kwargs = {**kwargs, "device": "meta"}
        return function(*args, **kwargs)


def _read(
    name: str, path: Path, weights: WeightsEnum
) -> tuple[DescriptorInfo, Backbone, dict[str, Tensor]]:
    """Read a file of weights; describe the network that they ask for, not loaded with them yet."""
    state = weight_files.read_state(path)
    state = {key: tensor for key, tensor in state.items() if not key.startswith(AUXILIARY)}
    official_names = tuple(weights.meta["categories"])
    network = skeleton(name, weights)
    head = state.get(f"{head_name(network)}.weight")
    outputs = len(official_names)
    if head is not None and 0 < len(head) != outputs:  # trained further, on other categories
        outputs = len(head)
        network = skeleton(name, weights, outputs)
    names, named = heads.categories(path, outputs, official_names)
    backbone = Backbone(network)
    preset = weights.transforms()
    info = DescriptorInfo(
        name=name,
        digest=weight_files.digest(path),
        dimension=_dimension(backbone, int(preset.crop_size[0])),
        input_size=int(preset.crop_size[0]),
        copy_threshold=COPY_THRESHOLD,
        mean=tuple(preset.mean),
        std=tuple(preset.std),
        notes=f"{path.name}; weights under the terms of whoever published them",
        categories=names,
        named=named,
    )
    return info, backbone, state


def _dimension(backbone: Backbone, size: int) -> int:
    with torch.inference_mode():
        return int(backbone(torch.zeros(1, 3, size, size, device="meta")).shape[1])
