"""Index snapshots: whole or not at all, whatever happens to the writer, the disk or the file."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.core.conftest import Start
from twinlens import snapshot, verified
from twinlens.errors import SnapshotError
from twinlens.models import Model
from twinlens.snapshot import MANIFEST, open_snapshot, publish, read_manifest
from twinlens.spaces import Space

MODEL = Model(
    id=1,
    name="pocket",
    digest="ab" * 32,
    dimension=16,
    input_size=96,
    copy_threshold=0.9,
    weights=None,
    catalogue="c0ffee",
)
SPACE = Space(MODEL)


def index_of(count: int, *, dimension: int = 16, metric: str = "cos", dtype: str = "f16") -> Any:
    """Return an index of ``count`` random vectors with the keys 1 to ``count``."""
    from usearch.index import Index

    index = Index(ndim=dimension, metric=metric, dtype=dtype)
    vectors = np.random.default_rng(count).standard_normal((count, dimension)).astype(np.float32)
    index.add(np.arange(1, count + 1, dtype=np.uint64), vectors, threads=1)
    return index


def self_hits(index: Any, count: int) -> None:
    """Fail unless each key is found by its own vector."""
    keys = np.arange(1, count + 1, dtype=np.uint64)
    vectors = np.stack(index.get(keys)).astype(np.float32)
    found = index.search(vectors, 1, exact=True, threads=1)
    np.testing.assert_array_equal(np.asarray(found.keys).ravel(), keys)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a snapshot of 100 vectors, up to number 7 of the log."""
    folder = tmp_path / "index"
    publish(index_of(100), folder, SPACE, seq=7)
    return folder


def names(folder: Path) -> list[str]:
    """Return the names in a folder, hidden ones among them."""
    return sorted(path.name for path in folder.iterdir())


def rewrite(folder: Path, **fields: object) -> None:
    """Write a manifest that differs in some fields, sealed as a program would seal it."""
    manifest = snapshot.Manifest(**json.loads((folder / MANIFEST).read_text()))
    changed = dataclasses.replace(manifest, **fields)  # type: ignore[arg-type]
    snapshot._write_manifest(folder, dataclasses.replace(changed, seal=snapshot._seal(changed)))


@pytest.mark.parametrize("view", [True, False])
def test_round_trip(view: bool, folder: Path):
    """What was published is what is opened, mapped or loaded."""
    manifest, index = open_snapshot(folder, SPACE, view=view)
    assert (manifest.seq, manifest.count, len(index)) == (7, 100, 100)
    self_hits(index, 100)


@pytest.mark.parametrize("view", [True, False])
def test_empty_index(view: bool, tmp_path: Path):
    """A library without photos has a snapshot of nothing."""
    publish(snapshot.new_index(SPACE), tmp_path, SPACE, seq=0)
    manifest, index = open_snapshot(tmp_path, SPACE, view=view)
    assert (manifest.count, len(index)) == (0, 0)


def test_one_snapshot_is_kept(folder: Path):
    """Publishing removes the snapshot before, and what a killed writer left."""
    (folder / ".writing-99").write_bytes(b"left")
    (folder / "snapshot-1-00000000.usearch").write_bytes(b"old")
    (folder / verified.NOTE).write_bytes(b"of the snapshot before")
    manifest = publish(index_of(120), folder, SPACE, seq=9)
    assert names(folder) == sorted([MANIFEST, manifest.file])


def test_folder_for_each_model(tmp_path: Path):
    """Models of other names or weights have other folders, whatever their names hold."""
    other = dataclasses.replace(MODEL, digest="cd" * 32)
    odd = dataclasses.replace(MODEL, name="../../etc/x y")
    folders = {snapshot.snapshot_folder(tmp_path, Space(model)) for model in (MODEL, other, odd)}
    assert len(folders) == 3
    assert all(folder.parent == tmp_path for folder in folders)


# Damage


def test_flipped_bytes(folder: Path):
    """#4: a flipped bit in any region of the index file is seen before USearch reads it."""
    path = folder / read_manifest(folder, SPACE).file
    whole = path.read_bytes()
    places = {*range(128), *range(128, len(whole), 97), len(whole) - 1}
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(SnapshotError, match="checksum"):
            open_snapshot(folder, SPACE, view=True)
    path.write_bytes(whole)
    open_snapshot(folder, SPACE, view=True)


@pytest.mark.parametrize("region", [100, -100])
def test_flipped_bytes_after_it_was_verified(folder: Path, region: int):
    """#4: readers hash a snapshot once, but what is written to it afterwards is seen."""
    path = folder / read_manifest(folder, SPACE).file
    _verified_a_minute_ago(folder, path)
    with path.open("r+b") as handle:
        handle.seek(region, os.SEEK_SET if region > 0 else os.SEEK_END)
        byte = handle.read(1)
        handle.seek(-1, os.SEEK_CUR)
        handle.write(bytes([byte[0] ^ 4]))
    with pytest.raises(SnapshotError, match="checksum"):
        open_snapshot(folder, SPACE, view=True)


def test_only_readers_trust_an_earlier_verification(folder: Path, monkeypatch: pytest.MonkeyPatch):
    """The indexer, which writes the index on, and doctor hash the file each time."""
    path = folder / read_manifest(folder, SPACE).file
    _verified_a_minute_ago(folder, path)
    hashed: list[bool] = []

    def wrong(*_: object) -> Any:
        hashed.append(True)
        return hashlib.sha256(b"other bytes")

    monkeypatch.setattr(hashlib, "file_digest", wrong)
    open_snapshot(folder, SPACE, view=True)
    assert not hashed
    for options in ({"view": False}, {"view": True, "thorough": True}):
        with pytest.raises(SnapshotError, match="checksum"):
            open_snapshot(folder, SPACE, **options)
    assert len(hashed) == 2


def _verified_a_minute_ago(folder: Path, path: Path) -> None:
    """Verify the snapshot once it has lain for a while."""
    sha256 = read_manifest(folder, SPACE).sha256
    assert verified.verify(path, sha256, trust_note=True, clock=lambda: time.time() + 60)
    note = json.loads((folder / verified.NOTE).read_text())
    (folder / verified.NOTE).write_text(json.dumps({**note, "at": note["at"] - 120}))
    time.sleep(0.02)  # the clock that stamps files ticks every 4 ms


def test_flipped_bytes_in_the_manifest(folder: Path):
    """#4: a flipped bit anywhere in the manifest is seen; none makes it claim a later commit."""
    path = folder / MANIFEST
    whole = path.read_bytes()
    before = json.loads(whole)
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        try:
            manifest = read_manifest(folder, SPACE)
        except SnapshotError:
            continue
        assert dataclasses.asdict(manifest) == before, place  # white space flipped


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '"x"',
        "{}",
        '{"format": 1}',
        "[" * 100_000,
        '{"file": 5}',
    ],
)
def test_manifest_that_is_none(text: str, folder: Path):
    """#4: a manifest that is no manifest is damage, not a crash."""
    (folder / MANIFEST).write_text(text)
    with pytest.raises(SnapshotError, match=r"damaged"):
        open_snapshot(folder, SPACE, view=True)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(snapshot.Manifest)])
@pytest.mark.parametrize("value", [None, 5, "x", -1.5, [], {}, True])
def test_junk_in_the_manifest(field: str, value: object, folder: Path):
    """#4: junk in any field of the manifest is refused."""
    table = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(table | {field: value}))
    with pytest.raises(SnapshotError):
        open_snapshot(folder, SPACE, view=True)


@pytest.mark.parametrize("part", [0, 1, 63, 64, 1000, -1])
def test_truncated_file(part: int, folder: Path):
    """#5: a snapshot that was cut short is refused."""
    path = folder / read_manifest(folder, SPACE).file
    path.write_bytes(path.read_bytes()[:part])
    for view in (True, False):
        with pytest.raises(SnapshotError):
            open_snapshot(folder, SPACE, view=view)


@pytest.mark.parametrize("part", [0, 1, 63, 1000, -1])
def test_truncated_before_it_was_summed(part: int, folder: Path):
    """#5: a short file whose checksum fits is refused by what USearch says of it."""
    path = folder / read_manifest(folder, SPACE).file
    short = path.read_bytes()[:part]
    path.write_bytes(short)
    rewrite(folder, sha256=hashlib.sha256(short).hexdigest())
    for view in (True, False):
        with pytest.raises(SnapshotError):
            open_snapshot(folder, SPACE, view=view)


def test_missing_parts(folder: Path, tmp_path: Path):
    """#5: a missing file, manifest or folder is an error that says that it will be rebuilt."""
    (folder / read_manifest(folder, SPACE).file).unlink()
    with pytest.raises(SnapshotError, match=r"missing\. The worker rebuilds"):
        open_snapshot(folder, SPACE, view=True)
    (folder / MANIFEST).unlink()
    with pytest.raises(SnapshotError, match="no snapshot yet"):
        open_snapshot(folder, SPACE, view=True)
    with pytest.raises(SnapshotError, match="no snapshot yet"):
        open_snapshot(tmp_path / "none", SPACE, view=True)


# Others' snapshots


@pytest.mark.parametrize(
    "other",
    [
        {"name": "resnet50"},
        {"digest": "cd" * 32},
        {"dimension": 8},
        {"catalogue": "another"},
    ],
)
def test_snapshot_of_another(other: dict[str, Any], folder: Path):
    """#8: a snapshot of another model, or of another catalogue, in the right place is refused."""
    with pytest.raises(SnapshotError, match="of another model"):
        open_snapshot(folder, Space(dataclasses.replace(MODEL, **other)), view=True)


@pytest.mark.parametrize(
    "fields",
    [{"metric": "ip"}, {"dtype": "f32"}, {"format": 2}, {"count": 99}, {"tuning": "ef" * 32}],
)
def test_manifest_that_says_something_else(fields: dict[str, Any], folder: Path):
    """#8: a manifest of another metric, type, format or count is refused."""
    rewrite(folder, **fields)
    with pytest.raises(SnapshotError):
        open_snapshot(folder, SPACE, view=True)


@pytest.mark.parametrize("view", [True, False])
@pytest.mark.parametrize(
    "other", [{"metric": "ip"}, {"metric": "l2sq"}, {"dtype": "f32"}, {"dimension": 8}]
)
def test_file_of_another_metric(other: dict[str, Any], view: bool, tmp_path: Path):
    """#8: an index file of another metric, type or dimension under a good manifest is refused."""
    publish(index_of(100, **other), tmp_path, SPACE, seq=7)
    with pytest.raises(SnapshotError):
        open_snapshot(tmp_path, SPACE, view=view)


def test_manifest_that_leads_elsewhere(folder: Path, tmp_path: Path):
    """A manifest that names a file outside of its folder is refused."""
    name = read_manifest(folder, SPACE).file
    shutil.copy(folder / name, tmp_path / name)
    rewrite(folder, file=f"../{name}")
    with pytest.raises(SnapshotError):
        open_snapshot(folder, SPACE, view=True)


# Readers and writers


def test_replaced_under_a_reader(folder: Path):
    """#6: a reader goes on with the snapshot that it mapped; reopening gives the new one."""
    _, old = open_snapshot(folder, SPACE, view=True)
    self_hits(old, 100)
    for seq in range(8, 12):
        publish(index_of(200), folder, SPACE, seq=seq)
        self_hits(old, 100)
    manifest, new = open_snapshot(folder, SPACE, view=True)
    assert manifest.seq == 11
    self_hits(new, 200)
    self_hits(old, 100)


PUBLISH_FOR_EVER = """
import sys
from pathlib import Path
import numpy as np
from twinlens import snapshot
from twinlens.models import Model
from twinlens.spaces import Space
folder = Path(sys.argv[1])
space = Space(Model(1, "pocket", "ab" * 32, 16, 96, 0.9, None, "c0ffee"))
index = snapshot.new_index(space)
seq = int(sys.argv[2])
numbers = np.random.default_rng(seq)
print("ready", flush=True)
while True:
    seq += 1
    index.add(seq, numbers.standard_normal(16).astype(np.float32), threads=1)
    snapshot.publish(index, folder, space, seq=seq)
    print(seq, flush=True)
"""


def test_reader_beside_a_busy_writer(tmp_path: Path, start_python: Start):
    """#6: a reader that opens again and again while snapshots are published opens each time."""
    child = start_python(PUBLISH_FOR_EVER, tmp_path, 0)
    assert [child.stdout.readline() for _ in range(2)] == [b"ready\n", b"1\n"]
    deadline = time.monotonic() + 1.5
    seen = set()
    while time.monotonic() < deadline:
        manifest, index = open_snapshot(tmp_path, SPACE, view=True)
        assert len(index) == manifest.count
        seen.add(manifest.seq)
    assert len(seen) > 3


KILL_PUBLISHERS = """
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
from twinlens import snapshot
from twinlens.models import Model
from twinlens.spaces import Space
folder = Path(sys.argv[1])
space = Space(Model(1, "pocket", "ab" * 32, 16, 96, 0.9, None, "c0ffee"))
index = snapshot.new_index(space)
vectors = np.random.default_rng(3).standard_normal((300, 16)).astype(np.float32)
index.add(np.arange(300), vectors, threads=1)

def publish_for_ever(seq, acknowledge):
    while True:
        seq += 1
        snapshot.publish(index, folder, space, seq=seq)
        os.write(acknowledge, b"%d\\n" % seq)

start = time.monotonic()
for _ in range(5):
    snapshot.publish(index, folder, space, seq=0)
usual = (time.monotonic() - start) / 5
numbers = random.Random(3)
acknowledged = 0
for line in sys.stdin:
    read, write = os.pipe()
    child = os.fork()  # one import for all writers
    if not child:
        publish_for_ever(acknowledged, write)
    os.close(write)
    time.sleep(numbers.uniform(0.0, 4 * usual))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(read, "rb") as pipe:
        published = list(map(int, pipe.read().split()))
    # A disk that has become slower or faster since: kills stay around the time of one publish.
    usual *= 0.8 if published else 1.5
    acknowledged = max([acknowledged, *published])
    print(acknowledged, flush=True)
    acknowledged = int(next(sys.stdin))  # what the reader found
"""


def test_writer_killed_at_any_time(tmp_path: Path, start_python: Start):
    """#3: killed 80 times in the middle of publishing, a whole snapshot is always there.

    It is the last one that was acknowledged or the one after.
    """
    folder = tmp_path / "index"
    child = start_python(KILL_PUBLISHERS, folder)
    found = torn = 0
    for _ in range(80):
        child.stdin.write(b"kill one\n")
        child.stdin.flush()
        answer = child.stdout.readline()
        assert answer, child.stderr.read().decode()
        acknowledged = int(answer)
        if acknowledged or (folder / MANIFEST).exists():
            torn += len(names(folder)) != 2
            manifest, index = open_snapshot(folder, SPACE, view=True)
            assert manifest.seq in (acknowledged, acknowledged + 1)
            index.search(np.ones(16, np.float32), 3, threads=1)
            assert len(index) == manifest.count == 300
            found = manifest.seq
        child.stdin.write(b"%d\n" % found)
        child.stdin.flush()
    assert found > 20, "hardly any publish came to its end: this test shows little"
    assert torn > 10, "hardly any kill came in the middle: this test shows little"
    manifest = publish(index_of(50), folder, SPACE, seq=found + 1)
    assert names(folder) == sorted([MANIFEST, manifest.file]), "what was left is not removed"


PUBLISH_LIMITED = """
import resource, sys
from pathlib import Path
import numpy as np
from twinlens import snapshot
from twinlens.models import Model
from twinlens.spaces import Space
folder = Path(sys.argv[1])
space = Space(Model(1, "pocket", "ab" * 32, 16, 96, 0.9, None, "c0ffee"))
index = snapshot.new_index(space)
index.add(np.arange(1, 501), np.random.default_rng(1).standard_normal((500, 16)), threads=1)
size = index.serialized_length
for limit in (0, 1, 4096, size // 2, size - 5000, size - 4000, size - 100, size - 1):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        snapshot.publish(index, folder, space, seq=8)
    except (OSError, snapshot.SnapshotError) as error:
        print("refused")
    else:
        print("published with", limit, "of", size)
"""


def test_full_disk(folder: Path, start_python: Start):
    """#37: where the file cannot be written whole, the old snapshot stays, and nothing is left.

    USearch 2.26.6 reports no error where only the last 4,096 bytes are missing.
    """
    before = names(folder)
    out, err = start_python(PUBLISH_LIMITED, folder).communicate(timeout=60)
    assert out.decode().splitlines() == ["refused"] * 8, err.decode()
    assert names(folder) == before
    manifest, index = open_snapshot(folder, SPACE, view=True)
    assert manifest.seq == 7
    self_hits(index, 100)


@pytest.mark.parametrize("step", range(1, 5))
def test_error_at_any_sync(step: int, folder: Path, monkeypatch: pytest.MonkeyPatch):
    """#37: an error at any of the writes leaves a whole snapshot: the old or the new one."""
    real, calls = os.fsync, 0

    def failing(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls == step:
            raise OSError(errno.EIO, "Input/output error")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="Input/output"):
        publish(index_of(120), folder, SPACE, seq=8)
    assert calls == step
    manifest, index = open_snapshot(folder, SPACE, view=True)
    assert (manifest.seq, len(index)) in ((7, 100), (8, 120))
    assert not [name for name in names(folder) if name.startswith(".")]
