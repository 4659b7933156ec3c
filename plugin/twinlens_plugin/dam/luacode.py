"""Lua that is written at installation: which program to start, and with which options."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import resources

from twinlens_plugin.dam.integration import Call


def quoted(text: str) -> str:
    """Return a Lua string of a text. Any bytes will do: a folder's name need not be UTF-8."""
    plain = "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b'"\\' else f"\\{byte:03}"
        for byte in os.fsencode(text)
    )
    return f'"{plain}"'


def installed(call: Call) -> bytes:
    """Return the module ``installed.lua``: how twinlens is started."""
    parts: Mapping[str, Sequence[str]] = {"program": call.program, "options": call.options}
    lines = [
        f"  {name} = {{ {', '.join(map(quoted, words))} }}," if words else f"  {name} = {{}},"
        for name, words in parts.items()
    ]
    head = "-- How twinlens is started; written by `twinlens plugin install`."
    return "\n".join([head, "return {", *lines, "}", ""]).encode("ascii")


def module(folder: str, name: str) -> bytes:
    """Return a Lua file that travels with this package."""
    return resources.files("twinlens_plugin.dam").joinpath(folder, name).read_bytes()
