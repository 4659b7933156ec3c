"""The worker's command line."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("words", [["--queues", "embed"], ["ping"]])
def test_celery_that_is_not_installed(words: list[str]):
    """It is optional; who asks for it hears what to install."""
    program = (
        "import sys; sys.modules['celery'] = None; from twinlens_worker.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        "twinlens-worker: Celery is not installed. Run: pip install 'twinlens[redis]'\n"
    )
