"""The whole run: which pictures the parts ask for, all described once, then the tables."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from benchmarks.quality import (
    bursts,
    copies,
    copies_tables,
    cost,
    crops,
    generator,
    lineup,
    peers,
    reranked,
    similar,
    targets,
)
from benchmarks.quality.lineup import Lineup
from benchmarks.quality.methods import Method
from benchmarks.quality.pictures import Picture
from benchmarks.quality.sizes import Size
from benchmarks.quality.store import Store, fill
from benchmarks.tables import Table
from twinlens.errors import TuningError

PARTS: Final = ("copies", "crops", "similar", "bursts", "cost")
COST_PHOTOS: Final = 64
COPIES_COMPARED: Final = 5
"""Candidates of each edited copy that are compared: half of what `similar` compares, for half of the time.
Of 240 copies drawn by chance both had the same R@1 and µAP (pocket 4)."""
Task = TypeVar("Task")
Result = TypeVar("Result")
Show = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Tasks:
    """What the chosen parts ask; None for the others. All search among the photos of `copies`."""

    copies: copies.Task
    crops: crops.Task | None
    similar: similar.Task | None
    bursts: bursts.Task | None
    parts: Sequence[str]

    @property
    def turned(self) -> list[Picture]:
        """Return the pictures that are also searched for in their quarter turns."""
        asked = self.copies.queries if "copies" in self.parts else ()
        return [*asked, *(self.crops.queries if self.crops else ())]

    @property
    def plain(self) -> list[Picture]:
        """Return all others."""
        return [
            *(self.copies.references if {*self.parts} & {"copies", "crops", "bursts"} else ()),
            *(self.crops.references if self.crops else ()),
            *(self.similar.photos if self.similar else ()),
            *(self.bursts.frames if self.bursts else ()),
        ]


def run(
    data: Path,
    entrants: Lineup | None,
    *,
    parts: Sequence[str],
    size: Size,
    seed: int,
    processes: int,
    show: Show,
) -> dict[str, Any]:
    """Measure `entrants`, or everyone, in these parts; show tables as they come, return figures."""
    entrants = entrants or lineup.of_everyone(data)
    tasks = _tasks(data, parts, size, seed)
    spent = _cost(entrants, tasks, size) if "cost" in parts else None
    store = fill(entrants.peers, tasks.plain, tasks.turned, seed=seed, processes=processes)
    results: dict[str, Any] = {}
    rerank = functools.partial(_rerank, entrants.reranked, store, seed, processes)
    if "copies" in parts:
        results["copies"] = _scored(copies.score, tasks.copies, entrants.methods, store)
        results["copies"] |= rerank(copies, tasks.copies, COPIES_COMPARED)[0]
        _show_copies(results["copies"], tasks.copies, show)
    if tasks.crops:
        results["crops"] = _scored(crops.score, tasks.crops, entrants.methods, store)
        found, took = rerank(crops, tasks.crops, reranked.AS_SIMILAR)
        results["crops"] |= found
        show(crops.table(results["crops"], tasks.crops))
        if spent:
            spent |= took
    upright = [method for method in entrants.methods if method.queries is None]
    if tasks.similar:
        results["similar"] = _scored(similar.score, tasks.similar, upright, store)
        show(similar.table(results["similar"], tasks.similar))
    if tasks.bursts:
        judge = functools.partial(_score_bursts, results.get("copies", {}))
        results["bursts"] = _scored(judge, tasks.bursts, upright, store)
        show(bursts.table(results["bursts"], tasks.bursts))
    if spent:
        results["cost"] = spent
        show(cost.table(spent, COST_PHOTOS))
    _show_end(results, parts, show)
    return results


def _tasks(data: Path, parts: Sequence[str], size: Size, seed: int) -> Tasks:
    task = copies.build(data, size, seed)
    among = task.references
    return Tasks(
        copies=task,
        crops=crops.build(data, among, size) if "crops" in parts else None,
        similar=similar.build(data, size) if "similar" in parts else None,
        bursts=bursts.build(data, among, size) if "bursts" in parts else None,
        parts=parts,
    )


def _cost(entrants: Lineup, tasks: Tasks, size: Size) -> dict[str, float]:
    """Measured before all else, while no other process of ours runs."""
    return cost.measure(entrants.peers, tasks.copies.references[:COST_PHOTOS], size)


def _scored(
    score: Callable[[Task, Method, Store], Result],
    task: Task,
    methods: Sequence[Method],
    store: Store,
) -> dict[str, Result]:
    """Return each method's result, and a word about those that have too little to tune on."""
    results = {}
    for method in methods:
        try:
            results[method.name] = score(task, method, store)
        except TuningError as error:
            print(f"{method.name}: left out: {error}", file=sys.stderr)
    return results


def _rerank(
    methods: Sequence[Method],
    store: Store,
    seed: int,
    processes: int,
    part: Any,  # noqa: ANN401  the module of copies or of crops
    task: copies.Task | crops.Task,
    candidates: int,
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return what comes of comparing the best candidates of methods, and what it costs a query."""
    results: dict[str, Any] = {}
    spent: dict[str, float] = {}
    for method in methods:
        assert method.threshold is not None
        found = reranked.rerank(
            part.similarity(task, method, store),
            task.queries,
            task.references,
            threshold=method.threshold,
            candidates=candidates,
            seed=seed,
            processes=processes,
        )
        results[reranked.name(method.name, candidates)] = part.judge(found.similarity, task)
        spent[reranked.cost(method.name, found)] = found.seconds
    return results, spent


def _score_bursts(
    found: dict[str, copies.Copies], task: bursts.Task, method: Method, store: Store
) -> bursts.Bursts:
    known = found.get(method.name)
    return bursts.score(task, method, store, known.thresholds[0] if known else None)


def _show_copies(results: dict[str, copies.Copies], task: copies.Task, show: Show) -> None:
    show(copies_tables.overall(results, task))
    first = next(iter(results))
    show(copies_tables.by_edit(first, results[first]))
    beside = [name for name in (targets.TUNED, targets.WHITENED) if name in results]
    hashes = [peer.name for peer in peers.HASHES if peer.name in results]
    if hashes:
        beside.append(max(hashes, key=lambda name: results[name].overall.recall[0]))
    if beside:
        show(copies_tables.compared(results, [first, *beside]))


def _show_end(results: dict[str, Any], parts: Sequence[str], show: Show) -> None:
    hashes = tuple(peer.name for peer in peers.HASHES)
    verdicts: Table = targets.table(results, hashes)
    if verdicts.rows:
        show(verdicts)
    if "copies" in parts:
        show(generator.table())
