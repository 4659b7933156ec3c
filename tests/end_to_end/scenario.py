"""What must hold whichever way the work is spread: copies found, changes followed, consistent."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from tests.end_to_end.conftest import Photos, Programs, make_photo, wait_until


def caught_up(programs: Programs) -> bool:
    """Tell whether nothing is left to do and all pairs are known."""
    path = programs.library / "catalogue.sqlite3"
    if not path.exists():
        return False
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30) as connection:
        try:
            busy, files, pairs, log = connection.execute(
                "SELECT (SELECT count(*) FROM jobs JOIN files ON id = file_id"
                "        WHERE state != 'quarantined' AND missing_since IS NULL),"
                " (SELECT count(*) FROM files),"
                " (SELECT max(CAST(value AS INTEGER)) FROM meta WHERE key LIKE 'pairs_seq:%'),"
                " (SELECT max(seq) FROM log)"
            ).fetchone()
        except sqlite3.OperationalError:
            return False  # not migrated yet
    connection.close()
    return bool(files) and busy == 0 and pairs is not None and pairs == log


def embedded(programs: Programs) -> int:
    """Return how many photos have been embedded."""
    path = programs.library / "catalogue.sqlite3"
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        return int(connection.execute("SELECT count(content_id) FROM files").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


def check_copies(programs: Programs, photos: Photos) -> None:
    """Nearly every everyday copy is in one group with its original, and few others are."""
    groups = [
        {photo["path"] for photo in group["photos"]}
        for group in programs.json("duplicates", photos.folder)
    ]
    found = sum(
        any({str(copy), str(original)} <= group for group in groups)
        for copy, original in photos.copies.items()
    )
    assert found >= 0.9 * len(photos.copies), f"{found} of {len(photos.copies)} copies found"
    made = {str(path) for path in (photos.folder / "originals").iterdir()}
    merged = [group for group in groups if len(group & made) > 1]
    # The real originals hold a few true near-duplicates; those made by us hold none.
    assert len(merged) <= (0.05 * len(made) if (photos.folder / "camera").exists() else 0), merged


def follow_changes(programs: Programs, photos: Photos) -> None:
    """An edit, a rename and a delete are followed while the watcher runs."""
    originals = sorted((photos.folder / "originals").iterdir())
    edited, renamed, deleted = originals[-1], originals[-2], originals[-3]
    moved = renamed.with_name("renamed.jpg")
    new = photos.folder / "new" / "fresh.jpg"
    make_photo(edited, 9001)
    renamed.rename(moved)
    deleted.unlink()
    make_photo(new, 9001)  # the same picture as the edited one: identical bytes
    wait_until(lambda: _similar(programs, edited, new), "the edit and its identical twin are found")
    wait_until(lambda: _lists(programs, moved), "the rename is followed")
    assert not _lists(programs, renamed)
    assert not _lists(programs, deleted)


def _similar(programs: Programs, query: Path, expected: Path) -> bool:
    result = programs.twinlens("similar", query, "--paths", "-k", "3", check=False)
    return str(expected) in result.stdout.splitlines()


def _lists(programs: Programs, path: Path) -> bool:
    """Tell whether a photo is known and alive."""
    connection = sqlite3.connect(programs.library / "catalogue.sqlite3", timeout=30)
    try:
        rows = connection.execute(
            "SELECT roots.path, files.path FROM files JOIN roots ON roots.id = root_id"
            " WHERE missing_since IS NULL AND content_id IS NOT NULL"
        ).fetchall()
    finally:
        connection.close()
    return os.fsencode(path) in {root + b"/" + name for root, name in rows}


def check_consistent(programs: Programs) -> None:
    """Catalogue, index and disk agree."""
    wait_until(lambda: caught_up(programs), "all work done")
    deadline = time.monotonic() + 20
    result = programs.twinlens("doctor", check=False)
    while result.returncode and time.monotonic() < deadline:
        result = programs.twinlens("doctor", check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "consistent" in result.stdout
