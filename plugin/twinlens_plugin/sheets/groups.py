"""The sheet of ``duplicates --html``: a group a section, the keeper first."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator
from pathlib import Path

from twinlens.media import printable
from twinlens.relations import DUPLICATES, KINDS
from twinlens_plugin import showing
from twinlens_plugin.groups import Group, Member
from twinlens_plugin.options import Session
from twinlens_plugin.output import megabytes, plural, shown
from twinlens_plugin.relations import Found
from twinlens_plugin.sheets.file import new_file
from twinlens_plugin.sheets.sheet import Facts, Sheet, Totals
from twinlens_plugin.sheets.thumbnails import Thumbnails
from twinlens_plugin.sheets.written import Written
from twinlens_plugin.wanted import Wanted


def write_groups(file: Path, session: Session, page: Iterable[Found], facts: Facts) -> Written:
    """Write the groups of a page. Raises SheetError.

    A page that has no group more than were asked for says so only once it was read.
    """
    totals = Totals(0, 0)
    with new_file(file) as stream, Thumbnails(session) as thumbnails:
        sheet = Sheet(stream, "duplicates", "Duplicates", facts)
        for found in page:
            group = found.group
            members = [_fields(member, thumbnails) for member in group.members]
            members[0]["why"] = group.reason
            sheet.section(name=group.name, won=group.bytes_to_win, members=members)
            totals = _plus(totals, group)
        totals = dataclasses.replace(totals, more=getattr(page, "next", None) is not None)
        size = sheet.finish(totals)
    return Written(file, totals.groups, totals.photos, size, thumbnails.missing)


def facts(wanted: Wanted, limit: int | None) -> Facts:
    """Return in words what was asked for, as far as it is not what everybody gets."""
    return [*_facts(wanted, limit)]


def _facts(wanted: Wanted, limit: int | None) -> Iterator[tuple[str, str]]:
    if wanted.kinds != DUPLICATES:
        yield "Relations", ", ".join(kind for kind in KINDS if kind in wanted.kinds)
    for name, words in _PLACES.items():
        if paths := sorted(getattr(wanted, name) or ()):
            yield words, ", ".join(map(shown, paths[:_MOST_NAMED])) + _more(len(paths))
    yield from _conditions(wanted)
    if wanted.keep.asked:
        yield "Kept first", ", ".join(wanted.keep.asked)
    if limit is not None:
        yield "At most", plural(limit, "group")


def _conditions(wanted: Wanted) -> Iterator[tuple[str, str]]:
    if wanted.min_score:
        yield "Probability from", f"{wanted.min_score:.2f}"
    if wanted.min_win:
        yield "Groups that win back", f"{megabytes(wanted.min_win)} at least"
    if wanted.turned is not None:
        yield "Rotated or mirrored", "only" if wanted.turned else "left out"
    if wanted.one_a_folder:
        yield "Photos of one folder", "not compared"
    if wanted.since is not None:
        moment = dt.datetime.fromtimestamp(wanted.since).astimezone()
        yield "Came or changed since", f"{moment:%Y-%m-%d %H:%M}"


def _more(count: int) -> str:
    return f" and {count - _MOST_NAMED:,} more" if count > _MOST_NAMED else ""


_MOST_NAMED = 5
"""Paths named in a head; more would hide what is below it."""

_PLACES = {
    "photos": "Groups of",
    "folders": "Groups with a photo in",
    "under": "Photos in",
    "against": "Compared with photos in",
    "references": "Nothing goes from",
}


def _plus(totals: Totals, group: Group) -> Totals:
    return Totals(
        totals.groups + 1,
        totals.photos + len(group.members),
        totals.spare + len(group.spare),
        totals.won + group.bytes_to_win,
    )


def _fields(member: Member, thumbnails: Thumbnails) -> dict[str, object]:
    """Return what the template shows of a member."""
    photo = member.photo
    part, badge = _part(member)
    return {
        **place(photo.path),
        "picture": thumbnails.of(photo.sha256, photo.path if photo.online else None),
        "part": part,
        "badge": badge,
        "relation": "" if member.link is None else showing.relation(member),
        "why": "; ".join(showing.remarks(member)),
        "size": size(photo.width, photo.height, sum(one.size for one in member.shot.photos)),
    }


def _part(member: Member) -> tuple[str, str]:
    if member.link is None:
        return "keeper", "Keep"
    return ("stays", "Stays") if member.stays else ("spare", "To spare")


def place(path: bytes) -> dict[str, str]:
    """Return a path in two pieces, the folder with its slash."""
    folder, slash, name = path.rpartition(b"/")
    return {"folder": printable(folder + slash), "name": printable(name)}


def size(width: int | None, height: int | None, count: int) -> str:
    """Return ``4000 x 3000, 3.2 MB``."""
    pixels = f"{width} \N{MULTIPLICATION SIGN} {height}, " if width and height else ""
    return pixels + megabytes(count)
