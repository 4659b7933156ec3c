"""Desktop entries, and what comes with them: freedesktop.org's Desktop Entry specification 1.5."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from twinlens_plugin.dam.integration import File, data
from twinlens_plugin.dam.machine import Machine

_REFRESH_SECONDS = 20.0

_RESERVED = frozenset(" \t\n\"'\\><~|&;$*?#()`")
"""Characters for which an argument of ``Exec`` must be quoted (section 'The Exec key')."""


def entry(fields: Mapping[str, str]) -> bytes:
    """Return the text of a desktop entry. Values are escaped here, but for ``Exec``'s own quoting."""
    lines = ["[Desktop Entry]", "Version=1.0", "Type=Application"]
    lines += [f"{key}={escaped(value)}" for key, value in fields.items()]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def command_line(words: Sequence[str], code: str) -> str:
    """Return the value of ``Exec``: words that stay as they are, and a field code such as ``%F``."""
    return " ".join([*map(_quoted, words), code])


def escaped(value: str) -> str:
    r"""Escape what has a meaning in any string value: ``\``, and characters that end the line."""
    for sign, escape in (("\\", r"\\"), ("\n", r"\n"), ("\t", r"\t"), ("\r", r"\r")):
        value = value.replace(sign, escape)
    return r"\s" + value[1:] if value.startswith(" ") else value


def _quoted(word: str) -> str:
    r"""Quote an argument of ``Exec``: in double quotes, with ``\`` before what a shell would take.

    ``%`` is doubled: else it would be a field code.
    """
    word = word.replace("%", "%%")
    if word and not _RESERVED & set(word):
        return word
    for sign in '\\"`$':
        word = word.replace(sign, "\\" + sign)
    return f'"{word}"'


def applications(machine: Machine) -> Path:
    """Return the folder of the user's desktop entries."""
    return machine.data_home / "applications"


def icon(machine: Machine) -> File:
    """Return the icon that entries name as ``twinlens``."""
    path = machine.data_home / "icons/hicolor/scalable/apps/twinlens.svg"
    return File(path, data("desktop", "twinlens.svg"))


def refresh(machine: Machine) -> None:
    """Have the desktop read its entries again: the cache says which of them open which files.

    A cache of no entries is removed: it would keep a folder that we made.
    """
    folder = applications(machine)
    if not any(folder.glob("*.desktop")):
        (folder / "mimeinfo.cache").unlink(missing_ok=True)
        return
    program = machine.program("update-desktop-database")
    if program is not None:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                [program, folder],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_REFRESH_SECONDS,
                check=False,
            )
