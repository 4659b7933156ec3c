"""The darktable script: what it does with images, by the answers of the real twinlens."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.conftest import Built
from tests.plugin.dam.conftest import Home
from tests.plugin.dam.darktable import Darktable, Facts, World
from twinlens_plugin.dam import darktable
from twinlens_plugin.dam.installing import Installer
from twinlens_plugin.dam.integration import Call
from twinlens_plugin.dam.record import Record

Start = Callable[..., Darktable]


@pytest.fixture
def shots(built: Built) -> dict[str, Path]:
    """A photo with two copies, a pair of others, and one that is alone."""
    photos = {
        "best.jpg": built.photo("in/best.jpg", data=b"x" * 3000, pixels=(4000, 3000)),
        "twin.jpg": built.photo("out/twin.jpg", data=b"x" * 3000),
        "it's small.jpg": built.photo("out/it's small.jpg", data=b"y" * 500, pixels=(800, 600)),
        "cat.jpg": built.photo("in/cat.jpg", data=b"cat"),
        "cat2.jpg": built.photo("out/cat2.jpg", data=b"cat"),
        "lone.jpg": built.photo("in/lone.jpg"),
    }
    built.pair(photos["best.jpg"], photos["it's small.jpg"], 0.97)
    return photos


@pytest.fixture
def start(built: Built, shots: dict[str, Path], tmp_path: Path) -> Start:
    """Start a darktable that has these photos, but for those that are left out."""

    def started(
        *, without: tuple[str, ...] = (), facts: dict[str, Facts] | None = None, **more: Any
    ) -> Darktable:
        photos = [
            (path, (facts or {}).get(name, {}))
            for name, path in shots.items()
            if name not in without
        ]
        world = World(tmp_path / "config", built.library.folder, photos)
        world.folder.mkdir(exist_ok=True)
        return Darktable(replace(world, **more))

    return started


GROUP = ["best.jpg", "it's small.jpg", "twin.jpg"]


def test_duplicates_of_the_selection_are_selected(start: Start):
    """By the button in the module select: it returns what is to be selected."""
    one = start()
    one.select("twin.jpg")
    assert one.click_select() == GROUP
    assert one.said == ["twinlens: 3 photos selected, in 1 group"]


def test_by_the_shortcut_too(start: Start):
    """Which is given no images and returns none."""
    one = start()
    one.select("twin.jpg", "cat.jpg")
    one.press("select duplicates")
    assert one.names(one.api.selected()) == sorted([*GROUP, "cat.jpg", "cat2.jpg"])


def test_photos_that_are_not_shown_are_not_selected(start: Start):
    """They would be selected unseen, and shown so with the next collection."""
    one = start()
    shown = [one.image(name) for name in ("twin.jpg", "best.jpg")]
    one.api.show(one.lua.table_from(shown))
    one.select("twin.jpg")
    one.press("select duplicates")
    assert one.names(one.api.selected()) == ["best.jpg", "twin.jpg"]
    assert one.said == ["twinlens: 2 photos selected, in 1 group; 1 more not in this collection"]


def test_without_duplicates_the_selection_stays(start: Start):
    """And that is said."""
    one = start()
    one.select("lone.jpg")
    assert one.click_select() == ["lone.jpg"]
    assert one.said == ["twinlens: no duplicates of these photos"]


def test_groups_have_the_photo_to_keep_on_top(start: Start):
    """Every photo of each group, whether it was selected or not."""
    one = start()
    one.select("it's small.jpg", "cat2.jpg", "lone.jpg")
    one.press("group duplicates")
    assert one.groups() == {"best.jpg": GROUP, "cat.jpg": ["cat.jpg", "cat2.jpg"]}
    assert one.said == ["twinlens: 5 photos in 2 groups, the one to keep on top"]


def test_versions_of_a_photo_are_grouped_with_it(start: Start, shots: dict[str, Path]):
    """They share its path; a version that leads the keeper's group already stays on top."""
    photos = [(path, {}) for path in shots.values()]
    photos += [(shots["best.jpg"], {"version": 1}), (shots["twin.jpg"], {"version": 1})]
    one = start(photos=photos)
    edited = one.image("best.jpg", 1)
    one.image("best.jpg").group_with(None, edited)
    edited.make_group_leader()
    one.select("twin.jpg")
    one.press("group duplicates")
    assert one.groups() == {"best.jpg": sorted([*GROUP, "best.jpg", "twin.jpg"])}
    assert one.image("twin.jpg").group_leader.id == edited.id


def test_to_group_twice_changes_nothing(start: Start):
    """What is grouped stays grouped."""
    one = start()
    one.select("twin.jpg")
    one.press("group duplicates")
    before = one.groups()
    one.press("group duplicates")
    assert one.groups() == before


def test_the_rest_is_rejected(start: Start):
    """The photo to keep never, nor what is in no group."""
    one = start()
    one.select("twin.jpg", "cat.jpg", "lone.jpg")
    one.press("reject the rest")
    assert one.rejected() == ["cat2.jpg", "it's small.jpg", "twin.jpg"]
    assert one.said == ["twinlens: 3 photos rejected"]


def test_stars_and_edits_of_the_user_are_left(start: Start):
    """The flag would take the place of the stars; one star is what every import gives."""
    facts: dict[str, Facts] = {"twin.jpg": {"rating": 2}, "it's small.jpg": {"is_altered": True}}
    one = start(facts=facts)
    one.select("best.jpg")
    one.press("reject the rest")
    assert one.rejected() == []
    assert one.said == ["twinlens: 0 photos rejected; 2 left for their stars or edits"]


def test_nothing_is_rejected_where_the_one_to_keep_is_not_in_darktable(start: Start):
    """Whoever removes rejected photos would not see what is left."""
    one = start(without=("best.jpg",))
    one.select("twin.jpg")
    one.press("reject the rest")
    assert one.rejected() == []
    assert "2 left: the one to keep is not in darktable, or its disk is away" in one.said[0]


def test_raw_and_jpeg_go_together(built: Built, start: Start):
    """The JPEG of a spare RAW file is rejected with it, that of the keeper is grouped with it."""
    photos = [
        (built.photo(f"{folder}/shot.{end}", data=end.encode()), {"version": n})
        for n, folder in enumerate(("raw1", "raw2"))
        for end in ("cr2", "jpg")
    ]
    one = start(photos=photos)
    one.select("shot.cr2")
    one.press("reject the rest")
    spare = [i for i in one.api.images.values() if i.rating == -1]
    assert sorted(image.filename for image in spare) == ["shot.cr2", "shot.jpg"]
    assert {image.duplicate_index for image in spare} == {1}


def test_no_duplicates_is_remembered_by_twinlens(start: Start, built: Built):
    """The group is not proposed again."""
    one = start()
    one.select("cat.jpg", "cat2.jpg")
    one.press("not duplicates")
    one.press("group duplicates")
    assert built.catalogue.value("SELECT verdict FROM decisions") == "not-duplicates"
    assert one.said == [
        "twinlens: 2 photos remembered as no duplicates of one another",
        "twinlens: no duplicates of these photos",
    ]


def test_similar_photos_become_the_collection(start: Start):
    """With the one asked about; the tag of the last time is taken off."""
    one = start()
    one.select("cat.jpg")
    one.press("find similar")
    assert one.said == ["twinlens: 5 photos like it"]
    assert len(one.names(one.api.shown())) == 6
    assert "cat2.jpg" in one.names(one.api.shown())


def test_photos_below_the_mouse_come_first(start: Start):
    """As everywhere in darktable."""
    one = start()
    one.select("lone.jpg")
    one.api.hover(one.lua.table_from([one.image("cat.jpg")]))
    one.press("group duplicates")
    assert one.groups() == {"cat.jpg": ["cat.jpg", "cat2.jpg"]}


@pytest.mark.parametrize(
    "label", ["select duplicates", "group duplicates", "reject the rest", "find similar"]
)
def test_nothing_selected_is_said(start: Start, label: str):
    """Without asking twinlens."""
    one = start()
    one.press(label)
    assert one.said == ["twinlens: select photos first"]


def test_a_folder_with_a_link_in_its_path(start: Start, shots: dict[str, Path], built: Built):
    """Images have the path that they were imported by, twinlens by the real one."""
    link = built.photos.parent / "link"
    link.symlink_to(built.photos)
    photos = [(link / path.relative_to(built.photos), {}) for path in shots.values()]
    one = start(photos=photos)
    one.select("twin.jpg")
    one.press("group duplicates")
    assert one.groups() == {"best.jpg": GROUP}


def test_names_of_any_bytes(built: Built, start: Start):
    """Quotes, line ends and bytes that are no UTF-8, in folders too."""
    names = (b"d\xff/a'\n b.jpg", b"d $x/\xe9.jpg")
    photos = [built.photo(name, data=b"same") for name in names]
    one = start(photos=[(path, {}) for path in photos])
    one.select(photos[0].name)
    one.press("group duplicates")
    assert list(one.groups().values()) == [sorted(photo.name for photo in photos)]


def test_only_film_rolls_that_are_named_are_looked_through(start: Start, shots: dict[str, Path]):
    """Each dt.database[i] costs i steps: 200,000 images would take minutes."""
    many = [(Path(f"/far/{n // 100}/{n}.jpg"), dict[str, Any]()) for n in range(5000)]
    one = start(photos=[*many, *((path, {}) for path in shots.values())])
    one.select("cat.jpg")
    one.press("group duplicates")
    assert one.groups() == {"cat.jpg": ["cat.jpg", "cat2.jpg"]}
    assert one.api.seen.looked_up < 50 + 20


def test_an_error_of_twinlens_is_shown_as_it_says_it(start: Start, tmp_path: Path):
    """No library yet: one line that says what to do."""
    one = start(library=tmp_path / "nowhere")
    one.select("cat.jpg")
    one.press("group duplicates")
    (line,) = one.said
    assert line.startswith("twinlens: ")
    assert "no library" in line
    assert "twinlens scan" in line


def test_a_photo_that_was_not_read_yet_is_said(start: Start, shots: dict[str, Path]):
    """Beside the answer."""
    new = shots["cat.jpg"].with_name("new.jpg")
    new.write_bytes(b"new")
    one = start(photos=[(path, {}) for path in (*shots.values(), new)])
    one.select("new.jpg")
    one.press("group duplicates")
    assert "1 photo is not in the library, or changed. Run: twinlens scan FOLDER" in one.said[0]


@pytest.mark.parametrize("where", ["program", "prefs"])
def test_a_program_that_is_not_there_is_said(start: Start, where: str):
    """With its name, and where to set it."""
    given = {"program": ("/no/such",)} if where == "program" else {"prefs": {"program": "/no/such"}}
    one = start(**given)
    one.select("cat.jpg")
    one.press("group duplicates")
    assert one.said == [
        "twinlens: /no/such: cannot be started. Set the program in preferences > Lua options"
    ]


def test_settings_stand_above_what_was_installed(start: Start, built: Built, tmp_path: Path):
    """A library that is set is asked."""
    library = str(built.library.folder)
    one = start(library=tmp_path / "nowhere", prefs={"library": library})
    one.select("cat.jpg")
    one.press("group duplicates")
    assert one.groups() == {"cat.jpg": ["cat.jpg", "cat2.jpg"]}


def test_a_question_can_be_stopped(start: Start, tmp_path: Path):
    """The program is ended at once, and one line says so."""
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 50\n")
    slow.chmod(0o755)
    one = start(program=(str(slow),))
    one.select("cat.jpg")
    one.api.meanwhile(
        one.lua.execute("local api = ... return function() api.seen.jobs[1].cancel() end", one.api)
    )
    begun = time.monotonic()
    one.press("group duplicates")
    assert time.monotonic() - begun < 20
    assert one.said == ["twinlens: stopped"]
    assert one.api.seen.jobs[1].job.valid is False


def test_stopped_before_it_began_nothing_is_asked(start: Start, tmp_path: Path):
    """The job is there a moment before the program runs."""
    asked = tmp_path / "asked"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{asked}'\n")
    program.chmod(0o755)
    one = start(program=(str(program),))
    one.select("cat.jpg")
    one.api.start(one.api.seen.shortcuts["twinlens: group duplicates"])
    one.api.start(
        one.lua.execute("local api = ... return function() api.seen.jobs[1].cancel() end", one.api)
    )
    one.api.run_all()
    assert one.said == ["twinlens: stopped"]
    assert not asked.exists()


def test_darktable_ends_what_runs_when_it_ends(start: Start, tmp_path: Path):
    """It waits for all Lua before it exits."""
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 50\n")
    slow.chmod(0o755)
    one = start(program=(str(slow),))
    one.select("cat.jpg")
    one.api.meanwhile(one.api.seen.events.exit)
    begun = time.monotonic()
    one.press("group duplicates")
    assert time.monotonic() - begun < 20


def test_one_thing_at_a_time(start: Start):
    """A second press is answered, not queued."""
    one = start()
    one.select("cat.jpg")
    one.api.meanwhile(one.api.seen.shortcuts["twinlens: reject the rest"])
    one.press("group duplicates")
    assert one.said[0] == "twinlens: still busy: grouping duplicates"
    assert one.rejected() == []


def test_no_temporary_file_is_left(start: Start):
    """Neither after an answer nor after an error."""
    one = start()
    one.select("cat.jpg")
    one.press("group duplicates")
    assert [path.name for path in one.world.folder.iterdir()] == ["darktable"]


def test_imports_are_checked_where_that_is_wanted(start: Start, built: Built, tmp_path: Path):
    """Once for all that came in: what is in the library already gets a tag."""
    card = tmp_path / "card"
    card.mkdir()
    (card / "again.jpg").write_bytes(b"cat")
    one = start(prefs={"check_imports": True}, photos=[(card / "again.jpg", {})])
    one.api.start(one.api.seen.events["post-import-image"], "event", one.image("again.jpg"))
    one.api.run_all()
    assert one.said == [
        "twinlens: 1 of 1 imported photos were there already; tag: twinlens|there already"
    ]
    assert one.names(one.api.tagged("twinlens|there already")) == ["again.jpg"]


def test_imports_are_not_checked_unless_that_is_set(start: Start):
    """Off at first."""
    one = start()
    one.api.start(one.api.seen.events["post-import-image"], "event", one.image("cat.jpg"))
    one.api.run_all()
    assert one.said == []
    assert one.api.seen.slept == 0


def test_the_panel_waits_for_the_lighttable(start: Start):
    """It may start in the darkroom."""
    one = start(view="darkroom")
    assert not list(one.api.seen.libs.values())
    lighttable = one.lua.table_from({"id": "lighttable"})
    for _ in range(2):
        one.api.start(one.api.seen.events["view-changed"], "event", None, lighttable)
        one.api.run_all()
    assert list(one.api.seen.libs.values()) == ["twinlens"]


def test_an_old_darktable_is_told(start: Start):
    """And nothing is registered in it."""
    one = start(api=6)
    assert one.said == ["error: twinlens needs darktable 3.6 or later"]
    assert not list(one.api.seen.libs.values())


@pytest.mark.parametrize(
    "luarc",
    [b"", b'require "tools/script_manager"\n', b'-- mine\r\nrequire "x"\r\n', b"-- \xff no end"],
)
def test_luarc_stays_as_it_was_but_for_our_lines(home: Home, luarc: bytes):
    """Its lines stay, to the byte, when ours come, come again, and go."""
    home.program("darktable", "echo this is darktable 4.2.1")
    file = home.folder / ".config/darktable/luarc"
    file.parent.mkdir(parents=True)
    file.write_bytes(luarc)
    installer = Installer(home.machine, Record(home.folder / "record.json"))
    call = Call(("/usr/bin/twinlens",))
    for _ in range(2):
        installer.install(darktable.integration, call)
        written = file.read_bytes()
        assert written.startswith(luarc)
        assert written.count(b'require "twinlens.twinlens"') == 1
    installer.remove(darktable.integration)
    assert file.read_bytes().rstrip(b"\n") == luarc.rstrip(b"\n")
    assert list(file.parent.iterdir()) == [file]


def test_darktable_is_found_with_its_version(home: Home):
    """It is asked; no window opens for that."""
    assert darktable.integration.found(home.machine) is None
    home.program("darktable", "echo this is darktable 4.2.1")
    found = darktable.integration.found(home.machine)
    assert found is not None
    assert found.version == "4.2.1"
