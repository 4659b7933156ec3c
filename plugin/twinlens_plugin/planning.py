"""Making a plan of the groups that ``duplicates`` found.

Proposed for removal is what could go for certain: 1. a duplicate of the keeper that the rules do not
keep; 2. whose relation is beyond doubt: same bytes, verified by comparing the pictures, or decided
by a person; 3. all of whose files the keeper has too, where one of them makes it identical (JPEGs
alike beside RAW files that are not), and in each form (RAW, HEIC, other) that several of its files
have; 4. while its disk and the keeper's are there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from twinlens.catalogue import Catalogue
from twinlens.relations import IDENTICAL, PAIR
from twinlens_plugin import output
from twinlens_plugin.groups import Group, Member
from twinlens_plugin.links import Link
from twinlens_plugin.options import Session
from twinlens_plugin.plans import PlannedGroup, PlannedPhoto, new_plan, write_plan
from twinlens_plugin.relations import Found
from twinlens_plugin.shots import Photo, Shot, form
from twinlens_plugin.wanted import Wanted


def write_planned(
    session: Session, catalogue: Catalogue, page: Iterable[Found], wanted: Wanted, file: Path
) -> None:
    """Write a plan of the groups of a page, and say what it holds. Raises PlanError."""
    library = catalogue.meta("catalogue_id") or ""
    references = (*wanted.references, *wanted.against)
    plan = new_plan(library, planned(found.group for found in page), references)
    write_plan(plan, file)
    removals = [photo for group in plan.groups for photo in group.removals]
    size = sum(photo.size for photo in removals)
    name = os.fsencode(file)
    if session.as_json:
        output.write_json(
            {
                **output.json_path(name, "plan"),
                "id": plan.id,
                "groups": len(plan.groups),
                "photos": len(removals),
                "bytes": size,
            }
        )
        return
    groups, photos = output.plural(len(plan.groups), "group"), output.plural(len(removals), "photo")
    next_ = f"See what would be done: twinlens apply {output.shown(name)}"
    if not removals:
        next_ = "Nothing is proposed: bursts, look-alikes and what was not compared yet stay."
    sum_ = f"{output.shown(name)}: {groups}, {photos} to remove ({output.megabytes(size)})."
    output.write_lines([sum_, next_])


def planned(groups: Iterable[Group], *, whole: bool = False) -> Iterator[PlannedGroup]:
    """Yield the groups from which something can go; ``whole``: all of them."""
    for group in groups:
        made = _group(group)
        if made.removals or whole:
            yield made


def _group(group: Group) -> PlannedGroup:
    photos = [
        _photo(photo, member, why, companion=photo is not member.photo)
        for member in group.members
        for why in [_why_kept(group, member)]
        for photo in member.shot.photos
    ]
    return PlannedGroup(group.name, group.kind, group.reason, tuple(photos))


def _why_kept(group: Group, member: Member) -> str | None:
    """Return why a member is not proposed for removal, None where it is."""
    if member.link is None:
        return "the keeper"
    if member.kept is not None:
        return member.kept
    if not all(photo.online for photo in group.keeper.photos):
        return "the keeper's disk is away"
    if not all(photo.online for photo in member.shot.photos):
        return "its disk is away"
    return _doubt(group, member, member.link)


def _doubt(group: Group, member: Member, link: Link) -> str | None:
    """Return what is not certain enough to remove a photo for it."""
    kept = {photo.sha256 for photo in group.keeper.photos}
    if not (link.verified or link.decided):
        return "not compared yet: run twinlens scan"
    same = kept.issuperset(photo.sha256 for photo in member.shot.photos)
    if (link.kind == IDENTICAL or _has_more(member.shot, group.keeper)) and not same:
        return "goes with a file that the keeper has not"
    return None


def _has_more(shot: Shot, keeper: Shot) -> bool:
    """Tell whether a file goes with a photo in a form that the keeper lacks: a JPEG developed of a RAW."""
    forms = {form(photo.path) for photo in keeper.photos}
    return bool(shot.companions) and not forms.issuperset(form(p.path) for p in shot.photos)


def _photo(photo: Photo, member: Member, why: str | None, *, companion: bool) -> PlannedPhoto:
    return PlannedPhoto(
        photo.path,
        PAIR if companion else member.relation,
        why is None,
        photo.size,
        photo.mtime_ns,
        photo.sha256.hex(),
        (member.words or None) if why is None else why,
        None if member.probability is None else round(member.probability, 4),
    )
