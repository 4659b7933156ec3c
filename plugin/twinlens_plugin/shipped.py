"""The bundled weights that came with this twinlens: their sha256, which names their version.

Every command asks for it, and the worker's own program would take half a second to answer. To read the
file takes 4 ms of CPU: a scan or a watch notes what it found in the catalogue, with all that changes when
a file is replaced, and while that is the same the note stands.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import sqlite3
from pathlib import Path

from twinlens.catalogue import Catalogue, set_meta

WEIGHTS = Path("models", "pocket.safetensors")
"""The bundled weights, in the folder of the worker's package."""

NOTE = "bundled_weights"
"""Key of the catalogue's note."""


def digest(catalogue: Catalogue | None = None) -> str | None:
    """Return the sha256 of the bundled weights of this twinlens; None where no worker is installed.

    ``catalogue``: where it may have been noted.
    """
    found = _find()
    if found is None:
        return None
    path, marks = found
    if catalogue is not None:
        noted_marks, _, noted = (catalogue.meta(NOTE) or "").rpartition(" ")
        if noted_marks == marks:
            return noted
    with contextlib.suppress(OSError):
        return _read(path, marks)
    return None


def note(catalogue: Catalogue) -> None:
    """Note the sha256 in the catalogue, for commands that only read it."""
    found = _find()
    read = digest(catalogue)
    if found is None or read is None:
        return
    text = f"{found[1]} {read}"
    if catalogue.meta(NOTE) != text:
        # A full disk: it was to save 4 ms.
        with contextlib.suppress(sqlite3.OperationalError), catalogue.write_tx() as tx:
            set_meta(tx, NOTE, text)


def _find() -> tuple[Path, str] | None:
    """Return the file, and what is another when it is replaced: device, inode, size, times."""
    spec = importlib.util.find_spec("twinlens_worker")  # looks it up, and imports nothing
    for folder in (spec and spec.submodule_search_locations) or ():
        path = Path(folder) / WEIGHTS
        with contextlib.suppress(OSError):
            return path, _marks(path.stat())
    return None


def _marks(stat: os.stat_result) -> str:
    # With the time of change, which no installer sets: packages may date all their files alike.
    fields = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    return ":".join(map(str, fields))


@functools.lru_cache(maxsize=4)
def _read(path: Path, _marks: str) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
