"""Linear algebra on one thread, while pictures are compared.

A product of 250 features takes no time; OpenBLAS's other threads, which wait for the next one at full CPU,
take 0.2 s of the 0.35 s that ten comparisons cost. The number of threads is the whole process's, and who
limits it puts back what was there: two that overlap would put back the limit of the other. So they share
this one.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from typing import Any

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()  # guards the two below
_users = 0
_limit: Any = None


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Have linear algebra take one thread, until the last of those who wanted that is done."""
    global _users, _limit  # noqa: PLW0603  it is the process's, as the threads are
    with _lock:
        if _users == 0:
            _limit = _libraries().limit(limits=1, user_api="blas")
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limit.restore_original_limits()


@functools.cache
def _libraries() -> ThreadpoolController:
    """Look once, 2.4 ms, for what is loaded: whoever compares has imported numpy and OpenCV by then."""
    return ThreadpoolController()
