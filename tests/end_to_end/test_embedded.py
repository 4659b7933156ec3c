"""The main job on one computer, with nothing else installed or running."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.conftest import Photos, Programs, age, make_photo, process_of, wait_until
from tests.end_to_end.scenario import (
    caught_up,
    check_consistent,
    check_copies,
    embedded,
    follow_changes,
)


@pytest.mark.timeout(400)
def test_watch_with_a_killed_worker(programs: Programs, photos: Photos, tmp_path: Path):
    """`twinlens watch` imports, survives kill -9 of its worker, follows changes (#1)."""
    watch = programs.start(
        "twinlens_plugin", "watch", photos.folder, "--json", output=tmp_path / "events"
    )
    wait_until(lambda: _worker_started(programs, watch.pid), "the first photos are embedded")
    process_of(watch.pid, "twinlens_worker").kill()
    wait_until(lambda: caught_up(programs), "all photos embedded after the kill")
    check_copies(programs, photos)
    follow_changes(programs, photos)
    check_consistent(programs)
    assert '"duplicate"' in (tmp_path / "events").read_text()


def _worker_started(programs: Programs, watch: int) -> bool:
    path = programs.library / "catalogue.sqlite3"
    return path.exists() and embedded(programs) > 0


@pytest.mark.timeout(300)
def test_scan_then_ask(programs: Programs, photos: Photos, tmp_path: Path):
    """`twinlens scan` does all, a second scan does nothing, unseen photos can be asked about."""
    [first] = programs.json("scan", photos.folder)
    check_copies(programs, photos)
    check_consistent(programs)
    copy, original = next(iter(photos.copies.items()))
    unseen = tmp_path / "unseen.jpg"
    unseen.write_bytes(copy.read_bytes() + b"\0")
    best = programs.json("similar", unseen, "-k", "5")
    assert {str(copy), str(original)} <= {answer["path"] for answer in best}
    [second] = programs.json("scan", photos.folder)
    assert first["photos"] == second["photos"]
    programs.twinlens("remove-root", photos.folder)
    assert original.exists()
    assert not (photos.folder / ".twinlens-root").exists()


@pytest.mark.timeout(300)
def test_hostile_files_beside_good_ones(programs: Programs, tmp_path: Path):
    """Broken files end in quarantine with a reason; the good photos beside them are all found."""
    folder = tmp_path / "mixed"
    for number in range(8):
        make_photo(folder / f"good-{number}.jpg", number)
    whole = (folder / "good-0.jpg").read_bytes()
    (folder / "empty.jpg").touch()
    (folder / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "text.png").write_text("no picture at all")
    (folder / "zeros.jpg").write_bytes(whole[: len(whole) // 4] + bytes(len(whole)))
    age(folder)
    result = programs.twinlens("scan", folder, "--json", check=False)
    assert "Traceback" not in result.stderr
    failed = {Path(item["path"]).name: item["reason"] for item in programs.json("quarantine")}
    assert {"empty.jpg", "half.jpg", "text.png"} <= set(failed)
    assert all(5 < len(reason) < 250 for reason in failed.values()), failed
    assert embedded(programs) >= 8
