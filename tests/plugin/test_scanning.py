"""A scan's parts: who does the work, and what is said when nobody does."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import pytest

from tests.conftest import Clock, RedisServer
from tests.plugin.conftest import Built
from twinlens import pairs, tunings
from twinlens.catalogue import Catalogue, set_meta
from twinlens.settings import Settings, load_settings
from twinlens_plugin.options import Session
from twinlens_plugin.progress import Counter, Progress, caught_up, read_progress
from twinlens_plugin.scanning import STALL_SECONDS, Hands, Problems


def session(built: Built, **more: object) -> Session:
    """Return a session on ``built``."""
    settings = load_settings(os.environ, library=built.library.folder)
    return Session(dataclasses.replace(settings, **more), config=None, as_json=False)  # type: ignore[arg-type]


@pytest.mark.redis
def test_with_a_broker_the_scan_sends_the_work_and_says_when_nobody_takes_it(
    built: Built, redis_server: RedisServer, clock: Clock
):
    """No worker is started here; after a while without progress the user is told, once."""
    built.record(built.write("a.jpg"))
    said: list[str] = []
    hands = Hands(session(built, broker=redis_server.url), built.catalogue, said.append, clock)
    hands.tick(Progress(1, 1))
    assert redis_server.command("LLEN", "embed").strip() == ":1"
    clock.advance(STALL_SECONDS - 1)
    hands.tick(Progress(1, 1))
    assert said == []
    for _ in range(3):
        clock.advance(STALL_SECONDS)
        hands.tick(Progress(1, 1))
    assert len(said) == 1
    assert "no worker takes the work. Start one: twinlens-worker --queues embed" in said[0]


@pytest.mark.redis
def test_a_running_watcher_sends_the_work_alone(
    built: Built, redis_server: RedisServer, clock: Clock
):
    """Two dispatchers would send the same photos twice."""
    built.record(built.write("a.jpg"))
    hands = Hands(session(built, broker=redis_server.url), built.catalogue, print, clock)
    with built.library.lock("watcher"):
        hands.tick(Progress(1, 1))
    assert redis_server.command("LLEN", "embed").strip() == ":0"


def test_problems_are_said_once_and_again_when_they_come_back(built: Built):
    """A broker that is away is worth a line, not one every second."""

    def note(text: str) -> None:
        with built.catalogue.write_tx() as tx:
            set_meta(tx, "broker_problem", text)

    said: list[str] = []
    problems = Problems(built.catalogue, said.append)
    for text in ("Redis full", "Redis full", "", "Redis full", "another"):
        note(text)
        problems.tick()
    assert said == ["Redis full", "Redis full", "another"]


def test_a_library_is_caught_up_when_duplicates_were_sought_too(built: Built):
    """Reading is not all: the worker then looks for neighbours, from a threshold lowered since."""
    settings = Settings(library=built.library.folder)
    assert caught_up(built.catalogue, settings)
    photo = built.write("a.jpg")
    built.record(photo)
    assert not caught_up(built.catalogue, settings)
    built.commit(photo)
    assert not caught_up(built.catalogue, settings)
    pairs.lower_threshold(built.catalogue, settings, built.model)
    built.publish()
    assert caught_up(built.catalogue, settings)
    lower = Settings(library=built.library.folder, copy_threshold=0.3)
    assert not caught_up(built.catalogue, lower)
    assert pairs.lower_threshold(built.catalogue, lower, built.model)
    assert not caught_up(built.catalogue, lower)


def test_a_tuning_that_takes_over_while_it_is_asked_is_not_missed(
    built: Built, monkeypatch: pytest.MonkeyPatch
):
    """Its pairs are there at once and have to be verified: a scan that stopped now would leave them."""
    one, other = built.photo("a.jpg"), built.photo("b.jpg")
    settings = Settings(library=built.library.folder)
    pairs.lower_threshold(built.catalogue, settings, built.model)
    built.publish()
    with built.catalogue.write_tx() as tx:
        set_meta(tx, f"tuning_wanted:{built.model.id}", "1")
    really = tunings.is_settled

    def is_settled(*asked: Any) -> bool:
        with Catalogue.open(built.library.catalogue) as worker, worker.write_tx() as tx:
            set_meta(tx, f"tuning_serving:{built.model.id}", "1")
            ends = built.content_id(one), built.content_id(other)
            tx.execute("INSERT INTO unverified (a, b, score) VALUES (?, ?, 0.5)", sorted(ends))
        return really(*asked)

    monkeypatch.setattr(tunings, "is_settled", is_settled)
    assert not caught_up(built.catalogue, settings)


def test_progress_counts_photos_and_what_waits(built: Built):
    """Deleted photos and quarantined ones wait for nothing."""
    built.photo("done.jpg")
    for name in ("waits.jpg", "bad.jpg"):
        built.record(built.write(name))
    built.quarantine(built.photos / "bad.jpg", "damaged")
    assert read_progress(built.catalogue) == Progress(photos=3, remaining=1)
    assert read_progress(built.catalogue).done == 2


def test_counting_is_seldom_where_it_is_slow(built: Built):
    """A count that takes 1 s is not made again within 30."""
    now = iter([0.0, 1.0, 15.0, 32.0, 33.0])
    counter = Counter(built.catalogue, lambda: next(now))
    assert counter.read().photos == 0
    built.photo("a.jpg")
    assert counter.read().photos == 0
    assert counter.read().photos == 1
