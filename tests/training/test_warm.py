"""A run that begins with weights that ship sees, at its first step, the network of the file."""

from pathlib import Path

import pytest
import torch
from torch.nn.functional import cosine_similarity, normalize

from training import warm
from training.trainer import Material, Settings, Trainer, clean_views, normalised
from twinlens_worker.models import pocket_file
from twinlens_worker.models.pocket import PocketNet, PocketShape, fresh_network


@pytest.fixture(scope="module")
def views(material: Material) -> torch.Tensor:
    """Forty normalised pictures."""
    assert material.photos is not None
    return normalised(clean_views(material.photos.pixels, 96))


def test_a_deeper_network_starts_as_the_one_of_the_file(views: torch.Tensor):
    """In training mode as well, on the batch that its normalisations were settled with."""
    shape = PocketShape(blocks=(1, 3, 3, 2))
    network = fresh_network(1, shape)
    warm.start_from(network, pocket_file.BUNDLED, views)
    _, shipped = pocket_file.load("pocket", None)
    assert isinstance(shipped, PocketNet)
    assert sum(shipped.shape.blocks) < sum(shape.blocks)
    with torch.inference_mode():
        expected = shipped.eval()(views)
        assert cosine_similarity(network.eval()(views), expected).min() > 0.999
        assert cosine_similarity(network.train()(views), expected).min() > 0.999


def test_the_last_layer_is_fitted_to_the_teacher(views: torch.Tensor):
    """A linear function of the features is found again."""
    network = fresh_network(1, PocketShape(channels=(16, 16, 16, 16)))
    with torch.inference_mode():
        features = network.eval().pool(views)
    mixing = torch.randn(256, 32, generator=torch.Generator().manual_seed(2))
    targets = normalize((features - features.mean(0)) @ mixing.T, dim=1)
    warm.fit_head(network, views, targets)
    with torch.inference_mode():
        assert cosine_similarity(network(views), targets).mean() > 0.9


def test_a_run_from_a_file_begins_ahead_of_a_fresh_one(material: Material):
    """The views of a photo are nearer to one another than random weights put them."""
    settings = Settings(steps=2, batch=16, side=64, small_side=64)
    started = Trainer(settings, material, start=pocket_file.BUNDLED).advance()
    assert started["views"] < Trainer(settings, material).advance()["views"]


def test_a_file_of_another_kind_is_refused(material: Material, tmp_path: Path):
    """By the line that names the file, not by a missing key somewhere in the middle."""
    file = tmp_path / "other.safetensors"
    file.write_bytes(b"not weights")
    with pytest.raises(pocket_file.weights.WeightsDamagedError, match=r"other\.safetensors"):
        Trainer(Settings(steps=2, batch=16), material, start=file)
