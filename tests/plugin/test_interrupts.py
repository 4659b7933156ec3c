"""Ctrl-C at the worst moment."""

from __future__ import annotations

import signal

import pytest

from twinlens_plugin.interrupts import Interrupt


@pytest.mark.timeout(20)
def test_signal_that_comes_within_the_wait():
    """A Ctrl-C that interrupts the loop where its wait holds a lock ends the loop, not the process."""
    with Interrupt() as interrupt:
        with interrupt._came._cond:  # type: ignore[attr-defined]  # as wait does
            signal.raise_signal(signal.SIGINT)
        assert interrupt.wait(10)
        assert interrupt.exit_code == 130
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
