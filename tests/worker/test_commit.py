"""Committing results: all or nothing, once, and never the wrong thing."""

from __future__ import annotations

import dataclasses

import pytest

from twinlens import ledger
from twinlens.catalogue import Catalogue
from twinlens.events import events_after
from twinlens.messages import Embedded, Failed, ModelRef, Result
from twinlens.models import Model
from twinlens.roots import Root
from twinlens.vectors import encode
from twinlens_worker.commit import commit

from .conftest import Recorder, embedded, unit_vector


def _commit(catalogue: Catalogue, ref: ModelRef, *results: Result, now: float = 100.0) -> int:
    return commit(catalogue, ref, results, now=now, max_attempts=3, settle_seconds=2.0)


def _kinds(catalogue: Catalogue) -> list[str]:
    return [event.kind for event in events_after(catalogue, 0)]


def test_result_becomes_content_vector_and_log(
    catalogue: Catalogue, ref: ModelRef, record: Recorder
):
    """A committed photo has a content, one vector, one log entry and no job."""
    file_id = record(b"a.jpg")
    assert _commit(catalogue, ref, embedded(file_id)) == 1
    assert catalogue.value("SELECT count(*) FROM vectors") == 1
    assert catalogue.value("SELECT count(*) FROM log") == 1
    assert not ledger.has_work(catalogue)
    assert _kinds(catalogue) == ["added"]


def test_committing_twice_is_a_no_op(catalogue: Catalogue, ref: ModelRef, record: Recorder):
    """A worker killed between commit and acknowledgement does no harm by its second run (#2)."""
    result = embedded(record(b"a.jpg"))
    _commit(catalogue, ref, result)
    before = list(catalogue.iterate("SELECT * FROM log"))
    _commit(catalogue, ref, result)
    assert list(map(tuple, catalogue.iterate("SELECT * FROM log"))) == list(map(tuple, before))
    assert _kinds(catalogue) == ["added"]


def test_late_result_is_dropped(catalogue: Catalogue, ref: ModelRef, record: Recorder):
    """A result for an older generation of the file changes nothing; the new job stays."""
    file_id = record(b"a.jpg")
    record(b"a.jpg", mtime=2)
    assert _commit(catalogue, ref, embedded(file_id, generation=1)) == 0
    assert catalogue.value("SELECT content_id FROM files") is None
    assert ledger.has_work(catalogue)


def test_result_of_another_model_is_dropped_and_done_again(
    catalogue: Catalogue, ref: ModelRef, record: Recorder
):
    """Vectors of two models never mix (#48)."""
    file_id = record(b"a.jpg")
    ledger.lease(catalogue, "w", now=1.0, seconds=600, limit=1)
    other = dataclasses.replace(ref, digest="cd" * 32)
    assert _commit(catalogue, other, embedded(file_id)) == 0
    assert catalogue.value("SELECT count(*) FROM vectors") == 0
    assert ledger.lease(catalogue, "w", now=101.0, seconds=600, limit=1)


def test_result_for_another_library_is_dropped(
    catalogue: Catalogue, ref: ModelRef, record: Recorder
):
    """Two libraries over one Redis, or one begun anew: file 1 of the other is another photo."""
    file_id = record(b"a.jpg")
    ledger.lease(catalogue, "w", now=1.0, seconds=600, limit=1)
    other = dataclasses.replace(ref, catalogue="cd" * 16)
    assert _commit(catalogue, other, embedded(file_id)) == 0
    assert catalogue.value("SELECT content_id FROM files") is None
    assert ledger.counts(catalogue).leased == 1
    ours = dataclasses.replace(ref, catalogue=catalogue.meta("catalogue_id"))
    assert _commit(catalogue, ours, embedded(file_id)) == 1


def test_result_of_another_model_leaves_quarantine_alone(
    catalogue: Catalogue, ref: ModelRef, record: Recorder
):
    """A late result of a model that was given up hands out nothing that cannot be read."""
    file_id = record(b"a.jpg")
    ledger.lease(catalogue, "w", now=1.0, seconds=600, limit=1)
    _commit(catalogue, ref, Failed(file_id, 1, "damaged", "some reason", permanent=True))
    other = dataclasses.replace(ref, digest="cd" * 32)
    _commit(catalogue, other, embedded(file_id))
    assert ledger.counts(catalogue).quarantined == 1


@pytest.mark.parametrize(
    "vector",
    [b"", bytes(32), b"\xff" * 32, encode(unit_vector(1, 15))],
    ids=["empty", "zero", "nan", "short"],
)
def test_unusable_vector_is_never_stored(
    catalogue: Catalogue, ref: ModelRef, record: Recorder, vector: bytes
):
    """The broker may hold anything: a vector of another length, zero or NaN fails its photo."""
    ids = [record(name) for name in (b"bad.jpg", b"good.jpg")]
    ledger.lease(catalogue, "w", now=1.0, seconds=600, limit=2)
    bad = dataclasses.replace(embedded(ids[0]), vector=vector)
    assert _commit(catalogue, ref, bad, embedded(ids[1], content=1)) == 1
    assert catalogue.value("SELECT count(*) FROM vectors") == 1
    assert catalogue.value("SELECT kind FROM jobs") == "bad-vector"


def test_identical_files_share_one_vector(
    catalogue: Catalogue, ref: ModelRef, record: Recorder, root: Root
):
    """Many files of the same bytes are one content with one vector, and each is said (#10)."""
    ids = [record(b"%d.jpg" % i) for i in range(5)]
    _commit(catalogue, ref, *(embedded(file_id) for file_id in ids))
    assert catalogue.value("SELECT count(*) FROM vectors") == 1
    duplicates = [event for event in events_after(catalogue, 0) if event.kind == "duplicate"]
    assert len(duplicates) == 4
    assert duplicates[0].detail == "identical"
    assert duplicates[0].other == root.path + b"/0.jpg"


def test_what_an_older_version_did_not_read_is_filled_in(
    catalogue: Catalogue, ref: ModelRef, record: Recorder
):
    """A photo that is decoded again, for another model, tells its burst and sharpness too."""
    plain = embedded(record(b"a.jpg"))
    commit(catalogue, ref, [plain], now=1.0, max_attempts=3, settle_seconds=2.0)
    again = dataclasses.replace(embedded(record(b"b.jpg")), burst="B1", sharpness=7.0)
    commit(catalogue, ref, [again], now=2.0, max_attempts=3, settle_seconds=2.0)
    (row,) = catalogue.rows("SELECT burst, sharpness, document FROM contents")
    assert tuple(row) == ("B1", 7.0, None)


def test_known_content_needs_no_vector(catalogue: Catalogue, ref: ModelRef, record: Recorder):
    """A worker that saw the content's vector in the catalogue sends none."""
    _commit(catalogue, ref, embedded(record(b"a.jpg")))
    again = dataclasses.replace(embedded(record(b"b.jpg")), vector=None)
    assert _commit(catalogue, ref, again) == 1


def test_vector_forgotten_meanwhile_is_computed_again(
    catalogue: Catalogue, ref: ModelRef, record: Recorder
):
    """Where the known vector was forgotten before the commit, the photo is handed out again."""
    result = dataclasses.replace(embedded(record(b"a.jpg")), vector=None)
    assert _commit(catalogue, ref, result) == 0
    assert ledger.lease(catalogue, "w", now=100.0, seconds=1, limit=1)


def test_changed_photo_is_said_to_have_changed(
    catalogue: Catalogue, ref: ModelRef, record: Recorder
):
    """A new content of a known file is a change; the old content goes if no other file has it."""
    file_id = record(b"a.jpg")
    _commit(catalogue, ref, embedded(file_id))
    record(b"a.jpg", mtime=2)
    _commit(catalogue, ref, embedded(file_id, content=1, generation=2))
    assert _kinds(catalogue) == ["added", "changed"]
    assert catalogue.value("SELECT count(*) FROM contents") == 1
    assert catalogue.value("SELECT count(*) FROM log") == 3  # two vectors came, one went


@pytest.mark.parametrize(
    ("kind", "permanent", "failures"), [("damaged", True, 1), ("crashed-decoder", False, 3)]
)
def test_failing_photo_is_quarantined(
    catalogue: Catalogue,
    ref: ModelRef,
    record: Recorder,
    kind: str,
    permanent: bool,
    failures: int,
):
    """Damaged bytes are given up at once, a crashing decoder after three attempts (#32)."""
    file_id = record(b"a.jpg")
    failed = Failed(file_id, 1, kind, "some reason", permanent)
    for attempt in range(failures):
        assert ledger.counts(catalogue).quarantined == 0, attempt
        assert ledger.lease(catalogue, "w", now=200.0 + 10 * attempt, seconds=60, limit=1)
        for _ in range(2):  # brought twice by the broker, counted once
            _commit(catalogue, ref, failed, now=200.0 + 10 * attempt)
    assert ledger.counts(catalogue).quarantined == 1
    [event] = events_after(catalogue, 0)
    assert (event.kind, event.detail) == ("failed", "some reason")


def test_vanished_photo_is_a_tombstone(catalogue: Catalogue, ref: ModelRef, record: Recorder):
    """A photo that went away before it was read is not tried again until it returns (#23)."""
    file_id = record(b"a.jpg")
    _commit(catalogue, ref, Failed(file_id, 1, "vanished", "gone", permanent=True))
    assert not ledger.has_work(catalogue)
    assert _kinds(catalogue) == ["deleted"]
    record(b"a.jpg")
    assert ledger.has_work(catalogue)


def test_photos_of_an_unplugged_disk_are_not_deleted(
    catalogue: Catalogue, ref: ModelRef, record: Recorder, root: Root
):
    """Where a worker finds nothing since the disk went away, the root goes offline instead (#17)."""
    file_id = record(b"a.jpg")
    ledger.lease(catalogue, "w", now=90.0, seconds=60, limit=1)
    root.folder.rename(root.folder.with_name("unplugged"))
    root.folder.mkdir()  # the empty mount point that is left
    _commit(catalogue, ref, Failed(file_id, 1, "vanished", "gone", permanent=True))
    assert _kinds(catalogue) == ["offline"]
    assert not ledger.has_work(catalogue)  # it waits for its disk
    assert ledger.counts(catalogue).pending == 1


def test_photo_that_the_owner_sees_is_not_deleted(
    catalogue: Catalogue, ref: ModelRef, record: Recorder, root: Root
):
    """A worker whose mount is wrong deletes nothing: it failed, and the reason says so."""
    file_id = record(b"a.jpg")
    (root.folder / "a.jpg").write_bytes(b"x")
    for attempt in range(3):
        assert ledger.lease(catalogue, "w", now=200.0 + 10 * attempt, seconds=60, limit=1)
        failed = Failed(file_id, 1, "vanished", "gone", permanent=True)
        _commit(catalogue, ref, failed, now=200.0 + 10 * attempt)
    [event] = events_after(catalogue, 0)
    assert event.kind == "failed"
    assert "TWINLENS_MOUNTS" in str(event.detail)


def test_photo_that_changed_while_read_waits(catalogue: Catalogue, ref: ModelRef, record: Recorder):
    """It is read again once it had time to settle, and counts as no failure (#22)."""
    file_id = record(b"a.jpg")
    for _ in range(5):
        _commit(catalogue, ref, Failed(file_id, 1, "changed", "changed", permanent=False))
    assert not ledger.lease(catalogue, "w", now=101.0, seconds=1, limit=1)
    assert ledger.lease(catalogue, "w", now=102.0, seconds=1, limit=1)


def test_forgotten_file_is_ignored(
    catalogue: Catalogue, ref: ModelRef, record: Recorder, model: Model
):
    """A result for a file that is no longer known is dropped."""
    assert _commit(catalogue, ref, embedded(record(b"a.jpg") + 1)) == 0
    assert catalogue.value("SELECT count(*) FROM vectors WHERE model_id = ?", (model.id,)) == 0


def _with_inner(file_id: int, inner: bytes) -> Embedded:
    return dataclasses.replace(embedded(file_id), inner=inner)


def _inner(catalogue: Catalogue) -> list[bytes]:
    return [row[0] for row in catalogue.rows("SELECT vector FROM inner_vectors")]


def test_both_vectors_are_one_entry_of_the_log(
    catalogue: Catalogue, ref: ModelRef, record: Recorder
):
    """The inner one comes with the whole one, once, however often it is committed."""
    result = _with_inner(record(b"a.jpg"), encode(unit_vector(9)))
    for _ in range(2):
        assert _commit(catalogue, ref, result) == 1
        assert _inner(catalogue) == [encode(unit_vector(9))]
        assert catalogue.value("SELECT count(*) FROM log") == 1


@pytest.mark.parametrize("junk", [b"", b"xx", encode(unit_vector(9))[:-2], b"\x00\x7e" * 16])
def test_an_inner_vector_that_is_no_use_is_dropped(
    catalogue: Catalogue, ref: ModelRef, record: Recorder, junk: bytes
):
    """Cut short or NaN: the photo stands, with the vector of the whole (#9)."""
    assert _commit(catalogue, ref, _with_inner(record(b"a.jpg"), junk)) == 1
    assert _inner(catalogue) == []
    assert catalogue.value("SELECT count(*) FROM vectors") == 1
    assert not ledger.has_work(catalogue)


def test_an_inner_vector_that_comes_later_is_logged(
    catalogue: Catalogue, ref: ModelRef, record: Recorder
):
    """Of a photo from before there were any, embedded again for its labels: the index hears of it."""
    _commit(catalogue, ref, embedded(record(b"a.jpg")))
    again = _with_inner(record(b"b.jpg"), encode(unit_vector(9)))
    assert _commit(catalogue, ref, again) == 1
    assert _inner(catalogue) == [encode(unit_vector(9))]
    assert catalogue.value("SELECT count(*) FROM log") == 2
