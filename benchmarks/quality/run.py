"""The whole run: which pictures the parts ask for, all described once, then the tables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from benchmarks.quality import copies, copies_tables, lineup
from benchmarks.quality.lineup import Lineup
from benchmarks.quality.methods import Method
from benchmarks.quality.sizes import Size
from benchmarks.quality.store import Store, fill
from twinlens.errors import TuningError

PARTS: Final = ("copies",)
Task = TypeVar("Task")
Result = TypeVar("Result")


def run(
    data: Path,
    entrants: Lineup | None,
    *,
    parts: Sequence[str],
    size: Size,
    seed: int,
    processes: int,
    show: Callable[..., None],
) -> dict[str, Any]:
    """Measure `entrants`, or everyone, in these parts; show tables as they come, return figures."""
    entrants = entrants or lineup.of_everyone(data)
    task = copies.build(data, size, seed)
    store = fill(entrants.peers, task.references, task.queries, seed=seed, processes=processes)
    results = _scored(copies.score, task, entrants, store)
    show(copies_tables.overall(results, task))
    show(*(copies_tables.by_edit(name, results[name]) for name in list(results)[:1]))
    return {"copies": results}


def _scored(
    score: Callable[[Task, Method, Store], Result], task: Task, entrants: Lineup, store: Store
) -> dict[str, Result]:
    """Return each method's result, and a word about those that have too little to tune on."""
    results = {}
    for method in entrants.methods:
        try:
            results[method.name] = score(task, method, store)
        except TuningError as error:
            print(f"{method.name}: left out: {error}", file=sys.stderr)
    return results
