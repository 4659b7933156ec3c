"""Opens a page in the user's browser."""

from __future__ import annotations

import subprocess
from pathlib import Path

from twinlens_plugin.dam.machine import Machine
from twinlens_plugin.errors import IntegrationError

_OPENERS = {"darwin": "open", "win32": "explorer"}


def open_page(machine: Machine, page: Path) -> None:
    """Have the desktop open a page, and do not wait for it. Raises IntegrationError."""
    name = _OPENERS.get(machine.platform, "xdg-open")
    program = machine.program(name)
    if program is None:
        raise IntegrationError(
            f"{page}: holds the answer, but {name} is missing to open it."
            " Install it (apt install xdg-utils), or open the page yourself."
        )
    subprocess.Popen(
        [program, page],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=dict(machine.environ),
        start_new_session=True,
    )
