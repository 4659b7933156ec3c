"""When a file is taken: the numbered rules of ``settle``."""

from __future__ import annotations

from twinlens.filestat import FileStat
from twinlens_watcher.clock import FakeClock
from twinlens_watcher.compare import Identity
from twinlens_watcher.settle import Settler

NOW = 1_700_000_000.0
PATH = b"a.jpg"


def reading(size: int = 10, *, age: float = 0.0, inode: int = 7) -> FileStat:
    """Return a reading of a file last touched ``age`` seconds before ``NOW``."""
    touched = int((NOW - age) * 1e9)
    return FileStat(size, touched, touched, inode)


def settler(clock: FakeClock, *, local: bool = True) -> Settler:
    """Return an empty settler with the default settle time."""
    return Settler(clock, 2.0, local=local)


def test_a_file_is_taken_when_two_readings_two_seconds_apart_agree() -> None:
    """Rule 1."""
    clock = FakeClock(NOW)
    files = settler(clock)
    assert not files.see(PATH, reading())
    clock.advance(1.9)
    assert not files.see(PATH, reading())
    assert files.due() == []
    clock.advance(0.2)
    assert files.due() == [PATH]
    assert files.see(PATH, reading())


def test_a_file_that_is_still_growing_is_not_taken_and_not_given_up() -> None:
    """Rule 2, fault 20: a copy that takes ten minutes is taken once, when it is whole."""
    clock = FakeClock(NOW)
    files = settler(clock)
    for second in range(600):
        assert not files.see(PATH, reading(second, age=-second))
        clock.advance(1.0)
    assert PATH in files
    clock.advance(1.0)
    assert files.see(PATH, reading(599, age=-599))


def test_a_change_of_mtime_or_inode_alone_starts_the_wait_again() -> None:
    """Rule 2: a preallocated file has its final size from the start."""
    first, now = reading(), reading(10, age=-2)
    for later in (now, FileStat(10, first.mtime_ns, now.ctime_ns, first.inode + 1)):
        clock = FakeClock(NOW)
        files = settler(clock)
        files.see(PATH, first)
        clock.advance(2.5)
        assert not files.see(PATH, later)


def test_new_permissions_alone_do_not_start_the_wait_again() -> None:
    """Rule 1: ctime is not compared, since chmod moves it and the bytes are the same."""
    clock = FakeClock(NOW)
    files = settler(clock)
    first = reading()
    files.see(PATH, first)
    clock.advance(2.5)
    assert files.see(PATH, FileStat(first.size, first.mtime_ns, first.ctime_ns + 5, first.inode))


def test_one_reading_is_enough_for_a_file_that_was_left_alone() -> None:
    """Rule 3."""
    assert settler(FakeClock(NOW)).see(PATH, reading(age=2.5))


def test_an_old_mtime_is_not_enough_while_ctime_is_new() -> None:
    """Rule 3: ``cp -p`` sets an old mtime on a file that it has just written."""
    new, old = reading(), reading(age=1e6)
    mixed = FileStat(10, old.mtime_ns, new.ctime_ns, 7)
    assert not settler(FakeClock(NOW)).see(PATH, mixed)


def test_a_time_in_the_future_is_no_shortcut_but_settles() -> None:
    """Rules 1 and 3: a camera with a wrong clock."""
    clock = FakeClock(NOW)
    files = settler(clock)
    assert not files.see(PATH, reading(age=-1e6))
    clock.advance(2.0)
    assert files.see(PATH, reading(age=-1e6))


def test_on_a_network_mount_two_readings_are_always_needed() -> None:
    """Rule 3: the server has its own clock."""
    clock = FakeClock(NOW)
    files = settler(clock, local=False)
    assert not files.see(PATH, reading(age=1e6))
    clock.advance(2.0)
    assert files.see(PATH, reading(age=1e6))


def test_a_file_is_gone_when_it_was_so_for_two_seconds() -> None:
    """Rule 4."""
    clock = FakeClock(NOW)
    files = settler(clock)
    lost = Identity.of(reading())
    assert not files.see(PATH, None, lost)
    assert files.gone_as(reading()) == PATH
    clock.advance(2.0)
    assert files.see(PATH, None, lost)


def test_a_file_that_comes_back_is_no_longer_gone() -> None:
    """Rule 4: the backup and rename of an editor."""
    clock = FakeClock(NOW)
    files = settler(clock)
    files.see(PATH, None, Identity.of(reading()))
    clock.advance(1.5)
    assert not files.see(PATH, reading(11))
    assert files.gone_as(reading()) is None


def test_what_is_settled_waits_until_it_is_recorded() -> None:
    """A catalogue that cannot be written loses nothing."""
    clock = FakeClock(NOW)
    files = settler(clock)
    assert files.see(PATH, reading(age=10))
    assert PATH in files
    files.forget(PATH)
    assert PATH not in files
    assert files.next_due() is None
