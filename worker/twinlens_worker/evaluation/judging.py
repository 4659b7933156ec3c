"""The verdict on one model: figures over all photos, over pairs, and by folder."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from twinlens.messages import encode_bytes
from twinlens.vectors import Vector
from twinlens_worker.measures import (
    Asked,
    Inner,
    PairCounts,
    Quality,
    ask_all,
    recall_at_precision,
    threshold_at_precision,
)

PRECISIONS: Final = (0.99, 0.999)
EVERY: Final = 64
"""Photos compared between two words of progress."""


def judge(
    vectors: Vector,
    folders: Sequence[bytes],
    progress: Callable[[int], object],
    inner: Inner | None = None,
) -> dict[str, Any]:
    """Return the figures of photos whose unit vectors (N, D) and folders (N,) are given.

    At least one folder has two photos. ``folders`` of the answer come worst first, those with one
    photo left out: nothing is asked about it, and it is an answer to other questions.
    """
    names, labels = np.unique(np.array(folders, dtype=object), return_inverse=True)
    pairs = PairCounts()
    asked = []
    for one in ask_all(vectors, labels.astype(np.int64), pairs, inner):
        asked.append(one)
        if one.query % EVERY == 0:
            progress(one.query)
    progress(len(folders))
    return {
        "photos": len(folders),
        "folders": len(names),
        "asked": len(asked),
        **_quality(asked),
        "pairs": _of_pairs(pairs, len(folders)),
        "by_folder": _by_folder(asked, names, labels),
    }


def _quality(asked: Sequence[Asked]) -> dict[str, float]:
    return asdict(Quality.over([one.ranks for one in asked]))


def _of_pairs(pairs: PairCounts, photos: int) -> dict[str, Any]:
    return {
        "same_folder": pairs.wanted,
        "other_folder": photos * (photos - 1) // 2 - pairs.wanted,
        "micro_average_precision": pairs.micro_average_precision(),
        "at_precision": [
            {
                "precision": precision,
                "recall": recall_at_precision(pairs, precision),
                "threshold": threshold_at_precision(pairs, precision),
            }
            for precision in PRECISIONS
        ],
    }


def _by_folder(
    asked: Sequence[Asked], names: NDArray[np.object_], labels: NDArray[np.int64]
) -> list[dict[str, Any]]:
    own: dict[int, list[Asked]] = defaultdict(list)
    for one in asked:
        own[int(labels[one.query])].append(one)
    verdicts = [
        {
            "folder": encode_bytes(names[label]),
            "photos": len(of_folder),
            **_quality(of_folder),
            **_mistaken(label, of_folder, names, labels),
        }
        for label, of_folder in own.items()
    ]
    return sorted(verdicts, key=lambda v: (v["mean_average_precision"], v["folder"]))


def _mistaken(
    label: int, asked: Sequence[Asked], names: NDArray[np.object_], labels: NDArray[np.int64]
) -> dict[str, Any]:
    """Name the other folder that the first answer is most often from."""
    others = Counter(int(labels[one.nearest]) for one in asked if labels[one.nearest] != label)
    if not others:
        return {"mistaken_for": None, "times": 0}
    other, times = min(others.items(), key=lambda item: (-item[1], item[0]))
    return {"mistaken_for": encode_bytes(names[other]), "times": times}
