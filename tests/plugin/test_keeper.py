"""Which photo is kept, and what is said about it."""

from __future__ import annotations

import pytest

from twinlens.errors import ConfigError
from twinlens_plugin.keeper import CHOSEN, Keep, Ranked
from twinlens_plugin.rules import parse_keep
from twinlens_plugin.shots import Photo, Shot


def shot(**fields: object) -> Shot:
    """Return a shot of one file."""
    usual = {"content_id": 1, "path": b"/p/same.jpg", "size": 100, "width": 4000, "height": 3000}
    return Shot(Photo(**usual | {"format": "JPEG", "camera": "Canon"} | fields))  # type: ignore[arg-type]


def said(keep: Keep, keeper: Shot, *others: Shot) -> str:
    """Return why the keeper is kept; check that it is the one that the rules choose."""
    mine, *theirs = (Ranked(keep.rank(one), one) for one in (keeper, *others))
    assert mine < min(theirs)
    return keep.reason(mine, theirs)


RULES = [
    ("RAW over JPEG", {"path": b"/p/a.cr2", "width": 40}, {"size": 900}),
    ("TIFF over JPEG", {"format": "TIFF", "width": 40}, {"size": 900}),
    ("12 MP against 2 MP", {"size": 1}, {"size": 900, "width": 1600, "height": 1250}),
    ("4000x3000 against 3990x3000", {"size": 1}, {"size": 900, "width": 3990}),
    ("most pixels", {"size": 1}, {"size": 900, "width": None}),
    ("unedited", {"path": b"/p/IMG_1041.jpg"}, {"path": b"/p/IMG_E1041.jpg", "size": 900}),
    ("unedited", {"path": b"/p/zzzzzz.jpg"}, {"path": b"/p/a-edited.jpg", "size": 900}),
    ("unedited", {"size": 1}, {"derived": True, "size": 900}),
    ("has the camera's data", {"size": 1}, {"camera": None, "size": 900}),
    (
        "in a camera's format (JPEG over PNG)",
        {"camera": None, "size": 1},
        {"camera": None, "format": "PNG", "size": 9000},
    ),
    ("in a camera's format (HEIF over JPEG)", {"format": "HEIF", "size": 1}, {"size": 9000}),
    (
        "least compressed (3 MB against 2 MB)",
        {"size": 3_000_000, "mtime_ns": 9},
        {"size": 2_000_000, "mtime_ns": 1},
    ),
    ("in a reference folder", {"reference": True, "rating": -1}, {"rating": 5}),
    ("has rating 4", {"rating": 4}, {"rating": 3, "tagged": True}),
    ("is tagged", {"tagged": True}, {"taken_at": "2001-01-01"}),
    ("the other is rejected", {"rating": None}, {"rating": -1}),
    ("sharper (80 against 40)", {"sharpness": 80.0}, {"sharpness": 40.0, "taken_at": "2001"}),
    ("sharpest", {"sharpness": 80.0}, {"taken_at": "2001"}),
    ("taken first", {"taken_at": "2020-01-01T00:00:00"}, {"taken_at": "2021-01-01T00:00:00"}),
    ("taken first", {"taken_at": "2020-01-01T00:00:00"}, {"mtime_ns": 1_700_000_000 * 10**9}),
    ("largest file", {"size": 101, "taken_at": "x", "mtime_ns": 2}, {"taken_at": "x"}),
    ("oldest file", {"mtime_ns": 1, "taken_at": "x"}, {"mtime_ns": 2, "taken_at": "x"}),
    ("shortest path", {"path": b"/p/zz.jpg"}, {"path": b"/p/aaa.jpg"}),
    ("first by name", {"path": b"/p/aa.jpg"}, {"path": b"/p/ab.jpg"}),
]


@pytest.mark.parametrize(("words", "better", "worse"), RULES)
def test_each_rule_decides_where_those_before_it_do_not(
    words: str, better: dict[str, object], worse: dict[str, object]
):
    """The keeper is chosen by the rules in their order, and the reason names the one."""
    assert said(Keep(), shot(**better), shot(**worse)) == words


def test_what_else_speaks_for_a_photo_is_said_too():
    """As in the issue: "kept: 24 MP against 2 MP, has rating 4"."""
    best = shot(width=6000, height=4000, rating=4)
    copies = shot(width=1600, height=1250), shot(width=1600, height=1200, rating=3)
    assert said(Keep(), best, *copies) == "24 MP against 2 MP, has rating 4"


def test_what_does_not_hold_against_all_others_is_not_said():
    """The twin has as many pixels as the keeper has: then pixels are no reason."""
    best, twin, small = shot(path=b"/p/a.jpg"), shot(path=b"/p/bb.jpg"), shot(width=40)
    assert said(Keep(), best, twin, small) == "shortest path"


def test_rules_that_are_asked_for_come_first_in_their_order():
    """The others follow, so that the choice is never left to chance."""
    old, rated = shot(taken_at="2001", width=40), shot(taken_at="2002", rating=5, width=30)
    large = shot(taken_at="2003")
    assert said(Keep(parse_keep("oldest,rated")), old, rated, large) == "taken first"
    assert said(Keep(parse_keep("rated, oldest")), rated, old, large) == "has rating 5"
    assert said(Keep(parse_keep("rated")), large, old) == "12 MP against 0.12 MP"


@pytest.mark.parametrize(
    "pattern", ["/p/best", "/p/best/", "best", "be?t", "/p/*/a.jpg", "*/best/*", "a.jpg"]
)
def test_a_path_rule_prefers_a_folder_or_a_pattern(pattern: str):
    """Patterns are the shell's; a folder stands for all that lies below it."""
    keep = Keep(parse_keep(f"path:{pattern}"))
    better, worse = shot(path=b"/p/best/a.jpg", width=40), shot(path=b"/p/b.jpg")
    assert said(keep, better, worse) == f"in path:{pattern}"


def test_a_path_rule_takes_the_users_home(monkeypatch: pytest.MonkeyPatch):
    """A tilde stands for it, as the shell has it where nothing precedes it."""
    monkeypatch.setenv("HOME", "/home/ada")
    keep = Keep(parse_keep("path:~/best"))
    assert said(keep, shot(path=b"/home/ada/best/x.jpg", width=40), shot()) == "in path:~/best"


def test_a_path_rule_takes_names_of_any_bytes():
    """They come from the command line as Python has them."""
    keep = Keep(parse_keep("path:/p/\udcff*"))
    assert said(keep, shot(path=b"/p/\xff/x.jpg", width=40), shot()).startswith("in path:")


def test_what_a_person_chose_stands_above_all_rules():
    """Also above those that were asked for."""
    mine = shot(width=40, rating=-1)._replace(chosen=-1)
    for keep in (Keep(), Keep(parse_keep("pixels"))):
        assert said(keep, mine, shot(), shot(rating=5)._replace(chosen=1)) == CHOSEN


@pytest.mark.parametrize("text", ["", " , ", "rated,size", "path:", "newest"])
def test_unknown_rules_are_refused_with_those_that_there_are(text: str):
    """In one line."""
    with pytest.raises(ConfigError, match=r"Known: raw, pixels, .*, path:GLOB\."):
        parse_keep(text)
