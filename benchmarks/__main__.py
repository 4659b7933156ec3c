"""Run the benchmarks and write their tables to docs/benchmarks.md: `python -m benchmarks`.

All of them take about half an hour. `--only NAME ...` runs some and leaves the sections of the
others in the page as they are.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.programs import REPOSITORY
from benchmarks.tables import machine

PAGE = REPOSITORY / "docs" / "benchmarks.md"
LIMIT_SECONDS = 900

INTRODUCTION = """\
# Benchmarks

How fast twinlens is, how much memory it takes and how well it finds copies. Each section is written
by the command it names; `python -m benchmarks` runs them all. They make the photos they need; the
last one takes real ones from the folder `TWINLENS_DATA` names.

Read the **ratios**: both sides of each were measured in one run on one computer. Absolute times are
noisy (a virtual machine with neighbours, a clock that changes with heat) and mean little elsewhere.
"""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One section of the page."""

    name: str
    heading: str
    quick: tuple[str, ...] = ("--quick",)
    """Arguments for a smoke test."""
    full: tuple[str, ...] = ()
    """Arguments for what takes too long for every day, where there is such a thing."""
    needs_data: bool = False
    """Whether it measures on the photos that TWINLENS_DATA names."""
    limit: int = LIMIT_SECONDS
    """Seconds after which it is given up."""

    def command(self, *arguments: str) -> list[str]:
        """Return the command that prints the tables."""
        return [sys.executable, "-m", f"benchmarks.{self.name}", *arguments]


BENCHMARKS = (
    Benchmark("ingest", "Ingest against the textbook pipeline"),
    Benchmark("latency", "Latency: when a new photo can be found"),
    Benchmark("sweep", "Sweeps that find nothing new, and the watcher's memory", ("200",)),
    Benchmark("query", "Queries from a cold process", ("--sizes", "500", "--runs", "1")),
    Benchmark("queue_cost", "The queue: micro-batches against one photo a task"),
    Benchmark("memory", "Memory of the worker with large photos"),
    Benchmark("growth", "Growth: 1,000, 10,000 and 100,000 photos"),
    Benchmark(
        "index", "What the index finds, how fast, at what size", full=("--full",), limit=2400
    ),
    Benchmark("scale", "A million photos", full=("--full",)),
    Benchmark("review", "The review page with 100,000 groups"),
    Benchmark("duplicates", "Copies against bursts and look-alikes", needs_data=True),
    Benchmark("grouping", "Groups: what is thrown together wrongly", needs_data=True),
    Benchmark(
        "tuning", "What tuning a library gives and costs", ("--only-pocket",), needs_data=True
    ),
    Benchmark(
        "quality", "How well photos are found, beside what others use", needs_data=True, limit=1800
    ),
)


def main() -> None:
    """Run what is asked for; exit with 1 where a benchmark failed or missed its own limit."""
    names = [benchmark.name for benchmark in BENCHMARKS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--page", type=Path, default=PAGE, help="file to write")
    parser.add_argument("--quick", action="store_true", help="smoke test: tiny sizes")
    parser.add_argument(
        "--full", action="store_true", help="with what takes an hour: a million vectors"
    )
    given = parser.parse_args()
    failed = [
        benchmark.name
        for benchmark in BENCHMARKS
        if benchmark.name in (given.only or names)
        and not _run(benchmark, given.page, quick=given.quick, full=given.full)
    ]
    if failed:
        sys.exit(f"failed, or above their limits: {', '.join(failed)}")


def _run(benchmark: Benchmark, page: Path, *, quick: bool, full: bool) -> bool:
    """Run one benchmark, put its tables into the page; return whether all went well."""
    if benchmark.needs_data and not os.environ.get("TWINLENS_DATA"):
        print(f"{benchmark.name}: left out: TWINLENS_DATA names no photos", file=sys.stderr)
        return True
    print(f"{benchmark.name} ...", file=sys.stderr, flush=True)
    command = benchmark.command(*(benchmark.quick if quick else benchmark.full if full else ()))
    result = subprocess.run(
        command,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        timeout=benchmark.limit * (12 if full else 1),
        check=False,
    )
    if result.stdout.strip():
        given = " ".join(["python", *command[1:]])
        _write(page, benchmark, given, result.stdout)
    return result.returncode == 0


def _write(page: Path, benchmark: Benchmark, given: str, tables: str) -> None:
    """Replace one section of the page, or add it in its place, with the command that was given."""
    sections = _sections(page.read_text(encoding="utf-8")) if page.exists() else {}
    sections[benchmark.heading] = (
        f"`{given}`, {_today()}, commit {_commit()}: {machine()}.\n\n{tables.strip()}\n"
    )
    known = [one.heading for one in BENCHMARKS if one.heading in sections]
    body = "".join(f"\n## {heading}\n\n{sections[heading]}" for heading in known)
    page.write_text(INTRODUCTION + body, encoding="utf-8")


def _sections(text: str) -> dict[str, str]:
    """Return the sections of a page by their headings."""
    parts = text.split("\n## ")[1:]
    pairs = [part.split("\n\n", 1) for part in parts]
    return {heading: body.rstrip("\n") + "\n" for heading, body in pairs}


def _today() -> str:
    return dt.datetime.now(tz=dt.UTC).strftime("%Y-%m-%d")


def _commit() -> str:
    command: Sequence[str] = ["git", "rev-parse", "--short", "HEAD"]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return result.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
