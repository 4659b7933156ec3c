"""Following single paths, as events name them."""

from __future__ import annotations

import pytest

from tests.watcher.conftest import Photos
from twinlens_watcher.clock import FakeClock
from twinlens_watcher.follow import Follower


@pytest.fixture
def slow_clock() -> FakeClock:
    """A clock by which all files are new, so that each waits for its second reading."""
    return FakeClock(0)


@pytest.fixture
def slow(photos: Photos, slow_clock: FakeClock) -> Follower:
    """Follows ``photos`` by ``slow_clock``."""
    return Follower(photos.catalogue, photos.root, slow_clock, 2.0, local=True)


def settle(follower: Follower, clock: FakeClock, seconds: float = 2.0) -> None:
    """Let time pass and look at what is due."""
    clock.advance(seconds)
    follower.look_at_due()


@pytest.mark.parametrize("first", ["old.jpg", "new.jpg"])
def test_a_rename_whose_ends_are_seen_apart_is_a_move(
    photos: Photos, slow: Follower, slow_clock: FakeClock, first: str
) -> None:
    """Whichever end is seen first, and a second before the other."""
    path = photos.write("old.jpg")
    slow.look([b"old.jpg"])
    settle(slow, slow_clock)
    photos.embed_all()
    before = photos.row("old.jpg")
    path.rename(photos.folder / "new.jpg")
    ends = [b"old.jpg", b"new.jpg"]
    slow.look([first.encode()])
    slow_clock.advance(1.0)
    slow.look([end for end in ends if end != first.encode()])
    settle(slow, slow_clock, 1.0)  # now the first end is due, the other is not
    assert photos.live() == ["new.jpg"]
    assert photos.row("new.jpg")["id"] == before["id"]
    assert photos.events() == ["moved"]
    assert photos.jobs() == []
    assert len(slow.settler) == 0


def test_a_chain_of_renames_ends_with_the_right_photos(
    photos: Photos, slow: Follower, slow_clock: FakeClock
) -> None:
    """``b`` becomes ``c``, ``a`` becomes ``b``: no photo is lost or taken for another."""
    photos.write("a.jpg", b"A")
    photos.write("b.jpg", b"BB")
    slow.look([b"a.jpg", b"b.jpg"])
    settle(slow, slow_clock)
    (photos.folder / "b.jpg").rename(photos.folder / "c.jpg")
    (photos.folder / "a.jpg").rename(photos.folder / "b.jpg")
    slow.look([b"a.jpg", b"b.jpg", b"c.jpg"])
    settle(slow, slow_clock)
    assert photos.live() == ["b.jpg", "c.jpg"]
    assert photos.row("b.jpg")["size"] == 1
    assert photos.row("c.jpg")["size"] == 2
    assert photos.jobs() == ["b.jpg", "c.jpg"]


def test_a_photo_that_is_gone_for_a_moment_is_not_deleted(
    photos: Photos, slow: Follower, slow_clock: FakeClock
) -> None:
    """Fault 19: backup, then rename; nobody is told of a deletion."""
    path = photos.write("a.jpg", b"old")
    slow.look([b"a.jpg"])
    settle(slow, slow_clock)
    path.unlink()
    slow.look([b"a.jpg"])
    settle(slow, slow_clock, 1.5)
    photos.write("a.jpg", b"newer")
    slow.look([b"a.jpg"])
    settle(slow, slow_clock)
    assert photos.events() == []
    assert photos.row("a.jpg")["generation"] == 2


def test_a_photo_that_comes_and_goes_unseen_leaves_nothing(
    photos: Photos, slow: Follower, slow_clock: FakeClock
) -> None:
    """A temporary file with the name of a photo."""
    path = photos.write("tmp.jpg")
    slow.look([b"tmp.jpg"])
    path.unlink()
    slow.look([b"tmp.jpg"])
    settle(slow, slow_clock)
    assert photos.catalogue.value("SELECT count(*) FROM files") == 0
    assert len(slow.settler) == 0


def test_a_photo_below_a_mount_that_vanished_is_not_deleted(
    photos: Photos, slow: Follower, slow_clock: FakeClock
) -> None:
    """Fault 17: it was named by an event just before; the root goes offline instead."""
    photos.write("a.jpg")
    slow.look([b"a.jpg"])
    settle(slow, slow_clock)
    photos.write("a.jpg", b"changed")
    slow.look([b"a.jpg"])
    photos.folder.rename(photos.folder.parent / "disk")
    slow.look([b"a.jpg"])
    settle(slow, slow_clock)
    assert photos.live() == ["a.jpg"]
    assert not photos.root.online
