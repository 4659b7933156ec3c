"""Similar photos: each of a labelled collection searched among all others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.figures import share
from benchmarks.quality.methods import Method, Similarity
from benchmarks.quality.pictures import Picture, photos_in
from benchmarks.quality.sizes import Size
from benchmarks.quality.store import Store
from benchmarks.tables import Table
from twinlens_worker import measures
from twinlens_worker.measures import Quality, Ranks

FOLDER: Final = Path("similar")
SOURCE: Final = "GroceryStoreDataset, test part; each photo is searched among all others."


@dataclass(frozen=True, slots=True)
class Task:
    """A labelled collection."""

    photos: tuple[Picture, ...]
    classes: tuple[str, ...]
    """(photos,): the folder of each below `similar`."""


@dataclass(frozen=True, slots=True)
class Similar:
    """One method's result."""

    overall: Quality
    by_class: Mapping[str, Quality]


def build(data: Path, size: Size) -> Task:
    """Take up to `size.similar` photos of each class; a class is a folder."""
    folders: dict[str, list[Path]] = defaultdict(list)
    for path in photos_in(data / FOLDER, least=2):
        folders[path.parent.relative_to(data / FOLDER).as_posix()].append(path)
    chosen = [
        (Picture(path), name) for name, paths in folders.items() for path in paths[: size.similar]
    ]
    return Task(tuple(photo for photo, _ in chosen), tuple(name for _, name in chosen))


def score(task: Task, method: Method, store: Store) -> Similar:
    """Ask about every photo with one method."""
    rows = store.of(method.peer.name, task.photos)
    return judge((method.alike or method.compare)(rows, rows), task.classes)


def judge(similarity: Similarity, classes: tuple[str, ...]) -> Similar:
    """Judge similarities (photos, photos); a photo alone in its class is an answer only."""
    labels = np.unique(np.array(classes), return_inverse=True)[1]
    ranks: dict[str, list[Ranks]] = defaultdict(list)
    for query, row in enumerate(similarity):
        found = _ranks(query, row, labels)
        if len(found):
            ranks[classes[query]].append(found)
    return Similar(
        Quality.over([one for of_class in ranks.values() for one in of_class]),
        {name: Quality.over(of_class) for name, of_class in ranks.items()},
    )


def table(results: Mapping[str, Similar], task: Task) -> Table:
    """One line for each method."""
    return Table(
        "Similar photos: other photos of the same class",
        ("method", "mAP", "mAP@R", "NDCG@10", "R@1"),
        [
            (
                name,
                share(one.overall.mean_average_precision),
                share(one.overall.map_at_r),
                share(one.overall.ndcg_at_10),
                share(one.overall.recall_at_1),
            )
            for name, one in results.items()
        ],
        (f"{len(task.photos):,} photos of {len(set(task.classes))} classes. {SOURCE}",),
    )


def _ranks(query: int, row: NDArray[np.float32], labels: NDArray[np.int64]) -> Ranks:
    same = labels == labels[query]
    wrong = row[~same]
    same[query] = False
    return measures.ranks_of_right(row[same], wrong)
