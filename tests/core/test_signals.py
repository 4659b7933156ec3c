"""Signals that come at the worst moment."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator

import pytest

from twinlens.signals import set_from_handler


@pytest.fixture
def event() -> Iterator[threading.Event]:
    """An event that SIGUSR1 sets."""
    made = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda *_: set_from_handler(made))
    yield made
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.timeout(20)
def test_signal_while_the_event_is_locked(event: threading.Event):
    """A signal that interrupts ``Event.wait`` where it holds its lock does not hang the process."""
    with event._cond:  # type: ignore[attr-defined]  # as wait does
        signal.raise_signal(signal.SIGUSR1)
    assert event.wait(10)
