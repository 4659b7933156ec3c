"""Desktop entries: what other programs read out of them, and what opens photos afterwards."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.plugin.dam.conftest import Home
from tests.plugin.dam.screen import system_program
from twinlens_plugin.dam import desktop
from twinlens_plugin.dam.desktop.defaults import keep_defaults

NASTY = "a 'b' \"c\" $HOME `d` \\e %f %% 100% ~;&|<>*?#()=\tß"


def test_a_command_line_reaches_the_program_word_for_word(home: Home):
    """As GLib reads it, which GNOME, Xfce and others do: spaces, quotes, $ and % are themselves.

    But for % and = in the path of the program: GLib refuses the one, the specification the other.
    """
    out = home.folder / "out"
    program = home.folder / re.sub("[\t%=]", "", NASTY) / "program"
    program.parent.mkdir()
    # Written whole, then renamed: nobody reads half of it.
    script = f'#!/bin/sh\nprintf "%s\\0" "$@" > {out}.new && /bin/mv {out}.new {out}\n'
    program.write_text(script)
    program.chmod(0o755)
    entry = home.folder / "test.desktop"
    words = [str(program), "plain", NASTY, "", "--"]
    fields = {"Name": "Test", "Exec": desktop.command_line(words, "%F")}
    entry.write_bytes(desktop.entry(fields))
    photo = home.folder / "photo 1.jpg"
    photo.touch()
    subprocess.run([system_program("gio"), "launch", entry, photo], check=True, timeout=20)
    _wait_for(out)
    assert out.read_text().split("\0") == ["plain", NASTY, "", "--", str(photo), ""]


def _wait_for(path: Path) -> None:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not come"
        time.sleep(0.02)


@pytest.fixture
def viewer(home: Home) -> Path:
    """A system where a viewer opens JPEG and PNG, by its entry alone; return its folder."""
    system = home.folder / "usr/share/applications"
    system.mkdir(parents=True)
    (system / "mimeinfo.cache").write_text(
        "[MIME Cache]\nimage/jpeg=viewer.desktop;other.desktop;\nimage/png=viewer.desktop;\n"
    )
    (system / "viewer.desktop").write_text(
        "[Desktop Entry]\nType=Application\nName=Viewer\nExec=sh %F\nMimeType=image/jpeg;image/png;\n"
    )
    return system


def kept(home: Home) -> tuple[str, list[str]]:
    """Return the list that would be written, and the types that entries may have."""
    found = keep_defaults(home.machine, ["image/jpeg", "image/png", "image/heic"])
    return "".join(file.content.decode() for file in found.files), found.types


def test_what_opened_photos_goes_on_to_open_them(home: Home, viewer: Path):
    """Where no list says so, one of ours does; what nobody opens is not in it."""
    text, types = kept(home)
    assert text.splitlines()[1:] == [
        "[Default Applications]",
        "image/jpeg=viewer.desktop;",
        "image/png=viewer.desktop;",
    ]
    assert types == ["image/jpeg", "image/png", "image/heic"]


def test_where_a_list_says_what_opens_photos_it_is_left_to_it(
    home: Home, viewer: Path, monkeypatch: pytest.MonkeyPatch
):
    """The user's list counts, and the one of the desktop that runs."""
    monkeypatch.setenv("XDG_CURRENT_DESKTOP", "ubuntu:GNOME")
    (viewer / "gnome-mimeapps.list").write_text("[Default Applications]\nimage/png=x.desktop\n")
    assert "image/png" not in kept(home)[0]
    config = home.folder / ".config"
    config.mkdir()
    (config / "mimeapps.list").write_text("[Default Applications]\nimage/jpeg=x.desktop\n")
    assert kept(home)[0] == ""


def test_a_list_of_the_users_own_in_that_place_is_left(home: Home, viewer: Path):
    """Then entries leave out the types that it does not settle."""
    own = desktop.applications(home.machine) / "mimeapps.list"
    own.parent.mkdir(parents=True)
    own.write_text("[Default Applications]\nimage/png=x.desktop\n")
    assert kept(home) == ("", ["image/png", "image/heic"])


def test_installed_entries_are_offered_for_photos_and_are_not_their_default(
    home: Home, viewer: Path, monkeypatch: pytest.MonkeyPatch
):
    """As GLib sees it; and after the removal everything is as it was."""
    from tests.plugin.dam.test_plugin_command import run

    update = system_program("update-desktop-database")
    (home.folder / "bin/update-desktop-database").symlink_to(update)
    run("install", "digikam", "--anyway")
    said = _mime()
    assert "Default application for “image/jpeg”: viewer.desktop" in said
    assert "twinlens-similar.desktop" in said
    run("remove", "digikam")
    assert "twinlens" not in _mime()
    assert not (home.folder / ".local/share/applications").exists()


def _mime() -> str:
    environ = {**os.environ, "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [system_program("gio"), "mime", "image/jpeg"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
