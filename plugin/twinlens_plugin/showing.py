"""Groups as text for people, and as JSON.

The fields of the JSON are described in docs/duplicates.schema.json; none is taken away or changes
its meaning within a version of that file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twinlens.media import printable
from twinlens.relations import IDENTICAL, SAME_PIXELS
from twinlens_plugin import output
from twinlens_plugin.groups import Group, Member

_NARROWEST = (11, 9, 9)
"""Least widths of the columns, so that sizes compare from one group to the next."""


def as_json(group: Group, cursor: str) -> dict[str, Any]:
    """Return a group as ``duplicates --json`` prints it."""
    return {
        "group": group.name,
        "kind": group.kind,
        **output.json_path(group.keeper.photo.path, "keeper"),
        "reason": group.reason,
        "bytes_to_win": group.bytes_to_win,
        "photos": [_member_as_json(member) for member in group.members],
        "cursor": cursor,
    }


def _member_as_json(member: Member) -> dict[str, Any]:
    photo = member.photo
    return {
        **output.json_path(photo.path),
        "relation": member.relation,
        "probability": member.probability,
        "score": member.score,
        "verified": member.link is None or member.link.verified,
        "decided": member.link is not None and member.link.decided,
        "words": member.words,
        "proposal": "keep" if member.stays else "remove",
        "kept": member.kept,
        "bytes": photo.size,
        "width": photo.width,
        "height": photo.height,
        "online": photo.online,
        "companions": [
            {**output.json_path(other.path), "bytes": other.size}
            for other in member.shot.companions
        ],
    }


def as_text(group: Group) -> Iterator[str]:
    """Yield the lines of a group, the last one empty."""
    count = output.plural(len(group.members), "photo")
    yield f"{group.name}  {count}, {outlook(group)}: {group.reason}"
    for member in group.members:
        *cells, path = _row(member)
        padded = [cell.ljust(width) for cell, width in zip(cells, _NARROWEST, strict=True)]
        yield "  " + "  ".join([*padded, path])
    yield ""


def outlook(group: Group) -> str:
    """Return what a group would win, and what its reason is one for.

    Of a burst nothing is spare: no plan proposes its frames, and the first is only the best of them.
    """
    if not group.spare:
        return "nothing to spare, first"
    return f"{output.megabytes(group.bytes_to_win)} to win back, kept"


def _row(member: Member) -> tuple[str, str, str, str]:
    photo = member.photo
    size = f"{photo.width}x{photo.height}" if photo.pixels else "?"
    bytes_ = output.megabytes(sum(one.size for one in member.shot.photos))
    said = "; ".join(remarks(member))
    after = f"  ({said})" if said else ""
    return relation(member), size, bytes_.rjust(9), output.shown(photo.path) + after


def relation(member: Member) -> str:
    """Return ``copy 0.97``; same bytes and same pixels need no number."""
    link = member.link
    if link is None or link.decided or link.kind in (IDENTICAL, SAME_PIXELS):
        return member.relation
    # Rounded down: 1.00 would promise what nobody can.
    return f"{link.kind} {min(link.strength, 0.99):.2f}"


def remarks(member: Member) -> Iterator[str]:
    """Yield what is to be said of a member beside its relation."""
    if member.shot.companions:
        names = [photo.path.rpartition(b"/")[2] for photo in member.shot.companions]
        yield "with " + ", ".join(map(printable, names))
    if member.link is not None:
        if member.link.decided:
            yield "you decided"
        if not member.link.verified:
            yield "not verified"
        if member.words:
            yield member.words
    if member.kept is not None:
        yield f"stays: {member.kept}"
    if not member.photo.online:
        yield "disk is away"
