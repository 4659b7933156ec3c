"""The network of the bundled descriptor: a small residual CNN over a square.

A 4x4 stride-4 stem, four residual stages, generalised-mean pooling (Radenović et al., "Fine-tuning
CNN image retrieval with no human annotation", 2018) and one linear layer. The second convolution
of a block works in groups of 16 channels: it costs a fraction of the first and lost nothing that
we could measure. The linear layer reads the last two stages: what is in the picture, and the finer
detail that tells a copy from another photo of the same thing.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

GROUP_WIDTH: Final = 16
GEM_POWER: Final = 3.0
"""Radenović et al. start from 3 and end near it; fixed, it needs no `pow` on the hot path."""


@dataclass(frozen=True)
class PocketShape:
    """What decides the layout of the weights."""

    channels: tuple[int, ...] = (32, 64, 128, 224)
    blocks: tuple[int, ...] = (1, 2, 3, 2)
    dimension: int = 256

    @property
    def pooled(self) -> int:
        """How many numbers the linear layer reads: the channels of the last two stages."""
        return sum(self.channels[-2:])


class ConvNorm(nn.Module):
    """A convolution with batch normalisation, or, once `fold`ed, with a bias that replaces it."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        folded: bool,
    ) -> None:
        super().__init__()
        padding = 0 if size == stride else size // 2
        self.conv = nn.Conv2d(
            inputs, outputs, size, stride=stride, padding=padding, groups=groups, bias=folded
        )
        self.norm: nn.Module = nn.Identity() if folded else nn.BatchNorm2d(outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Return the normalised response, (N, outputs, H / stride, W / stride)."""
        return self.norm(self.conv(images))  # type: ignore[no-any-return]

    def fold(self) -> None:
        """Multiply the normalisation into the convolution; only for a network in eval mode."""
        norm = self.norm
        if not isinstance(norm, nn.BatchNorm2d):
            return
        assert norm.running_mean is not None
        assert norm.running_var is not None
        self.conv.weight, self.conv.bias = fuse_conv_bn_weights(
            self.conv.weight, None, norm.running_mean, norm.running_var, norm.eps,
            norm.weight, norm.bias,
        )  # fmt: skip
        self.norm = nn.Identity()


class Block(nn.Module):
    """Two 3x3 convolutions around a shortcut; the first may halve the picture."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, folded: bool) -> None:
        super().__init__()
        self.first = ConvNorm(inputs, outputs, 3, stride=stride, folded=folded)
        self.second = ConvNorm(outputs, outputs, 3, groups=outputs // GROUP_WIDTH, folded=folded)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride != 1 else nn.Identity(),
                ConvNorm(inputs, outputs, 1, folded=folded),
            )

    def forward(self, images: Tensor) -> Tensor:
        """Return the block's response, (N, outputs, H / stride, W / stride)."""
        response = self.second(F.relu(self.first(images), inplace=True))
        return F.relu(response + self.shortcut(images), inplace=True)


class PocketNet(nn.Module):
    """Normalised photos (N, 3, S, S) to unit vectors (N, dimension); S is a multiple of 32."""

    takes_bytes = False
    """Whether pixels come as they are, 0 to 255, see `take_bytes`."""

    def __init__(self, shape: PocketShape | None = None, *, folded: bool = False) -> None:
        super().__init__()
        self.shape = shape or PocketShape()
        channels = self.shape.channels
        self.stem = ConvNorm(3, channels[0], 4, stride=4, folded=folded)
        self.stages = nn.ModuleList()
        width = channels[0]
        for stage, (outputs, depth) in enumerate(zip(channels, self.shape.blocks, strict=True)):
            blocks = nn.Sequential()
            for position in range(depth):
                stride = 2 if stage > 0 and position == 0 else 1
                blocks.append(Block(width, outputs, stride=stride, folded=folded))
                width = outputs
            self.stages.append(blocks)
        self.head = nn.Linear(self.shape.pooled, self.shape.dimension)

    def forward(self, images: Tensor) -> Tensor:
        """Return L2-normalised embeddings, f32."""
        return F.normalize(self.project(images).float(), dim=1)

    def project(self, images: Tensor) -> Tensor:
        """Return embeddings before normalisation, (N, dimension)."""
        return self.head(self.pool(images))  # type: ignore[no-any-return]

    def pool(self, images: Tensor) -> Tensor:
        """Return what the linear layer reads, (N, shape.pooled)."""
        features = F.relu(self.stem(images), inplace=True)
        pooled = []
        for stage in self.stages:
            features = stage(features)
            pooled.append(features)
        return torch.cat([gem(features) for features in pooled[-2:]], dim=1)

    def fold(self) -> None:
        """Fold every normalisation into its convolution, in place: same output, less work."""
        self.eval()
        for module in self.modules():
            if isinstance(module, ConvNorm):
                module.fold()

    @torch.no_grad()
    def take_bytes(self, mean: Tensor, std: Tensor) -> None:
        """Multiply the normalisation by mean and deviation, (3,) of 0 to 255, into a folded stem.

        It saves two passes over the pixels, 7 % of what a photo costs.
        """
        weight, bias = self.stem.conv.weight, self.stem.conv.bias
        assert bias is not None
        assert not self.takes_bytes
        bias -= (weight * (mean / std).view(1, 3, 1, 1)).sum(dim=(1, 2, 3))
        weight /= std.view(1, 3, 1, 1)
        self.takes_bytes = True


def gem(features: Tensor, power: float = GEM_POWER) -> Tensor:
    """Generalised-mean pooling of a feature map, (N, C, H, W) to (N, C)."""
    positive = features.clamp(min=1e-6)
    return positive.pow(power).mean(dim=(2, 3)).pow(1.0 / power)


def parameter_count(network: nn.Module) -> int:
    """How many numbers the network learned."""
    return sum(parameter.numel() for parameter in network.parameters())


def fresh_network(seed: int, shape: PocketShape | None = None) -> PocketNet:
    """An untrained network whose weights depend only on the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return PocketNet(shape)
