"""Folders of the library to choose from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from twinlens.catalogue import Catalogue
from twinlens.roots import Root, list_roots

MOST_FOLDERS: Final = 300


def some_folders(catalogue: Catalogue) -> list[str]:
    """Return the watched folders and those right below them. None whose name is no UTF-8."""
    found: list[str] = []
    for root in list_roots(catalogue):
        paths = (root.path, *(root.path + b"/" + name for name in _first_folders(catalogue, root)))
        found += [text for text in map(_text, islice(paths, MOST_FOLDERS)) if text]
    return found[:MOST_FOLDERS]


def _first_folders(catalogue: Catalogue, root: Root) -> Iterator[bytes]:
    """Yield the folders right below a root: one step in the index for each, not all its photos."""
    sql = "SELECT path FROM files WHERE root_id = ? AND path >= ? ORDER BY path LIMIT 1"
    start = b""
    while (path := catalogue.value(sql, (root.id, start))) is not None:
        name, slash, _ = path.partition(b"/")
        if slash:
            yield name
            start = name + b"0"  # what follows "/" in bytes
        else:
            start = path + b"\0"


def _text(path: bytes) -> str:
    try:
        return path.decode("utf-8")
    except UnicodeDecodeError:
        return ""
