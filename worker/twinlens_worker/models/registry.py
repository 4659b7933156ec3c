"""From a descriptor's name to the code that loads it."""

from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

from twinlens_worker.models.errors import UnknownModelError
from twinlens_worker.models.info import DescriptorInfo

if TYPE_CHECKING:
    from torch import nn

BUNDLED: Final = "pocket"
TORCHVISION: Final = "torchvision:"


class Family(Protocol):
    """A module that knows a group of descriptors; `path` None means their own weights."""

    def describe(self, name: str, path: Path | None) -> DescriptorInfo:
        """Describe a descriptor without running it."""
        ...

    def load(self, name: str, path: Path | None) -> "tuple[DescriptorInfo, nn.Module]":
        """Return a network from normalised (N, 3, S, S) to unit vectors (N, dimension)."""
        ...


def family(name: str) -> Family:
    """Find who knows this name; only `torchvision:` names import torchvision."""
    if name == BUNDLED:
        from twinlens_worker.models import pocket_file

        return cast("Family", pocket_file)
    if name.startswith(TORCHVISION):
        from twinlens_worker.models import backbones

        return cast("Family", backbones)
    raise UnknownModelError(
        f"{name}: no such model; use `{BUNDLED}` or `{TORCHVISION}NAME`, as in "
        f"`{TORCHVISION}resnet50`"
    )


def names() -> list[str]:
    """Every name that can be loaded, the bundled one first."""
    from twinlens_worker.models import backbones

    return [BUNDLED, *backbones.names()]
