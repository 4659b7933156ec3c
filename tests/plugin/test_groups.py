"""Groups of duplicates, as pure rules: what is in one, and what never is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from random import Random
from typing import Any
from zlib import crc32

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from twinlens.relations import BURST, COPY, EDIT, IDENTICAL, PAIR, SAME_PIXELS, Detail
from twinlens_plugin.groups import Group, Rules, make_groups
from twinlens_plugin.keeper import Keep
from twinlens_plugin.links import APART, Link, closeness
from twinlens_plugin.rules import Rule, parse_keep
from twinlens_plugin.shots import Photo, Shot, make_shots

unhurried = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
"""Machines that are busy with other things draw slowly."""

Links = dict[tuple[int, int], Link]
Drawn = tuple[list[Shot], Links]

KINDS = (SAME_PIXELS, COPY, EDIT, PAIR, BURST, APART)


def photo(content: int, name: str = "", **more: object) -> Photo:
    """Return a photo of a content."""
    fields = {
        "size": 100,
        "width": 40,
        "height": 30,
        "place": (content, crc32(name.encode())),
    } | more
    path = f"/photos/{name or content}.jpg".encode()
    return Photo(content_id=content, path=path, sha256=bytes([content]) * 32, **fields)  # type: ignore[arg-type]


def grouped(photos: Sequence[Photo], links: Links, rules: Rules | None = None) -> list[Group]:
    """Return the groups of photos without companions."""
    return make_groups(make_shots(photos), links, rules)


@st.composite
def libraries(draw: st.DrawFn) -> Drawn:
    """Shots of up to 7 contents, some held by several files or RAW + JPEG, and links among them."""
    contents = draw(st.integers(1, 7))
    photos = [
        photo(
            content,
            f"{draw(st.sampled_from('abc'))}/{content}-{copy}",
            size=draw(st.integers(1, 3)) * 100,
            width=draw(st.sampled_from([None, 40, 80])),
            mtime_ns=draw(st.integers(0, 2)) * 10**9,
            place=(1, content * 10 + copy),
        )
        for content in range(contents)
        for copy in range(draw(st.integers(1, 2)))
    ]
    raw = [
        one._replace(path=one.path.replace(b".jpg", b".cr2"), content_id=one.content_id + 20)
        for one in photos
        if draw(st.integers(0, 5)) == 0
    ]
    every = list(itertools.combinations(sorted({p.content_id for p in [*photos, *raw]}), 2))
    chosen = draw(st.lists(st.sampled_from(every), unique=True)) if every else []
    links = st.builds(Link, st.sampled_from(KINDS), st.sampled_from([0.9, 0.95, 0.99]))
    return make_shots([*photos, *raw]), {pair: draw(links) for pair in chosen}


rules = st.builds(
    Rules,
    kinds=st.sampled_from(
        [frozenset({IDENTICAL, SAME_PIXELS, COPY, EDIT}), frozenset({BURST}), frozenset({COPY})]
    ),
    apart=st.frozensets(st.integers(0, 3)),
    one_a_folder=st.booleans(),
)


def link_of(a: Shot, b: Shot, links: Links, apart: frozenset[int]) -> Link | None:
    """Return what two shots are to each other, told in another way than the code does."""
    found = [Link(IDENTICAL) for c in {*a.contents} & {*b.contents} if c not in apart]
    found += [Link(APART) for c in {*a.contents} & {*b.contents} if c in apart]
    for pair in itertools.product(a.contents, b.contents):
        found += [links[pair]] if pair in links else []
        found += [links[pair[::-1]]] if pair[::-1] in links else []
    best = min(found, key=closeness, default=None)
    if a.contents == b.contents:  # the same photo twice, whatever its files are to each other
        return None if apart & {*a.contents} else Link(IDENTICAL)
    return None if best is None or best.kind == APART else best


@unhurried
@given(libraries(), st.randoms(), rules)
def test_groups_do_not_depend_on_order(library: Drawn, random: Random, rules: Rules):
    """Whatever the order of shots and links, the groups are the same."""
    shots, links = library
    groups = make_groups(shots, links, rules)
    random.shuffle(shots)
    items = list(links.items())
    random.shuffle(items)
    assert make_groups(shots, dict(items), rules) == groups


@unhurried
@given(libraries(), rules)
def test_any_two_of_a_group_are_related(library: Drawn, rules: Rules):
    """No group is chained, and none holds two photos that a person told apart."""
    shots, links = library
    for group in make_groups(shots, links, rules):
        for one, other in itertools.combinations([m.shot for m in group.members], 2):
            assert link_of(one, other, links, frozenset(rules.apart)) is not None


@unhurried
@given(libraries(), rules)
def test_a_member_is_related_to_the_keeper_in_a_way_that_was_asked_for(
    library: Drawn, rules: Rules
):
    """And the relation said is the closest that there is: never the pair of RAW and JPEG."""
    shots, links = library
    for group in make_groups(shots, links, rules):
        for member in group.others:
            assert member.relation in rules.kinds
            assert member.link == link_of(group.keeper, member.shot, links, frozenset(rules.apart))


@unhurried
@given(libraries(), rules)
def test_a_file_is_in_one_group_at_most(library: Drawn, rules: Rules):
    """No file is offered for deletion twice, or kept here and spared there."""
    shots, links = library
    listed = [p.path for group in make_groups(shots, links, rules) for p in group.photos]
    assert len(listed) == len(set(listed))


@unhurried
@given(libraries(), rules)
def test_the_keeper_is_the_best_of_its_group_and_comes_first(library: Drawn, rules: Rules):
    """No other photo of the group would have been the better one to keep."""
    for group in make_groups(*library, rules):
        assert group.members[0].relation == "keeper"
        assert group.keeper == min((m.shot for m in group.members), key=rules.keep.rank)


@unhurried
@given(libraries())
def test_what_is_left_over_is_unrelated(library: Drawn):
    """A shot outside all groups is no duplicate of another one outside all groups."""
    shots, links = library
    groups = make_groups(shots, links)
    taken = {member.shot for group in groups for member in group.members}
    for one, other in itertools.combinations([s for s in shots if s not in taken], 2):
        link = link_of(one, other, links, frozenset())
        assert link is None or link.kind not in Rules().kinds


@unhurried
@given(libraries())
def test_no_folder_is_twice_in_a_group_where_that_was_asked_for(library: Drawn):
    """With --ignore-same-folder photos of one folder are not compared."""
    for group in make_groups(*library, Rules(one_a_folder=True)):
        folders = [member.photo.folder for member in group.members]
        assert len(folders) == len(set(folders))


@unhurried
@given(libraries())
def test_raw_and_jpeg_of_a_shot_go_together(library: Drawn):
    """Files of one shot are never in two groups, nor duplicates of one another."""
    shots, links = library
    for group in make_groups(shots, links):
        for member in group.members:
            assert member.shot in shots


@unhurried
@given(libraries())
def test_the_others_are_listed_closest_first(library: Drawn):
    """Same bytes first, then copies, then edits, the surest first."""
    for group in make_groups(*library):
        links = [member.link for member in group.others if member.link]
        assert links == sorted(links, key=closeness)


def test_a_like_b_like_c_does_not_make_a_group_of_three():
    """The best photo takes what is related to it; what is only related to that stays out."""
    a, b, c = photo(1, width=400), photo(2, width=300), photo(3, width=200)
    (group,) = grouped([a, b, c], {(1, 2): Link(COPY), (2, 3): Link(COPY)})
    assert [member.photo for member in group.members] == [a, b]


def test_a_photo_told_apart_from_a_member_stays_out_of_the_group():
    """Also where both are copies of the keeper."""
    a, b, c = photo(1, width=400), photo(2, width=300), photo(3, width=200)
    links = {(1, 2): Link(COPY), (1, 3): Link(COPY), (2, 3): Link(APART)}
    (group,) = grouped([a, b, c], links)
    assert [member.photo for member in group.members] == [a, b]


def test_raw_in_one_folder_and_jpeg_in_another_are_no_duplicates():
    """They are a pair; a copy of the JPEG is a duplicate of it all the same."""
    raw = photo(1, "raw/1", width=400)._replace(path=b"/photos/raw/1.cr2")
    jpeg, web = photo(2, "jpeg/1", width=390), photo(3, "web/1", width=40)
    assert grouped([raw, jpeg], {(1, 2): Link(PAIR)}) == []
    (group,) = grouped([raw, jpeg, web], {(1, 2): Link(PAIR), (2, 3): Link(COPY)})
    assert [member.photo for member in group.members] == [jpeg, web]


def test_a_raw_file_is_never_spared_for_a_jpeg():
    """Whatever the rules prefer: a JPEG is no substitute."""
    raw = photo(1, "a")._replace(path=b"/photos/a.cr2")
    jpeg = photo(2, "best/b", taken_at="2001-01-01T00:00:00")
    keep = Keep(parse_keep("path:/photos/best"))
    (group,) = grouped([raw, jpeg], {(1, 2): Link(COPY)}, Rules(keep=keep))
    assert group.keeper.photo == jpeg
    assert group.spare == ()
    assert group.bytes_to_win == 0
    assert group.members[1].kept == "RAW, which the keeper is not"


def test_photos_of_a_reference_folder_are_not_proposed():
    """Better ones elsewhere are kept instead of them, worse ones go."""
    best = photo(1, width=400)
    ours, worse = photo(2, width=300, reference=True), photo(3, width=200)
    links = {pair: Link(COPY) for pair in [(1, 2), (1, 3), (2, 3)]}
    (group,) = grouped([best, ours, worse], links)
    assert group.keeper.photo == best
    assert [member.photo for member in group.spare] == [worse]
    assert group.bytes_to_win == worse.size


def test_of_equals_the_one_in_a_reference_folder_is_kept():
    """Age and name do not count against it."""
    ours = photo(1, "zzz/long name", reference=True, mtime_ns=9 * 10**9)
    (group,) = grouped([ours, photo(1, "a", mtime_ns=1)], {})
    assert group.keeper.photo == ours
    assert group.reason == "in a reference folder"


def test_a_content_of_which_every_file_is_wanted_gives_one_of_them():
    """Its files are not duplicates of each other; a copy of it is one of the first."""
    a, b, copy = photo(1, "a"), photo(1, "b"), photo(2, width=20)
    wanted = Rules(apart=frozenset({1}))
    assert grouped([a, b], {}, wanted) == []
    (group,) = grouped([a, b, copy], {(1, 2): Link(COPY)}, wanted)
    assert [member.photo for member in group.members] == [a, copy]


def test_bytes_to_win_back_leave_out_the_keeper():
    """Only what could go counts, with what goes along."""
    a, b = photo(1, "a"), photo(1, "b")
    raw_a = photo(2, "a", size=70)._replace(path=b"/photos/a.cr2")
    raw_b = photo(2, "b", size=70)._replace(path=b"/photos/b.cr2")
    (group,) = grouped([a, b, raw_a, raw_b], {})
    assert len(group.members) == 2
    assert group.bytes_to_win == 170


def test_a_hard_link_wins_nothing_back():
    """Two names of one file take its bytes once."""
    same = {"size": 100, "place": (1, 7)}
    (group,) = grouped([photo(1, "a", **same), photo(1, "b", **same)], {})
    assert group.bytes_to_win == 0


@unhurried
@given(libraries(), st.randoms())
def test_a_group_is_named_after_the_bytes_of_its_members(library: Drawn, random: Random):
    """The name stays the same through renames and another choice of keeper."""
    shots, links = library
    names = {group.name for group in make_groups(shots, links)}
    assert len(names) == len(make_groups(shots, links))
    a, b = photo(1, "a", width=400), photo(2, "b")
    renamed = [b._replace(width=500), a._replace(path=b"/elsewhere/c.jpg")]
    (one,), (other,) = (grouped(p, {(1, 2): Link(COPY)}) for p in ([a, b], renamed))
    assert one.keeper.photo.content_id != other.keeper.photo.content_id
    assert one.name == other.name


def test_the_group_that_wins_most_comes_first():
    """A user who deals with the first groups gains most."""
    small = [photo(1, "a", size=5), photo(1, "b", size=5)]
    large = [photo(2, "c", size=9), photo(2, "d", size=9)]
    assert [group.bytes_to_win for group in grouped([*small, *large], {})] == [9, 5]


@pytest.mark.parametrize(
    ("keeper", "other", "detail", "kept"),
    [
        (
            {"camera": None, "width": 80},
            {"camera": "Canon"},
            None,
            "has the camera's data, which the keeper lacks",
        ),
        ({"width": 80}, {}, {"border": True, "framed": "a"}, "not framed, as the keeper is"),
        ({"width": 80}, {}, {"border": True, "framed": "b"}, None),
        (
            {"format": "TIFF"},
            {"format": "JPEG"},
            {"grey": True, "greyed": "a"},
            "not grey, as the keeper is",
        ),
        ({"width": 80}, {}, {"crop": 0.5, "cropped": "b"}, None),
        (
            {"width": 80},
            {},
            {"crop": 0.5, "cropped": "b", "doubtful": "a"},
            "not framed, as the keeper may be",
        ),
        ({"width": 80}, {}, {"crop": 0.5, "cropped": "a"}, "not cropped, as the keeper is"),
    ],
)
def test_what_cannot_be_made_good_again_is_not_proposed_for_removal(
    keeper: dict[str, Any], other: dict[str, Any], detail: dict[str, Any] | None, kept: str | None
):
    """More pixels may be an enlargement, and a border has more of them than the photo in it."""
    photos = [photo(1, **keeper), photo(2, **other)]
    link = Link(EDIT, detail=Detail("", detail).to_json() if detail else None)
    (group,) = grouped(photos, {(1, 2): link})
    assert group.keeper.photo == photos[0]
    assert group.others[0].kept == kept
    decided = link._replace(decided=True)
    (group,) = grouped(photos, {(1, 2): decided})
    assert group.others[0].kept is None, "a person said that they are the same"


def page_of(share: float, framed: str = "b") -> Link:
    """Return that a page shows a photo, upright and in the middle, on a share of its area."""
    side = share**0.5 if framed == "b" else share**-0.5
    edge = (1 - side) / 2
    detail = Detail(
        "", {"inset": True, "framed": framed}, 1.0, (side, 0, edge, 0, side, edge, 0, 0, 1), 0.9
    )
    return Link(EDIT, detail=detail.to_json())


@pytest.mark.parametrize("framed", ["a", "b"])
def test_a_screenshot_is_not_kept_for_the_pixels_of_its_page(framed: str):
    """The photo is, and the screenshot may go: it shows the photo with no more pixels than that has."""
    shot, page = photo(1), photo(2, width=80)
    if framed == "a":
        shot, page = shot._replace(content_id=2), page._replace(content_id=1)
    (group,) = grouped([shot, page], {(1, 2): page_of(0.5, framed)})
    assert (group.keeper.photo, group.reason) == (shot, "unedited")
    assert [member.photo for member in group.spare] == [page]


def test_what_a_page_shows_stays_where_the_page_is_kept():
    """A story's blur was taken for the rest of the scene: its photo may be the only one."""
    crop = Detail("", {"crop": 0.71, "cropped": "b"}, 1.0, (1, 0, 0, 0, 1, 0, 0, 0, 1), 0.9)
    links = {(1, 2): Link(EDIT, detail=crop.to_json())}
    story, shown = photo(1, holds_picture=True), photo(2, height=10)
    (group,) = grouped([story, shown], links)
    assert group.keeper.photo == story
    assert [m.kept for m in group.others] == ["may be the photo that the keeper shows"]
    (group,) = grouped([story._replace(holds_picture=False), shown], links)
    assert [m.kept for m in group.others] == [None]


@pytest.mark.parametrize(
    ("share", "kept"), [(0.5, None), (0.13, "larger than the keeper shows it")]
)
def test_a_crop_that_is_larger_than_in_the_keeper_stays(share: float, kept: str | None):
    """It was not cut out of it: a story is its photo, small, on its own blur."""
    done = {"crop": share, "cropped": "a"}
    detail = Detail("", done, 1.0, (share, 0, 0, 0, 1, 0, 0, 0, 1), 0.9)
    photos = [photo(1), photo(2, width=80)]
    (group,) = grouped(photos, {(1, 2): Link(EDIT, detail=detail.to_json())})
    assert group.keeper.photo == photos[1]
    assert group.others[0].kept == kept


def test_a_larger_copy_is_never_spared_for_the_photo_on_a_page():
    """Of the three the page is to the small one what it is not known to be to the large one."""
    small, large, page = photo(1), photo(2, width=60), photo(3, width=80)
    known = {(1, 2): Link(COPY), (1, 3): page_of(0.5), (2, 3): Link(BURST)}
    for group in grouped([small, large, page], known):
        assert large not in [member.photo for member in group.spare]


@pytest.mark.parametrize(
    ("page", "share", "keep"),
    [
        ({"width": 80}, 0.8, ()),  # enlarged, or made of a larger photo
        ({"width": 80, "camera": "Canon"}, 0.5, ()),
        ({"width": 80, "reference": True}, 0.5, ()),
        ({"width": 80}, 0.5, parse_keep("pixels")),
    ],
)
def test_a_screenshot_that_has_more_is_kept_beside_its_photo(
    page: dict[str, Any], share: float, keep: tuple[Rule, ...]
):
    """Neither goes where the page has what the photo lacks, or a rule was asked for."""
    photos = [photo(1), photo(2, **page)]
    (group,) = grouped(photos, {(1, 2): page_of(share)}, Rules(keep=Keep(keep)))
    assert group.keeper.photo == photos[1]
    assert not group.spare


@pytest.mark.parametrize(
    "done", [{"tone": ["brighter"]}, {"overlay": 0.2}, {"mirrored": True}, {"rotated": 180}]
)
@pytest.mark.parametrize(
    ("keeper", "keep", "kept"),
    [
        ({"size": 900}, "", "may be the original"),
        ({"sharpness": 90.0}, "", "may be the original"),
        ({"mtime_ns": -(10**9)}, "", "may be the original"),
        ({"mtime_ns": -(10**9)}, "oldest", None),
        ({"size": 900}, "path:/photos/1.jpg", None),
        ({"width": 80}, "", None),
        ({"camera": "Canon"}, "", None),
        ({"rating": 4}, "", None),
    ],
)
def test_of_an_edit_the_larger_file_is_not_the_original(
    done: dict[str, Any], keeper: dict[str, Any], keep: str, kept: str | None
):
    """What was retouched and saved at a high quality is larger and sharper than the photo itself."""
    photos = [photo(1, **{"sharpness": 10.0} | keeper), photo(2, sharpness=10.0)]
    chosen = Rules(keep=Keep(parse_keep(keep))) if keep else Rules()
    edit = Link(EDIT, detail=Detail("", done).to_json())
    (group,) = grouped(photos, {(1, 2): edit}, chosen)
    assert group.keeper.photo == photos[0]
    assert group.others[0].kept == kept
    cropped = Detail("", done | {"crop": 0.5, "cropped": "b"}).to_json()
    (group,) = grouped(photos, {(1, 2): edit._replace(detail=cropped)}, chosen)
    assert group.others[0].kept is None, "the keeper shows more"
    (group,) = grouped(photos, {(1, 2): edit._replace(kind=COPY)}, chosen)
    assert group.others[0].kept is None, "a copy has nothing that the other lacks"


def test_a_photo_is_described_against_the_keeper():
    """Half the size of the keeper, whichever of the two was read first."""
    detail = Detail("resized to 50 %", {"resized": 0.5}).to_json()
    for small, large in ((2, 1), (1, 2)):
        photos = [photo(small), photo(large, width=80, height=60)]
        told = detail if small == 2 else detail.replace("50 %", "200 %").replace("0.5", "2.0")
        (group,) = grouped(photos, {(1, 2): Link(COPY, detail=told)})
        assert group.keeper.photo == photos[1]
        assert group.others[0].words == "resized to 50 %"


def test_raw_files_do_not_go_on_the_strength_of_their_jpegs():
    """Two shots whose JPEGs are copies: the RAW files were never found to be."""
    photos = [
        photo(content, f"{folder}/x")._replace(path=f"/photos/{folder}/x.{suffix}".encode())
        for folder, raw, jpeg in (("a", 1, 2), ("b", 3, 4))
        for content, suffix in ((raw, "cr2"), (jpeg, "jpg"))
    ]
    links = {(2, 4): Link(COPY)}
    (group,) = grouped(photos, links)
    assert group.others[0].kept == "RAW, which was not found to be the keeper's"
    (group,) = grouped(photos, links | {(1, 3): Link(COPY)})
    assert group.others[0].kept is None
