"""The ledger: what is recorded, what is handed out, and when a photo is given up."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.core.conftest import Shelf, reading
from twinlens import ledger, roots
from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens.ledger import Counts, Job
from twinlens.models import Model
from twinlens.roots import Root

STAT = FileStat(size=100, mtime_ns=5, ctime_ns=6, inode=7)


def lease(
    catalogue: Catalogue, *, now: float = 3000.0, limit: int = 32, **more: float
) -> list[Job]:
    """Lease as worker ``w`` for 60 s."""
    return ledger.lease(catalogue, "w", now=now, seconds=more.get("seconds", 60.0), limit=limit)


def fail(
    catalogue: Catalogue, file_id: int, *, permanent: bool = False, kind: str = "timeout"
) -> bool:
    """Report a failed attempt, of three."""
    with catalogue.write_tx() as tx:
        return ledger.fail(
            tx,
            file_id,
            kind=kind,
            reason="it took too long",
            permanent=permanent,
            max_attempts=3,
            now=3000.0,
        )


# --- recording


def test_new_photo_gets_a_job(shelf: Shelf, catalogue: Catalogue):
    """A photo seen for the first time is handed out once, with all that a worker needs."""
    assert shelf.see("2024/a.jpg") == 1
    (job,) = lease(catalogue)
    assert job == Job(
        file_id=shelf.id("2024/a.jpg"),
        generation=1,
        root=shelf.root.name,
        root_path=shelf.root.path,
        path=b"2024/a.jpg",
        size=100,
        lapses=0,
    )
    assert lease(catalogue) == []


def test_same_reading_twice_changes_nothing(shelf: Shelf, model: Model, catalogue: Catalogue):
    """Recording a reading twice is recording it once: before, while and after it is embedded."""
    assert shelf.see("a.jpg") == 1
    assert shelf.see("a.jpg") == 0
    lease(catalogue)
    assert shelf.see("a.jpg") == 0
    assert shelf.job("a.jpg")["state"] == "leased"
    shelf.embed("a.jpg", model)
    assert shelf.see("a.jpg") == 0
    assert not ledger.has_work(catalogue)


def test_changed_photo_gets_a_new_generation(shelf: Shelf, model: Model, catalogue: Catalogue):
    """A change of an embedded photo is new work, of the next generation and the same row."""
    shelf.embed("a.jpg", model)
    before = shelf.id("a.jpg")
    assert shelf.see("a.jpg", version=2) == 1
    (job,) = lease(catalogue)
    assert (job.file_id, job.generation) == (before, 2)


def test_change_while_in_hand_takes_the_lease_back(shelf: Shelf, catalogue: Catalogue):
    """#49: a photo that changes while a worker has it is handed out again, one generation on."""
    shelf.see("a.jpg")
    (first,) = lease(catalogue)
    shelf.see("a.jpg", version=2)
    (second,) = lease(catalogue)
    assert (first.generation, second.generation) == (1, 2)


def test_event_storm(shelf: Shelf, model: Model, catalogue: Catalogue):
    """#24: 100 readings of a path that is being written cost at most 2 embeddings."""
    handed_out = 0
    for version in range(100):
        shelf.see("a.jpg", version=version)
        if version in (10, 99):
            handed_out += len(lease(catalogue))
    assert handed_out == 2
    assert catalogue.value("SELECT count(*) FROM jobs") == 1
    shelf.embed("a.jpg", model)
    assert lease(catalogue) == []


@pytest.mark.parametrize("field", ["size", "mtime_ns", "inode"])
def test_what_makes_a_photo_another(field: str, shelf: Shelf, model: Model, catalogue: Catalogue):
    """Another size, time or inode means other bytes."""
    shelf.embed("a.jpg", model)
    known = FileStat(
        **catalogue.row("SELECT size, mtime_ns, ctime_ns, inode FROM files"),
    )
    other = dataclasses.replace(known, **{field: 999})
    assert ledger.record(catalogue, shelf.root.id, [(b"a.jpg", other)], now=1.0) == 1


def test_new_permissions_are_no_new_photo(shelf: Shelf, model: Model, catalogue: Catalogue):
    """A change of ctime alone costs nothing where the photo was read, and is remembered."""
    ledger.record(catalogue, shelf.root.id, [(b"a.jpg", STAT)], now=1.0)
    shelf.embed("a.jpg", model)
    chmod = dataclasses.replace(STAT, ctime_ns=60)
    assert ledger.record(catalogue, shelf.root.id, [(b"a.jpg", chmod)], now=1.0) == 0
    assert catalogue.value("SELECT ctime_ns FROM files") == 60
    assert catalogue.value("SELECT generation FROM files") == 1


def test_new_permissions_try_an_unreadable_photo_again(shelf: Shelf, catalogue: Catalogue):
    """#47: a photo in quarantine is tried again when its permissions change."""
    ledger.record(catalogue, shelf.root.id, [(b"a.jpg", STAT)], now=1.0)
    (job,) = lease(catalogue)
    assert fail(catalogue, job.file_id, permanent=True, kind="unreadable")
    assert ledger.record(catalogue, shelf.root.id, [(b"a.jpg", STAT)], now=2.0) == 0
    chmod = dataclasses.replace(STAT, ctime_ns=60)
    assert ledger.record(catalogue, shelf.root.id, [(b"a.jpg", chmod)], now=3.0) == 1
    assert [job.path for job in lease(catalogue)] == [b"a.jpg"]


def test_new_permissions_try_a_changed_photo_again(shelf: Shelf, model: Model):
    """#47: so is one that could be read before it changed and was locked."""
    shelf.embed("a.jpg", model)
    shelf.see("a.jpg", version=2)
    assert fail(shelf.catalogue, shelf.id("a.jpg"), permanent=True, kind="unreadable")
    chmod = dataclasses.replace(reading("a.jpg", 2), ctime_ns=60)
    seen = [(b"a.jpg", chmod)]
    assert ledger.record(shelf.catalogue, shelf.root.id, seen, now=3.0) == 1


def test_names_are_bytes(shelf: Shelf, catalogue: Catalogue):
    """#45: a name that is not UTF-8 is recorded and handed out as it is."""
    name = b"\xff\xfe caf\xe9.jpg"
    ledger.record(catalogue, shelf.root.id, [(name, STAT)], now=1.0)
    assert [job.path for job in lease(catalogue)] == [name]


@pytest.mark.parametrize(
    ("inode", "mtime_ns"),
    [(2**64 - 1, 1), (1, 2**63 + 12345), (1, -(10**18)), (2**63, 13 * 10**18)],
)
def test_odd_readings_fit(inode: int, mtime_ns: int, shelf: Shelf, catalogue: Catalogue):
    """Inodes above 2^63 and times after 2262 or before 1970 are stored and known again."""
    fields = [0o100644, inode, 0, 1, 0, 0, 100, 0, 0, 0]
    times = {"st_atime_ns": 0, "st_mtime_ns": mtime_ns, "st_ctime_ns": mtime_ns}
    stat = FileStat.of(os.stat_result(fields, times))
    assert ledger.record(catalogue, shelf.root.id, [(b"a.jpg", stat)], now=1.0) == 1
    assert ledger.record(catalogue, shelf.root.id, [(b"a.jpg", stat)], now=1.0) == 0


def test_file_from_the_far_future(shelf: Shelf, catalogue: Catalogue, tmp_path: Path):
    """A real file dated 2400 is recorded like any other, where the disk can hold the date."""
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x")
    os.utime(path, ns=(0, 13_569_465_600 * 10**9))
    stat = FileStat.of(path.stat())
    assert ledger.record(catalogue, shelf.root.id, [(b"a.jpg", stat)], now=1.0) == 1


# --- deleted and moved


def test_deleted_photo_is_remembered(shelf: Shelf, model: Model, catalogue: Catalogue):
    """A deletion is a tombstone: the photo counts no more, but its content is still known."""
    content = shelf.embed("a.jpg", model)
    assert shelf.lose("a.jpg") == 1
    assert shelf.lose("a.jpg") == 0
    assert shelf.lose("never-seen.jpg") == 0
    assert ledger.counts(catalogue) == Counts(0, 0, 0, 0, 0)
    assert catalogue.value("SELECT content_id FROM files") == content
    assert shelf.events() == [("deleted", b"a.jpg")]


def test_returned_photo_costs_nothing(shelf: Shelf, model: Model, catalogue: Catalogue):
    """A photo that comes back as it was needs no work."""
    shelf.embed("a.jpg", model)
    shelf.lose("a.jpg")
    assert shelf.see("a.jpg") == 0
    assert ledger.counts(catalogue) == Counts(1, 1, 0, 0, 0)
    assert shelf.events() == [("deleted", b"a.jpg"), ("returned", b"a.jpg")]


def test_returned_photo_that_changed_is_work(shelf: Shelf, model: Model):
    """A photo that comes back with other bytes is embedded again."""
    shelf.embed("a.jpg", model)
    shelf.lose("a.jpg")
    assert shelf.see("a.jpg", version=2) == 1


def test_deleted_photo_is_not_handed_out(shelf: Shelf, catalogue: Catalogue):
    """The job of a deleted photo waits, and is handed out when the photo is back."""
    shelf.see("a.jpg")
    shelf.lose("a.jpg")
    assert lease(catalogue) == []
    assert not ledger.has_work(catalogue)
    shelf.see("a.jpg")
    assert [job.path for job in lease(catalogue)] == [b"a.jpg"]


def move(shelf: Shelf, old: str, new: str, stat: FileStat) -> int:
    """Follow one rename."""
    moves = [(old.encode(), new.encode(), stat)]
    return ledger.move(shelf.catalogue, shelf.root.id, moves, now=2000.0)


def test_moved_photo_keeps_all(shelf: Shelf, model: Model, catalogue: Catalogue):
    """A renamed photo keeps its row and content, costs no work, and its new name is known."""
    ledger.record(catalogue, shelf.root.id, [(b"a.jpg", STAT)], now=1.0)
    shelf.embed("a.jpg", model)
    before = shelf.id("a.jpg")
    renamed = dataclasses.replace(STAT, ctime_ns=99)
    assert move(shelf, "a.jpg", "b/c.jpg", renamed) == 1
    assert shelf.id("b/c.jpg") == before
    assert ledger.counts(catalogue) == Counts(1, 1, 0, 0, 0)
    assert ledger.record(catalogue, shelf.root.id, [(b"b/c.jpg", renamed)], now=3.0) == 0
    assert shelf.events() == [("moved", b"b/c.jpg")]


def test_move_onto_a_photo_replaces_it(shelf: Shelf, model: Model, catalogue: Catalogue):
    """#19: a rename over another photo leaves one photo, as on disk, and one job at most."""
    ledger.record(catalogue, shelf.root.id, [(b"tmp.jpg", STAT)], now=1.0)
    shelf.embed("tmp.jpg", model)
    shelf.see("final.jpg")
    assert move(shelf, "tmp.jpg", "final.jpg", STAT) == 1
    assert ledger.counts(catalogue) == Counts(1, 1, 0, 0, 0)
    assert catalogue.value("SELECT count(*) FROM files") == 1
    assert catalogue.value("SELECT count(*) FROM jobs") == 0


def test_move_onto_a_photo_forgets_its_content(shelf: Shelf, model: Model, catalogue: Catalogue):
    """#19: what stood at the new name is forgotten with its vector, unless a copy holds it."""
    ledger.record(catalogue, shelf.root.id, [(b"tmp.jpg", STAT)], now=1.0)
    new = shelf.embed("tmp.jpg", model)
    old = shelf.embed("final.jpg", model)
    kept = shelf.embed("copy-1.jpg", model, content="twice")
    shelf.embed("copy-2.jpg", model, content="twice")
    logged = catalogue.value("SELECT max(seq) FROM log")
    move(shelf, "tmp.jpg", "final.jpg", STAT)
    move(shelf, "final.jpg", "copy-1.jpg", STAT)
    assert {row["id"] for row in catalogue.rows("SELECT id FROM contents")} == {new, kept}
    told = catalogue.rows("SELECT content_id FROM log WHERE seq > ?", (logged,))
    assert [row["content_id"] for row in told] == [old]


def test_move_in_hand_is_handed_out_anew(shelf: Shelf, catalogue: Catalogue):
    """A photo renamed while a worker has it is handed out again under its new name.

    What the worker reports, that the old name is gone, is then of an older generation.
    """
    ledger.record(catalogue, shelf.root.id, [(b"a.jpg", STAT)], now=1.0)
    (first,) = lease(catalogue)
    move(shelf, "a.jpg", "b.jpg", STAT)
    (second,) = lease(catalogue)
    assert (second.file_id, second.path) == (first.file_id, b"b.jpg")
    assert second.generation > first.generation


@pytest.mark.parametrize("pending", [True, False])
def test_move_that_is_no_move(pending: bool, shelf: Shelf, model: Model, catalogue: Catalogue):
    """A move of an unknown path, onto itself, or with other bytes is left to recording."""
    ledger.record(catalogue, shelf.root.id, [(b"a.jpg", STAT)], now=1.0)
    if not pending:
        shelf.embed("a.jpg", model)
    other = dataclasses.replace(STAT, inode=8)
    assert move(shelf, "unknown.jpg", "b.jpg", STAT) == 0
    assert move(shelf, "a.jpg", "a.jpg", STAT) == 0
    assert move(shelf, "a.jpg", "b.jpg", other) == 0
    shelf.lose("a.jpg")
    assert move(shelf, "a.jpg", "b.jpg", STAT) == 0
    assert catalogue.value("SELECT count(*) FROM files WHERE path = ?", (b"a.jpg",)) == 1


# --- leases


def test_lapsed_lease_is_handed_out_again(shelf: Shelf, catalogue: Catalogue):
    """A worker that goes silent loses its photos when the lease has run out, not before."""
    shelf.see("a.jpg")
    lease(catalogue, now=1000.0)
    assert lease(catalogue, now=1059.0) == []
    assert [job.lapses for job in lease(catalogue, now=1061.0)] == [1]


def test_photo_that_kills_workers_takes_no_others_along(shelf: Shelf, catalogue: Catalogue):
    """#32: from its second lapse on a photo comes alone, after the others and after a pause."""
    shelf.see("killer.jpg")
    for now in (1000.0, 1100.0):
        assert len(lease(catalogue, now=now)) == 1
    shelf.see("a.jpg", "b.jpg")
    assert [job.path for job in lease(catalogue, now=1200.0)] == [b"a.jpg", b"b.jpg"]
    with catalogue.write_tx() as tx:
        ledger.finish(tx, shelf.id("a.jpg"))
        ledger.finish(tx, shelf.id("b.jpg"))
    assert lease(catalogue, now=1201.0) == [], "no pause"
    assert [job.path for job in lease(catalogue, now=1210.0)] == [b"killer.jpg"]


def test_two_suspects_do_not_meet(shelf: Shelf, catalogue: Catalogue):
    """#32: two photos that lapsed twice are handed out one at a time."""
    shelf.see("a.jpg", "b.jpg")
    for now in (1000.0, 1100.0):
        assert len(lease(catalogue, now=now)) == 2
    lease(catalogue, now=1200.0)  # takes the leases back; both have a pause
    assert len(lease(catalogue, now=1300.0)) == 1
    assert len(lease(catalogue, now=1300.0)) == 1
    assert lease(catalogue, now=1300.0) == []


def test_quarantine_after_five_lapses(shelf: Shelf, catalogue: Catalogue):
    """#32: a photo whose workers died five times is given up, with a reason, and said once."""
    shelf.see("killer.jpg")
    now, handed_out = 1000.0, 0
    for _ in range(20):
        handed_out += len(lease(catalogue, now=now))
        now += 1000.0
    assert handed_out == ledger.MAX_LAPSES
    job = shelf.job("killer.jpg")
    assert (job["state"], job["kind"]) == ("quarantined", "killed-worker")
    assert "5 times" in job["reason"]
    assert shelf.events() == [("failed", b"killer.jpg")]
    assert ledger.counts(catalogue).quarantined == 1
    assert not ledger.has_work(catalogue)


def test_pause_grows(shelf: Shelf, catalogue: Catalogue):
    """The pause before a suspect is handed out again doubles with each lapse."""
    shelf.see("killer.jpg")
    pauses = []
    now = 1000.0
    for _ in range(4):
        assert lease(catalogue, now=now)
        now += 1000.0
        with catalogue.write_tx() as tx:
            ledger.expire(tx, now=now)
        pauses.append(max(0.0, shelf.job("killer.jpg")["not_before"] - now))
        now += 1000.0
    assert pauses == [0.0, 4.0, 8.0, 16.0]


def test_leases_of_a_dead_owner(shelf: Shelf, catalogue: Catalogue):
    """All leases of an owner that is known to be dead are taken back at once, no one else's."""
    shelf.see("a.jpg", "b.jpg")
    ledger.lease(catalogue, "dead", now=1000.0, seconds=60.0, limit=1)
    ledger.lease(catalogue, "alive", now=1000.0, seconds=60.0, limit=1)
    with catalogue.write_tx() as tx:
        assert ledger.expire(tx, now=1001.0, owner="dead") == 1
    assert [job.path for job in lease(catalogue, now=1002.0)] == [b"a.jpg"]


def test_extended_lease(shelf: Shelf, catalogue: Catalogue):
    """A lease that is prolonged lapses later; those of others do not."""
    shelf.see("a.jpg", "b.jpg")
    ledger.lease(catalogue, "busy", now=1000.0, seconds=60.0, limit=1)
    ledger.lease(catalogue, "other", now=1000.0, seconds=60.0, limit=1)
    ledger.extend(catalogue, "busy", until=2000.0)
    assert [job.path for job in lease(catalogue, now=1500.0)] == [b"b.jpg"]
    assert b"a.jpg" in {job.path for job in lease(catalogue, now=2001.0)}


def test_released_job_counts_as_nothing(shelf: Shelf, catalogue: Catalogue):
    """A worker that stops in good order gives its photos back without a mark against them."""
    shelf.see("a.jpg")
    (job,) = lease(catalogue)
    ledger.release(catalogue, [job.file_id])
    assert lease(catalogue) == [job]


def test_released_quarantine_stays(shelf: Shelf, catalogue: Catalogue):
    """Releasing a photo that was given up meanwhile does not let it out of quarantine."""
    shelf.see("a.jpg")
    (job,) = lease(catalogue)
    fail(catalogue, job.file_id, permanent=True)
    ledger.release(catalogue, [job.file_id])
    assert shelf.job("a.jpg")["state"] == "quarantined"


def test_postponed_job(shelf: Shelf, catalogue: Catalogue):
    """A postponed photo comes later and counts as no failure."""
    shelf.see("a.jpg")
    (job,) = lease(catalogue, now=1000.0)
    with catalogue.write_tx() as tx:
        ledger.postpone(tx, job.file_id, until=1010.0)
    assert lease(catalogue, now=1009.0) == []
    assert lease(catalogue, now=1010.0) == [job]


def test_limit(shelf: Shelf, catalogue: Catalogue):
    """No more photos are handed out than asked for; none for a limit of 0."""
    shelf.see(*(f"{i}.jpg" for i in range(5)))
    assert lease(catalogue, limit=0) == []
    assert [len(lease(catalogue, limit=2)) for _ in range(4)] == [2, 2, 1, 0]


def test_photos_of_a_root_that_is_away(shelf: Shelf, catalogue: Catalogue):
    """#17: photos of a root that is offline wait; nothing is to be done meanwhile."""
    shelf.see("a.jpg")
    roots.set_online(catalogue, shelf.root, reason="gone", now=1.0)
    assert lease(catalogue) == []
    assert not ledger.has_work(catalogue)
    assert ledger.counts(catalogue).pending == 1
    roots.set_online(catalogue, shelf.root, reason=None, now=2.0)
    assert len(lease(catalogue)) == 1


def test_clock_set_back(shelf: Shelf, catalogue: Catalogue):
    """#31: with the clock set back by 2 h, a lease lasts longer but nothing is lost or doubled."""
    shelf.see("a.jpg", "b.jpg")
    assert len(lease(catalogue, now=100_000.0, limit=1)) == 1
    assert len(lease(catalogue, now=92_800.0)) == 1
    assert lease(catalogue, now=92_900.0) != [], "the lease taken after the change lapses"
    assert lease(catalogue, now=100_061.0) != []
    assert catalogue.value("SELECT count(*) FROM jobs") == 2


def test_clock_set_forward(shelf: Shelf, catalogue: Catalogue):
    """#31: with the clock set forward by 2 h, leases lapse at once and are handed out again."""
    shelf.see("a.jpg")
    (first,) = lease(catalogue, now=1000.0)
    (second,) = lease(catalogue, now=8200.0)
    assert (first.file_id, first.generation) == (second.file_id, second.generation)


def test_clock_that_was_a_year_ahead(shelf: Shelf, catalogue: Catalogue):
    """#31: what was leased or put off while the clock was a year ahead does not wait for a year."""
    year = 365 * 86_400.0
    shelf.see("a.jpg")
    (job,) = lease(catalogue, now=year)
    assert lease(catalogue, now=1000.0) == [dataclasses.replace(job, lapses=1)]
    with catalogue.write_tx() as tx:
        ledger.postpone(tx, job.file_id, until=year)
    assert lease(catalogue, now=1000.0) == [dataclasses.replace(job, lapses=1)]


# --- failures


def test_permanent_failure(shelf: Shelf, catalogue: Catalogue):
    """An error that the same bytes will always give is final at the first attempt, and said."""
    shelf.see("a.jpg")
    (job,) = lease(catalogue)
    assert fail(catalogue, job.file_id, permanent=True, kind="damaged")
    assert lease(catalogue, now=1e9) == []
    assert dict(shelf.job("a.jpg"))["kind"] == "damaged"
    row = catalogue.row("SELECT kind, path, detail FROM events")
    assert tuple(row) == ("failed", b"a.jpg", "it took too long")


def test_failure_that_may_pass(shelf: Shelf, catalogue: Catalogue):
    """#33: a photo that timed out is tried three times, with a pause, then given up."""
    shelf.see("a.jpg")
    now = 3000.0
    for last in (False, False, True):
        (job,) = lease(catalogue, now=now)
        assert fail(catalogue, job.file_id) is last
        assert lease(catalogue, now=3000.5) == []
        now += 10
    assert lease(catalogue, now=1e9) == []
    assert shelf.events() == [("failed", b"a.jpg")]


def test_failure_of_a_job_that_is_done(shelf: Shelf, model: Model, catalogue: Catalogue):
    """A failure reported for a photo that another worker has done is ignored."""
    shelf.see("a.jpg")
    (job,) = lease(catalogue)
    shelf.embed("a.jpg", model)
    assert not fail(catalogue, job.file_id, permanent=True)
    assert shelf.events() == []


def test_reason_with_an_unprintable_name(shelf: Shelf, catalogue: Catalogue):
    """#45: a reason that quotes a name that is not UTF-8 can be stored."""
    shelf.see("a.jpg")
    (job,) = lease(catalogue)
    with catalogue.write_tx() as tx:
        ledger.fail(
            tx,
            job.file_id,
            kind="unreadable",
            reason="No such file: " + os.fsdecode(b"caf\xe9.jpg"),
            permanent=True,
            max_attempts=3,
            now=1.0,
        )
    assert shelf.job("a.jpg")["reason"] == "No such file: caf\\udce9.jpg"


def test_quarantined_photo_is_tried_again_when_it_changes(shelf: Shelf, catalogue: Catalogue):
    """#47: a change of the file lets it out of quarantine with a clean record."""
    shelf.see("a.jpg")
    (job,) = lease(catalogue)
    fail(catalogue, job.file_id, permanent=True)
    assert shelf.see("a.jpg") == 0
    assert shelf.see("a.jpg", version=2) == 1
    job = shelf.job("a.jpg")
    assert (job["state"], job["attempts"], job["reason"]) == ("pending", 0, None)


def test_retrying_a_root(shelf: Shelf, catalogue: Catalogue):
    """All photos of a root in quarantine can be handed out again at the user's word."""
    shelf.see("a.jpg", "b.jpg")
    for job in lease(catalogue):
        fail(catalogue, job.file_id, permanent=True)
    assert ledger.retry_quarantined(catalogue, shelf.root.id + 1) == 0
    assert ledger.retry_quarantined(catalogue, shelf.root.id) == 2
    assert len(lease(catalogue)) == 2


def test_record_below_a_removed_root(shelf: Shelf, catalogue: Catalogue, tmp_path: Path):
    """What a watcher still records for a root that was removed never lands below the next one."""
    roots.remove_root(catalogue, shelf.root)
    (tmp_path / "next").mkdir()
    roots.add_root(catalogue, tmp_path / "next", now=1.0)
    with pytest.raises(sqlite3.IntegrityError):
        shelf.see("a.jpg")
    assert ledger.counts(catalogue).photos == 0


# --- speed


@pytest.fixture
def big(catalogue: Catalogue, root: Root) -> Catalogue:
    """A catalogue with 200,000 pending jobs."""
    with catalogue.write_tx() as tx:
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"
        tx.execute(
            f"{numbers} INSERT INTO files (root_id, path, size, mtime_ns, ctime_ns, inode,"
            " generation) SELECT ?, CAST('f' || i AS BLOB), 1, 1, 1, i, 1 FROM n",
            (root.id,),
        )
        tx.execute("INSERT INTO jobs (file_id, state) SELECT id, 'pending' FROM files")
    return catalogue


def seconds(action: Callable[[], object]) -> float:
    """Return the shortest time that ``action`` takes, of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.parametrize("analysed", [False, True])
def test_lease_reads_only_what_it_takes(
    analysed: bool, big: Catalogue, monkeypatch: pytest.MonkeyPatch
):
    """32 of 200,000 jobs are leased along the index: no sort, and in milliseconds."""
    if analysed:
        big.value("ANALYZE")
    statements: list[str] = []
    big._connection.set_trace_callback(statements.append)
    assert len(lease(big)) == 32
    big._connection.set_trace_callback(None)
    (query,) = (text for text in statements if text.startswith("SELECT file_id, generation"))
    plan = [row["detail"] for row in big.rows("EXPLAIN QUERY PLAN " + query)]
    assert not any("TEMP B-TREE" in step for step in plan), plan
    assert any("INDEX" in step and "jobs" in step for step in plan), plan
    assert seconds(lambda: lease(big)) < 0.1  # 2 ms on an idle machine


def test_polling_is_cheap(big: Catalogue):
    """Asking whether there is work reads one job, not all."""
    assert seconds(lambda: ledger.has_work(big)) < 0.02


# --- all at once

NAMES = st.sampled_from([f"{letter}.jpg" for letter in "abcdef"])


class LedgerMachine(RuleBasedStateMachine):
    """Random readings, deletions, moves, leases, results and lapses, over a model of the disk."""

    def __init__(self) -> None:
        super().__init__()
        self.catalogue = Catalogue(Path(":memory:"), _memory())
        with self.catalogue.write_tx() as tx:
            tx.execute("INSERT INTO roots (name, path, online, added_at) VALUES ('r', x'2F', 1, 0)")
        self.now = 1000.0
        self.disk: dict[str, int] = {}
        self.versions = 0
        self.hands: list[Job] = []

    def teardown(self) -> None:
        self.catalogue.close()

    def stat(self, name: str) -> FileStat:
        version = self.disk[name]
        return FileStat(1, version, version, version)

    def see(self, name: str) -> int:
        seen = [(name.encode(), self.stat(name))]
        return ledger.record(self.catalogue, 1, seen, now=self.now)

    @rule(name=NAMES)
    def write(self, name: str) -> None:
        self.versions += 1
        self.disk[name] = self.versions
        assert self.see(name) == 1

    @precondition(lambda self: self.disk)
    @rule(data=st.data())
    def look_again(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.disk)))
        before = self.table()
        assert self.see(name) == 0
        assert self.table() == before

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        there = self.disk.pop(name, None) is not None
        count = ledger.tombstone(self.catalogue, 1, [name.encode()], now=self.now)
        assert count == there

    @rule(old=NAMES, new=NAMES)
    def rename(self, old: str, new: str) -> None:
        if old not in self.disk or old == new:
            return
        self.disk[new] = self.disk.pop(old)
        moved = [(old.encode(), new.encode(), self.stat(new))]
        assert ledger.move(self.catalogue, 1, moved, now=self.now) == 1

    @rule(limit=st.integers(0, 4), seconds=st.sampled_from([1.0, 100.0]))
    def lease(self, limit: int, seconds: float) -> None:
        jobs = ledger.lease(self.catalogue, "w", now=self.now, seconds=seconds, limit=limit)
        assert len(jobs) <= limit
        assert all(job.lapses < ledger.ALONE_FROM_LAPSE for job in jobs) or len(jobs) == 1
        assert all(job.path.decode() in self.disk for job in jobs)
        self.hands += jobs

    @precondition(lambda self: self.hands)
    @rule(data=st.data(), outcome=st.sampled_from(["done", "failed", "given back", "twice"]))
    def report(self, data: st.DataObject, outcome: str) -> None:
        job = self.hands.pop(data.draw(st.integers(0, len(self.hands) - 1)))
        if outcome == "given back":
            ledger.release(self.catalogue, [job.file_id])
            return
        for _ in range(2 if outcome == "twice" else 1):
            self.commit(job, failed=outcome == "failed")

    def commit(self, job: Job, *, failed: bool) -> None:
        """Commit as the worker does: a result of another generation is dropped."""
        with self.catalogue.write_tx() as tx:
            file = tx.execute("SELECT * FROM files WHERE id = ?", (job.file_id,)).fetchone()
            if file is None or file["generation"] != job.generation:
                return
            if failed:
                ledger.fail(
                    tx,
                    job.file_id,
                    kind="timeout",
                    reason="slow",
                    permanent=False,
                    max_attempts=3,
                    now=self.now,
                )
                return
            sha256 = file["mtime_ns"].to_bytes(32, "big")
            tx.execute(
                "INSERT INTO contents (sha256, bytes) VALUES (?, 1) ON CONFLICT DO NOTHING",
                (sha256,),
            )
            tx.execute(
                "UPDATE files SET content_id = (SELECT id FROM contents WHERE sha256 = ?)"
                " WHERE id = ?",
                (sha256, job.file_id),
            )
            ledger.finish(tx, job.file_id)

    @rule(seconds=st.sampled_from([0.5, 5.0, 500.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    def table(self) -> list[tuple[object, ...]]:
        sql = "SELECT * FROM files LEFT JOIN jobs ON file_id = id ORDER BY id"
        return [tuple(row) for row in self.catalogue.rows(sql)]

    @invariant()
    def live_rows_are_the_disk(self) -> None:
        """There is one live row for each file on disk, with its newest reading."""
        rows = self.catalogue.rows("SELECT path, mtime_ns FROM files WHERE missing_since IS NULL")
        assert sorted((row["path"].decode(), row["mtime_ns"]) for row in rows) == sorted(
            self.disk.items()
        )

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """A live photo without the content of its newest reading has a job, at most one."""
        for row in self.catalogue.rows(
            "SELECT files.*, state, sha256 FROM files LEFT JOIN jobs ON file_id = files.id"
            " LEFT JOIN contents ON contents.id = content_id WHERE missing_since IS NULL"
        ):
            current = row["sha256"] == row["mtime_ns"].to_bytes(32, "big")
            assert (row["state"] is None) == current

    @invariant()
    def counts_add_up(self) -> None:
        """The counts are those of the rows; a lease has an end, and nothing else has one."""
        counts = ledger.counts(self.catalogue, 1)
        assert counts == ledger.counts(self.catalogue)
        assert counts.photos == len(self.disk)
        queued = counts.pending + counts.leased + counts.quarantined
        assert queued <= counts.photos <= counts.embedded + queued
        assert ledger.has_work(self.catalogue) == (counts.pending + counts.leased > 0)
        assert not self.catalogue.value(
            "SELECT count(*) FROM jobs WHERE (state = 'leased') != (lease_until IS NOT NULL)"
        )


def _memory() -> sqlite3.Connection:
    """Return a connection to a new catalogue in memory, which saves hundreds of syncs."""
    from twinlens.connecting import migrate

    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    migrate(connection, Path(":memory:"))
    return connection


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
