"""Bursts: frames of one moment, which are near each other but no copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.figures import share
from benchmarks.quality.methods import Method, Similarity
from benchmarks.quality.pictures import BadDataError, Picture, photos_in
from benchmarks.quality.sizes import Size
from benchmarks.quality.store import Store
from benchmarks.tables import Table
from twinlens_worker import measures

FOLDER: Final = Path("bursts")
REACH: Final = 40
"""Frames apart at which nothing is gained: the length of the bursts of DAVIS that are taken."""


@dataclass(frozen=True, slots=True)
class Task:
    """Frames, and other photos that they are searched among."""

    frames: tuple[Picture, ...]
    bursts: NDArray[np.int64]
    """(frames,): number of its burst."""
    times: NDArray[np.int64]
    """(frames,): place in its burst, in frames of the video."""
    others: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Bursts:
    """One method's result."""

    ndcg: float
    """Answers of the same burst gain 1 - distance / REACH, others nothing; all answers count."""
    next_above: float | None
    """Share of the neighbouring frames that score above the method's own copy threshold."""
    all_above: float | None
    """The same of all pairs of frames of one burst."""
    next_above_copies: float | None
    """As `next_above`, from the score on where copies are found with 99 % precision."""
    all_above_copies: float | None


def build(data: Path, others: Sequence[Picture], size: Size) -> Task:
    """Take `size.frames` frames of each burst, one after the other."""
    folders = sorted(one for one in (data / FOLDER).glob("*") if one.is_dir())
    if not folders:
        raise BadDataError(f"{data / FOLDER}: no bursts; set TWINLENS_DATA to a complete folder")
    taken = [photos_in(folder, least=2)[: size.frames] for folder in folders]
    return Task(
        frames=tuple(Picture(path) for paths in taken for path in paths),
        bursts=np.repeat(np.arange(len(taken)), [len(paths) for paths in taken]),
        times=np.concatenate([np.arange(len(paths)) for paths in taken]),
        others=tuple(others),
    )


def score(task: Task, method: Method, store: Store, copies_from: float | None) -> Bursts:
    """Ask about every frame with one method; `copies_from`: its score at 99 % precision."""
    everything = store.of(method.peer.name, [*task.frames, *task.others])
    similarity = method.compare(everything[: len(task.frames)], everything)
    return judge(similarity, task, method.threshold, copies_from)


def judge(
    similarity: Similarity, task: Task, threshold: float | None, copies_from: float | None
) -> Bursts:
    """Judge similarities (frames, frames and others)."""
    apart = np.abs(task.times[:, None] - task.times[None])
    together = task.bursts[:, None] == task.bursts[None]
    pairs = np.triu(together, 1)
    among = similarity[:, : len(task.frames)]
    return Bursts(
        ndcg=_ndcg(similarity, np.where(together, np.maximum(1 - apart / REACH, 0), 0)),
        next_above=_share_above(among[pairs & (apart == 1)], threshold),
        all_above=_share_above(among[pairs], threshold),
        next_above_copies=_share_above(among[pairs & (apart == 1)], copies_from),
        all_above_copies=_share_above(among[pairs], copies_from),
    )


def table(results: Mapping[str, Bursts], task: Task) -> Table:
    """One line for each method."""
    return Table(
        "Bursts: frames of one moment",
        (
            "method",
            "NDCG by distance",
            "next frames, all pairs above its copy threshold",
            "the same above its score for 99 % precision on copies",
        ),
        [
            (
                name,
                share(one.ndcg),
                _two(one.next_above, one.all_above),
                _two(one.next_above_copies, one.all_above_copies),
            )
            for name, one in results.items()
        ],
        (
            _searched(task),
            "Frames are no copies: the fewer of them pass for copies, the better, while NDCG is high.",
        ),
    )


def _searched(task: Task) -> str:
    return (
        f"{len(task.frames)} frames of {len(set(task.bursts.tolist()))} bursts (DAVIS), each searched"
        f" among them and {len(task.others):,} other photos. A frame of the same burst gains"
        f" 1 - distance / {REACH}."
    )


def _ndcg(similarity: Similarity, gains: NDArray[np.float64]) -> float:
    padded = np.zeros(similarity.shape)
    padded[:, : gains.shape[1]] = gains
    values = []
    for query, (scores, gained) in enumerate(zip(similarity, padded, strict=True)):
        others = np.arange(len(scores)) != query
        values.append(measures.graded_ndcg(scores[others], gained[others]))
    return float(np.mean(values))


def _share_above(scores: Similarity, threshold: float | None) -> float | None:
    return None if threshold is None or not len(scores) else float((scores >= threshold).mean())


def _two(first: float | None, second: float | None) -> str:
    return "" if first is None else f"{share(first)}, {share(second)}"
