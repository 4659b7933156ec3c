"""A training run's state on disk: enough to go on as if it had never stopped."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class RunFolder:
    """`checkpoint.pt`, `curve.jsonl` and the cached teacher vectors of one run."""

    path: Path

    def save(self, state: dict[str, Any]) -> None:
        """Replace the checkpoint at once, so that a kill leaves the old or the new one."""
        temporary = self.path / "checkpoint.tmp"
        torch.save(state, temporary)
        temporary.replace(self.path / "checkpoint.pt")

    def restore(self) -> dict[str, Any] | None:
        """Return the last state, or None in a new folder."""
        self.path.mkdir(parents=True, exist_ok=True)
        file = self.path / "checkpoint.pt"
        return torch.load(file, weights_only=True) if file.exists() else None

    def log(self, **figures: float) -> None:
        """Add a line to the curve."""
        with (self.path / "curve.jsonl").open("a") as stream:
            stream.write(json.dumps(figures) + "\n")

    def rewind(self, step: int) -> None:
        """Drop the curve's lines after a step: they will be written again."""
        curve = self.path / "curve.jsonl"
        if curve.exists():
            lines = curve.read_text().splitlines(keepends=True)
            curve.write_text("".join(line for line in lines if json.loads(line)["step"] <= step))
