"""Which program opens a kind of file, and how it stays so when entries of ours are added.

Where no list says which program is the default, desktops take the first that has the type in its
entry, and the user's own entries come first: to double-click a photo would ask twinlens about it (seen
with GLib 2.74). So a list of ours says what was the default until then, of the types that no other
list has. (Specification "Association between MIME types and applications" 1.0.1.)
"""

from __future__ import annotations

import configparser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from twinlens_plugin.dam.integration import File
from twinlens_plugin.dam.machine import Machine

_LIST = "mimeapps.list"
_OURS = "twinlens-"
_GROUP = "Default Applications"
_HEAD = b"# Written by twinlens plugin install: what opens photos stays what it was.\n"


class Kept(NamedTuple):
    """What keeps the defaults as they are."""

    files: list[File]
    """The list to write; empty where there is nothing to keep."""
    types: list[str]
    """The types that entries of ours may have."""


def keep_defaults(machine: Machine, types: Sequence[str]) -> Kept:
    """Say how entries of ours for these types become nobody's default.

    A list that is there already and not ours stays as it is, and types for which it says nothing, nor
    any other, are left out.
    """
    ours = machine.data_home / "applications" / _LIST
    writable = not ours.exists() or ours.read_bytes().startswith(_HEAD)
    stated = {
        name for path in _lists(machine) if path != ours or not writable for name in _stated(path)
    }
    first = _first_of_others(machine)
    open_ones = [name for name in types if name in first and name not in stated]
    if not open_ones:
        return Kept([], list(types))
    if not writable:
        return Kept([], [name for name in types if name not in open_ones])
    lines = "".join(f"{name}={first[name]};\n" for name in open_ones)
    return Kept([File(ours, _HEAD + f"[{_GROUP}]\n{lines}".encode())], list(types))


def _first_of_others(machine: Machine) -> dict[str, str]:
    """Return for each type the first entry that is not ours."""
    first: dict[str, str] = {}
    for folder in _data_folders(machine):
        cache = _groups(folder / "mimeinfo.cache").get("MIME Cache", {})
        for name, entries in cache.items():
            others = [
                entry for entry in entries.split(";") if entry and not entry.startswith(_OURS)
            ]
            if others:
                first.setdefault(name, others[0])
    return first


def _folders(machine: Machine, variable: str, default: str) -> list[Path]:
    named = machine.environ.get(variable) or default
    return [Path(folder) for folder in named.split(":") if folder.startswith("/")]


def _data_folders(machine: Machine) -> list[Path]:
    system = _folders(machine, "XDG_DATA_DIRS", "/usr/local/share:/usr/share")
    return [folder / "applications" for folder in (machine.data_home, *system)]


def _lists(machine: Machine) -> Iterator[Path]:
    """Yield where lists may be, of the desktop that runs and of all desktops."""
    system = _folders(machine, "XDG_CONFIG_DIRS", "/etc/xdg")
    desktops = (machine.environ.get("XDG_CURRENT_DESKTOP") or "").lower().split(":")
    for folder in (machine.config_home, *system, *_data_folders(machine)):
        for name in [f"{desktop}-{_LIST}" for desktop in desktops if desktop] + [_LIST]:
            yield folder / name


def _stated(path: Path) -> set[str]:
    return set(_groups(path).get(_GROUP, {}))


def _groups(path: Path) -> dict[str, dict[str, str]]:
    """Return the groups of a key file; nothing where it cannot be read."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    try:
        parser.read_string(path.read_text("utf-8", "replace"))
    except (OSError, configparser.Error):
        return {}
    return {name: dict(parser.items(name)) for name in parser.sections()}
