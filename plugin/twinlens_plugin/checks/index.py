"""Checks of the index snapshot: is it whole, and does it hold what the catalogue holds?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twinlens import parts, snapshot, tunings, vectors
from twinlens.catalogue import Catalogue
from twinlens.errors import SnapshotError, TuningError
from twinlens.library import Library
from twinlens.models import Model
from twinlens.spaces import Space
from twinlens_plugin.checks.finding import Problem
from twinlens_plugin.output import plural

if TYPE_CHECKING:
    from usearch.index import Index

REPAIR = "run: twinlens doctor --repair, then twinlens scan"

CLOSE_ENOUGH = 0.999
"""Cosine similarity of a vector with its own entry in the index: both are f16, and 2^-11 of
rounding in each number moves the cosine by less than 1e-6."""


@dataclass
class IndexReport:
    """Problems of the index, and how far it is behind."""

    problems: list[Problem] = field(default_factory=list)
    note: str | None = None


def check_index(catalogue: Catalogue, library: Library, model: Model) -> IndexReport:
    """Verify the snapshot's checksum, then compare its entries with the vectors."""
    report = IndexReport()
    damaged = parts.damaged(catalogue, model)
    for name in damaged:
        text = f"the {name} of model {model.name} in the catalogue is damaged"
        report.problems.append(Problem("model", text, "run: twinlens scan"))
    try:
        space = tunings.serving(catalogue, model)
    except TuningError as error:
        if parts.BACKGROUND in damaged and tunings.serving_id(catalogue, model) == tunings.OFF:
            return report  # said already
        text = str(error).partition(" Fit it anew")[0]
        report.problems.append(Problem("tuning", text, "run: twinlens model tune"))
        return report
    folder = snapshot.snapshot_folder(library.index, space)
    if not (folder / snapshot.MANIFEST).exists():
        # Not wrong: until the worker writes one, all vectors are read from the catalogue.
        report.note = "no index snapshot yet: the worker writes one"
        return report
    try:
        manifest, index = snapshot.open_snapshot(folder, space, view=True, thorough=True)
    except SnapshotError as error:
        report.problems.append(Problem("index", str(error), REPAIR))
        return report
    with catalogue.read_tx():
        report.problems.extend(_compare(catalogue, space, index, manifest.seq))
    return report


def delete_snapshots(library: Library, model: Model) -> None:
    """Delete a model's snapshots. They are a cache: the worker makes a new one."""
    shutil.rmtree(snapshot.model_folder(library.index, model), ignore_errors=True)


def _compare(catalogue: Catalogue, space: Space, index: Index, seq: int) -> Iterator[Problem]:
    """Replay the log's tail over the snapshot's keys; what comes out must be the vectors."""
    model = space.model
    touched = {
        row[0]
        for row in catalogue.iterate(
            "SELECT DISTINCT content_id FROM log WHERE seq > ? AND model_id = ?", (seq, model.id)
        )
    }
    stored = {
        row[0]
        for row in catalogue.iterate(
            "SELECT content_id FROM vectors WHERE model_id = ?", (model.id,)
        )
    }
    settled = {int(key) for key in index.keys} - touched
    if missing := (stored - touched) - settled:
        text = f"{plural(len(missing), 'vector is', 'vectors are')} not in the index"
        yield Problem("index", text, REPAIR)
    if extra := settled - stored:
        text = f"{plural(len(extra), 'entry', 'entries')} without a vector in the catalogue"
        yield Problem("index", text, REPAIR)
    if wrong := _different(catalogue, space, index, settled & stored):
        text = f"{plural(wrong, 'entry differs', 'entries differ')} from the catalogue's vector"
        yield Problem("index", text, REPAIR)


def _different(catalogue: Catalogue, space: Space, index: Index, contents: set[int]) -> int:
    import numpy as np

    wrong = 0
    ids = sorted(contents)
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        rows = catalogue.rows(
            "SELECT content_id, vector FROM vectors WHERE model_id = ?"  # noqa: S608
            f" AND content_id IN ({','.join('?' * len(some))}) ORDER BY content_id",
            [space.model.id, *some],
        )
        kept = np.asarray(index.get(np.array([r[0] for r in rows], dtype=np.uint64)))
        asked = space.entries(vectors.stack([r[1] for r in rows], space.model.dimension))
        cosine = (vectors.project(asked) * vectors.project(kept.astype(np.float32))).sum(axis=1)
        wrong += int((cosine < CLOSE_ENOUGH).sum())
    return wrong
