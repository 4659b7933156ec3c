"""The rule that tells deleted photos from a disk that went away."""

from __future__ import annotations

import pytest

from twinlens_watcher.losses import WINDOW_SECONDS, Losses


@pytest.mark.parametrize(
    ("lost", "live", "too_many"),
    [(50, 50, False), (51, 51, True), (51, 1000, False), (200, 1000, False), (201, 1000, True)],
)
def test_too_many_is_more_than_a_fifth_and_more_than_fifty(
    lost: int, live: int, too_many: bool
) -> None:
    """Both limits must be passed."""
    assert Losses().too_many(lost, live=lambda: live, now=0) is too_many


def test_losses_in_small_portions_add_up() -> None:
    """``rm -r`` of a whole disk shows as many small batches."""
    losses = Losses()
    live = [1000]
    for second in range(20):
        assert not losses.too_many(10, live=lambda: live[0], now=second)
        losses.note(10, now=second)
        live[0] -= 10
    assert losses.too_many(10, live=lambda: live[0], now=20)


def test_old_losses_are_forgiven() -> None:
    """Deleting some every minute is a photographer at work."""
    losses = Losses()
    losses.note(190, now=0)
    assert losses.too_many(40, live=lambda: 810, now=1)
    assert not losses.too_many(40, live=lambda: 810, now=WINDOW_SECONDS + 1)
