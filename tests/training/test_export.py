"""From a training run to the file that ships, and the threshold in it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from training import calibrate, export, whitening
from training.augment import Augmenter
from training.trainer import Material, Settings, Trainer, clean_views, embed
from twinlens_worker.models.descriptor import load
from twinlens_worker.models.pocket_file import read_header


def test_the_tail_of_unlike_photos_is_continued_as_it_falls():
    """Where z is exponential beyond its quantile, the wanted rate is met within a little."""
    rng = np.random.default_rng(1)
    scores = np.tanh(rng.exponential(0.1, 300_000)).astype(np.float32)
    found = calibrate.tail_threshold(scores, 1e-5)
    assert np.arctanh(found) == pytest.approx(0.1 * np.log(1e5), rel=0.1)


def test_a_lower_rate_asks_for_more_similarity():
    """And the threshold never leaves what a cosine can be."""
    scores = np.random.default_rng(2).normal(0.2, 0.15, 100_000).astype(np.float32)
    thresholds = [calibrate.tail_threshold(scores, rate) for rate in (1e-4, 1e-6, 1e-8)]
    assert thresholds == sorted(thresholds)
    assert thresholds[-1] < 1


def test_an_exported_run_is_a_descriptor(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The file gives the averaged network's vectors, and its header tells where it comes from."""
    monkeypatch.setattr(export, "PROCEDURAL", 60)
    monkeypatch.setattr(whitening, "fold_into", lambda *_args: None)  # has a test of its own
    trainer = Trainer(Settings(steps=2, batch=16), material, Augmenter(1, overlays=8, screens=4))
    trainer.advance()
    out = tmp_path / "pocket.safetensors"
    export.export(trainer.state(), None, out)
    descriptor = load("pocket", weights=out, device="cpu")
    header = read_header(out)
    assert descriptor.info.copy_threshold == header.copy_threshold
    assert len(header.training_commit) == 40
    assert header.input_size == export.INPUT_SIZE
    views = clean_views(material.held_out.pixels, header.input_size)
    images = (views * 255).round().byte().permute(0, 2, 3, 1).numpy()
    expected = embed(trainer.averaged, torch.from_numpy(images).permute(0, 3, 1, 2) / 255).numpy()
    assert (descriptor.embed(images) * expected).sum(1).min() > 0.999
