"""The Lightroom plug-in: what it does in the catalog, by the answers of the real twinlens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.conftest import Built
from tests.plugin.dam.lightroom import Lightroom, World

Facts = dict[str, Any]
Start = Callable[..., Lightroom]


@pytest.fixture
def shots(built: Built) -> dict[str, Path]:
    """A photo with two copies, a pair of others, and one that is alone."""
    photos = {
        "best": built.photo("in/best.jpg", data=b"x" * 3000, pixels=(4000, 3000)),
        "twin": built.photo("out/twin.jpg", data=b"x" * 3000),
        "small": built.photo("out/small & 100%.jpg", data=b"y" * 500, pixels=(800, 600)),
        "cat": built.photo("in/cat.jpg", data=b"cat"),
        "cat2": built.photo("out/cat's.jpg", data=b"cat"),
        "lone": built.photo("in/lone.jpg"),
    }
    built.pair(photos["best"], photos["small"], 0.97)
    return photos


@pytest.fixture
def start(built: Built, shots: dict[str, Path], tmp_path: Path) -> Start:
    """Start a Lightroom whose catalog has these photos; names that are given are selected."""

    def started(*selected: str, facts: dict[str, Facts] | None = None, **more: Any) -> Lightroom:
        catalog = [
            {"path": path, **(facts or {}).get(name, {})}
            for name, path in more.pop("catalog", shots).items()
        ]
        numbers = [list(shots).index(name) + 1 for name in selected]
        world = World(tmp_path, built.library.folder, catalog, numbers)
        return Lightroom(replace(world, **more))

    return started


def sets(lightroom: Lightroom) -> list[set[str]]:
    """Return the photos of the collections of duplicates, the largest first."""
    found = [ps for name, ps in lightroom.collections.items() if name.startswith("Duplicates/")]
    return sorted(found, key=len, reverse=True)


def test_each_group_becomes_a_collection_with_flags_and_keywords(start: Start):
    """The photo to keep is a pick, the spare ones are rejects, and the user was asked first."""
    lightroom = start("small", "cat")
    lightroom.choose("Duplicates.lua")
    assert sets(lightroom) == [
        {"best.jpg", "twin.jpg", "small & 100%.jpg"},
        {"cat.jpg", "cat's.jpg"},
    ]
    flags = lightroom.flags()
    assert flags == {
        "best.jpg": 1,
        "twin.jpg": -1,
        "small & 100%.jpg": -1,
        "cat.jpg": 1,
        "cat's.jpg": -1,
    }
    assert lightroom.keywords()["best.jpg"] == {"twinlens|keep"}
    assert lightroom.keywords()["twin.jpg"] == {"twinlens|spare"}
    assert not any(keyword.export for keyword in lightroom.sdk.keywords.values())
    (question,) = lightroom.sdk.seen.questions.values()
    assert question.message == "2 groups of duplicates, 3 photos to spare."
    assert lightroom.messages == ["2 groups collected."]
    assert [source.name for source in lightroom.sdk.seen.sources.values()] == ["Duplicates"]


def test_collections_have_names_that_people_know(start: Start):
    """The name of the photo to keep, and the group's own, which tells two of one name apart."""
    lightroom = start("cat")
    lightroom.choose("Duplicates.lua")
    (name,) = lightroom.collections
    assert name.startswith("Duplicates/cat [")


@pytest.mark.parametrize(("answer", "groups"), [("other", 1), ("cancel", 0)])
def test_nothing_is_flagged_unless_the_user_says_so(start: Start, answer: str, groups: int):
    """Collect only makes collections; Cancel makes nothing."""
    lightroom = start("cat", answer=answer)
    lightroom.choose("Duplicates.lua")
    assert len(sets(lightroom)) == groups
    assert lightroom.flags() == {}


def test_flags_and_stars_of_the_user_stay(start: Start):
    """A pick, a reject or stars that are there are the user's word: they are counted, not changed."""
    facts: dict[str, Facts] = {
        "best": {"pickStatus": -1},
        "twin": {"pickStatus": 1},
        "small": {"rating": 3},
    }
    lightroom = start("best", facts=facts)
    lightroom.choose("Duplicates.lua")
    assert lightroom.flags() == {"best.jpg": -1, "twin.jpg": 1}
    assert "3 photos not flagged: they have flags or stars of yours." in lightroom.messages[0]


def test_nothing_is_rejected_where_the_one_to_keep_is_not_in_the_catalog(
    start: Start, shots: dict[str, Path]
):
    """Lightroom's user could not see what the rejects are spare for."""
    catalog = {**shots, "best": shots["lone"].with_name("elsewhere.jpg")}
    lightroom = start("small", catalog=catalog)
    lightroom.choose("Duplicates.lua")
    assert sets(lightroom) == [{"twin.jpg", "small & 100%.jpg"}]
    assert lightroom.flags() == {}
    assert "1 file of these groups not in this catalog." in lightroom.messages[0]


def test_virtual_copies_videos_and_missing_files_are_left_out_and_said(start: Start):
    """Only files are known: the virtual copy of a photo is not asked about twice."""
    facts: dict[str, Facts] = {"twin": {"isVirtualCopy": True}, "lone": {"isVideo": True}}
    lightroom = start("cat", "twin", "lone", "cat2", facts=facts, missing=frozenset({"cat's.jpg"}))
    lightroom.choose("Duplicates.lua")
    assert "Left out: 1 virtual copy, 1 video, 1 missing file." in lightroom.messages[0]
    assert len(sets(lightroom)) == 1


def test_a_second_run_replaces_what_the_first_one_made(start: Start):
    """Our collections alone: one that the user put beside them stays."""
    lightroom = start("cat", "best")
    lightroom.choose("Duplicates.lua")
    duplicates = lightroom.sdk.top.children["twinlens"].children["Duplicates"]
    lightroom.lua.execute(
        "local set = ... set.children.mine = setmetatable("
        "{name = 'mine', parent = set, children = {}, photos = {}}, getmetatable(set))",
        duplicates,
    )
    lightroom.select(4)
    lightroom.choose("Duplicates.lua")
    names = {name.partition(" [")[0] for name in lightroom.collections}
    assert names == {"Duplicates/mine", "Duplicates/cat"}


def test_similar_photos_are_shown_in_one_collection(start: Start):
    """The photo asked about and those like it."""
    lightroom = start("cat")
    lightroom.choose("Similar.lua")
    (found,) = lightroom.collections.values()
    assert {"cat.jpg", "cat's.jpg", "best.jpg"} <= found
    assert [source.name for source in lightroom.sdk.seen.sources.values()] == ["Similar photos"]
    assert lightroom.messages == ["5 similar photos in the collection Similar photos."]


def test_no_duplicates_is_remembered_by_twinlens(start: Start, built: Built):
    """The decision is that of the command line: the group is not proposed again."""
    lightroom = start("best", "small")
    lightroom.choose("NotDuplicates.lua")
    assert "2 photos remembered as no duplicates of one another." in lightroom.messages[0]
    assert built.catalogue.value("SELECT verdict FROM decisions") == "not-duplicates"


def test_two_photos_are_needed_to_be_no_duplicates(start: Start):
    """Said before twinlens is asked."""
    lightroom = start("best")
    lightroom.choose("NotDuplicates.lua")
    assert lightroom.messages == ["Select two photos or more."]
    assert lightroom.lines == []


@pytest.mark.parametrize("times", [1, 256])
def test_an_error_of_twinlens_is_shown_as_it_says_it(start: Start, tmp_path: Path, times: int):
    """Whatever form the exit code comes in."""
    lightroom = start("cat", library=tmp_path / "nowhere", times=times)
    lightroom.choose("Duplicates.lua")
    (message,) = lightroom.messages
    assert "no library" in message
    assert "twinlens scan" in message


def test_a_program_that_is_not_there_is_said(start: Start):
    """With the place where it is set."""
    lightroom = start("cat", prefs={"program": "/no/such/twinlens"})
    lightroom.choose("Duplicates.lua")
    assert "File > Plug-in Manager > twinlens" in lightroom.messages[0]


def test_settings_stand_above_what_was_installed(start: Start, built: Built, tmp_path: Path):
    """Program and library; the last --library counts."""
    lightroom = start(
        "cat", library=tmp_path / "nowhere", prefs={"library": str(built.library.folder)}
    )
    lightroom.choose("Duplicates.lua")
    assert lightroom.messages == ["1 group collected."]


def test_cancelled_while_twinlens_works_nothing_is_written(start: Start):
    """Nothing is shown either, and the temporary files go when twinlens has ended."""
    lightroom = start("cat", cancel_after=0)
    lightroom.choose("Duplicates.lua")
    assert lightroom.messages == []
    assert lightroom.collections == {}
    assert list(lightroom.temp.iterdir()) == []


def test_no_temporary_file_is_left(start: Start):
    """Neither after an answer nor after an error."""
    lightroom = start("cat")
    lightroom.choose("Duplicates.lua")
    lightroom.choose("Similar.lua")
    assert list(lightroom.temp.iterdir()) == []
    assert all(scope.is_done for scope in lightroom.sdk.seen.scopes.values())


def test_a_busy_catalog_is_waited_for(start: Start):
    """Lightroom writes by itself at times."""
    lightroom = start("cat", busy=10)
    lightroom.choose("Duplicates.lua")
    assert lightroom.messages == ["1 group collected."]


def test_a_catalog_that_stays_busy_is_said(start: Start):
    """And nothing is half done."""
    lightroom = start("cat", busy=1000)
    lightroom.choose("Duplicates.lua")
    assert lightroom.errors == [
        "The catalog is busy. Wait until Lightroom is done, then try again."
    ]


def test_names_of_any_bytes(built: Built, tmp_path: Path):
    """A macOS disk may hold them; they go through the list and come back as they are."""
    photos = [built.photo(name, data=b"same") for name in (b"new\nline.jpg", b"\xff\xe9.jpg")]
    world = World(tmp_path, built.library.folder, [{"path": p} for p in photos], [1])
    lightroom = Lightroom(world)
    lightroom.choose("Duplicates.lua")
    assert sets(lightroom) == [{photo.name for photo in photos}]


def test_info_names_files_that_are_there(start: Start):
    """Lightroom says nothing where a menu entry's file is missing."""
    lightroom = start()
    info = lightroom.lua.execute((lightroom.plugin / "Info.lua").read_text())
    files = [entry.file for entry in info.LrLibraryMenuItems.values()]
    assert len(files) == 3
    assert all((lightroom.plugin / file).is_file() for file in [*files, info.LrPluginInfoProvider])
    assert {"LrSdkVersion", "LrToolkitIdentifier", "LrPluginName", "VERSION"} <= set(info)


def test_the_settings_are_in_the_plug_in_manager(start: Start):
    """A field each for the program and the library, and a button that fills it."""
    lightroom = start(chosen="/opt/twinlens")
    info = lightroom.lua.execute((lightroom.plugin / "PluginInfo.lua").read_text())
    factory = lightroom.lua.execute(
        "return setmetatable({}, {__index = function(_, kind)"
        " return function(_, given) given.kind = kind return given end end})"
    )
    (section,) = info.sectionsForTopOfDialog(factory).values()
    rows = [item for item in section.values() if getattr(item, "kind", None) == "row"]
    assert [row[2].value.bound_to for row in rows] == ["program", "library"]
    rows[0][3].action()
    assert section.bind_to_object.program == "/opt/twinlens"
