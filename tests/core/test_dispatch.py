"""The broker and the dispatcher, against a real Redis: a doorbell whose loss loses nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.conftest import Clock, RedisServer
from tests.core.conftest import Shelf
from twinlens import broker, ledger, messages, roots
from twinlens.catalogue import Catalogue
from twinlens.dispatch import PROBLEM, Dispatcher
from twinlens.errors import BrokerError, ConfigError
from twinlens.library import Library
from twinlens.messages import Photo
from twinlens.models import Model
from twinlens.settings import Settings

pytestmark = pytest.mark.redis


MakeDispatcher = Callable[[str], Dispatcher]


@pytest.fixture
def dispatcher(
    catalogue: Catalogue, library: Library, model: Model, clock: Clock
) -> Callable[[str], Dispatcher]:
    """Make a dispatcher for a broker: batches of 4, at most 10 photos out, leases of 60 s."""

    def make(url: str) -> Dispatcher:
        settings = Settings(
            library=library.folder, broker=url, batch_size=4, in_flight=10, lease_seconds=60.0
        )
        return Dispatcher(catalogue, settings, broker.make_app(url), clock)

    return make


def take(url: str, limit: int = 1000) -> list[list[Photo]]:
    """Take messages off the ``embed`` queue, as a worker does; return their photos."""
    return [messages.read_embed(body)[1] for body in take_bodies(url, limit)]


def take_bodies(url: str, limit: int = 1000) -> list[object]:
    """Take messages off the ``embed`` queue; return their bodies."""
    bodies: list[object] = []
    with (
        broker.make_app(url).connection_for_read() as connection,
        connection.SimpleQueue(messages.QUEUE_EMBED) as queue,
    ):
        while len(bodies) < limit:
            try:
                message = queue.get_nowait()
            except queue.Empty:
                break
            (body,), _, _ = message.payload
            bodies.append(body)
            message.ack()
    return bodies


def names(batches: list[list[Photo]]) -> list[bytes]:
    """Return the paths of all photos, sorted."""
    return sorted(photo.path for batch in batches for photo in batch)


def finish(catalogue: Catalogue, batches: list[list[Photo]]) -> None:
    """Strike the jobs of all photos, as a commit does."""
    with catalogue.write_tx() as tx:
        for batch in batches:
            for photo in batch:
                ledger.finish(tx, photo.file_id)


def see(shelf: Shelf, count: int) -> list[bytes]:
    """Record photos; return their paths."""
    paths = [f"{i:02}.jpg" for i in range(count)]
    shelf.see(*paths)
    return [path.encode() for path in paths]


def test_batches(
    shelf: Shelf,
    dispatcher: MakeDispatcher,
    redis_server: RedisServer,
    model: Model,
    catalogue: Catalogue,
):
    """Photos are sent in batches, each with all that a worker on another computer needs."""
    paths = see(shelf, 6)
    assert dispatcher(redis_server.url).tick() == 6
    batches = take(redis_server.url)
    assert [len(batch) for batch in batches] == [4, 2]
    assert names(batches) == paths
    first = batches[0][0]
    assert (first.root, first.root_path, first.generation, first.size) == (
        shelf.root.name,
        shelf.root.path,
        1,
        100,
    )
    assert ledger.counts(catalogue).leased == 6


def test_messages_name_their_library(
    shelf: Shelf,
    dispatcher: MakeDispatcher,
    redis_server: RedisServer,
    catalogue: Catalogue,
    model: Model,
):
    """A batch says which catalogue its numbers are of, so that no other takes its results."""
    see(shelf, 1)
    dispatcher(redis_server.url).tick()
    [body] = take_bodies(redis_server.url)
    wanted, _ = messages.read_embed(body)
    assert wanted == messages.ModelRef(model.name, model.digest)
    assert wanted.catalogue == catalogue.meta("catalogue_id")


def test_nothing_to_send(shelf: Shelf, dispatcher: MakeDispatcher, redis_server: RedisServer):
    """Without work nothing is sent; neither is anything before there is a model."""
    assert dispatcher(redis_server.url).tick() == 0
    assert take(redis_server.url) == []


def test_photos_of_a_disk_that_is_away_hold_nobody_up(
    shelf: Shelf, dispatcher: MakeDispatcher, redis_server: RedisServer, catalogue: Catalogue
):
    """While all that waits is offline, a tick does not even ask to write: others are writing."""
    see(shelf, 2)
    roots.set_online(catalogue, shelf.root, reason="gone", now=1.0)
    catalogue.rows("PRAGMA busy_timeout = 0")
    with Catalogue.open(catalogue.path) as other, other.write_tx():
        assert dispatcher(redis_server.url).tick() == 0


def test_no_model_yet(shelf: Shelf, catalogue: Catalogue, library: Library, clock: Clock):
    """Before the first worker named a model, a dispatcher waits, and asks no broker."""
    see(shelf, 1)
    url = "redis://127.0.0.1:1/0"
    settings = Settings(library=library.folder, broker=url)
    assert Dispatcher(catalogue, settings, broker.make_app(url), clock).tick() == 0
    assert ledger.counts(catalogue).pending == 1


def test_bounded_in_flight(
    shelf: Shelf, dispatcher: MakeDispatcher, redis_server: RedisServer, catalogue: Catalogue
):
    """No more than ``in_flight`` photos are out at any time; as some are done, others follow."""
    see(shelf, 25)
    ringing = dispatcher(redis_server.url)
    assert [ringing.tick() for _ in range(3)] == [10, 0, 0]
    done = 0
    while batches := take(redis_server.url, limit=1):
        finish(catalogue, batches)
        done += len(names(batches))
        ringing.tick()
        assert ledger.counts(catalogue).leased <= 10
    assert done == 25


def test_waiting_messages_keep_their_leases(
    shelf: Shelf,
    dispatcher: MakeDispatcher,
    redis_server: RedisServer,
    clock: Clock,
    catalogue: Catalogue,
):
    """While messages wait in the queue, nothing is sent twice, however long that takes."""
    see(shelf, 6)
    ringing = dispatcher(redis_server.url)
    ringing.tick()
    for _ in range(10):
        clock.advance(50)
        assert ringing.tick() == 0
    assert len(take(redis_server.url)) == 2
    assert {row["lapses"] for row in catalogue.rows("SELECT lapses FROM jobs")} == {0}


def test_silent_worker(
    shelf: Shelf, dispatcher: MakeDispatcher, redis_server: RedisServer, clock: Clock
):
    """Photos that a worker took and never reported are sent again when their leases have lapsed."""
    paths = see(shelf, 4)
    ringing = dispatcher(redis_server.url)
    ringing.tick()
    take(redis_server.url)
    clock.advance(59)
    assert ringing.tick() == 0
    clock.advance(2)
    assert ringing.tick() == 4
    assert names(take(redis_server.url)) == paths


def test_redis_wiped(
    shelf: Shelf,
    dispatcher: MakeDispatcher,
    redis_server: RedisServer,
    clock: Clock,
    catalogue: Catalogue,
):
    """#26: FLUSHALL in the middle of an import loses nothing: all is sent again, and done."""
    paths = see(shelf, 25)
    ringing = dispatcher(redis_server.url)
    ringing.tick()
    first = take(redis_server.url, limit=1)
    finish(catalogue, first)
    redis_server.command("FLUSHALL")
    done = names(first)
    for _ in range(40):
        clock.advance(31)
        ringing.tick()
        batches = take(redis_server.url)
        finish(catalogue, batches)
        done += names(batches)
    assert sorted(done) == paths
    assert not ledger.has_work(catalogue)


def test_redis_killed_with_aof(
    shelf: Shelf, dispatcher: MakeDispatcher, start_redis: Callable[..., RedisServer], clock: Clock
):
    """#25: with its append-only file on, a Redis that was killed still has every message."""
    paths = see(shelf, 8)
    server = start_redis(aof=True)
    ringing = dispatcher(server.url)
    ringing.tick()
    server.kill()
    assert ringing.tick() == 0
    server.start()
    assert ringing.tick() == 0
    assert names(take(server.url)) == paths


def test_redis_killed_without_aof(
    shelf: Shelf, dispatcher: MakeDispatcher, redis_server: RedisServer, clock: Clock
):
    """#26: a Redis that was killed and kept nothing costs a lease's time, no photo."""
    paths = see(shelf, 8)
    ringing = dispatcher(redis_server.url)
    ringing.tick()
    redis_server.kill()
    redis_server.start()
    clock.advance(61)
    ringing.tick()
    assert names(take(redis_server.url)) == paths


def test_redis_down(
    shelf: Shelf,
    dispatcher: MakeDispatcher,
    redis_server: RedisServer,
    clock: Clock,
    catalogue: Catalogue,
):
    """#27: while Redis is down ticks return at once and raise nothing, and the trouble is noted.

    Photos are recorded meanwhile; when it is back all is sent and the note goes.
    """
    ringing = dispatcher(redis_server.url)
    assert ringing.tick() == 0
    assert not catalogue.meta(PROBLEM)
    redis_server.stop()
    paths = see(shelf, 8)
    start = time.monotonic()
    for _ in range(5):
        clock.advance(120)
        assert ringing.tick() == 0
    assert (time.monotonic() - start) / 5 < 2, "a tick waits for Redis"
    assert "does not take messages" in (catalogue.meta(PROBLEM) or "")
    assert ledger.counts(catalogue).pending == 8
    redis_server.start()
    sent = ringing.tick() or ringing.tick()  # the first may still use a connection that died
    assert sent == 8
    assert catalogue.meta(PROBLEM) == ""
    assert names(take(redis_server.url)) == paths
    assert {row["lapses"] for row in catalogue.rows("SELECT lapses FROM jobs")} == {0}


def test_redis_full(
    shelf: Shelf,
    dispatcher: MakeDispatcher,
    start_redis: Callable[..., RedisServer],
    clock: Clock,
    catalogue: Catalogue,
):
    """#28: a full Redis is noted as such and costs no photo an attempt; with room all is sent."""
    server = start_redis(maxmemory="3mb")
    ringing = dispatcher(server.url)
    ringing.tick()
    for i in range(10_000):
        if "OOM" in server.command("SET", f"fill-{i}", "x" * 60_000):
            break
    for i in range(10_000):
        if "OOM" in server.command("SET", f"rest-{i}", "x" * 100):
            break
    paths = see(shelf, 8)
    assert ringing.tick() == 0
    assert "maxmemory" in (catalogue.meta(PROBLEM) or "")
    counts = ledger.counts(catalogue)
    assert (counts.pending, counts.leased) == (8, 0)
    assert {tuple(row) for row in catalogue.rows("SELECT attempts, lapses FROM jobs")} == {(0, 0)}
    server.command("FLUSHALL")
    assert ringing.tick() == 8
    assert catalogue.meta(PROBLEM) == ""
    assert names(take(server.url)) == paths


def test_unchanged_note_is_not_written_again(
    shelf: Shelf, dispatcher: MakeDispatcher, redis_server: RedisServer, catalogue: Catalogue
):
    """A Redis that stays down costs no write for each tick."""
    redis_server.stop()
    ringing = dispatcher(redis_server.url)
    ringing.tick()
    before = catalogue.value("PRAGMA data_version"), catalogue._connection.total_changes
    ringing.tick()
    assert (catalogue.value("PRAGMA data_version"), catalogue._connection.total_changes) == before


def test_password_is_never_shown(
    shelf: Shelf,
    dispatcher: MakeDispatcher,
    start_redis: Callable[..., RedisServer],
    catalogue: Catalogue,
    caplog: pytest.LogCaptureFixture,
):
    """A broker's password is in no message, note or log line; nor is a wrong one."""
    server = start_redis(password="s3cret-w0rd")
    see(shelf, 4)
    assert dispatcher(server.url).tick() == 4
    wrong = server.url.replace("s3cret-w0rd", "wr0ng-w0rd")
    assert dispatcher(wrong).tick() == 0
    assert "wr0ng-w0rd" not in (catalogue.meta(PROBLEM) or "")
    assert ":***@127.0.0.1" in (catalogue.meta(PROBLEM) or "")
    server.stop()
    for attempt in (broker.send, lambda app, *_: broker.waiting(app, "embed")):
        with pytest.raises(BrokerError) as caught:
            attempt(broker.make_app(server.url), messages.TASK_EMBED, {})
        assert "s3cret-w0rd" not in str(caught.value)
        assert "\n" not in str(caught.value)
    assert "w0rd" not in caplog.text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("redis://:pass@host:6379/0", "redis://:***@host:6379/0"),
        ("rediss://user:pass@host/0", "rediss://user:***@host/0"),
        ("redis://:p%40ss@host/0", "redis://:***@host/0"),
        ("redis://:p@ss:w@host/0", "redis://:***@host/0"),
        ("redis://user@host/0", "redis://user@host/0"),
        ("redis://:pass@[::1/0", "redis://:***@[::1/0"),
    ],
)
def test_masked(url: str, shown: str):
    """Only the password of an address is hidden, whatever it holds."""
    assert broker.masked(url) == shown


@pytest.mark.parametrize(
    "url", ["amqp://host", "filesystem://", "sqla+sqlite:///x", "host:6379", "redis://[::1", ""]
)
def test_broker_that_is_not_redis(url: str):
    """A broker that loses messages, or an address that is none, is refused with what to use."""
    with pytest.raises(ConfigError, match=r"Use redis://host:port/number"):
        broker.make_app(url)


def test_refused_address_hides_its_password():
    """The refusal of an address does not show its password."""
    with pytest.raises(ConfigError) as caught:
        broker.make_app("amqp://user:s3cret@host")
    assert "s3cret" not in str(caught.value)
