"""Pictures that need no data folder."""

import pytest
import torch

from training import procedural
from training.photos import PhotoSet
from training.trainer import Material


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Threads that wait for each other over tiny pictures take ten times as long."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pictures() -> PhotoSet:
    """Forty-eight invented pictures."""
    return procedural.generate(48, seed=3)


@pytest.fixture(scope="session")
def material(pictures: PhotoSet) -> Material:
    """What a training run needs, with a made-up teacher for the first forty pictures."""
    photos, rest = pictures.take(list(range(40))), pictures.take(list(range(40, 48)))
    generator = torch.Generator().manual_seed(5)
    bank = torch.nn.functional.normalize(torch.randn(40, 256, generator=generator), dim=1)
    return Material(photos=photos, procedural=rest, held_out=rest, bank=bank)
