"""twinlens plugin install lightroom: where the plug-in is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.plugin.dam.conftest import Home
from tests.plugin.dam.test_plugin_command import run, state
from twinlens_plugin.dam import lightroom
from twinlens_plugin.dam.integration import Call
from twinlens_plugin.dam.machine import Machine

CALL = Call(("/usr/bin/twinlens",))


def test_it_is_written_where_it_is_to_be_carried_from(home: Home):
    """All its files in one folder, and what to do with it."""
    to = home.folder / "stick"
    said = run("install", "lightroom", "--to", to).stderr
    assert (to / "twinlens.lrplugin/Info.lua").is_file()
    assert f"add the folder {to / 'twinlens.lrplugin'} in File > Plug-in Manager > Add" in said
    assert state("lightroom") == "current"


def test_it_is_kept_up_to_date_and_removed_there(home: Home):
    """The folder need not be named again."""
    plugin = home.folder / "stick/twinlens.lrplugin"
    run("install", "lightroom", "--to", plugin.parent)
    (plugin / "ask.lua").unlink()
    assert state("lightroom") == "outdated"
    run("install", "lightroom")
    assert (plugin / "ask.lua").is_file()
    run("remove", "lightroom")
    assert not plugin.exists()
    assert state("lightroom") == "absent"


def test_where_lightroom_is_not_the_folder_has_to_be_named(home: Home):
    """It does not run on this system: one line says so, and how it goes."""
    assert "--to DIR" in run("install", "lightroom", code=1).stderr


def test_a_folder_is_for_lightroom_alone(home: Home):
    """The other programs look in one place each."""
    home.program("geeqie")
    assert "--to is for lightroom alone" in run("install", "geeqie", "--to", "x", code=2).output


@pytest.mark.parametrize(
    ("platform", "folder"),
    [
        ("darwin", "Library/Application Support/Adobe/Lightroom"),
        ("win32", "AppData/Roaming/Adobe/Lightroom"),
    ],
)
def test_on_its_own_systems_lightroom_loads_it_by_itself(home: Home, platform: str, folder: str):
    """From the folder Modules beside its settings, which is how it is found too."""
    machine = Machine(dict(os.environ), platform)
    assert lightroom.integration.found(machine) is None
    settings = home.folder / Path(folder)
    settings.mkdir(parents=True)
    found = lightroom.integration.found(machine)
    assert found is not None
    assert found.folder == settings
    paths = [piece.path for piece in lightroom.integration.pieces(machine, CALL)]
    assert {path.parent for path in paths} == {settings / "Modules/twinlens.lrplugin"}
    assert "start it again" in lightroom.integration.advice(machine, CALL)[0]
