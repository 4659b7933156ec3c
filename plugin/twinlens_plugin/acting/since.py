"""What was found out since a plan was made: another twinlens, or a second look, may judge otherwise.

A plan says for each photo to remove that it shows the same shot as its keeper. After an upgrade pairs are
compared again; where the two shots are no duplicates any more, nothing of the one goes. What a person said
stands, whatever is found, and so do the same bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

from twinlens.catalogue import Catalogue
from twinlens.relations import DUPLICATES, PAIR
from twinlens_plugin.decisions import NOT_DUPLICATES, Decision
from twinlens_plugin.plans import PlannedGroup
from twinlens_plugin.shots import stem


def apart(
    catalogue: Catalogue, groups: Iterable[PlannedGroup], decisions: Iterable[Decision]
) -> Iterator[bytes]:
    """Yield the photos to remove that were compared with their keeper, and are no duplicates of it.

    The files of one shot stay or go together. What was never compared is as the plan has it.
    """
    said = {(d.a.hex(), d.b.hex()) for d in decisions if d.verdict != NOT_DUPLICATES}
    for group in groups:
        keeper = stem(group.keeper.path)
        kept = {p.sha256 for p in group.photos if not p.remove and stem(p.path) == keeper}
        shots: dict[bytes, set[str]] = defaultdict(set)
        for photo in group.removals:
            if not group.twin(photo):
                shots[stem(photo.path)].add(photo.sha256)
        gone = {
            shot
            for shot, spare in shots.items()
            if said.isdisjoint(_pairs(spare, kept)) and _are_apart(catalogue, spare, kept)
        }
        yield from (photo.path for photo in group.removals if stem(photo.path) in gone)


def _are_apart(catalogue: Catalogue, spare: Collection[str], kept: Collection[str]) -> bool:
    kinds = {kind for pair in _pairs(spare, kept) for kind in _kinds(catalogue, *pair)} - {PAIR}
    return bool(kinds) and kinds.isdisjoint(DUPLICATES)


def _pairs(spare: Collection[str], kept: Collection[str]) -> Iterator[tuple[str, str]]:
    for one in spare:
        for other in kept:
            yield min(one, other), max(one, other)


def _kinds(catalogue: Catalogue, first: str, second: str) -> list[str]:
    """Return what two contents, by the hashes of their bytes, were found to be: one word, or none."""
    rows = catalogue.rows(
        "SELECT kind FROM contents one JOIN contents two ON two.sha256 = ?"
        " JOIN relations ON a = min(one.id, two.id) AND b = max(one.id, two.id)"
        " WHERE one.sha256 = ?",
        (bytes.fromhex(second), bytes.fromhex(first)),
    )
    return [row[0] for row in rows]
