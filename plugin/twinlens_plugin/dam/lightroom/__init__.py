"""Lightroom Classic: a plug-in with three entries in the menu Library > Plug-in Extras.

Lightroom runs on macOS and Windows alone. Written on another computer, the plug-in is a folder to
carry over.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twinlens_plugin.dam import luacode
from twinlens_plugin.dam.integration import Call, File, Found, Integration, Piece
from twinlens_plugin.dam.machine import Machine

PLUGIN = "twinlens.lrplugin"

_OWN = (
    "Duplicates.lua",
    "Info.lua",
    "NotDuplicates.lua",
    "PluginInfo.lua",
    "Similar.lua",
    "ask.lua",
    "command.lua",
    "groups.lua",
    "menu.lua",
    "photos.lua",
    "writing.lua",
)
_SHARED = ("answers.lua", "json.lua")


class Lightroom(Integration):
    """Lightroom Classic from version 6 on."""

    name = "lightroom"
    title = "Lightroom Classic"
    cure = "It runs on macOS and Windows: write its plug-in to a folder with --to DIR"

    def found(self, machine: Machine) -> Found | None:
        """Look for the folder of its settings."""
        settings = _settings(machine)
        return Found(folder=settings) if settings is not None and settings.is_dir() else None

    def pieces(self, machine: Machine, call: Call) -> Sequence[Piece]:
        """Return the files of the plug-in. Lightroom loads modules from one folder, not from below."""
        folder = plugin_folder(machine, call)
        return [
            *(File(folder / name, luacode.module("lightroom", name)) for name in _OWN),
            *(File(folder / name, luacode.module("lua", name)) for name in _SHARED),
            File(folder / "installed.lua", luacode.installed(call)),
        ]

    def advice(self, machine: Machine, call: Call) -> Sequence[str]:
        """Say how Lightroom comes to know it, and where its entries are."""
        entries = "its entries are in the menu Library > Plug-in Extras."
        if call.to is None and _settings(machine) is not None:
            return (f"start it again; {entries}",)
        return (
            f"add the folder {plugin_folder(machine, call)} in File > Plug-in Manager > Add; {entries}",
            "on another computer: copy the folder there, and set the program in the Plug-in Manager.",
        )


def plugin_folder(machine: Machine, call: Call) -> Path:
    """Return where the plug-in is written."""
    if call.to is not None:
        return call.to / PLUGIN
    settings = _settings(machine)
    return (settings / "Modules" if settings else machine.data_home / "twinlens") / PLUGIN


def _settings(machine: Machine) -> Path | None:
    """Return Lightroom's folder; plug-ins below its ``Modules`` are loaded by themselves."""
    if machine.platform == "darwin":
        return machine.home / "Library/Application Support/Adobe/Lightroom"
    if machine.platform == "win32":
        roaming = machine.environ.get("APPDATA") or machine.home / "AppData/Roaming"
        return Path(roaming) / "Adobe/Lightroom"
    return None


integration = Lightroom()
