"""Real crops: faces cut from photos by people, searched among those photos and many others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.copies import PRECISIONS
from benchmarks.quality.figures import share
from benchmarks.quality.methods import Method, Similarity
from benchmarks.quality.pictures import BadDataError, Picture, photos_in
from benchmarks.quality.sizes import Size
from benchmarks.quality.store import Store
from benchmarks.tables import Table
from twinlens_worker import measures

FOLDER: Final = Path("copies", "crop_pairs")
SOURCE: Final = "Faces_easy and Faces of Caltech-101: those of one person are often of one session, before one wall."
RERANKED: Final = (
    "Re-ranked: as `twinlens similar` answers, the 10 best candidates compared picture with picture, what is"
    " of one shot first. All other rows are of the descriptor alone."
)
CROP, WHOLE = "Faces_easy_image_", "Faces_image_"


@dataclass(frozen=True, slots=True)
class Task:
    """Crops, and what they are searched among."""

    references: tuple[Picture, ...]
    """The whole photos first, in the order of the crops."""
    queries: tuple[Picture, ...]

    @property
    def truth(self) -> NDArray[np.int64]:
        """Return the row of each crop's photo."""
        return np.arange(len(self.queries))


@dataclass(frozen=True, slots=True)
class Crops:
    """One method's result."""

    r_at_1: float
    u_ap: float
    recall: tuple[float, float]
    """At 99 % and 99.9 % precision."""


def build(data: Path, others: Sequence[Picture], size: Size) -> Task:
    """Pair crops with their photos by number; all photos are references, and so are `others`."""
    files = {path.name: path for path in photos_in(data / FOLDER, least=2)}
    crops = [name for name in files if name.startswith(CROP)]
    lonely = [name for name in crops if name.replace(CROP, WHOLE) not in files]
    if lonely or not crops:
        raise BadDataError(
            f"{data / FOLDER / (lonely[0] if lonely else CROP + 'NNNN.jpg')}: "
            "no pair of crop and photo; restore the folder"
        )
    whole = [files[name.replace(CROP, WHOLE)] for name in crops]
    asked = [Picture(files[name]) for name in crops[: size.crop_pairs]]
    return Task((*map(Picture, whole), *others), tuple(asked))


def score(task: Task, method: Method, store: Store) -> Crops:
    """Search all crops with one method."""
    return judge(similarity(task, method, store), task)


def similarity(task: Task, method: Method, store: Store) -> Similarity:
    """Return how alike one method finds crops and references, (crops, references)."""
    return method.compare(
        store.of(method.asking.name, task.queries), store.of(method.peer.name, task.references)
    )


def judge(similarity: Similarity, task: Task) -> Crops:
    """Count what similarities (crops, references) find."""
    ranking = measures.rank(similarity, task.truth)
    first, second = (measures.recall_at_precision(ranking, one) for one in PRECISIONS)
    return Crops(
        r_at_1=measures.recall_at_1(similarity, task.truth),
        u_ap=measures.micro_average_precision(ranking),
        recall=(first, second),
    )


def table(results: Mapping[str, Crops], task: Task) -> Table:
    """One line for each method."""
    return Table(
        "Real crops: faces cut out of photos",
        ("method", "R@1", "µAP", "recall at 99 % precision", "at 99.9 %"),
        [
            (name, share(one.r_at_1), share(one.u_ap), *map(share, one.recall))
            for name, one in results.items()
        ],
        (f"{len(task.queries)} crops among {len(task.references):,} photos.", SOURCE, RERANKED),
    )
