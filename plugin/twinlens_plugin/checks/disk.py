"""Checks of the photo folders: is every photo on disk as the catalogue has it?"""

from __future__ import annotations

import os
from collections.abc import Iterator

from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens.media import is_photo_name, skip_folder
from twinlens.roots import Root, why_offline
from twinlens_plugin.checks.finding import Problem
from twinlens_plugin.current import below
from twinlens_plugin.output import shown


def check_folder(root: Root) -> Iterator[Problem]:
    """Check that a folder is there, or known to be away."""
    reason = why_offline(root)
    scan = f"run: twinlens scan {shown(root.path)}"
    if root.online and reason:
        yield Problem(
            "folder", f"is away: {reason}", f"bring its disk back, then {scan}", root.path
        )
    elif not root.online and reason is None:
        yield Problem("folder", f"is there but noted as away ({root.reason})", scan, root.path)


def check_photos(catalogue: Catalogue, root: Root) -> Iterator[Problem]:
    """Compare each photo below a folder that is there with what the catalogue says of it."""
    scan = f"run: twinlens scan {shown(root.path)}"
    known = _recorded(catalogue, root)
    unreadable: list[bytes] = []
    for path, entry in _walk(root.path, unreadable):
        recorded = known.pop(path, None)
        full = os.path.join(root.path, path)  # noqa: PTH118  bytes
        try:
            found = FileStat.of(entry.stat(follow_symlinks=False))
        except OSError:
            continue  # went away just now
        if recorded is None:
            yield Problem("disk", "is not in the catalogue", scan, full)
        elif not recorded.same_bytes(found):
            yield Problem("disk", "changed since it was recorded", scan, full)
    for folder in unreadable:
        full = os.path.join(root.path, folder)  # noqa: PTH118  bytes
        yield Problem("folder", "cannot be read", "correct its permissions", full)
    for path in sorted(path for path in known if not any(below(path, f) for f in unreadable)):
        full = os.path.join(root.path, path)  # noqa: PTH118  bytes
        yield Problem("disk", "is in the catalogue but not on disk", scan, full)


def _recorded(catalogue: Catalogue, root: Root) -> dict[bytes, FileStat]:
    rows = catalogue.iterate(
        "SELECT path, size, mtime_ns, ctime_ns, inode FROM files"
        " WHERE root_id = ? AND missing_since IS NULL",
        (root.id,),
    )
    return {path: FileStat(*stat) for path, *stat in rows}


def _walk(top: bytes, unreadable: list[bytes]) -> Iterator[tuple[bytes, os.DirEntry[bytes]]]:
    """Yield photos below ``top`` by the rules of ``media``; symbolic links are not followed.

    Folders that cannot be read are added to ``unreadable``: nothing is known of their photos.
    """
    folders = [b""]
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(os.path.join(top, folder)))  # noqa: PTH118  bytes
        except FileNotFoundError:
            continue  # went away just now
        except OSError:
            unreadable.append(folder)
            continue
        for entry in entries:
            path = os.path.join(folder, entry.name)  # noqa: PTH118  bytes
            if entry.is_dir(follow_symlinks=False):
                if not skip_folder(entry.name):
                    folders.append(path)
            elif is_photo_name(entry.name) and entry.is_file(follow_symlinks=False):
                yield path, entry
