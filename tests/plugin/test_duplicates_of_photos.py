"""twinlens duplicates PHOTO, and --files-from: the groups of what is selected elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.plugin.conftest import Built, Cli, Program

Groups = dict[str, list[Path]]


@pytest.fixture
def groups(built: Built) -> Groups:
    """Three groups of two photos each, and a photo without a duplicate."""
    made = {
        name: [built.photo(f"{folder}/{name}.jpg", data=name.encode()) for folder in ("in", "out")]
        for name in ("cat", "dog", "cow")
    }
    made["lone"] = [built.photo("in/lone.jpg")]
    return made


def names(answer: list[dict[str, object]]) -> set[str]:
    """Return which groups were listed, by the names of their keepers."""
    return {Path(str(group["keeper"])).stem for group in answer}


def test_the_groups_of_a_photo_that_is_named(groups: Groups, twinlens: Cli):
    """Whether it is the one to keep or not; what has no duplicate has no group."""
    assert names(twinlens.json("duplicates", groups["cat"][0], groups["dog"][1])) == {"cat", "dog"}
    assert twinlens.json("duplicates", groups["lone"][0]) == []


def test_photos_and_folders_together(groups: Groups, built: Built, twinlens: Cli):
    """The groups of either."""
    more = [built.photo(f"far/{n}.jpg", data=b"far") for n in (1, 2)]
    answer = twinlens.json("duplicates", groups["cat"][0], more[0].parent)
    assert names(answer) == {"cat", "1"}


def test_photos_listed_in_a_file(groups: Groups, tmp_path: Path, twinlens: Cli):
    """One a line, or with NUL after each."""
    listed = tmp_path / "listed"
    listed.write_text(f"{groups['cat'][1]}\n{groups['lone'][0]}\n")
    assert names(twinlens.json("duplicates", "--files-from", listed)) == {"cat"}
    listed.write_bytes(os.fsencode(groups["cow"][1]) + b"\0")
    assert names(twinlens.json("duplicates", "--files-from", listed, "-0")) == {"cow"}


def test_an_empty_list_is_about_no_photo(groups: Groups, twinlens: Cli):
    """Nothing selected must not stand for everything."""
    assert twinlens.json("duplicates", "--files-from", "-", stdin=b"") == []
    assert twinlens("duplicates", "--files-from", "-", stdin=b"").stdout == "No duplicates.\n"


def test_with_null_and_a_list_paths_are_asked_for_by_name(groups: Groups, twinlens: Cli):
    """-0 speaks of the list then, as in similar."""
    listed = os.fsencode(groups["cat"][0]) + b"\0"
    spare = twinlens("duplicates", "--files-from", "-", "-0", "--paths", stdin=listed).stdout_bytes
    assert spare == os.fsencode(groups["cat"][1]) + b"\0"


def test_photos_that_the_library_has_not_are_counted(
    groups: Groups, built: Built, tmp_path: Path, program: Program
):
    """They are said on standard error, and hold up no others."""
    stranger = tmp_path / "stranger.jpg"
    stranger.write_bytes(b"?")
    done = program("duplicates", stranger, groups["cat"][0], "--json")
    assert done.returncode == 0
    assert done.stdout.count(b"\n") == 1
    assert b"twinlens: 1 photo is not in the library, or changed. Run: twinlens scan" in done.stderr


def test_a_photo_by_another_way_to_its_folder(groups: Groups, built: Built, twinlens: Cli):
    """Photo managers know photos by the path that they were opened with, links in it and all."""
    link = built.photos.parent / "link"
    link.symlink_to(built.photos)
    assert names(twinlens.json("duplicates", link / "in" / "cat.jpg")) == {"cat"}


def test_its_jpeg_stands_for_a_raw_file(built: Built, twinlens: Cli):
    """A photo manager may show the JPEG alone; the group is that of the shot."""
    for folder in ("in", "out"):
        built.photo(f"{folder}/shot.cr2", data=b"raw")
    jpeg = built.photo("in/shot.jpg", data=b"jpeg")
    (group,) = twinlens.json("duplicates", jpeg)
    assert group["keeper"].endswith("shot.cr2")


def test_names_of_any_bytes(built: Built, program: Program):
    """A list with NUL takes newlines and bytes that are no UTF-8."""
    photos = [built.photo(name, data=b"same") for name in (b"a\nb.jpg", b"\xff.jpg")]
    done = program("duplicates", "--files-from", "-", "-0", "--json", stdin=os.fsencode(photos[0]))
    assert done.stdout.count(b"\n") == 1
