"""Patience with a full disk: wait and try again, rather than lose what was computed."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from threading import Event
from typing import TypeVar

log = logging.getLogger("twinlens.worker")

PAUSE_SECONDS = 2.0

T = TypeVar("T")


def patiently(action: Callable[[], T], stop: Event) -> T | None:
    """Return what ``action`` gives, trying again while the disk is full; None once stopped.

    Other errors of SQLite are raised.
    """
    told = False
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            if not is_full(error):
                raise
            if not told:
                log.warning(
                    "the catalogue cannot be written: %s: waiting until it can. Is its disk full?",
                    error,
                )
                told = True
        if stop.wait(PAUSE_SECONDS):
            return None


def is_full(error: sqlite3.OperationalError) -> bool:
    """Tell whether an error means that the disk is full."""
    # An I/O error is what a full disk gives where SQLite cannot grow its shared memory file.
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
