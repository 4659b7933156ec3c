"""Faults on demand, for tests of real processes: what a poison photo does to its decoder.

``TWINLENS_DECODE_FAILPOINT`` holds ``ACTION:WORD`` pairs, separated by commas; a photo whose file
name contains WORD meets ACTION after its bytes were read. Unset, which is always but in tests,
this costs one look at a tuple.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping

VARIABLE = "TWINLENS_DECODE_FAILPOINT"


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang() -> None:
    time.sleep(3600)


def _fail() -> None:
    raise ZeroDivisionError("failpoint")


_ACTIONS: dict[str, Callable[[], None]] = {"crash": _crash, "hang": _hang, "fail": _fail}


class Failpoints:
    """The faults that this process was asked to commit."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        pairs = (pair.partition(":") for pair in environ.get(VARIABLE, "").split(",") if pair)
        self._armed = tuple((_ACTIONS[action], os.fsencode(word)) for action, _, word in pairs)

    def reached(self, path: bytes) -> None:
        """Commit the fault that is set for this photo, if any."""
        for action, word in self._armed:
            if word in os.path.basename(path):  # noqa: PTH119  a path of bytes
                action()
