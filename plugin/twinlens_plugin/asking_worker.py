"""Short questions to the worker's program, which alone knows the models."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from twinlens_plugin.children import python_module
from twinlens_plugin.errors import ChildError


def known_models() -> list[dict[str, Any]]:
    """Return what the worker says of each model it can load."""
    return [json.loads(line) for line in _ask("models").splitlines() if line.strip()]


def describe_model(name: str, weights: str | None, trust: str | None = None) -> dict[str, Any]:
    """Return what the worker says of a model once it has loaded it, downloaded where need be.

    That is name, digest, dimension, input_size, copy_threshold, the number of its categories and
    whether they are named. On a terminal the progress of a download is shown there. ``trust`` is
    the sha256 of a TorchScript program that may run. Raises ChildError where it cannot be loaded.
    """
    options = [("--weights", weights), ("--trust", trust)]
    more = [word for option, value in options if value for word in (option, value)]
    done = _run("describe", *more, "--", name, to_terminal=sys.stderr.isatty())
    answer = _object(done.stdout)
    if "error" in answer:
        raise ChildError(str(answer["error"]))
    if done.returncode != 0 or "digest" not in answer:
        raise ChildError(_last_words(done))
    return answer


def _ask(*arguments: str) -> str:
    done = _run(*arguments)
    if done.returncode != 0:
        raise ChildError(_last_words(done))
    return done.stdout


def _run(*arguments: str, to_terminal: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        python_module("twinlens_worker", *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=None if to_terminal else subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        check=False,
    )


def _object(text: str) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _last_words(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or "").strip().splitlines()
    return lines[-1].removeprefix("twinlens-worker: ") if lines else "the worker gave no answer"
