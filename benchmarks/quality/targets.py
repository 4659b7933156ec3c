"""What issue 3 asks of the bundled descriptor, and whether it is reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.quality import reranked
from benchmarks.quality.figures import share
from benchmarks.tables import Table

OURS, TUNED, WHOLE = "pocket", "pocket, tuned", "pocket, whole pictures"
TEACHER = "MobileNetV2 (ImageNet, GeM)"
WHITENED = f"{TEACHER}, whitened"


@dataclass(frozen=True, slots=True)
class Target:
    """One thing that is asked for."""

    what: str
    wanted: str
    measured: str
    met: bool


def table(results: Mapping[str, Any], hashes: tuple[str, ...]) -> Table:
    """Return a line for each target that these results tell about."""
    targets = [
        *_of_copies(results.get("copies", {}), hashes),
        *_of_crops(results.get("crops", {})),
        *_of_similar(results.get("similar", {}), results.get("cost", {})),
    ]
    return Table(
        "Targets of the bundled descriptor",
        ("what", "target", "measured", "verdict"),
        [
            (one.what, one.wanted, one.measured, "met" if one.met else "**missed**")
            for one in targets
        ],
    )


def _of_copies(copies: Mapping[str, Any], hashes: tuple[str, ...]) -> Iterator[Target]:
    if not {OURS, WHITENED, *hashes} <= set(copies):
        return
    ours, teacher = copies[OURS].overall, copies[WHITENED].overall
    best = max(hashes, key=lambda name: copies[name].overall.recall[0])
    missed = 1 - copies[best].overall.recall[0]
    for words, name in (("", OURS), (", tuned on the library", TUNED)):
        if name not in copies:
            continue
        one = copies[name].overall
        yield _at_least(f"copies, µAP{words}", 0.97, one.u_ap)
        yield _at_least(f"copies, recall at 99 % precision{words}", 0.92, one.recall[0])
        fewer = missed / max(1 - one.recall[0], 1e-9)
        yield Target(
            f"misses at 99 % precision against the best hash ({best}, {share(missed)}){words}",
            "8 times fewer",
            f"{fewer:.1f} times",
            fewer >= 8,
        )
    yield _at_least("copies, µAP, against the whitened MobileNetV2", teacher.u_ap, ours.u_ap)
    yield _at_least(
        "crops to 30 % of the area, R@1", 0.85, copies[OURS].by_edit["crop"]["strong"].r_at_1
    )
    if TUNED in copies:
        tuned = copies[TUNED].overall.recall[0]
        saved = (tuned - ours.recall[0]) / max(1 - ours.recall[0], 1e-9)
        yield Target(
            "misses that tuning on the references saves", "35 %", f"{saved:.0%}", saved >= 0.35
        )


def _of_crops(crops: Mapping[str, Any]) -> Iterator[Target]:
    if OURS in crops:
        yield _at_least("real crops, R@1, descriptor alone", 0.97, crops[OURS].r_at_1)
    if (compared := reranked.name(OURS)) in crops:
        words = "real crops, R@1, re-ranked: the best compared, as `similar` answers"
        yield _at_least(words, 0.97, crops[compared].r_at_1)


def _of_similar(similar: Mapping[str, Any], cost: Mapping[str, float]) -> Iterator[Target]:
    if not {OURS, TEACHER} <= set(similar):
        return
    ours, teacher = similar[OURS].overall, similar[TEACHER].overall
    for what, mine, theirs in (
        ("mAP", ours.mean_average_precision, teacher.mean_average_precision),
        ("NDCG@10", ours.ndcg_at_10, teacher.ndcg_at_10),
    ):
        yield _at_least(f"similar photos, {what}, against MobileNetV2", theirs, mine)
    if cost:
        times = cost[TEACHER] / cost[WHOLE]
        yield Target(
            "CPU to describe a photo, against MobileNetV2", "a tenth", f"1/{times:.1f}", times >= 10
        )
        spent = cost[WHOLE] * 1e3
        yield Target("CPU to describe a photo", "at most 4 ms", f"{spent:.1f} ms", spent <= 4)


def _at_least(what: str, wanted: float, measured: float) -> Target:
    return Target(what, f"at least {share(wanted)}", share(measured), measured >= wanted)
