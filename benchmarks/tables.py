"""Tables of results, as markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil


@dataclass(frozen=True, slots=True)
class Table:
    """One table: what it shows, its columns, its rows, and what one must know to read it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """Return the table with its title in bold and its notes below."""
        lines = [f"**{self.title}**", "", _row(self.columns), _row(["---"] * len(self.columns))]
        lines += [_row(row) for row in self.rows]
        if self.notes:
            lines += ["", *(f"- {note}" for note in self.notes)]
        return "\n".join(lines) + "\n"


def show(*tables: Table) -> None:
    """Print tables to standard output, as soon as they are there."""
    for table in tables:
        print(table.markdown(), flush=True)


def milliseconds(seconds: float) -> str:
    """Return a time for a table: ``3.2 ms``."""
    return f"{seconds * 1e3:,.1f} ms" if seconds < 10 else f"{seconds:,.1f} s"


def megabytes(count: float) -> str:
    """Return a size for a table, in MB of 10^6 bytes."""
    return f"{count / 1e6:,.0f} MB"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return a percentile of measured values, interpolated."""
    return float(np.percentile(np.asarray(values), percent))


def machine() -> str:
    """Describe this computer in one line."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{processor()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB,"
        f" {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def processor() -> str:
    """Return the processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
