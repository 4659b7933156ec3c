"""Whose program is at the other end of a connection within this computer.

The address with its token is an argument of the browser that is started, and other users of the
computer may read the arguments of all programs: the token alone must not let them in. Nor must the
cookie: browsers send it to every port of this address, and so to the servers of others.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Final

OURS: Final = "ours"
"""By what the state of a request tells whether its connection is."""

TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
"""Linux's tables of connections: columns in proc(5). tcp6 holds IPv4 ones too, of programs that speak
both."""

_MAPPED: Final = b"\0" * 10 + b"\xff\xff"
"""Before an IPv4 address that is written as an IPv6 one (RFC 4291, 2.5.5.2)."""


def is_ours(client: tuple[str, int] | None, server: tuple[str, int]) -> bool:
    """Tell whether ``client``, connected to ``server``, is a program of this user or of root.

    Root forwards connections: of containers, of other systems. True where the system does not tell.
    """
    owner = _owner(client, server) if client else None
    return owner is None or owner in (os.getuid(), 0)


def _owner(client: tuple[str, int], server: tuple[str, int]) -> int | None:
    for table in TABLES:
        try:
            lines = table.read_text("ascii")
        except OSError:
            continue
        wanted = " ".join(_as_written(end, six=table.name == "tcp6") for end in (client, server))
        # Found before it is taken apart: for each request, among all connections of the computer.
        if (place := lines.find(f": {wanted} ")) >= 0:
            return int(lines[place:].split(maxsplit=8)[7])
    return None


def _as_written(end: tuple[str, int], *, six: bool) -> str:
    """Return an address as the tables have it: words of four bytes in this computer's own order."""
    host, port = end
    packed = (_MAPPED if six else b"") + socket.inet_aton(host)
    words = [packed[i : i + 4] for i in range(0, len(packed), 4)]
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words) + f":{port:04X}"
