"""What the watcher asks the catalogue."""

from __future__ import annotations

from twinlens import ledger
from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens.roots import Root
from twinlens_watcher.known import KnownFiles


def test_inodes_and_number_of_live_files(catalogue: Catalogue, root: Root) -> None:
    """Both are of files that are there, and read straight through the table."""
    seen = [(b"%d.jpg" % i, FileStat(1, 1, 1, i)) for i in range(1, 4)]
    ledger.record(catalogue, root.id, seen, now=1.0)
    ledger.tombstone(catalogue, root.id, [b"3.jpg"], now=2.0)
    asked: list[str] = []
    with catalogue.write_tx() as connection:
        connection.set_trace_callback(asked.append)
        assert KnownFiles(catalogue, root.id).inodes() == {1, 2}
        assert KnownFiles(catalogue, root.id).count() == 2
        connection.set_trace_callback(None)
    plans = [row["detail"] for sql in asked for row in catalogue.rows(f"EXPLAIN QUERY PLAN {sql}")]
    assert plans == ["SCAN files", "SCAN files"]
