"""Geeqie: two entries of its Plugins menu, whose answers it opens as collections."""

from __future__ import annotations

from collections.abc import Sequence

from twinlens_plugin.dam import desktop
from twinlens_plugin.dam.integration import Call, File, Found, Integration, Piece
from twinlens_plugin.dam.machine import Machine

_ENTRIES = {
    "twinlens-geeqie-similar.desktop": ("Find similar (twinlens)", ("similar", "-k", "30")),
    "twinlens-geeqie-duplicates.desktop": ("Find duplicates of these (twinlens)", ("duplicates",)),
}


class Geeqie(Integration):
    """Geeqie 2, the image viewer."""

    name = "geeqie"
    title = "Geeqie"
    cure = "Install it: apt install geeqie"

    def found(self, machine: Machine) -> Found | None:
        """Look for the program. It says its version on a display only, so that it is not asked."""
        return Found() if machine.program("geeqie") else None

    def pieces(self, machine: Machine, call: Call) -> Sequence[Piece]:
        """Return the menu entries and their icon."""
        folder = desktop.applications(machine)
        entries = [
            File(folder / file, _entry(title, call.words(*command, "--geeqie"), call.program[0]))
            for file, (title, command) in _ENTRIES.items()
        ]
        return [*entries, desktop.icon(machine)]

    def advice(self, machine: Machine, call: Call) -> Sequence[str]:  # noqa: ARG002
        """Say where the entries are."""
        return ("start it again; the entries are in its menu Plugins. Keys: Edit > Preferences.",)

    def refresh(self, machine: Machine) -> None:
        """Have the desktop read its entries again."""
        desktop.refresh(machine)


def _entry(title: str, words: Sequence[str], program: str) -> bytes:
    return desktop.entry(
        {
            "Name": title,
            "Exec": desktop.command_line([*words, "--"], "%F"),
            "TryExec": program,  # without one, Geeqie hides the entry
            "Icon": "twinlens",
            "Categories": "X-Geeqie;Graphics;",
            "OnlyShowIn": "X-Geeqie;",
            "X-Geeqie-Menu-Path": "PluginsMenu",
            # A window with what the command says: an error would not be seen otherwise.
            "X-Geeqie-Verbose": "true",
        }
    )


integration = Geeqie()
