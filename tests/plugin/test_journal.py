"""The journal, where the disk lets it down."""

from __future__ import annotations

import errno
from io import FileIO
from pathlib import Path

import pytest

from twinlens_plugin.acting.journal import VERSION, Entry, Writer, read_run
from twinlens_plugin.errors import JournalError


class Full(FileIO):
    """A file on a disk that has room for so many bytes more."""

    room = 1000

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Take as many bytes as there is room for, as the system does."""
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        done = super().write(data[: self.room])
        self.room -= done
        return done


def test_half_a_line_does_not_spoil_what_follows(tmp_path: Path):
    """The disk was full, and is not when it is written that the action was taken back."""
    file = tmp_path / "0001.jsonl"
    entry = Entry(1, b"/photos/a.jpg", "trash", ())
    with Full(file, "x") as handle:
        writer = Writer(file, handle)
        writer.write({"twinlens_journal": VERSION})
        writer.begin(entry)
        handle.room = 10
        entry.told.append({"location": "/trash/a.jpg"})
        with pytest.raises(JournalError, match="No space left"):
            writer.told(entry)
        handle.room = 1000
        writer.end(entry, "failed", "no space")
    assert read_run(file).entries[1].state == "failed"
