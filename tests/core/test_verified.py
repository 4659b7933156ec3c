"""A large file is hashed once, and again whenever that may tell something new."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from twinlens import verified
from twinlens.verified import NOTE, TRUSTED_SECONDS, verify

BYTES = b"an index" * 1000
SHA256 = hashlib.sha256(BYTES).hexdigest()


class Clock:
    """A clock that stands, ten seconds after the file was written."""

    def __init__(self) -> None:
        self.now = time.time() + 10

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file like a snapshot."""
    path = tmp_path / "snapshot-1"
    path.write_bytes(BYTES)
    return path


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grow by one with each file that is hashed."""
    calls: list[str] = []
    real = hashlib.file_digest

    def counting(handle: object, name: str) -> object:
        calls.append(name)
        return real(handle, name)  # type: ignore[arg-type]

    monkeypatch.setattr(verified.hashlib, "file_digest", counting)
    return calls


def test_is_hashed_once(file: Path, clock: Clock, hashed: list[str]):
    """The second reader trusts the note of the first."""
    assert verify(file, SHA256, trust_note=True, clock=clock)
    assert verify(file, SHA256, trust_note=True, clock=clock)
    assert len(hashed) == 1


def test_who_will_write_always_hashes(file: Path, clock: Clock, hashed: list[str]):
    """The indexer does not trust a note, but leaves one."""
    for _ in range(2):
        assert verify(file, SHA256, trust_note=False, clock=clock)
    assert len(hashed) == 2
    assert verify(file, SHA256, trust_note=True, clock=clock)
    assert len(hashed) == 2


@pytest.mark.parametrize("place", [0, 4000, len(BYTES) - 1])
@pytest.mark.parametrize("set_back", [False, True])
def test_flipped_bytes_are_seen(file: Path, clock: Clock, place: int, *, set_back: bool):
    """Whoever writes to the file, even one who sets its time back, cannot hide it."""
    assert verify(file, SHA256, trust_note=True, clock=clock)
    before = file.stat()
    time.sleep(0.02)  # the clock that stamps files ticks every 4 ms
    with file.open("r+b") as handle:
        handle.seek(place)
        handle.write(b"\xff")
    if set_back:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert not verify(file, SHA256, trust_note=True, clock=clock)


def test_another_file_of_the_name_is_hashed(file: Path, clock: Clock, tmp_path: Path):
    """A file restored from a backup has another inode."""
    assert verify(file, SHA256, trust_note=True, clock=clock)
    other = tmp_path / "other"
    other.write_bytes(BYTES[:-1] + b"!")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    assert not verify(file, SHA256, trust_note=True, clock=clock)


def test_another_checksum_is_wanted(file: Path, clock: Clock):
    """A note speaks for the checksum that it names."""
    assert verify(file, SHA256, trust_note=True, clock=clock)
    assert not verify(file, "00" * 32, trust_note=True, clock=clock)
    assert verify(file, SHA256, trust_note=True, clock=clock)


@pytest.mark.parametrize("seconds", [TRUSTED_SECONDS, -1.0])
def test_a_note_does_not_last(file: Path, clock: Clock, hashed: list[str], seconds: float):
    """After a week, or when the clock was set back, the file is hashed again: bits rot silently."""
    assert verify(file, SHA256, trust_note=True, clock=clock)
    clock.now += seconds
    assert verify(file, SHA256, trust_note=True, clock=clock)
    assert len(hashed) == 2
    clock.now += 1
    assert verify(file, SHA256, trust_note=True, clock=clock)
    assert len(hashed) == 2


def test_a_file_just_written_is_not_noted(file: Path, hashed: list[str]):
    """Its times could not tell a second write in the same moment."""
    assert verify(file, SHA256, trust_note=True)
    assert not (file.parent / NOTE).exists()
    assert verify(file, SHA256, trust_note=True)
    assert len(hashed) == 2


def test_a_wrong_file_is_not_noted(file: Path, clock: Clock):
    """Nothing is remembered of a file that is damaged."""
    assert not verify(file, "00" * 32, trust_note=True, clock=clock)
    assert not (file.parent / NOTE).exists()


@pytest.mark.parametrize(
    "note", [b"", b"[]", b"{}", b"\xff\xfe", b'{"at": null}', b'{"at": 1e999}', b"[" * 100_000]
)
def test_a_damaged_note_is_none(file: Path, clock: Clock, hashed: list[str], note: bytes):
    """The file is hashed, and a new note written."""
    (file.parent / NOTE).write_bytes(note)
    assert verify(file, SHA256, trust_note=True, clock=clock)
    assert verify(file, SHA256, trust_note=True, clock=clock)
    assert len(hashed) == 1


def test_without_room_for_a_note(file: Path, clock: Clock, hashed: list[str]):
    """A note that cannot be written costs time and nothing else."""
    (file.parent / NOTE).mkdir()
    for _ in range(2):
        assert verify(file, SHA256, trust_note=True, clock=clock)
    assert len(hashed) == 2
    assert sorted(path.name for path in file.parent.iterdir()) == [NOTE, file.name]


def test_no_file(tmp_path: Path):
    """A missing file is the caller's to explain."""
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "none", SHA256, trust_note=True)
