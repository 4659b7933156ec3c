"""What is said of a catalogue that cannot be written."""

from __future__ import annotations

import sqlite3
from threading import Event

import pytest

from twinlens_worker.patience import patiently


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_FSYNC])
def test_cause_is_said_once(code: int, caplog: pytest.LogCaptureFixture) -> None:
    """A failing disk looks like a full one to us: SQLite's own words tell them apart."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code

    def action() -> None:
        raise error

    stop = Event()
    stop.set()
    assert patiently(action, stop) is None
    assert ["disk I/O error" in message for message in caplog.messages] == [True]
