"""The loop when the catalogue cannot be written, and roots that give no events."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable, Iterator

import pytest

from tests.watcher.conftest import Photos
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.settings import Settings
from twinlens_watcher import service
from twinlens_watcher.clock import FakeClock
from twinlens_watcher.once import sweep_once
from twinlens_watcher.service import Service
from twinlens_watcher.stopping import Bell, Stopping
from twinlens_watcher.sweep import BATCH
from twinlens_watcher.watch import RootWatch


@pytest.fixture
def settings(library: Library) -> Settings:
    """The defaults."""
    return Settings(library=library.folder)


@pytest.fixture
def step(
    catalogue: Catalogue,
    settings: Settings,
    hand_clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[], float]]:
    """One turn of the loop, by ``hand_clock``; no pause after trouble."""
    monkeypatch.setattr(service, "RETRY_SECONDS", 0.0)
    loop = Service(catalogue, settings, Bell(), clock=hand_clock)
    yield loop._step
    loop._close()


def test_a_full_disk_pauses_the_recording_and_loses_nothing(
    photos: Photos,
    step: Callable[[], float],
    hand_clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Fault 36: said once, tried again, and everything is there in the end."""
    step()
    pages = photos.catalogue.value("PRAGMA page_count")
    photos.catalogue.value(f"PRAGMA max_page_count = {pages}")  # a real SQLITE_FULL
    photos.write_many(500)
    hand_clock.advance(400)
    step()
    hand_clock.advance(400)
    step()
    assert [r.message for r in caplog.records if "cannot be written" in r.message] == [
        "the catalogue cannot be written: database or disk is full; trying again"
    ]
    photos.catalogue.value("PRAGMA max_page_count = 1000000")
    step()
    assert len(photos.live()) == 500
    assert "can be written again" in caplog.text


@pytest.mark.parametrize(("took", "pause"), [(0.0, 2.0), (1.5, 15.0), (60.0, 30.0)])
def test_a_long_try_is_followed_by_a_long_pause(
    catalogue: Catalogue,
    settings: Settings,
    hand_clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    took: float,
    pause: float,
) -> None:
    """A full disk does not make the watcher walk a large folder again and again."""
    bell, pauses = Bell(), list[float]()
    monkeypatch.setattr(bell, "sleep", pauses.append)
    loop = Service(catalogue, settings, bell, clock=hand_clock)

    def sweep_in_vain() -> None:
        hand_clock.advance(took)
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(loop, "_check_roots", sweep_in_vain)
    loop._step()
    assert pauses == [pause]


@pytest.mark.parametrize("hint", ["path", "folder"])
def test_a_busy_catalogue_keeps_what_events_said(
    photos: Photos, settings: Settings, hand_clock: FakeClock, library: Library, hint: str
) -> None:
    """A hint is dropped only when what it told of is recorded."""
    watch = RootWatch(photos.catalogue, photos.root, settings, hand_clock, ring=lambda: None)
    watch.step(lambda: None)
    watch.close()
    photos.write_many(BATCH + 1, "d")  # the sweep of the folder fails at the first batch
    photos.catalogue.value("PRAGMA busy_timeout = 10")
    if hint == "path":
        watch.hints.add(paths=[b"d/%04d.jpg" % number for number in range(BATCH + 1)])
    else:
        watch.hints.add(folders=[b"d"])
    other = sqlite3.connect(library.catalogue)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        watch.step(lambda: None)
    other.rollback()
    other.close()
    watch.step(lambda: None)
    hand_clock.advance(2.0)
    watch.step(lambda: None)
    assert len(photos.live()) == BATCH + 1


def test_a_network_mount_is_polled(
    photos: Photos, settings: Settings, hand_clock: FakeClock
) -> None:
    """Every ``poll_seconds``, without events, and with two readings of each file."""
    settings = dataclasses.replace(settings, poll_seconds=30)
    watch = RootWatch(
        photos.catalogue, photos.root, settings, hand_clock, ring=lambda: None, local=False
    )
    watch.step(lambda: None)
    photos.write("a.jpg")
    hand_clock.advance(29)
    watch.step(lambda: None)
    assert len(watch.follower.settler) == 0
    hand_clock.advance(1)
    watch.step(lambda: None)
    assert photos.live() == []
    assert watch.next_due() == hand_clock.monotonic() + settings.settle_seconds
    hand_clock.advance(2)
    watch.step(lambda: None)
    assert photos.live() == ["a.jpg"]


def test_a_request_to_stop_ends_a_sweep_in_its_middle(
    photos: Photos, catalogue: Catalogue, settings: Settings, hand_clock: FakeClock
) -> None:
    """A sweep over a slow disk takes minutes; a system that shuts down waits for seconds."""
    photos.write_many(300)
    bell = Bell()
    loop = Service(catalogue, settings, bell, clock=hand_clock)
    bell.stop()
    with pytest.raises(Stopping):
        loop._step()
    loop._close()
    assert len(photos.live()) < 300


def test_old_tombstones_are_forgotten_daily(
    photos: Photos, step: Callable[[], float], hand_clock: FakeClock
) -> None:
    """After ``tombstone_days``, by the watcher that runs for months."""
    path = photos.write("a.jpg")
    step()
    path.unlink()
    hand_clock.advance(301)
    step()
    assert photos.live() == []
    assert photos.row("a.jpg")
    hand_clock.advance(31 * 86_400)
    step()
    assert photos.catalogue.value("SELECT count(*) FROM files") == 0


def test_once_leaves_a_file_that_goes_on_growing(
    photos: Photos, catalogue: Catalogue, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """After 30 s, and says so; the others are taken."""
    slow = photos.write("slow.jpg")
    photos.write("done.jpg")
    clock = FakeClock()

    def sleep(seconds: float) -> None:
        clock.advance(max(seconds, 0.5))
        with slow.open("ab") as file:
            file.write(b"more")

    sweep_once(catalogue, [photos.root], settings, clock=clock, sleep=sleep)
    assert photos.live() == ["done.jpg"]
    assert "slow.jpg: still being written" in caplog.text
    assert clock.monotonic() == pytest.approx(1030, abs=1)


def test_a_bell_rung_by_nobody_lets_sleep() -> None:
    """And by many wakes once."""
    bell = Bell()
    for _ in range(5):
        bell.ring()
    bell.wait(10)
    bell.wait(0.01)
    bell.stop()
    with pytest.raises(Stopping):
        bell.wait(10)
