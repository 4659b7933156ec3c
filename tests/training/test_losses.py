"""The parts of the loss, on cases small enough to see through."""

import pytest
import torch
from torch.nn.functional import normalize

from training import losses


def unit(*shape: int) -> torch.Tensor:
    """Unit vectors, always the same."""
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(1)), dim=-1)


def test_views_of_one_photo_that_agree_cost_less():
    """The loss is near zero where partners are equal and all others are orthogonal."""
    basis = torch.eye(8)
    assert losses.info_nce(basis, basis) < 1e-3
    assert losses.info_nce(basis, basis.roll(1, 0)) > 5


def test_the_right_teacher_vector_must_win_over_the_whole_bank():
    """Its own row costs nothing, another row costs much."""
    bank, rows = torch.eye(8), torch.arange(8)
    assert losses.teacher_contrast(bank, rows, bank) < 1e-4
    assert losses.teacher_contrast(bank.roll(1, 0), rows, bank) > 5


def test_photos_that_the_teacher_calls_twins_are_not_pushed_apart():
    """A second shot of the same thing is not a wrong answer."""
    bank = torch.eye(8)
    bank[1] = normalize(bank[0] + 0.1 * bank[1], dim=0)
    cost = losses.teacher_contrast(bank[:1], torch.tensor([0]), bank)
    assert cost < 1e-4


def test_spread_is_cheaper_than_a_clump():
    """KoLeo falls as the nearest neighbour moves away."""
    spread = unit(16, 32)
    clump = normalize(spread * 0.1 + unit(1, 32), dim=1)
    assert losses.koleo(spread) < losses.koleo(clump)


def test_pictures_without_a_teacher_vector_leave_the_teacher_out():
    """Row -1 means none, and never the last row of the bank."""
    views, bank = unit(4, 8), unit(3, 8)
    none = torch.full((4,), -1)
    _, parts = losses.total(views, views, none, bank, losses.Weights())
    assert set(parts) == {"views", "spread"}
    one = torch.tensor([-1, 2, -1, -1])
    _, parts = losses.total(views, views, one, bank, losses.Weights(regression=1.0))
    assert parts["regression"] == pytest.approx(1 - float(views[1] @ bank[2]), abs=1e-5)
