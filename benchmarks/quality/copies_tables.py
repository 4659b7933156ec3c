"""The tables of the copies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.quality.copies import Copies, Found, Task
from benchmarks.quality.edit import STRENGTHS
from benchmarks.quality.figures import share
from benchmarks.tables import Table

READING: Final = (
    "R@1: the match is strictly first. µAP: micro average precision over the ten best answers of all"
    " queries in one list, as in the Image Similarity Challenge. Ties count against a method."
)
WAYS: Final = (
    "Tuned, whitened: fitted on the references, without labels. With turns: searched with the"
    " query's four quarter turns, of which the best counts. Re-ranked: not the descriptor alone, but the"
    " best candidates compared picture with picture, what is of one shot first."
)
BY_EDIT: Final = (
    "Recall of an edit: at the scores where the answers to all queries together are 99 % and 99.9 %"
    " right. µAP: over the copies of this edit and all photos without a match."
)


def overall(results: Mapping[str, Copies], task: Task) -> Table:
    """One line for each method."""
    return Table(
        "Copies: all edits",
        (
            "method", "R@1", "µAP", "recall at 99 % precision", "at 99.9 %", "misses at 99 %",
            "at its own threshold: recall, precision",
        ),
        [
            (
                name,
                share(one.overall.r_at_1),
                share(one.overall.u_ap),
                share(one.overall.recall[0]),
                share(one.overall.recall[1]),
                share(1 - one.overall.recall[0]),
                _pair(one.at_own_threshold),
            )
            for name, one in results.items()
        ],
        (_searched(task), READING, WAYS),
    )  # fmt: skip


def by_edit(name: str, result: Copies) -> Table:
    """Where one method is strong and weak: a line for each kind of edit."""
    rows = [_line(kind, found, result.by_edit[kind]) for kind, found in result.by_kind.items()]
    rows += [(f"**{maker}**", *_cells(one), "", "", "") for maker, one in result.by_maker.items()]
    rows.append(_line("**all**", result.overall, result.by_strength))
    return Table(
        f"Copies by edit: {name}",
        (
            "edit", "R@1", "µAP", "recall at 99 %", "at 99.9 %",
            *(f"R@1, recall at 99 %: {strength}" for strength in STRENGTHS),
        ),
        rows,
        (BY_EDIT,),
    )  # fmt: skip


def compared(results: Mapping[str, Copies], names: Sequence[str]) -> Table:
    """R@1 and recall at 99 % precision of a few methods side by side, by edit."""
    kinds = results[names[0]].by_kind
    return Table(
        "Copies by edit: R@1 and recall at 99 % precision side by side",
        ("edit", *names),
        [(kind, *(_short(results[name].by_kind[kind]) for name in names)) for kind in kinds],
    )


def _searched(task: Task) -> str:
    absent = int((task.truth < 0).sum())
    asked = len(set(task.truth[task.truth >= 0].tolist()))
    return (
        f"{len(task.references):,} references, {len(task.queries) - absent:,} edited copies of"
        f" {asked:,} of them, {absent:,} edited photos that are not among them."
    )


def _line(kind: str, found: Found, strengths: Mapping[str, Found]) -> tuple[str, ...]:
    return kind, *_cells(found), *(_short(strengths[strength]) for strength in STRENGTHS)


def _cells(found: Found) -> tuple[str, ...]:
    return share(found.r_at_1), share(found.u_ap), *map(share, found.recall)


def _short(found: Found) -> str:
    return _pair((found.r_at_1, found.recall[0]))


def _pair(pair: tuple[float, float] | None) -> str:
    shares = [share(one) for one in pair or ()]
    return ", ".join(shares) if all(shares) else ""
