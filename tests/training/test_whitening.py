"""Whitening, in theory and within the network's last layer."""

import pytest
import torch

from training import whitening
from training.photos import PhotoSet
from training.trainer import clean_views, embed, normalised
from twinlens_worker.models.pocket import fresh_network


def skewed() -> torch.Tensor:
    """Vectors with a mean, and axes of very different variance."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(500, 4, generator=generator) * torch.tensor([10.0, 3.0, 1.0, 0.1]) + 5


@pytest.mark.parametrize(("power", "largest"), [(0.0, 100.0), (0.5, 10.0), (1.0, 1.0)])
def test_the_power_says_how_far_the_axes_are_evened_out(power: float, largest: float):
    """The ratio of largest to smallest deviation goes from 100 over 10 to 1."""
    found = whitening.fit(skewed(), 4, power)
    deviation = ((skewed() - found.centre) @ found.projection).std(dim=0)
    assert float(deviation.max() / deviation.min()) == pytest.approx(largest, rel=0.2)


def test_too_few_photos_are_refused():
    """Rather than axes that nothing was seen along being blown up."""
    with pytest.raises(ValueError, match="needs as many photos, not 3"):
        whitening.fit(skewed()[:3], 4)


def test_folding_it_in_is_the_same_as_applying_it():
    """One layer does the work of two."""
    network = fresh_network(seed=1).eval()
    pixels = torch.randint(256, (280, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    pictures = PhotoSet(pixels.byte(), torch.ones(280), ("",) * 280)
    views = clean_views(pictures.pixels, 32)
    with torch.no_grad():
        raw = network.project(normalised(views))
    expected = whitening.fit(raw, raw.shape[1], 0.5).apply(raw)
    whitening.fold_into(network, pictures, 32, 0.5)
    assert torch.allclose(embed(network, views), expected, atol=1e-3)
