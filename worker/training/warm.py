"""Start from weights that ship: unfold them into a network that trains, deeper where wanted.

Blocks that the file lacks begin as the identity (their last scale is 0; Chen et al., "Net2Net",
2016), so that the first step sees the network of the file. Its last layer was whitened for
shipping and is fitted anew, to the teacher.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from twinlens_worker.models import pocket_file, weights
from twinlens_worker.models.pocket import Block, ConvNorm, PocketNet

Hook = Callable[[nn.Module, object, Tensor], None]
RIDGE: Final = 0.01
"""Of the fit of the last layer, as a share of the features' mean square."""


@torch.no_grad()
def start_from(network: PocketNet, file: Path, images: Tensor) -> None:
    """Load a pocket file into a fresh, perhaps deeper network, in place.

    ``images``, normalised (N, 3, S, S), stand for the batches to come: every normalisation takes
    its statistics from them and starts out by undoing itself.
    """
    pocket_file.read_header(file)  # refuses a file of another kind
    state = {name: tensor.float() for name, tensor in weights.read_state(file).items()}
    network.head.weight.copy_(state["head.weight"])
    network.head.bias.copy_(state["head.bias"])
    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, Block) and f"{name}.second.conv.weight" not in state:
            nn.init.zeros_(_norm(module.second).weight)
        elif isinstance(module, ConvNorm) and f"{name}.conv.weight" in state:
            module.conv.weight.copy_(state[f"{name}.conv.weight"])
            bias = state[f"{name}.conv.bias"]
            hooks.append(module.conv.register_forward_hook(_undo(_norm(module), bias)))
    network.eval()
    network(images)
    for hook in hooks:
        hook.remove()


@torch.no_grad()
def fit_head(network: PocketNet, images: Tensor, targets: Tensor) -> None:
    """Fit the last layer to ``targets`` (N, dimension), unit vectors of ``images``, by ridge."""
    network.eval()
    features = torch.cat([network.pool(part) for part in torch.split(images, 128)])
    centre, aim = features.mean(dim=0), targets.mean(dim=0)
    centred = features - centre
    square = centred.T @ centred
    square.diagonal().add_(RIDGE * square.diagonal().mean())
    weight = torch.linalg.solve(square, centred.T @ (targets - aim)).T
    network.head.weight.copy_(weight)
    network.head.bias.copy_(aim - weight @ centre)


def _norm(module: ConvNorm) -> nn.BatchNorm2d:
    assert isinstance(module.norm, nn.BatchNorm2d)
    return module.norm


def _undo(norm: nn.BatchNorm2d, bias: Tensor) -> Hook:
    """Make a normalisation give its input plus the folded bias, for inputs as the hook sees."""

    def hook(_conv: nn.Module, _inputs: object, output: Tensor) -> None:
        norm.running_mean = output.mean(dim=(0, 2, 3))
        norm.running_var = output.var(dim=(0, 2, 3))
        norm.weight.copy_((norm.running_var + norm.eps).sqrt())
        norm.bias.copy_(norm.running_mean + bias)

    return hook
