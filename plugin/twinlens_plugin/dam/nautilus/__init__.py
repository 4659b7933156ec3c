"""Nautilus (GNOME Files): scripts of its context menu."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from twinlens_plugin.dam.integration import Call, File, Found, Integration, Piece, data
from twinlens_plugin.dam.machine import Machine

_SCRIPTS = {
    "Find similar": "similar",
    "Find duplicates of these": "duplicates",
    "Are these in the library?": "check",
}


class Nautilus(Integration):
    """Nautilus, the file manager of GNOME."""

    name = "nautilus"
    title = "Nautilus (GNOME Files)"
    cure = "Install it: apt install nautilus"

    def found(self, machine: Machine) -> Found | None:
        """Look for the program. To say its version it wants a display, so that it is not asked."""
        return Found() if machine.program("nautilus") else None

    def pieces(self, machine: Machine, call: Call) -> Sequence[Piece]:
        """Return the scripts; their names are what the menu shows."""
        folder = machine.data_home / "nautilus/scripts/twinlens"
        return [
            File(folder / name, _script(call.words("plugin", "show", question)), executable=True)
            for name, question in _SCRIPTS.items()
        ]

    def advice(self, machine: Machine, call: Call) -> Sequence[str]:  # noqa: ARG002
        """Say where the scripts are."""
        return ("choose photos, then Scripts > twinlens in the context menu.",)


def _script(words: Sequence[str]) -> bytes:
    command = shlex.join(words).encode("utf-8", "surrogateescape")
    return data("nautilus", "script.sh").replace(b"@COMMAND@", command)


integration = Nautilus()
