"""Groups of duplicates and their keepers, as pure rules."""

from __future__ import annotations

import itertools
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from twinlens_plugin.groups import Group, make_groups
from twinlens_plugin.keeper import Photo, rank, reason

Drawn = tuple[list[Photo], dict[tuple[int, int], float]]


def photo(content: int, name: str = "", **more: object) -> Photo:
    """Return a photo of a content."""
    fields = {"size": 100, "width": 40, "height": 30} | more
    path = f"/photos/{name or content}.jpg".encode()
    return Photo(content_id=content, path=path, sha256=bytes([content]) * 32, **fields)  # type: ignore[arg-type]


@st.composite
def libraries(draw: st.DrawFn) -> Drawn:
    """Photos of up to 12 contents, some held by several files, and relations among them."""
    contents = draw(st.integers(1, 12))
    photos = [
        photo(
            content,
            f"{content}-{copy}",
            size=draw(st.integers(1, 3)) * 100,
            width=draw(st.sampled_from([None, 40, 80])),
            mtime_ns=draw(st.integers(0, 2)) * 10**9,
            place=(1, content * 10 + copy),
        )
        for content in range(contents)
        for copy in range(draw(st.integers(1, 3)))
    ]
    every = list(itertools.combinations(range(contents), 2))
    chosen = draw(st.lists(st.sampled_from(every), unique=True)) if every else []
    scores = st.sampled_from([0.9, 0.95, 0.99])
    return photos, {pair: draw(scores) for pair in chosen}


@given(libraries(), st.randoms())
def test_groups_do_not_depend_on_order(library: Drawn, random: Random):
    """Whatever the order of photos and relations, the groups are the same."""
    photos, related = library
    groups = make_groups(photos, related)
    random.shuffle(photos)
    pairs = list(related.items())
    random.shuffle(pairs)
    assert make_groups(photos, dict(pairs)) == groups


@given(libraries())
def test_no_group_is_chained(library: Drawn):
    """Any two photos of a group have the same bytes or are related themselves."""
    photos, related = library
    for group in make_groups(photos, related):
        contents = {member.photo.content_id for member in group.members}
        assert all(pair in related for pair in itertools.combinations(sorted(contents), 2))


@given(libraries())
def test_a_photo_is_in_one_group_at_most(library: Drawn):
    """No photo is offered for deletion twice, or kept here and spared there."""
    photos, related = library
    listed = [m.photo.path for group in make_groups(photos, related) for m in group.members]
    assert len(listed) == len(set(listed))


@given(libraries())
def test_the_keeper_is_the_best_of_its_group_and_comes_first(library: Drawn):
    """No other photo of the group would have been the better one to keep."""
    for group in make_groups(*library):
        assert group.members[0].relation == "keeper"
        assert group.keeper == min((m.photo for m in group.members), key=rank)


@given(libraries())
def test_what_is_left_over_is_unrelated(library: Drawn):
    """A photo outside all groups has no twin, and no related photo outside all groups."""
    photos, related = library
    grouped = {m.photo.content_id for g in make_groups(photos, related) for m in g.members}
    alone = {p.content_id for p in photos} - grouped
    assert not any(a in alone and b in alone for a, b in related)
    assert all(sum(p.content_id == content for p in photos) == 1 for content in alone)


@given(libraries())
def test_the_others_are_listed_closest_first(library: Drawn):
    """Scores fall along a group, and are those of the relation to the keeper."""
    photos, related = library
    for group in make_groups(photos, related):
        scores = [member.score for member in group.members]
        assert scores == sorted(scores, reverse=True)
        for member in group.spare:
            pair = tuple(sorted((group.keeper.content_id, member.photo.content_id)))
            same = pair[0] == pair[1]
            assert member.score == (1.0 if same else related[pair])
            assert member.relation == ("identical" if same else "copy")


def test_a_like_b_like_c_does_not_make_a_group_of_three():
    """The best photo takes what is related to it; what is only related to that stays out."""
    a, b, c = photo(1, width=400), photo(2, width=300), photo(3, width=200)
    (group,) = make_groups([a, b, c], {(1, 2): 0.95, (2, 3): 0.95})
    assert [member.photo for member in group.members] == [a, b]


def test_bytes_to_win_back_leave_out_the_keeper():
    """Only what could go counts."""
    (group,) = make_groups(
        [photo(1, "a", size=100, place=(1, 1)), photo(1, "b", size=100, place=(1, 2))], {}
    )
    assert group.bytes_to_win == 100


def test_a_hard_link_wins_nothing_back():
    """Two names of one file take its bytes once."""
    same = {"size": 100, "place": (1, 7)}
    (group,) = make_groups([photo(1, "a", **same), photo(1, "b", **same)], {})
    assert group.bytes_to_win == 0


def test_a_group_is_named_after_the_bytes_of_its_keeper():
    """The name stays the same when other copies come and go."""
    keeper, b, c = photo(1, width=400), photo(2), photo(3)
    names = {
        make_groups(photos, {(1, 2): 0.9, (1, 3): 0.9})[0].name
        for photos in ([keeper, b], [keeper, c])
    }
    assert names == {"01" * 6}


def test_the_group_that_wins_most_comes_first():
    """A user who deals with the first groups gains most."""
    small = [photo(1, "a", size=5, place=(1, 1)), photo(1, "b", size=5, place=(1, 2))]
    large = [photo(2, "c", size=9, place=(1, 3)), photo(2, "d", size=9, place=(1, 4))]
    groups: list[Group] = make_groups([*small, *large], {})
    assert [group.bytes_to_win for group in groups] == [9, 5]


KEEPERS = [
    ("most pixels", {"width": 80, "size": 1}, {"width": 40, "size": 900}),
    ("has the camera's data", {"camera": "Canon", "size": 1}, {"size": 900}),
    ("in a camera's format", {"format": "JPEG", "size": 1}, {"format": "PNG", "size": 900}),
    ("in a camera's format", {"format": "JPEG", "size": 1}, {"format": "HEIF", "size": 900}),
    (
        "in a camera's format",
        {"format": "HEIF", "camera": "Apple", "size": 1},
        {"format": "JPEG", "camera": "Apple", "size": 900},
    ),
    ("in a camera's format", {"path": b"/p/a.cr2", "size": 1}, {"format": "JPEG", "size": 900}),
    ("least compressed", {"size": 200, "mtime_ns": 9}, {"size": 100, "mtime_ns": 1}),
    ("taken first", {"taken_at": "2020-01-01T00:00:00"}, {"taken_at": "2021-01-01T00:00:00"}),
    ("taken first", {"taken_at": "2020-01-01T00:00:00"}, {"mtime_ns": 1_700_000_000 * 10**9}),
    ("oldest file", {"mtime_ns": 1, "taken_at": "x"}, {"mtime_ns": 2, "taken_at": "x"}),
    ("shortest path", {"path": b"/p/zz.jpg"}, {"path": b"/p/aaa.jpg"}),
    ("first by name", {"path": b"/p/aa.jpg"}, {"path": b"/p/ab.jpg"}),
]


def test_each_rule_decides_where_those_before_it_do_not():
    """The keeper is chosen by the rules in their order, and the reason names the one."""
    for words, better, worse in KEEPERS:
        fields = {"content_id": 1, "path": b"/p/same.jpg", "size": 100, "width": 40, "height": 30}
        keep, spare = Photo(**fields | better), Photo(**fields | worse)
        assert rank(keep) < rank(spare), words
        assert reason(keep, [spare]) == words
