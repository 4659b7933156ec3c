"""What the page says of groups and photos."""

from __future__ import annotations

import pytest

from twinlens.relations import COPY, EDIT, IDENTICAL, SIMILAR, Detail
from twinlens_plugin.groups import Group, Member
from twinlens_plugin.links import Link
from twinlens_plugin.review import words
from twinlens_plugin.shots import Photo, Shot

KEEPER = Photo(1, b"/p/a.cr2", 20_000_000, 6000, 4000, format="RAW")
JPEG = Photo(2, b"/p/a.JPG", 5_000_000, 6000, 4000, format="JPEG")
OTHER = Photo(3, b"/p/b.jpg", 412_000, 1600, 1067, "2024-05-01T12:00:00", online=False)


def member(link: Link | None, kept: str | None = None) -> Member:
    """Return a member of a group."""
    return Member(Shot(OTHER), link, kept)


def group(*members: Member) -> Group:
    """Return a group of a RAW file with its JPEG, and these."""
    return Group((Member(Shot(KEEPER, (JPEG,)), None), *members), "RAW over JPEG", 1)


@pytest.mark.parametrize(
    ("link", "kept", "said"),
    [
        (
            Link(COPY, 0.999),
            None,
            "photo 2 of 2, copy, 0.99, 1600 by 1067, 0.41 MB, would go, disk is away, b.jpg",
        ),
        (
            Link(EDIT, 0.9, detail=Detail("crop to 42 %").to_json()),
            "not grey, as the keeper is",
            (
                "photo 2 of 2, edit, 0.90, crop to 42 %, 1600 by 1067, 0.41 MB,"
                " stays: not grey, as the keeper is, disk is away, b.jpg"
            ),
        ),
        (
            Link(COPY, 0.9, verified=False),
            None,
            "photo 2 of 2, copy, not verified, 1600 by 1067, 0.41 MB, would go, disk is away, b.jpg",
        ),
        (
            Link(IDENTICAL),
            None,
            "photo 2 of 2, identical, 1600 by 1067, 0.41 MB, would go, disk is away, b.jpg",
        ),
    ],
)
def test_a_photo_in_words(link: Link, kept: str | None, said: str):
    """A screen reader hears the telling part first, and all that is seen."""
    other = member(link, kept)
    assert words.said(group(other), other, 2) == said


def test_the_keeper_in_words():
    """Of the keeper all its files count."""
    made = group(member(Link(COPY)))
    assert words.said(made, made.members[0], 1) == (
        "photo 1 of 2, kept, 6000 by 4000, 25.0 MB, a.cr2"
    )
    assert words.companions(made.members[0].shot) == "RAW + JPEG, with a.JPG"


@pytest.mark.parametrize(
    ("link", "sure"),
    [
        (Link(COPY, 0.9999), "99 % sure"),
        (Link(SIMILAR, 0.31), "31 % likely the same shot"),
        (Link(COPY, 0.9, verified=False), "not verified"),
        (Link(COPY, 1.0, decided=True), "you decided"),
        (Link(IDENTICAL), ""),
    ],
)
def test_how_sure(link: Link, sure: str):
    """Never 100 %; of look-alikes the number says something else."""
    assert words.sure(member(link)) == sure


@pytest.mark.parametrize(
    ("path", "split"),
    [
        (b"/p/holiday-in-rome-edited-2.jpg", ("holiday-in-rome-", "edited-2.jpg")),
        (b"/p/a.jpg", ("", "a.jpg")),
        (b"/p/nothing", ("nothing", "")),
        (b"/p/\xff.jpg", ("", "\\xff.jpg")),
    ],
)
def test_the_end_of_a_name_stays_in_sight(path: bytes, split: tuple[str, str]):
    """Photos of one group differ at the end of their names."""
    assert words.split_name(path) == split


def test_a_large_group_is_shown_in_part():
    """A thousand equal icons are no page; all of them are when asked for."""
    made = group(*[member(Link(COPY))] * 40)
    assert len(words.members_shown(made, whole=False)) == words.MOST_SHOWN
    assert len(words.members_shown(made, whole=True)) == 41


def test_dates():
    """The day it was taken, else that of the file."""
    assert words.date(OTHER) == "2024-05-01"
    assert words.date(KEEPER._replace(mtime_ns=1_700_000_000 * 10**9)) == "2023-11-14"
