"""Who takes part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.quality import methods, own, peers
from benchmarks.quality.methods import Method
from benchmarks.quality.own import Own
from benchmarks.quality.peers import Peer
from twinlens_worker.models import registry
from twinlens_worker.models.descriptor import describe

TEACHER: Final = Path("teacher", "mobilenet_v2_imagenet.safetensors")
WHOLE: Final = ", whole pictures"
MOBILENET: Final = "torchvision:mobilenet_v2"


@dataclass(frozen=True, slots=True)
class Model:
    """A model as the command line names it: `NAME` or `NAME=WEIGHTS`."""

    name: str
    weights: Path | None = None

    @classmethod
    def parse(cls, text: str) -> Model:
        """Read `pocket` or `pocket=runs/a/pocket.safetensors`."""
        name, _, weights = text.partition("=")
        return cls(name, Path(weights) if weights else None)

    @property
    def label(self) -> str:
        """What the tables call it."""
        name = "MobileNetV2 (ImageNet, GeM)" if self.name == MOBILENET else self.name
        if self.weights is None or self.weights.name == TEACHER.name:
            return name
        return f"{name} ({self.weights.parent.name}/{self.weights.name})"


@dataclass(frozen=True, slots=True)
class Lineup:
    """Peers, each described once, and the methods that compare their vectors."""

    peers: tuple[Peer, ...]
    methods: tuple[Method, ...]
    reranked: tuple[Method, ...] = ()
    """Those of whose answers the best are compared, as `twinlens similar` does."""


def of_models(models: Sequence[Model]) -> Lineup:
    """Return the rows of each model. Raises ModelError where one is unusable."""
    found: list[Peer] = []
    ways: list[Method] = []
    used: list[Method] = []
    for model in models:
        peer = peers.network(f"{model.label}{WHOLE}", model.name, model.weights)
        both, turns = peers.with_inner(model.label, peer), peers.turned(peer)
        found += [both, peer, turns]
        rows = own.rows(_own(model), peer, both, turns)
        ways += [*rows, methods.with_whitening(peer)]
        used.append(rows[0])
    return Lineup(tuple(found), tuple(ways), tuple(used))


def _own(model: Model) -> Own:
    info = describe(model.name, weights=model.weights)
    return Own.of(info.copy_threshold, info.dimension, registry.parts(model.name, model.weights))


def of_everyone(data: Path) -> Lineup:
    """Return the bundled model in every way, the pretrained MobileNetV2, and what others use."""
    ours = of_models([Model("pocket")])
    pretrained = Model(MOBILENET, data / TEACHER)
    teacher = peers.network(pretrained.label, pretrained.name, pretrained.weights)
    known = _own(pretrained)
    others = (peers.RANDOM, *peers.HASHES, peers.THUMBNAIL)
    return Lineup(
        (*ours.peers, teacher, *others),
        (
            *ours.methods,
            methods.plain(teacher),
            methods.with_whitening(teacher),
            known.method(teacher, known.tuned, f"{teacher.name}, tuned"),
            *(methods.plain(Peer(peer.name, peer.make)) for peer in others),
        ),
        ours.reranked,
    )
