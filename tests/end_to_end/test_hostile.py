"""The whole folder of broken and odd files, with good photos beside them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from pathlib import Path

import psutil
import pytest

from tests.end_to_end.conftest import Photos, Programs, age, make_photo

MOST_BYTES = 3_000_000_000
"""Most memory for the worker and its decoders together: torch takes 1 GB, a decoder at most 2."""


@pytest.mark.data
@pytest.mark.timeout(600)
def test_every_hostile_file_ends_indexed_or_with_a_reason(
    programs: Programs, tmp_path: Path, data: Path
):
    """No worker dies for good, memory stays bounded, the good photos are all found (#43, #44)."""
    photos = Photos(tmp_path / "hostile")
    shutil.copytree(data / "hostile", photos.folder)
    good = [
        photos.folder / sub / f"good-{i}.jpg" for i, sub in enumerate(("", "pillow", "pillow/bmp"))
    ]
    for number, path in enumerate(good):
        make_photo(path, 100 + number)
    _make_writable(photos.folder)
    age(photos.folder)
    scan = programs.start("twinlens_plugin", "scan", photos.folder)
    peak = 0
    while scan.poll() is None:
        peak = max(peak, _memory(scan.pid))
        time.sleep(0.2)
    assert scan.returncode == 0
    assert 0 < peak < MOST_BYTES
    connection = sqlite3.connect(programs.library / "catalogue.sqlite3")
    files = connection.execute(
        "SELECT path, content_id, state, kind, reason FROM files LEFT JOIN jobs ON file_id = id"
    ).fetchall()
    connection.close()
    unfinished = [path for path, content, state, *_ in files if content is None and not state]
    assert not unfinished
    failures = {path: (kind, reason) for path, _, state, kind, reason in files if state}
    assert all(state == "quarantined" for *_, state, _, _ in files if state)
    assert not [kind for kind, _ in failures.values() if kind == "killed-worker"]
    for path, (_, reason) in failures.items():
        assert 10 < len(reason) < 250, (path, reason)
        assert not any(word in reason for word in ("Traceback", "object at", "Error(")), reason
    indexed = {os.fsdecode(path) for path, content, *_ in files if content}
    assert {str(path.relative_to(photos.folder)) for path in good} <= indexed
    programs.twinlens("doctor")


def _make_writable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode | 0o600)


def _memory(pid: int) -> int:
    """Return the memory of the processes below ``pid``, bytes; shared pages counted each time."""
    total = 0
    for child in psutil.Process(pid).children(recursive=True):
        try:
            total += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
