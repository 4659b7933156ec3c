"""What the review page says of groups and photos: filters and functions for its templates.

The words are those of the command line (``showing``), where both say the same.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

from jinja2 import Environment

from twinlens.media import printable
from twinlens.relations import BURST, IDENTICAL, SAME_PIXELS, SIMILAR
from twinlens_plugin import output
from twinlens_plugin.groups import Group, Member
from twinlens_plugin.shots import Photo, Shot

MOST_SHOWN = 24
"""Members of a group that a page of groups shows; the rest is asked for. A folder of a thousand equal
icons would be a page of its own."""


def add_to(environment: Environment) -> None:
    """Make the words known to the templates of an environment."""
    environment.filters.update(
        date=date,
        folder=folder,
        megabytes=output.megabytes,
        name=name,
        percent=percent,
        pixels=pixels,
        shot_bytes=shot_bytes,
        shown=output.shown,
        split_name=split_name,
        version=version,
    )
    environment.globals.update(
        companions=companions,
        doubtful=doubtful,
        fate=fate,
        members_shown=members_shown,
        plural=output.plural,
        said=said,
        sure=sure,
        thumb=thumb,
    )


def name(path: bytes) -> str:
    """Return the name of a file, for people."""
    return printable(path.rpartition(b"/")[2])


def split_name(path: bytes) -> tuple[str, str]:
    """Return the name of a file in two, of which the second stays whole where room is short.

    Photos of one group differ at the end: ``holiday-in-rome-2019-edited-2.jpg``.
    """
    whole = name(path)
    stem, dot, suffix = whole.rpartition(".")
    kept = max(len(stem) - 8, 0) if stem else 0
    return (stem[:kept], stem[kept:] + dot + suffix) if stem else (whole, "")


def folder(path: bytes) -> str:
    """Return the folder of a file, its last two names: the whole path is a title away."""
    names = path.rpartition(b"/")[0].split(b"/")
    shown = printable(b"/".join(names[-2:]))
    return shown if len(names) <= 3 else f"…/{shown}"


def pixels(photo: Photo) -> str:
    """Return the size of a picture for people, as ``by`` has it."""
    return by(photo.width, photo.height) or "size not known"


def by(width: int | None, height: int | None) -> str:
    """Return ``4032 x 3024`` with a real multiplication sign; empty where it is not known."""
    return f"{width} \N{MULTIPLICATION SIGN} {height}" if width and height else ""


def shot_bytes(shot: Shot) -> int:
    """Return what all files of a shot take."""
    return sum(photo.size for photo in shot.photos)


def version(sha256: bytes) -> str:
    """Return what tells a content's picture from another one under the same number."""
    return sha256.hex()[:16]


def thumb(file_id: int, sha256: bytes) -> str:
    """Return the address of a thumbnail, which a browser keeps: other bytes have another one."""
    return f"/photos/{file_id}/thumb?v={version(sha256)}"


def date(photo: Photo) -> str:
    """Return the day on which a photo was taken, else that of its file."""
    if photo.taken_at:
        return photo.taken_at[:10]
    # EXIF times are local, and so is this one.
    return dt.datetime.fromtimestamp(photo.mtime_ns / 1e9).astimezone().date().isoformat()


def percent(share: float) -> str:
    """Return a probability for people, rounded down: 100 % would promise what nobody can."""
    return f"{min(math.floor(share * 100), 99)} %"


def sure(member: Member) -> str:
    """Return how sure a relation is: ``97 % sure``; empty where the bytes or the pixels say it."""
    link = member.link
    if link is None or link.kind in (IDENTICAL, SAME_PIXELS):
        return ""
    if link.decided:
        return "you decided"
    if not link.verified:
        return "not verified"
    # Of those that are no duplicates the number is how likely they are the same shot after all.
    words = "likely the same shot" if link.kind in (BURST, SIMILAR) else "sure"
    return f"{percent(link.strength)} {words}"


def doubtful(member: Member) -> bool:
    """Tell whether it is worth asking whether the photo is the same as the keeper."""
    link = member.link
    if link is None or link.decided:
        return False
    return link.kind in (BURST, SIMILAR) or not link.verified


def fate(member: Member) -> str:
    """Return what is proposed: ``keep``, ``stays`` or ``goes``."""
    if member.link is None:
        return "keep"
    return "stays" if member.stays else "goes"


def companions(shot: Shot) -> str:
    """Return the other files of a shot, for people: ``RAW + JPEG, with IMG_1041.JPG``."""
    forms = " + ".join(_form(photo) for photo in shot.photos)
    return f"{forms}, with {', '.join(name(photo.path) for photo in shot.companions)}"


def _form(photo: Photo) -> str:
    if photo.raw:
        return "RAW"
    return photo.format or printable(photo.path.rpartition(b".")[2]).upper()


def said(group: Group, member: Member, place: int) -> str:
    """Return what a screen reader says of a photo, the telling part first.

    ``photo 2 of 4, copy, 0.97, 1600 by 1200, 0.41 MB, would go``.
    """
    photo = member.photo
    link = member.link
    parts = [f"photo {place} of {len(group.members)}"]
    parts.append("kept" if link is None else member.relation)
    if link is not None and not link.decided and link.kind not in (IDENTICAL, SAME_PIXELS):
        parts.append(f"{min(link.strength, 0.99):.2f}" if link.verified else "not verified")
    if member.words:
        parts.append(member.words)
    if photo.pixels:
        parts.append(f"{photo.width} by {photo.height}")
    parts += [output.megabytes(shot_bytes(member.shot)), *_outlook(member), name(photo.path)]
    return ", ".join(parts)


def _outlook(member: Member) -> Sequence[str]:
    words = {"keep": [], "goes": ["would go"], "stays": [f"stays: {member.kept}"]}[fate(member)]
    return [*words, *([] if member.photo.online else ["disk is away"])]


def members_shown(group: Group, *, whole: bool) -> Sequence[Member]:
    """Return the members that a page shows of a group."""
    return group.members if whole else group.members[:MOST_SHOWN]
