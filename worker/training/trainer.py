"""One training run: batches, steps, the running average of the weights, and validation.

What a step sees depends only on the seed and the step's number, so a run that was stopped and
taken up again ends with the same weights as one that was not.
"""

import copy
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training import geometry, losses, warm
from training.augment import Augmenter
from training.checkpoint import RunFolder
from training.draw import Draw
from training.photos import PhotoSet
from twinlens_worker import measures
from twinlens_worker.models.pocket import PocketNet, fresh_network

MEAN: Final = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD: Final = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
EMBED_BATCH: Final = 128
FITTED: Final = 3000
"""Photos, two views each, that the last layer is fitted to at a warm start."""
LAST: Final = losses.Weights(views=1.5, memory=1.5, classes=0.06, regression=2.0)
SETTLED: Final = 512
"""Of these views, how many the normalisations take their statistics from."""


@dataclass(frozen=True)
class Settings:
    """What decides the result, besides the pictures."""

    seed: int = 1
    steps: int = 1800
    batch: int = 128
    side: int = 128
    small_side: int = 96
    """Side of the views in the first `small_share` of the steps, which cost half as much.

    Objects look larger in cut views than in whole photos, so that a network trained on smaller
    views fits larger photos (Touvron et al., 2019); a few steps at full size do the rest.
    """
    small_share: float = 0.85
    hard_share: float = 0.56
    """The views are of `geometry.LATER` from this share of the steps on."""
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    warmup: int = 100
    cooldown_share: float = 0.3
    """The rate stays level, then falls to 0 in this last share: `steps` may change until then."""
    average: float = 0.998
    procedural_share: float = 0.12
    weights: losses.Weights = field(default_factory=losses.Weights)
    last_weights: losses.Weights = field(default_factory=lambda: LAST)
    """Of the parts of the loss while the rate falls: photos of one class may part again. With
    classes at full weight 93 % of the wrong answers above cosine 0.8 were of the right class."""

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        rising = (step + 1) / self.warmup
        falling = (self.steps - step) / (self.cooldown_share * self.steps)
        return self.learning_rate * min(1.0, rising, falling)

    def weighted(self, step: int) -> losses.Weights:
        """Weights of the parts of the loss of a step."""
        level = step < (1 - self.cooldown_share) * self.steps
        return self.weights if level else self.last_weights

    def view_side(self, step: int) -> int:
        """Side of the views of a step."""
        return self.small_side if step < self.small_share * self.steps else self.side

    def level(self, step: int) -> geometry.Difficulty:
        """How hard the views of a step are."""
        return geometry.FIRST if step < self.hard_share * self.steps else geometry.LATER


@dataclass(frozen=True)
class Material:
    """The pictures; row i of `bank` is the teacher's whitened vector of row i of `photos`."""

    photos: PhotoSet | None
    procedural: PhotoSet
    held_out: PhotoSet
    bank: Tensor


class Trainer:
    """A network on its way, with everything that must be kept to go on."""

    def __init__(
        self,
        settings: Settings,
        material: Material,
        augmenter: Augmenter | None = None,
        start: Path | None = None,
    ) -> None:
        """Begin with random weights, or with those of the pocket file ``start``."""
        self.settings = settings
        self.step = 0
        # channels_last: forward and backward take 1.9 instead of 2.7 s a batch on two Zen 3 cores.
        self.network = fresh_network(settings.seed).to(memory_format=torch.channels_last)
        self._material = material
        self._augmenter = augmenter or Augmenter(settings.seed)
        if start:
            self._start_from(start)
        self.averaged = copy.deepcopy(self.network).eval()
        self._memory = self._remember()
        self._labels = material.photos.classes() if material.photos else torch.zeros(0)
        self._optimiser = torch.optim.AdamW(
            self.network.parameters(), weight_decay=settings.weight_decay, betas=(0.9, 0.98)
        )

    def state(self) -> dict[str, Any]:
        """Everything that a later process needs."""
        return {
            "step": self.step,
            "settings": asdict(self.settings),
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "memory": self._memory,
            "optimiser": self._optimiser.state_dict(),
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from a state; the settings are the caller's, so that `steps` can be moved."""
        self.step = state["step"]
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self._memory.copy_(state["memory"])
        self._optimiser.load_state_dict(state["optimiser"])

    def advance(self) -> dict[str, float]:
        """Take one step; return the parts of the loss."""
        draw = Draw(self.settings.seed, self.step)
        side = self.settings.view_side(self.step)
        pixels, aspects, rows = self._batch(draw)
        clean = self._augmenter.mild(draw, pixels, side)
        level = self.settings.level(self.step)
        edited = self._augmenter.strong(draw, pixels, aspects, side, level)
        self.network.train()
        near, far = self.network(normalised(torch.cat([clean, edited]))).chunk(2)
        banks = losses.Banks(self._material.bank, self._memory, self._labels)
        loss, parts = losses.total(near, far, rows, banks, self.settings.weighted(self.step))
        self._descend(loss)
        self._memory[rows[rows >= 0]] = near.detach()[rows >= 0]
        self._follow()
        self.step += 1
        return {"loss": float(loss.detach()), **parts}

    def validate(self) -> dict[str, float]:
        """Search the strong views of the held-out photos among themselves."""
        held = self._material.held_out
        draw = Draw(self.settings.seed, 2**40)
        edited = self._augmenter.strong(draw, held.pixels, held.aspects, self.settings.side)
        clean = clean_views(held.pixels, self.settings.side)
        similarity = (embed(self.averaged, edited) @ embed(self.averaged, clean).T).numpy()
        truth = np.arange(len(held))
        ranking = measures.rank(similarity, truth)
        return {
            "recall_at_1": measures.recall_at_1(similarity, truth),
            "micro_ap": measures.micro_average_precision(ranking),
            "recall_at_99": measures.recall_at_precision(ranking, 0.99),
        }

    def _start_from(self, file: Path) -> None:
        """Take up the weights that ship; fit their last layer to the teacher, where there is one."""
        draw = Draw(self.settings.seed, 2**40 + 1)
        photos = self._material.photos
        pictures = photos or self._material.procedural
        side = self.settings.small_side
        rows = draw.some(FITTED, len(pictures))
        pixels = pictures.pixels[rows]
        edited = self._augmenter.strong(draw, pixels, pictures.aspects[rows], side)
        both = normalised(torch.cat([self._augmenter.mild(draw, pixels, side), edited]))
        warm.start_from(self.network, file, both[:: max(1, len(both) // SETTLED)])
        if photos:
            warm.fit_head(self.network, both, self._material.bank[rows].repeat(2, 1))

    def _remember(self) -> Tensor:
        """What the network makes of every training photo as it begins."""
        photos = self._material.photos
        if photos is None:
            return torch.zeros(0, self.network.shape.dimension)
        self.network.eval()
        parts = torch.split(photos.pixels, EMBED_BATCH)
        side = self.settings.small_side
        seen = [embed(self.network, clean_views(part, side)) for part in parts]
        return torch.cat(seen).clone()  # outside inference mode: rows are replaced later

    def _batch(self, draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
        """Return pixels, aspects and rows of the bank (-1 for procedural pictures)."""
        photos, procedural = self._material.photos, self._material.procedural
        size = self.settings.batch
        invented = size if photos is None else round(size * self.settings.procedural_share)
        chosen = draw.some(invented, len(procedural))
        pixels, aspects = procedural.pixels[chosen], procedural.aspects[chosen]
        rows = torch.full((invented,), -1)
        if photos is None:
            return pixels, aspects, rows
        real = draw.some(size - invented, len(photos))
        return (
            torch.cat([photos.pixels[real], pixels]),
            torch.cat([photos.aspects[real], aspects]),
            torch.cat([real, rows]),
        )

    def _descend(self, loss: Tensor) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = self.settings.rate(self.step)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self._optimiser.step()

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the averaged weights, which are what is shipped, towards the current ones."""
        keep = min(self.settings.average, (1 + self.step) / (10 + self.step))
        current = self.network.state_dict()
        for name, value in self.averaged.state_dict().items():
            if value.is_floating_point():
                value.lerp_(current[name], 1 - keep)


def run(trainer: Trainer, folder: RunFolder, *, every: int) -> None:
    """Train to the end of the settings; save and validate every few steps."""
    started, done = time.monotonic(), trainer.step
    while trainer.step < trainer.settings.steps:
        parts = trainer.advance()
        last = trainer.step == trainer.settings.steps
        if trainer.step % 20 == 0 or last:
            pace = (time.monotonic() - started) / (trainer.step - done)
            folder.log(step=trainer.step, seconds_per_step=round(pace, 3), **parts)
        if trainer.step % every == 0 or last:
            folder.log(step=trainer.step, **trainer.validate())
            folder.save(trainer.state())


def normalised(views: Tensor) -> Tensor:
    """Bring views in 0..1 to what the network expects."""
    return ((views - MEAN) / STD).contiguous(memory_format=torch.channels_last)


def clean_views(pixels: Tensor, side: int) -> Tensor:
    """Scale stored photos, u8, to whole views in 0..1."""
    scaled = pixels.float() / 255
    return F.interpolate(scaled, (side, side), mode="bilinear", align_corners=False, antialias=True)


@torch.inference_mode()
def embed(network: PocketNet, views: Tensor) -> Tensor:
    """Embed views in 0..1 with a network in eval mode."""
    return torch.cat([network(normalised(part)) for part in torch.split(views, EMBED_BATCH)])
