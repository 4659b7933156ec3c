"""darktable: a Lua script with a panel, shortcuts and an import hook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twinlens_plugin.dam import luacode
from twinlens_plugin.dam.integration import Call, File, Found, Integration, Lines, Piece
from twinlens_plugin.dam.machine import Machine

_OWN = (
    "twinlens.lua",
    "lib/commands.lua",
    "lib/imports.lua",
    "lib/photos.lua",
    "lib/program.lua",
    "lib/task.lua",
)
_SHARED = ("answers.lua", "json.lua")


class Darktable(Integration):
    """darktable from 3.6 on, whose Lua API is 7 or later."""

    name = "darktable"
    title = "darktable"
    cure = "Install it: apt install darktable"

    def found(self, machine: Machine) -> Found | None:
        """Look for the program, and ask its version: it opens no window for that."""
        program = machine.program("darktable")
        if program is None:
            return None
        return Found(machine.version([program, "--version"]), settings(machine))

    def pieces(self, machine: Machine, call: Call) -> Sequence[Piece]:
        """Return the script, its modules and the line of ``luarc`` that loads it.

        The modules are in ``lib``, where darktable's script manager looks for no scripts.
        """
        lua = settings(machine) / "lua" / "twinlens"
        own = [File(lua / name, luacode.module("darktable", name)) for name in _OWN]
        shared = [File(lua / "lib" / name, luacode.module("lua", name)) for name in _SHARED]
        installed = File(lua / "lib" / "installed.lua", luacode.installed(call))
        line = Lines(settings(machine) / "luarc", ('require "twinlens.twinlens"',))
        return [*own, *shared, installed, line]

    def advice(self, machine: Machine, call: Call) -> Sequence[str]:  # noqa: ARG002
        """Say where it is found."""
        return (
            "start it again: panel twinlens, right of the lighttable; a button in the panel select.",
            "keys: preferences > shortcuts > lua scripts. Settings: preferences > lua options.",
        )


def settings(machine: Machine) -> Path:
    """Return the folder of darktable's settings."""
    return machine.config_home / "darktable"


integration = Darktable()
