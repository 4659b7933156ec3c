"""Linear algebra takes one thread while pictures are compared, and all again afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from twinlens_worker.one_thread import one_thread


def blas_threads() -> int:
    """Return how many threads the linear algebra of this process may take."""
    assert np.__version__  # its library is loaded
    found = [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]
    return max(found, default=1)


pytestmark = pytest.mark.skipif(blas_threads() == 1, reason="it has one thread here anyway")


def test_the_last_who_wanted_it_gives_the_threads_back():
    """Two that overlap, the first of them done first."""
    before = blas_threads()
    first, second = one_thread(), one_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert blas_threads() == 1
    second.__exit__(None, None, None)
    assert blas_threads() == before


def test_who_limits_within_it_puts_back_one_thread():
    """Of a library that is called: whatever that puts back, all threads come back at the end."""
    before = blas_threads()
    with one_thread(), threadpool_limits(limits=1, user_api="blas"):
        assert blas_threads() == 1
    assert blas_threads() == before
