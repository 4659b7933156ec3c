"""The list of models: what each would cost, and which are here already."""

from dataclasses import dataclass
from typing import Final

import torchvision

from twinlens_worker.models import official, pocket_file
from twinlens_worker.models.registry import BUNDLED
from twinlens_worker.models.widths import WIDTHS

COSTS: Final = ((0.2, "tiny"), (1.0, "small"), (5.0, "medium"), (20.0, "large"))
"""GFLOPs (multiply-adds) of one photo up to which a network is called so; above, `huge`. One Zen 3
core does about 10 of them a second in eager mode: 0.1 s for `small` at its upper end."""


@dataclass(frozen=True)
class Listed:
    """A model that can be used."""

    name: str
    bundled: bool
    here: bool
    """Whether its weights are on this computer."""
    dimension: int | None
    """Numbers a photo, two bytes each in the catalogue; None where we have not looked."""
    input_size: int
    """Side in pixels of the square that photos are squashed to."""
    cost: str
    gflops: float | None
    """Multiply-adds of one photo, in 10^9, as torchvision gives them."""
    megabytes: float
    """Size of the weights."""
    labels: bool
    """Whether it names what is in a photo."""


def list_models() -> list[Listed]:
    """Return every model that can be used by its name alone, the bundled one first."""
    return [_bundled(), *(_classifier(name) for name in official.names())]


def _bundled() -> Listed:
    info = pocket_file.describe(BUNDLED, None)
    return Listed(
        name=BUNDLED,
        bundled=True,
        here=True,
        dimension=info.dimension,
        input_size=info.input_size,
        cost="tiny",
        gflops=None,
        megabytes=round(pocket_file.BUNDLED.stat().st_size / 1e6, 1),
        labels=False,
    )


def _classifier(name: str) -> Listed:
    weights = torchvision.models.get_model_weights(name.removeprefix(official.PREFIX)).DEFAULT
    gflops = weights.meta.get("_ops")
    return Listed(
        name=name,
        bundled=False,
        here=official.cached(weights).is_file(),
        dimension=WIDTHS.get(name.removeprefix(official.PREFIX)),
        input_size=int(weights.transforms().crop_size[0]),
        cost=_cost(gflops or 0.0),
        gflops=gflops,
        megabytes=round(weights.meta.get("_file_size", 0.0), 1),
        labels=True,
    )


def _cost(gflops: float) -> str:
    return next((word for most, word in COSTS if gflops <= most), "huge")
