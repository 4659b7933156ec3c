"""Folders and photos named on the command line, as the catalogue has them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

from twinlens.catalogue import Catalogue
from twinlens.errors import RootError
from twinlens.roots import Root, list_roots
from twinlens_plugin.current import AT_ONCE, CURRENT, below
from twinlens_plugin.output import absolute, shown


def part_of_library(catalogue: Catalogue, folder: bytes) -> bytes:
    """Return the real path of a folder that is watched, lies in a watched one, or holds one.

    Raises RootError.
    """
    real = absolute(folder)
    roots = list_roots(catalogue)
    if any(below(real, root.path) and _lacks(root, real) for root in roots):
        raise RootError(f"{shown(real)}: no such photo or folder. Check the path.")
    if any(below(real, root.path) or below(root.path, real) for root in roots):
        return real
    raise RootError(f"{shown(real)}: not watched. Run: twinlens scan {shown(real)}")


def _lacks(root: Root, real: bytes) -> bool:
    """Tell whether the root's disk is here and has nothing at ``real``: a slip of the pen."""
    return os.path.isdir(root.path) and not os.path.exists(real)  # noqa: PTH110, PTH112  bytes


def watched_root(catalogue: Catalogue, given: bytes) -> Root:
    """Return the root at a path, or of a name. The folder may be gone. Raises RootError."""
    paths = {absolute(given), os.path.abspath(given)}  # noqa: PTH100  bytes
    name = os.fsdecode(given)
    roots = list_roots(catalogue)
    for root in roots:
        if root.path in paths or root.name == name:
            return root
    known = ", ".join(shown(root.path) for root in roots) or "none"
    raise RootError(f"{shown(given)}: not a watched folder. Watched: {known}.")


def real_paths(photos: Iterable[bytes]) -> frozenset[bytes]:
    """Return the real paths of photos.

    Their folders alone are asked for on disk, once each: photo managers name a hundred thousand
    photos at once, and symbolic links to photos are in no library.
    """
    folders: dict[bytes, bytes] = {}
    real = set()
    for photo in photos:
        folder, name = os.path.split(photo)
        if folder not in folders:
            folders[folder] = absolute(folder or b".").rstrip(b"/")
        real.add(folders[folder] + b"/" + name)
    return frozenset(real)


def contents_of(catalogue: Catalogue, photos: Collection[bytes]) -> dict[bytes, int]:
    """Return the contents of those of these photos, by real path, that the library has now."""
    found: dict[bytes, int] = {}
    for root in list_roots(catalogue):
        start = len(root.path.rstrip(b"/")) + 1
        inside = [path for path in photos if below(path, root.path)]
        for first in range(0, len(inside), AT_ONCE):
            some = [path[start:] for path in inside[first : first + AT_ONCE]]
            rows = catalogue.iterate(
                "SELECT f.path, content_id FROM files f LEFT JOIN jobs ON file_id = f.id"  # noqa: S608
                f" WHERE root_id = ? AND f.path IN ({','.join('?' * len(some))}) AND {CURRENT}"
                " AND content_id IS NOT NULL",
                (root.id, *some),
            )
            found |= {root.path.rstrip(b"/") + b"/" + path: content for path, content in rows}
    return found
