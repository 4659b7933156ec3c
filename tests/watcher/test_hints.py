"""Hints: what is kept of file events."""

from __future__ import annotations

from twinlens_watcher.hints import MOST, Hints


def hints(rings: list[int] | None = None) -> Hints:
    """Return empty hints; ``rings`` hears the bell."""
    heard = [] if rings is None else rings
    return Hints(lambda: heard.append(1))


def test_what_can_be_no_photo_is_left_out() -> None:
    """Neither other files, nor what lies in folders of thumbnails and deleted files."""
    kept = hints()
    kept.add(
        paths=[b"a.jpg", b"a.xmp", b".a.jpg", b"@eaDir/a.jpg", b"a.jpg_exiftool_tmp"],
        folders=[b"2024", b"2024/.dtrash", b"x.lrdata/previews"],
    )
    dirty = kept.take()
    assert dirty.paths == [b"a.jpg"]
    assert dirty.folders == [b"2024"]
    assert not dirty.everything


def test_folders_below_other_folders_are_dropped() -> None:
    """Each folder is swept once."""
    kept = hints()
    kept.add(folders=[b"b/c", b"b", b"a", b"b.d", b"b/c/d"])
    assert kept.take().folders == [b"a", b"b.d", b"b"]


def test_the_root_itself_means_everything() -> None:
    """As when the root was deleted or its permissions changed."""
    kept = hints()
    kept.add(paths=[b"a.jpg"])
    kept.add_everything()
    dirty = kept.take()
    assert dirty.everything
    assert dirty.paths == []
    assert not kept.take().everything


def test_a_storm_of_hints_becomes_one_sweep() -> None:
    """Memory stays bounded."""
    kept = hints()
    kept.add(paths=[b"%d.jpg" % number for number in range(MOST + 1)])
    dirty = kept.take()
    assert dirty.everything
    assert dirty.paths == []


def test_the_bell_rings_once_until_the_hints_are_taken() -> None:
    """A hundred events are one reason to wake up."""
    rings: list[int] = []
    kept = hints(rings)
    for _ in range(100):
        kept.add(paths=[b"a.jpg"])
    assert len(rings) == 1
    assert kept.take_paths() == [b"a.jpg"]
    kept.add(paths=[b"a.jpg"])
    assert len(rings) == 2
