"""Large files verified once: their checksum is remembered with what the file's status was.

The index of a million photos is 650 MB, and to hash it takes half a second each time somebody asks one
question. After a full verification the status of the file (size, times, inode, device) is noted beside
it. While the status is the same, nothing has written to the file through the file system: the change
time moves with every write, and no program can set it back. What it does not tell is bits that rot on
the disk itself; so 1. the note counts for ``TRUSTED_SECONDS``, then the file is hashed again; 2. who
loads the file to write it on (the indexer), and ``twinlens doctor``, always hash it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

NOTE: Final = ".verified.json"
"""Name of the note, in the folder of the file. One for the folder: there is one current file."""

TRUSTED_SECONDS: Final = 7 * 86_400.0

_SETTLED_SECONDS: Final = 2.0
"""A file younger than this is not noted: a write within one tick of the clock that stamps files (4 ms
in Linux, 2 s on FAT) would leave the same times."""


def verify(
    path: Path, sha256: str, *, trust_note: bool, clock: Callable[[], float] = time.time
) -> bool:
    """Tell whether a file has this checksum (hex), from the note where that may be trusted.

    Raises OSError where the file cannot be read. Where the note cannot be written, nothing is said:
    the next time the file is hashed again.
    """
    before = _status(path)
    noted: dict[str, object] = {"file": path.name, "sha256": sha256, "status": before}
    if trust_note and _is_noted(path.parent / NOTE, noted, clock()):
        return True
    with path.open("rb") as handle:
        right = hashlib.file_digest(handle, "sha256").hexdigest() == sha256
    now = clock()
    if right and before == _status(path) and now - _changed_at(before) >= _SETTLED_SECONDS:
        _write(path.parent / NOTE, {**noted, "at": now})
    return right


def _status(path: Path) -> list[int]:
    found = path.stat()
    return [
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_ino,
        found.st_dev,
    ]


def _changed_at(status: list[int]) -> float:
    return max(status[1:3]) / 1e9


def _is_noted(note: Path, wanted: dict[str, object], now: float) -> bool:
    try:
        found = json.loads(note.read_bytes())
        at = float(found.pop("at"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False
    # A clock that was set back must not make a note last for ever.
    return bool(found == wanted) and 0 <= now - at < TRUSTED_SECONDS


def _write(note: Path, content: dict[str, object]) -> None:
    """Replace the note at once: several readers may write theirs."""
    temporary = note.with_name(f"{NOTE}-{os.getpid()}")
    with contextlib.suppress(OSError):  # a library that one may only read; a full disk
        try:
            temporary.write_text(json.dumps(content), encoding="utf-8")
            temporary.replace(note)
        finally:
            temporary.unlink(missing_ok=True)
