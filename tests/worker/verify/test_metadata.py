"""What metadata says for and against one shot."""

from __future__ import annotations

from twinlens_worker.verify import metadata
from twinlens_worker.verify.metadata import Metadata, may_be_one_moment, seconds_apart, weight


def at(taken_at: str | None, **more: str) -> Metadata:
    """Return the metadata of a photo taken then."""
    return Metadata(taken_at, **more)


def test_nothing_known_says_nothing():
    """Without metadata the pictures alone decide."""
    assert weight(Metadata(), Metadata()) == 0
    assert weight(at("2026-05-01T12:00:00"), Metadata()) == 0


def test_another_moment_speaks_against_one_shot():
    """Also where only the fraction of the second differs."""
    first = at("2026-05-01T12:00:00.10")
    assert weight(first, at("2026-05-01T12:00:00.35")) == metadata.OTHER_MOMENT
    assert weight(first, at("2026-05-01T12:00:07.10")) == metadata.OTHER_MOMENT


def test_a_dropped_fraction_says_nothing():
    """Some programs write whole seconds only."""
    assert weight(at("2026-05-01T12:00:00.10"), at("2026-05-01T12:00:00")) == 0


def test_whole_hours_say_nothing():
    """A clock put right, or a time zone that was written or dropped."""
    assert weight(at("2026-05-01T12:00:00"), at("2026-05-01T14:00:00")) == 0
    assert weight(at("2026-05-01T12:00:00+02:00"), at("2026-05-01T12:00:00")) == 0


def test_the_same_fraction_speaks_for_one_shot():
    """No two frames share a hundredth of a second."""
    moment = at("2026-05-01T12:00:00.10")
    assert weight(moment, moment) == metadata.SAME_MOMENT


def test_cameras_bursts_and_documents():
    """Another camera or burst speaks against it, one document for it."""
    assert weight(at(None, camera="A"), at(None, camera="B")) == metadata.OTHER_CAMERA
    assert weight(at(None, burst="1"), at(None, burst="2")) == metadata.OTHER_BURST
    assert weight(at(None, burst="1"), at(None, burst="1")) == metadata.SAME_BURST
    parent, child = at(None, document="xmp.did:1"), at(None, derived_from="xmp.did:1")
    assert weight(parent, child) == weight(child, parent) == metadata.SAME_DOCUMENT


def test_unreadable_times_are_no_times():
    """Whatever a camera wrote."""
    assert seconds_apart(at("noon"), at("2026-05-01T12:00:00")) is None
    assert may_be_one_moment(at("noon"), at("2026-05-01T12:00:00"))
