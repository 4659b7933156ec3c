"""From a descriptor's name to the code that loads it."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, cast

from twinlens_worker.models import weights as weight_files
from twinlens_worker.models.errors import UnknownModelError
from twinlens_worker.models.info import DescriptorInfo

if TYPE_CHECKING:
    from torch import nn

BUNDLED: Final = "pocket"
TORCHVISION: Final = "torchvision:"
TORCHSCRIPT: Final = "torchscript:"


class Family(Protocol):
    """A module that knows a group of descriptors; `path` None means their own weights."""

    def describe(self, name: str, path: Path | None) -> DescriptorInfo:
        """Describe a descriptor without fetching anything."""
        ...

    def load(self, name: str, path: Path | None) -> "tuple[DescriptorInfo, nn.Module]":
        """Return a network from normalised (N, 3, S, S) to unit vectors (N, dimension).

        Where its info has categories, it also has `classify`, which gives these vectors and the
        logits of its classification head (N, categories) in one pass.
        """
        ...


def family(name: str, trusted: Collection[str] = ()) -> Family:
    """Find who knows this name; only `torchvision:` names import torchvision.

    `trusted` are the sha256 of the TorchScript programs that may run here.
    """
    if name == BUNDLED:
        from twinlens_worker.models import pocket_file

        return cast("Family", pocket_file)
    if name.startswith(TORCHVISION):
        from twinlens_worker.models import backbones

        return cast("Family", backbones)
    if name.startswith(TORCHSCRIPT):
        from twinlens_worker.models.torchscript import TorchScript

        return TorchScript(frozenset(trusted))
    raise UnknownModelError(
        f"{name}: no such model; use `{BUNDLED}` or `{TORCHVISION}NAME`, as in "
        f"`{TORCHVISION}resnet50`"
    )


def weights_digest(name: str, path: Path | None) -> str:
    """Return the sha256 of a descriptor's weights, without loading or running them.

    Raises WeightsMissingError, also where official weights are not here yet.
    """
    if path is not None:
        return weight_files.digest(path)
    if name.startswith(TORCHVISION):
        from twinlens_worker.models import official

        return official.digest(name)
    return family(name).describe(name, None).digest


def parts(name: str, path: Path | None) -> dict[str, bytes]:
    """Return what a descriptor brings along for searching, stored as `twinlens.parts` keeps it.

    Raises ModelError where its weights cannot be read.
    """
    if name != BUNDLED:
        return {}
    from twinlens_worker.models import pocket_parts

    return pocket_parts.stored(path)
