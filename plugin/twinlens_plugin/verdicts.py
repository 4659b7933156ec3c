"""Verdicts on models, for people: one column a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from twinlens.messages import decode_bytes
from twinlens_plugin.output import columns, plural, shown

Verdict = dict[str, Any]
"""What the worker says of one model."""

FIGURES = (
    ("R@1", "recall_at_1", "the photo most like it is of the same folder"),
    ("mAP", "mean_average_precision", "photos of the same folder come before the others"),
    ("mAP@R", "map_at_r", "the same, in as many answers as there are such photos"),
    ("NDCG@10", "ndcg_at_10", "the same, in the first ten answers"),
)
"""Name, key, what it means for the photo that is asked about."""


def as_text(verdicts: Sequence[Verdict], *, most: int) -> Iterator[str]:
    """Yield the lines of a report, with at most so many folders, worst first."""
    first = verdicts[0]
    photos, folders = plural(first["photos"], "photo"), plural(first["folders"], "folder")
    yield f"{photos} in {folders}; {first['asked']:,} asked about. 1 is best."
    yield ""
    yield from columns([_head(verdicts), *_over_photos(verdicts), *_over_pairs(verdicts)])
    for verdict in verdicts:
        yield ""
        yield from _threshold(verdict, _title(verdict) if len(verdicts) > 1 else "")
    if most and first["by_folder"]:
        yield ""
        yield from _by_folder(verdicts, most)


def _head(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    return ("", *map(_title, verdicts), "")


def _title(verdict: Verdict) -> str:
    weights = verdict["weights"]
    name: str = verdict["model"]
    return f"{name} ({weights.rpartition('/')[2]})" if weights else name


def _over_photos(verdicts: Sequence[Verdict]) -> Iterator[tuple[str, ...]]:
    for name, key, meaning in FIGURES:
        yield _row(name, [verdict[key] for verdict in verdicts], meaning)


def _over_pairs(verdicts: Sequence[Verdict]) -> Iterator[tuple[str, ...]]:
    pairs = [verdict["pairs"] for verdict in verdicts]
    precise = [pair["at_precision"][0] for pair in pairs]
    share = f"{precise[0]['precision']:.0%}".replace("%", " %")
    together = "pairs of one folder score above pairs of two"
    yield _row("µAP", [pair["micro_average_precision"] for pair in pairs], together)
    found = f"pairs of one folder found when {share} of what is found is right"
    yield _row("recall", [one["recall"] for one in precise], found)
    yield _row("score", [one["threshold"] for one in precise], "the threshold for that", digits=4)


def _row(
    name: str, figures: Sequence[float | None], meaning: str, digits: int = 3
) -> tuple[str, ...]:
    cells = ("-" if figure is None else f"{figure:.{digits}f}" for figure in figures)
    return (name, *cells, meaning)


def _threshold(verdict: Verdict, title: str) -> Iterator[str]:
    """Say in words what the rows on pairs give: it is what a threshold is chosen by."""
    who = f"{title}: " if title else ""
    pairs = verdict["pairs"]
    for one in pairs["at_precision"]:
        right = f"{one['precision'] * 100:g} %"
        if one["threshold"] is None:
            yield f"{who}At no score are {right} of the pairs of one folder."
        else:
            found = f"{one['recall'] * 100:.1f} % of all {pairs['same_folder']:,} such pairs"
            start = f"From a score of {one['threshold']:.4f} on"
            yield f"{who}{start}, {right} of the pairs are of one folder: {found}."


def _by_folder(verdicts: Sequence[Verdict], most: int) -> Iterator[str]:
    """List the folders that the first model does worst on."""
    worst = verdicts[0]["by_folder"]
    figures = [
        {one["folder"]: one["mean_average_precision"] for one in verdict["by_folder"]}
        for verdict in verdicts
    ]
    titles = [f"mAP {_title(verdict)}" for verdict in verdicts] if verdicts[1:] else ["mAP"]
    rows = [("photos", "R@1", *titles, "folder", "taken for")]
    for one in worst[:most]:
        scores = [f"{figure[one['folder']]:.3f}" for figure in figures]
        rows.append(
            (
                f"{one['photos']:>6,}",
                f"{one['recall_at_1']:.3f}",
                *scores,
                shown(decode_bytes(one["folder"])),
                _mistaken(one),
            )
        )
    shown_of = "" if len(worst) <= most else f" {min(most, len(worst))} of {len(worst):,}"
    yield f"Weakest folders{shown_of}:"
    yield from columns(rows, indent=2)


def _mistaken(one: Verdict) -> str:
    if one["mistaken_for"] is None:
        return ""
    return f"{shown(decode_bytes(one['mistaken_for']))} ({one['times']:,} of {one['photos']:,})"
