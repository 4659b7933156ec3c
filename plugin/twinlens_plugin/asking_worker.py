"""Short questions to the worker's program, which alone knows the models."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from twinlens_plugin.children import python_module
from twinlens_plugin.errors import ChildError


def known_models() -> list[dict[str, Any]]:
    """Return what the worker says of each model it can load."""
    return [json.loads(line) for line in _ask("models").splitlines() if line.strip()]


def describe_model(name: str, weights: str | None) -> dict[str, Any]:
    """Return name, digest, dimension, input_size and copy_threshold of a model.

    Raises ChildError where it cannot be loaded.
    """
    more = ["--weights", weights] if weights else []
    answer: dict[str, Any] = json.loads(_ask("describe", *more, "--", name))
    return answer


def _ask(*arguments: str) -> str:
    done = subprocess.run(
        python_module("twinlens_worker", *arguments),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        check=False,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise ChildError(
            lines[-1].removeprefix("twinlens-worker: ") if lines else "the worker gave no answer"
        )
    return done.stdout
