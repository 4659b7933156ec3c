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


def in_bank(views: torch.Tensor, rows: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
    """The cost of finding rows in a bank whose twins it tells itself."""
    return losses.bank_contrast(views, rows, bank, losses.twins_of(rows, bank), 0.07)


def test_the_right_vector_must_win_over_the_whole_bank():
    """Its own row costs nothing, another row costs much."""
    bank, rows = torch.eye(8), torch.arange(8)
    assert in_bank(bank, rows, bank) < 1e-4
    assert in_bank(bank.roll(1, 0), rows, bank) > 5


def test_photos_that_the_teacher_calls_twins_are_not_pushed_apart():
    """A second shot of the same thing is not a wrong answer."""
    bank = torch.eye(8)
    bank[1] = normalize(bank[0] + 0.1 * bank[1], dim=0)
    assert in_bank(bank[:1], torch.tensor([0]), bank) < 1e-4
    assert (
        losses.bank_contrast(bank[:1], torch.tensor([0]), bank, torch.zeros(1, 8) > 0, 0.07) > 0.5
    )


def test_an_edited_view_must_win_over_what_the_network_remembers_of_other_photos():
    """Where the memory holds a view's own photo the cost is small, where another's it is large."""
    views, teacher, rows = unit(4, 8), torch.eye(8)[:4], torch.arange(4)
    for memory, low in ((views, True), (views.roll(1, 0), False)):
        banks = losses.Banks(teacher, memory, rows)
        _, parts = losses.total(views, views, rows, banks, losses.Weights())
        assert (parts["memory"] < 0.5) is low


def test_photos_of_one_class_are_drawn_together():
    """A view near its class costs less than one near another class; its own photo does not count."""
    memory, labels, rows = torch.eye(4), torch.tensor([0, 0, 1, 1]), torch.tensor([0])
    near, far, alone = memory[1:2], memory[2:3], torch.tensor([0, 2, 1, 1])
    costs = [float(losses.class_contrast(v, rows, memory, labels)) for v in (near, far)]
    assert costs[0] < 0.01
    assert costs[1] > 5
    assert losses.class_contrast(far, rows, memory, alone) == 0


def test_spread_is_cheaper_than_a_clump():
    """KoLeo falls as the nearest neighbour moves away."""
    spread = unit(16, 32)
    clump = normalize(spread * 0.1 + unit(1, 32), dim=1)
    assert losses.koleo(spread) < losses.koleo(clump)


def test_pictures_without_a_teacher_vector_leave_the_teacher_out():
    """Row -1 means none, and never the last row of the bank."""
    views, bank = unit(4, 8), unit(3, 8)
    banks = losses.Banks(bank, bank, torch.zeros(3))
    none = torch.full((4,), -1)
    _, parts = losses.total(views, views, none, banks, losses.Weights())
    assert set(parts) == {"views", "spread"}
    one = torch.tensor([-1, 2, -1, -1])
    _, parts = losses.total(views, views, one, banks, losses.Weights(regression=1.0))
    assert parts["regression"] == pytest.approx(1 - float(views[1] @ bank[2]), abs=1e-5)
