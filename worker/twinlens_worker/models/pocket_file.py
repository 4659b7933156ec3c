"""`pocket.safetensors`: the bundled weights, with all that goes with them in the file's header."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from twinlens_worker.models import weights
from twinlens_worker.models.errors import WeightsMismatchError
from twinlens_worker.models.info import DescriptorInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from twinlens_worker.models.pocket import PocketNet, PocketShape

BUNDLED: Final = Path(__file__).with_name("pocket.safetensors")
FORMAT: Final = "twinlens-pocket-2"
PART: Final = "part."
"""Before the names of tensors that are not the network's, see `pocket_parts`."""


@dataclass(frozen=True)
class PocketHeader:
    """What the file says about itself; stored as one JSON text under the key `twinlens`."""

    version: str
    dimension: int
    input_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    copy_threshold: float
    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    training_commit: str
    """The commit of this repository whose `worker/training` made the weights."""
    licence: str = "Apache-2.0"
    background: tuple[float, ...] = ()
    """Levels of its background, see `pocket_parts`; empty where the file brings no parts."""


def read_header(path: Path) -> PocketHeader:
    """Return the header of a pocket file; WeightsMismatchError if it is another kind of file."""
    metadata = weights.safetensors_metadata(path)
    if metadata.get("format") != FORMAT:
        raise WeightsMismatchError(
            f"{path}: not weights of pocket (no {FORMAT} header); name the model they belong to"
        )
    try:
        fields: dict[str, Any] = json.loads(metadata["twinlens"])
        for key, value in fields.items():
            fields[key] = tuple(value) if isinstance(value, list) else value
        return PocketHeader(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsMismatchError(
            f"{path}: a pocket file of another version of twinlens ({error}); update twinlens"
        ) from error


def write(
    path: Path,
    network: "PocketNet",
    header: PocketHeader,
    parts: "Mapping[str, Tensor] | None" = None,
) -> None:
    """Write a folded network as f16: half the bytes, and cosines that differ by less than 0.001.

    ``parts`` are the tensors of `pocket_parts`, written as they are.
    """
    from dataclasses import asdict

    from safetensors.torch import save_file

    state = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    state |= parts or {}
    metadata = {"format": FORMAT, "twinlens": json.dumps(asdict(header), sort_keys=True)}
    temporary = path.with_suffix(".tmp")
    save_file(state, temporary, metadata)
    temporary.chmod(0o644)  # safetensors leaves it to its writer alone; a wheel keeps the mode
    temporary.replace(path)


def describe(_name: str, path: Path | None) -> DescriptorInfo:
    """Describe the bundled weights, or others of the same layout, without loading torch."""
    path = path or BUNDLED
    header = read_header(path)
    return DescriptorInfo(
        name="pocket",
        digest=weights.digest(path),
        dimension=header.dimension,
        input_size=header.input_size,
        copy_threshold=header.copy_threshold,
        mean=header.mean,
        std=header.std,
        licence=header.licence,
        notes=f"version {header.version}, bundled, see docs/model-card.md",
    )


def load(name: str, path: Path | None) -> "tuple[DescriptorInfo, nn.Module]":
    """Load the bundled weights, or others of the same layout."""
    from twinlens_worker.models.pocket import PocketNet

    path = path or BUNDLED
    state = {
        key: tensor for key, tensor in weights.read_state(path).items() if not key.startswith(PART)
    }
    header = read_header(path)
    network = PocketNet(shape_of(header), folded=True)
    weights.load_into(network, state, path, name)
    return describe(name, path), network


def shape_of(header: PocketHeader) -> "PocketShape":
    """Return the network layout that a header asks for."""
    from twinlens_worker.models.pocket import PocketShape

    return PocketShape(header.channels, header.blocks, header.dimension)
