"""Log lines of the long-running processes: to standard error, one line each."""

from __future__ import annotations

import logging
import sys


def start_logging(*, verbose: bool = False) -> None:
    """Send log lines to standard error."""
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        datefmt="%H:%M:%S",
    )
    for noisy in ("PIL", "watchdog", "kombu", "amqp", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
