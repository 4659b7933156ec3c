"""The verifier at work: what the index found is compared, stored and said, once, come what may."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from threadpoolctl import threadpool_info

from tests.conftest import Clock
from tests.worker.verify.conftest import draw_scene
from twinlens import relations
from twinlens.catalogue import Catalogue
from twinlens.events import events_after
from twinlens.library import Library
from twinlens.models import Model
from twinlens.roots import Root
from twinlens.settings import Settings
from twinlens_worker.verify import verifier as verifier_module
from twinlens_worker.verify.decide import Decision
from twinlens_worker.verify.pictures import Pictures
from twinlens_worker.verify.verifier import Verifier

Keep = Callable[..., int]

KEEP_VERIFYING = """
import sys
from pathlib import Path
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.settings import Settings
from twinlens_worker.verify.verifier import Verifier
folder = Path(sys.argv[1])
with Catalogue.open(Library(folder).catalogue) as catalogue:
    verifier = Verifier(catalogue, Library(folder), Settings(folder))
    print("ready", flush=True)
    while verifier.step(1):
        pass
"""


@pytest.fixture
def keep(catalogue: Catalogue, root: Root, model: Model) -> Keep:
    """Write a photo below the root and record it as committed; return its content's number."""

    def keep_one(name: str, image: Image.Image, **facts: object) -> int:
        path = Path(os.fsdecode(root.path)) / name
        image.save(path, quality=88)
        columns = {"width": image.width, "height": image.height, "format": "JPEG"} | facts
        with catalogue.write_tx() as tx:
            content = tx.execute(
                f"INSERT INTO contents (sha256, bytes, {', '.join(columns)})"
                f" VALUES (?, 1{', ?' * len(columns)}) RETURNING id",
                (sha256(path.read_bytes()).digest(), *columns.values()),
            ).fetchone()[0]
            tx.execute(
                "INSERT INTO files (root_id, path, size, mtime_ns, ctime_ns, inode, generation,"
                " content_id) VALUES (?, ?, 1, 1, 1, 1, 1, ?)",
                (root.id, name.encode(), content),
            )
            tx.execute(
                "INSERT INTO pairs SELECT ?, id, ?, 0.9 FROM contents WHERE id < ?",
                (model.id, content, content),
            )
        return int(content)

    return keep_one


@pytest.fixture
def verifier(catalogue: Catalogue, library: Library, clock: Clock) -> Iterator[Verifier]:
    """A verifier on the clock."""
    verifier = Verifier(catalogue, library, Settings(library.folder), clock)
    yield verifier
    verifier.close()


def kinds(catalogue: Catalogue) -> list[tuple[int, int, str]]:
    """Return all relations without their details."""
    return [(one.a, one.b, one.kind) for one in relations.related(catalogue)]


def test_pairs_are_compared_and_said(catalogue: Catalogue, keep: Keep, verifier: Verifier):
    """A copy and another photo, from the files themselves where there are no thumbnails."""
    photo = keep("a.jpg", draw_scene(1))
    other = keep("b.jpg", draw_scene(11))
    copy = keep("c.jpg", draw_scene(1).resize((320, 240)))
    assert verifier.step() == 3
    assert kinds(catalogue) == [
        (photo, other, "similar"),
        (photo, copy, "copy"),
        (other, copy, "similar"),
    ]
    said = [event for event in events_after(catalogue, 0) if event.kind == "duplicate"]
    assert [event.path for event in said] == [b"c.jpg"]
    assert (said[0].other or b"").endswith(b"/a.jpg")
    assert (said[0].detail or "").startswith("copy ")
    assert verifier.step() == 0


def blas_threads() -> int:
    """Return how many threads the linear algebra of this process may take."""
    found = [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]
    return max(found, default=1)


@pytest.mark.skipif(blas_threads() == 1, reason="linear algebra has one thread here anyway")
def test_comparing_takes_one_thread_and_gives_the_others_back(
    keep: Keep, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
):
    """OpenBLAS's other threads would wait at full CPU for products that are over in no time."""
    before, seen = blas_threads(), []
    decide = verifier_module.decide

    def watched(*given: Any) -> Decision:
        seen.append(blas_threads())
        return decide(*given)

    monkeypatch.setattr(verifier_module, "decide", watched)
    keep("a.jpg", draw_scene(1))
    keep("b.jpg", draw_scene(11))
    assert verifier.step() == 1
    assert seen == [1]
    assert blas_threads() == before


def test_a_changed_name_in_metadata_is_same_pixels(
    catalogue: Catalogue, keep: Keep, verifier: Verifier, root: Root
):
    """Two files of one picture whose bytes differ in a comment only."""
    scene = draw_scene(2)
    keep("a.jpg", scene)
    path = Path(os.fsdecode(root.path)) / "a.jpg"
    scene.info["comment"] = b"hello"
    second = keep("b.jpg", scene)
    data = path.read_bytes()
    changed = data[:2] + b"\xff\xfe\x00\x07hello" + data[2:]
    (path.parent / "b.jpg").write_bytes(changed)
    with catalogue.write_tx() as tx:
        tx.execute(
            "UPDATE contents SET sha256 = ? WHERE id = ?", (sha256(changed).digest(), second)
        )
    verifier.step()
    assert [kind for *_, kind in kinds(catalogue)] == ["same-pixels"]


def test_a_photo_that_is_away_waits(
    catalogue: Catalogue, keep: Keep, verifier: Verifier, root: Root, clock: Clock
):
    """No thumbnail and no file: put off, tried again, and nothing is made up meanwhile."""
    keep("a.jpg", draw_scene(3))
    keep("b.jpg", draw_scene(3).resize((320, 240)))
    path = Path(os.fsdecode(root.path)) / "a.jpg"
    path.rename(path.with_suffix(".away"))
    assert verifier.step() == 1
    assert kinds(catalogue) == []
    assert relations.are_verified(catalogue)  # nobody waits for a disk
    assert verifier.step() == 0
    path.with_suffix(".away").rename(path)
    clock.advance(verifier_module.WAIT_SECONDS)
    assert verifier.step() == 1
    assert [kind for *_, kind in kinds(catalogue)] == ["copy"]


@pytest.mark.parametrize("thumbnails", [True, False])
def test_a_file_that_was_replaced_lends_its_picture_to_nobody(
    catalogue: Catalogue,
    keep: Keep,
    library: Library,
    root: Root,
    clock: Clock,
    *,
    thumbnails: bool,
):
    """The file holds another photo than the catalogue knows yet: the pair waits."""
    keep("a.jpg", draw_scene(5))
    keep("b.jpg", draw_scene(15))
    path = Path(os.fsdecode(root.path)) / "b.jpg"
    draw_scene(5).resize((320, 240)).save(path, quality=88)
    verifier = Verifier(catalogue, library, Settings(library.folder, thumbnails=thumbnails), clock)
    assert verifier.step() == 1
    verifier.close()
    assert kinds(catalogue) == []


def test_pixels_of_a_replaced_file_are_not_compared(keep: Keep, library: Library, root: Root):
    """Two photos, and the file of one holds the other by now."""
    keep("a.jpg", draw_scene(6))
    keep("b.jpg", draw_scene(16))
    one, other = (Path(os.fsdecode(root.path)) / name for name in ("a.jpg", "b.jpg"))
    hashes = [sha256(path.read_bytes()).digest() for path in (one, other)]
    shutil.copyfile(one, other)
    held = [(h, [os.fsencode(p)]) for h, p in zip(hashes, (one, other), strict=True)]
    with Pictures(Settings(library.folder), library.thumbnails) as pictures:
        assert not pictures.same_pixels(*held)
        assert pictures.same_pixels(held[0], held[0])


def test_features_are_made_once(
    catalogue: Catalogue, keep: Keep, library: Library, verifier: Verifier
):
    """Kept beside the thumbnails, for the pair that comes up in a year."""
    keep("a.jpg", draw_scene(4))
    keep("b.jpg", draw_scene(4).crop((60, 60, 600, 440)))
    verifier.step()
    kept = sorted(library.thumbnails.rglob("*.orb"))
    assert len(kept) == 2
    assert all(path.with_suffix(".jpg").exists() for path in kept)


def test_flat_photos_are_not_opened(catalogue: Catalogue, keep: Keep, verifier: Verifier):
    """Two black frames."""
    keep("a.jpg", Image.new("RGB", (64, 48)), flat=1)
    keep("b.jpg", Image.new("RGB", (64, 50)), flat=1)
    verifier.step()
    assert [kind for *_, kind in kinds(catalogue)] == ["similar"]


def test_newer_rules_judge_anew_and_say_nothing_twice(
    catalogue: Catalogue,
    library: Library,
    keep: Keep,
    verifier: Verifier,
    monkeypatch: pytest.MonkeyPatch,
):
    """After an upgrade all pairs are compared again; what was a duplicate is no news."""
    keep("a.jpg", draw_scene(5))
    keep("b.jpg", draw_scene(5).resize((320, 240)))
    verifier.step()
    monkeypatch.setattr(verifier_module, "VERIFIER", 99)
    newer = Verifier(catalogue, library, Settings(library.folder))
    assert newer.step() == 1
    newer.close()
    assert [one.verifier for one in relations.related(catalogue)] == [99]
    said = [event for event in events_after(catalogue, 0) if event.kind == "duplicate"]
    assert len(said) == 1


def test_killed_at_any_moment_nothing_is_lost(
    catalogue: Catalogue, library: Library, keep: Keep, verifier: Verifier
):
    """Kill -9 in the midst: each pair is related or waits, never both, and the next one goes on."""
    for number in range(6):
        keep(f"{number}.jpg", draw_scene(6).resize((640 - 20 * number, 480 - 15 * number)))
    for pause in (0.0, 0.03):
        child = subprocess.Popen(
            [sys.executable, "-c", KEEP_VERIFYING, str(library.folder)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        with child.stdout:
            assert child.stdout.readline() == b"ready\n"
            time.sleep(pause)
            child.send_signal(signal.SIGKILL)
            child.wait()
        related = {(a, b) for a, b, _ in kinds(catalogue)}
        waiting = {(one.a, one.b) for one in relations.unverified(catalogue, 99, now=1.0)}
        assert not related & waiting
        assert len(related | waiting) == 15
    while verifier.step():
        pass
    assert len(kinds(catalogue)) == 15
    said = [event for event in events_after(catalogue, 0) if event.kind == "duplicate"]
    assert len(said) == sum(kind in relations.DUPLICATES for *_, kind in kinds(catalogue))
