"""Installing: nobody loses a file of their own, and what was written can be taken away again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.plugin.dam.conftest import Home
from twinlens_plugin.dam.installing import (
    GONE,
    LEFT,
    REMOVED,
    UNCHANGED,
    UPDATED,
    WROTE,
    Installer,
    Outcome,
)
from twinlens_plugin.dam.integration import Call, File, Found, Integration, Lines, Piece
from twinlens_plugin.dam.machine import Machine
from twinlens_plugin.dam.record import Record
from twinlens_plugin.errors import IntegrationError

CALL = Call(("/usr/bin/twinlens",))


@dataclass
class Fake(Integration):
    """A photo manager that wants what the test says."""

    wanted: Sequence[Piece]
    name: str = "fake"
    title = "Fake"
    cure = "Install it: apt install fake"

    def found(self, machine: Machine) -> Found | None:
        return Found("1.0")

    def pieces(self, machine: Machine, call: Call) -> Sequence[Piece]:
        return self.wanted


def install(home: Home, *pieces: Piece, force: bool = False, name: str = "fake") -> list[str]:
    """Install pieces; return what happened to each file."""
    return did(installer(home, force=force).install(Fake(pieces, name), CALL))


def remove(home: Home, *, force: bool = False, name: str = "fake") -> list[str]:
    """Remove what was installed."""
    return did(installer(home, force=force).remove(Fake((), name)))


def installer(home: Home, *, force: bool = False, dry_run: bool = False) -> Installer:
    """Return an installer that reads the record anew, as each command does."""
    record = Record.load(home.folder / "record.json")
    return Installer(home.machine, record, force=force, dry_run=dry_run)


def did(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the words alone."""
    return [outcome.did for outcome in outcomes]


@pytest.fixture
def script(home: Home) -> File:
    """A script two folders down."""
    return File(home.folder / "made/too/find", b"#!/bin/sh\n", executable=True)


@pytest.fixture
def luarc(home: Home) -> Lines:
    """A line in a file of the photo manager's own."""
    return Lines(home.folder / "luarc", ('require "twinlens"',))


def test_what_is_written_is_removed_again_with_its_folders(home: Home, script: File):
    """After install and remove the home is as it was."""
    assert install(home, script) == [WROTE]
    assert script.path.read_bytes() == b"#!/bin/sh\n"
    assert os.access(script.path, os.X_OK)
    assert remove(home) == [REMOVED]
    assert home.files() == set()


def test_twice_is_once(home: Home, script: File, luarc: Lines):
    """A second install changes nothing, not even a file's time."""
    install(home, script, luarc)
    before = [piece.path.stat().st_mtime_ns for piece in (script, luarc)]
    assert install(home, script, luarc) == [UNCHANGED, UNCHANGED]
    assert [piece.path.stat().st_mtime_ns for piece in (script, luarc)] == before


def test_folders_that_were_there_or_are_used_stay(home: Home, script: File):
    """Only empty folders that were made for it go."""
    script.path.parent.parent.mkdir()
    install(home, script)
    (script.path.parent / "mine").touch()
    remove(home)
    assert home.files() == {"made", "made/too", "made/too/mine"}


def test_a_file_of_somebody_else_is_left_even_with_force(home: Home, script: File):
    """What twinlens did not write it neither overwrites nor removes."""
    script.path.parent.mkdir(parents=True)
    script.path.write_bytes(b"mine")
    for force in (False, True):
        [outcome] = installer(home, force=force).install(Fake([script]), CALL)
        assert outcome.did == LEFT
        assert "not written by twinlens" in outcome.why
    assert remove(home) == []
    assert script.path.read_bytes() == b"mine"


@pytest.mark.parametrize("content", [None, b"mine", b"#!/bin/sh\n"])
def test_a_link_is_left(home: Home, script: File, content: bytes | None):
    """A link in the place of a file of ours is somebody's, wherever it leads; even to our very bytes."""
    if content is not None:
        (home.folder / "dotfiles").write_bytes(content)
    script.path.parent.mkdir(parents=True)
    script.path.symlink_to(home.folder / "dotfiles")
    before = home.files()
    assert install(home, script, force=True) == [LEFT]
    assert remove(home, force=True) == []
    assert home.files() == before
    assert script.path.is_symlink()


def test_a_file_that_was_changed_since_is_left_unless_forced(home: Home, script: File):
    """Its user's changes are worth more than a new version."""
    install(home, script)
    script.path.write_bytes(b"changed")
    newer = File(script.path, b"newer", executable=True)
    assert install(home, newer) == [LEFT]
    assert remove(home) == [LEFT]
    assert script.path.read_bytes() == b"changed"
    assert install(home, newer, force=True) == [UPDATED]
    assert script.path.read_bytes() == b"newer"


def test_a_new_version_replaces_what_is_unchanged_and_removes_what_it_no_longer_has(
    home: Home, script: File
):
    """An upgrade leaves nothing of the old version behind."""
    old = File(home.folder / "old", b"old")
    install(home, script, old)
    newer = File(script.path, b"newer", executable=True)
    assert install(home, newer) == [UPDATED, REMOVED]
    assert not old.path.exists()
    assert os.access(script.path, os.X_OK)


def test_a_lost_record_is_no_harm(home: Home, script: File):
    """Files that are just as they should be are known again."""
    install(home, script)
    (home.folder / "record.json").unlink()
    assert install(home, script) == [UNCHANGED]
    assert remove(home) == [REMOVED]


def test_a_damaged_record_stops_everything(home: Home, script: File):
    """Without it nobody knows whose a file is."""
    (home.folder / "record.json").write_text("{")
    with pytest.raises(IntegrationError, match=r"record.json: .* Move it away"):
        install(home, script)
    assert not script.path.exists()


def test_what_two_integrations_share_stays_for_the_second(home: Home, script: File):
    """An icon goes when nobody wants it any more."""
    install(home, script, name="one")
    install(home, script, name="two")
    assert remove(home, name="one") == []
    assert script.path.exists()
    assert remove(home, name="two") == [REMOVED]


def test_what_was_deleted_by_hand_is_gone(home: Home, script: File):
    """To remove it again is no error."""
    install(home, script)
    script.path.unlink()
    assert remove(home) == [GONE]


def test_lines_come_and_go_in_a_file_of_somebody_else(home: Home, luarc: Lines):
    """Everything around them stays to the byte, edits made later too."""
    luarc.path.write_bytes(b'require "mine"\r\n')
    install(home, luarc)
    text = luarc.path.read_bytes()
    assert text.startswith(b'require "mine"\r\n-- twinlens: begin')
    assert b'\nrequire "twinlens"\n' in text
    luarc.path.write_bytes(text + b"later()")
    assert remove(home) == [REMOVED]
    assert luarc.path.read_bytes() == b'require "mine"\r\nlater()'


def test_lines_are_replaced_where_they_are(home: Home, luarc: Lines):
    """A new version's lines take the place of the old ones."""
    luarc.path.write_bytes(b"first()\n")
    install(home, luarc)
    luarc.path.write_bytes(luarc.path.read_bytes() + b"last()\n")
    assert install(home, Lines(luarc.path, ("newer()",))) == [UPDATED]
    lines = luarc.path.read_bytes().splitlines()
    assert (lines[0], lines[2], lines[4]) == (b"first()", b"newer()", b"last()")


def test_lines_with_a_broken_mark_are_left(home: Home, luarc: Lines):
    """Where they end is not guessed."""
    install(home, luarc)
    broken = luarc.path.read_bytes().replace(b"-- twinlens: end", b"--")
    luarc.path.write_bytes(broken)
    assert install(home, luarc, force=True) == [LEFT]
    assert remove(home, force=True) == [LEFT]
    assert luarc.path.read_bytes() == broken


def test_a_file_made_for_lines_goes_with_them_and_an_empty_one_stays(home: Home, luarc: Lines):
    """What was there before is there afterwards."""
    install(home, luarc)
    remove(home)
    assert not luarc.path.exists()
    luarc.path.touch()
    install(home, luarc)
    remove(home)
    assert luarc.path.read_bytes() == b""


def test_lines_go_into_the_file_that_a_link_leads_to(home: Home, luarc: Lines):
    """Many keep their settings elsewhere, and link to them."""
    real = home.folder / "dotfiles"
    real.write_bytes(b"mine()\n")
    real.chmod(0o640)
    luarc.path.symlink_to(real)
    assert install(home, luarc) == [WROTE]
    assert luarc.path.is_symlink()
    assert b"twinlens" in real.read_bytes()
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_dry_run_writes_nothing(home: Home, script: File):
    """It says what would happen, and leaves no record."""
    assert did(installer(home, dry_run=True).install(Fake([script]), CALL)) == [WROTE]
    assert home.files() == set()


def test_what_was_written_before_a_failure_is_recorded(home: Home, script: File):
    """The folder of the second file cannot be made: the first one can be removed all the same."""
    (home.folder / "file").touch()
    with pytest.raises(IntegrationError, match="cannot be written: Not a directory"):
        install(home, script, File(home.folder / "file/below", b""))
    assert remove(home) == [REMOVED]
    assert home.files() == {"file"}


def test_names_of_any_bytes_survive_the_record(home: Home):
    """Folders need not be UTF-8."""
    odd = File(Path(os.fsdecode(os.fsencode(home.folder) + b"/\xff")), b"1")
    install(home, odd)
    assert remove(home) == [REMOVED]
    assert not odd.path.exists()
