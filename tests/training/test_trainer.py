"""Training: it learns, it can be stopped at any checkpoint, it needs no photos."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from training.augment import Augmenter
from training.checkpoint import RunFolder
from training.photos import PhotoSet
from training.trainer import Material, Settings, Trainer, run

SMALL = Settings(steps=6, batch=16, side=64, small_side=32, warmup=2)
AUGMENTER = Augmenter(1, overlays=16, screens=8)


def train(material: Material, folder: Path, settings: Settings = SMALL) -> Trainer:
    """Run or go on with a training in a folder, as the command does."""
    trainer, place = Trainer(settings, material, AUGMENTER), RunFolder(folder)
    state = place.restore()
    if state:
        trainer.resume(state)
        place.rewind(trainer.step)
    run(trainer, place, every=3)
    return trainer


def same(first: Trainer, second: Trainer) -> bool:
    """Compare current and averaged weights bit by bit."""
    return all(
        torch.equal(one, two)
        for name in ("network", "averaged")
        for one, two in zip(
            getattr(first, name).state_dict().values(),
            getattr(second, name).state_dict().values(),
            strict=True,
        )
    )


class KilledError(Exception):
    """Stands for a kill -9 between two steps."""


def test_a_run_that_was_killed_ends_with_the_same_weights(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Killed after step 5, taken up from the checkpoint of step 3."""
    whole = train(material, tmp_path / "whole")
    advance = Trainer.advance

    def stumble(self: Trainer) -> dict[str, float]:
        if self.step == 5:
            raise KilledError
        return advance(self)

    monkeypatch.setattr(Trainer, "advance", stumble)
    with pytest.raises(KilledError):
        train(material, tmp_path / "broken")
    monkeypatch.setattr(Trainer, "advance", advance)
    resumed = train(material, tmp_path / "broken")
    assert resumed.step == 6
    assert same(whole, resumed)


def test_another_seed_gives_another_network(material: Material, tmp_path: Path):
    """The weights depend on the seed."""
    first = train(material, tmp_path / "1")
    second = train(material, tmp_path / "2", dataclasses.replace(SMALL, seed=2))
    assert not same(first, second)


def test_a_run_learns(material: Material):
    """Within a few dozen steps over few pictures the loss falls clearly."""
    settings = dataclasses.replace(SMALL, steps=200, small_side=64, learning_rate=1e-3)
    trainer = Trainer(settings, material, AUGMENTER)
    losses = [trainer.advance()["loss"] for _ in range(32)]
    assert sum(losses[-8:]) < 0.85 * sum(losses[:8])


def test_a_run_needs_no_photos(pictures: PhotoSet, tmp_path: Path):
    """Procedural pictures alone are enough; nothing of a teacher shows up in the loss."""
    trained, held_out = pictures.split()
    trainer = train(Material(None, trained, held_out, torch.zeros(0, 256)), tmp_path)
    assert trainer.step == SMALL.steps
    assert "contrast" not in trainer.advance()


def test_the_curve_has_one_line_for_each_figure_after_a_resume(material: Material, tmp_path: Path):
    """Lines after the checkpoint are dropped before they are written again."""
    train(material, tmp_path)
    RunFolder(tmp_path).log(step=7, loss=9.0)
    RunFolder(tmp_path).rewind(6)
    steps = [
        json.loads(line)["step"] for line in (tmp_path / "curve.jsonl").read_text().splitlines()
    ]
    assert steps == [3, 6, 6]


def test_the_rate_rises_stays_and_falls_to_nothing():
    """Level until the cooldown, so that a run can be made longer until then."""
    settings = Settings(steps=1000, warmup=100, cooldown_share=0.3, learning_rate=1.0)
    assert settings.rate(0) == pytest.approx(0.01)
    assert settings.rate(100) == settings.rate(700) == 1.0
    assert settings.rate(999) == pytest.approx(1 / 300)
