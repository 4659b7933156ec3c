"""Libraries to ask, filled through the core's own functions, and the command line to ask them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from twinlens import ledger, models, snapshot, vectors
from twinlens.catalogue import Catalogue, set_meta
from twinlens.filestat import FileStat
from twinlens.library import Library
from twinlens.models import Model
from twinlens.roots import Root, add_root
from twinlens.spaces import Space
from twinlens_plugin.main import cli

DIMENSION = 16
NOW = 1_700_000_000.0

Pixels = tuple[int, int]


class Built:
    """A library whose photos are small files of any bytes, with the vectors they are given.

    The rows are those that the watcher and the worker write.
    """

    def __init__(self, folder: Path, photos: Path) -> None:
        self.library = Library(folder)
        self.library.create()
        photos.mkdir(parents=True, exist_ok=True)
        self.photos = photos
        self.catalogue = Catalogue.open(self.library.catalogue)
        self.use_model(labels=False)
        self.root: Root = add_root(self.catalogue, photos, now=NOW)

    def use_model(self, *, labels: bool) -> None:
        """Make the model the one in use; with ``labels`` it names things, which pocket does not."""
        self.model: Model = models.set_target(
            self.catalogue,
            name="pocket",
            digest="ab" * 32,
            dimension=DIMENSION,
            input_size=96,
            copy_threshold=0.9,
            weights="/weights/of/ones/own",  # the bundled ones have another sha256
            labels=labels,
        )[0]

    def photo(
        self,
        name: str | bytes,
        *,
        data: bytes | None = None,
        vector: Sequence[float] | None = None,
        pixels: Pixels | None = (400, 300),
        taken_at: str | None = None,
    ) -> Path:
        """Write a photo file, and what the catalogue knows of it; return its path.

        ``data`` stands for the picture's bytes; ``vector`` is as long as need be, then zeros.
        """
        path = self.write(name, data)
        self.record(path)
        self.commit(path, vector, pixels, taken_at)
        return path

    def write(self, name: str | bytes, data: bytes | None = None) -> Path:
        """Write a file below the root; the catalogue knows nothing of it."""
        path = self.photos / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.fsencode(name) if data is None else data)
        return path

    def record(self, path: Path) -> None:
        """Record a file as the watcher does: it waits to be read."""
        seen = [(self.relative(path), FileStat.of(path.stat()))]
        ledger.record(self.catalogue, self.root.id, seen, now=NOW)

    def commit(
        self,
        path: Path,
        vector: Sequence[float] | None = None,
        pixels: Pixels | None = (400, 300),
        taken_at: str | None = None,
    ) -> int:
        """Commit a recorded file as the worker does; return its content's number."""
        digest = hashlib.sha256(path.read_bytes()).digest()
        with self.catalogue.write_tx() as tx:
            tx.execute(
                "INSERT INTO contents (sha256, bytes, width, height, taken_at)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (digest, path.stat().st_size, *(pixels or (None, None)), taken_at),
            )
            (content,) = tx.execute(
                "SELECT id FROM contents WHERE sha256 = ?", (digest,)
            ).fetchone()
            added = tx.execute(
                "INSERT INTO vectors (content_id, model_id, vector) VALUES (?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (content, self.model.id, vectors.encode(padded(vector, digest))),
            ).rowcount
            if added:
                tx.execute(
                    "INSERT INTO log (content_id, model_id) VALUES (?, ?)", (content, self.model.id)
                )
            tx.execute(
                "UPDATE files SET content_id = ? WHERE id = ?", (content, self.file_id(path))
            )
            ledger.finish(tx, self.file_id(path))
        return int(content)

    def pair(self, a: Path, b: Path, score: float) -> None:
        """Store that two photos resemble each other, as the worker's indexer does."""
        low, high = sorted((self.content_id(a), self.content_id(b)))
        with self.catalogue.write_tx() as tx:
            tx.execute(
                "INSERT INTO pairs (model_id, a, b, score) VALUES (?, ?, ?, ?)",
                (self.model.id, low, high, score),
            )

    def quarantine(self, path: Path, reason: str) -> None:
        """Give up a recorded photo, as the worker does."""
        with self.catalogue.write_tx() as tx:
            ledger.fail(
                tx,
                self.file_id(path),
                kind="damaged",
                reason=reason,
                permanent=True,
                max_attempts=3,
                now=NOW,
            )

    def publish(self) -> None:
        """Publish an index snapshot of all vectors, as the worker does."""
        rows = self.catalogue.rows("SELECT content_id, vector FROM vectors ORDER BY content_id")
        index = snapshot.new_index(Space(self.model))
        matrix = vectors.stack([row["vector"] for row in rows], DIMENSION)
        index.add(np.array([row["content_id"] for row in rows], dtype=np.uint64), matrix)
        last = self.catalogue.value("SELECT max(seq) FROM log")
        snapshot.publish(index, self.snapshots, Space(self.model), seq=last)
        with self.catalogue.write_tx() as tx:
            set_meta(tx, f"pairs_seq:{self.model.id}", str(last))

    @property
    def snapshots(self) -> Path:
        """Folder of the model's snapshots."""
        return snapshot.snapshot_folder(self.library.index, Space(self.model))

    def relative(self, path: Path) -> bytes:
        """Return a path as the catalogue has it: below the root."""
        return os.fsencode(path.relative_to(self.photos))

    def file_id(self, path: Path) -> int:
        """Return the number of a file."""
        sql = "SELECT id FROM files WHERE path = ?"
        return int(self.catalogue.value(sql, (self.relative(path),)))

    def content_id(self, path: Path) -> int:
        """Return the number of a file's content."""
        sql = "SELECT content_id FROM files WHERE path = ?"
        return int(self.catalogue.value(sql, (self.relative(path),)))


def padded(vector: Sequence[float] | None, seed: bytes) -> np.ndarray[Any, Any]:
    """Return a float32 vector of shape (DIMENSION,): the numbers given, or random by ``seed``."""
    if vector is None:
        numbers = np.random.default_rng(list(seed))
        return numbers.standard_normal(DIMENSION).astype(np.float32)
    return np.array([*vector, *[0.0] * (DIMENSION - len(vector))], dtype=np.float32)


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Built]:
    """An empty library with one root, to be filled."""
    made = Built(tmp_path / "library", tmp_path / "photos")
    yield made
    made.catalogue.close()


@dataclass
class Cli:
    """The command line on one library, in this process."""

    folder: Path

    def __call__(self, *args: object, code: int = 0, stdin: bytes | None = None) -> Result:
        """Run a command and check its exit code."""
        words = [os.fsdecode(a) if isinstance(a, bytes) else str(a) for a in args]
        result = CliRunner().invoke(
            cli, words, input=stdin, env={"TWINLENS_LIBRARY": str(self.folder)}
        )
        assert result.exit_code == code, result.output
        return result

    def json(
        self, *args: object, code: int = 0, stdin: bytes | None = None
    ) -> list[dict[str, Any]]:
        """Run a command with ``--json``; return its objects."""
        result = self(*args, "--json", code=code, stdin=stdin)
        return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def twinlens(built: Built) -> Cli:
    """The command line on ``built``."""
    return Cli(built.library.folder)


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of the test's own: nothing may go to the real trash, nor to real settings."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    _forget_send2trash()  # it reads them when it is imported
    yield folder
    _forget_send2trash()


@pytest.fixture
def trash(own_home: Path) -> Path:
    """The folder of files in the trash."""
    return own_home / "data" / "Trash" / "files"


def _forget_send2trash() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "send2trash"]:
        del sys.modules[name]


Program = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def program(built: Built) -> Program:
    """Run the real program on ``built``; return what came out of it."""

    def run(
        *args: str | bytes | Path, stdin: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "twinlens_plugin", *args],
            capture_output=True,
            env={**os.environ, "TWINLENS_LIBRARY": str(built.library.folder)},
            timeout=60,
            check=False,
            input=stdin,
        )

    return run


def wait_until(true: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait for another process to get somewhere."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
        time.sleep(0.05)


ODD = b"\xff\n name.jpg"
"""A file name of a card that a camera of another country wrote: no text, and no single line."""


@dataclass(frozen=True)
class Scanned:
    """A library that the real program made of real pictures. Leave it as you find it."""

    library: Path
    photos: Path
    """Six photos, a smaller copy of 0.jpg, a copy of 1.jpg by the name ODD, and a damaged file."""

    @property
    def odd(self) -> bytes:
        """Path of the photo with the odd name."""
        return os.fsencode(self.photos) + b"/" + ODD

    def __call__(
        self, *args: object, stdin: bytes | None = b"", **environ: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the real program on it; return what came out."""
        return subprocess.run(
            [sys.executable, "-m", "twinlens_plugin", *map(os.fsencode, map(_word, args))],
            capture_output=True,
            env={**os.environ, "TWINLENS_LIBRARY": str(self.library), **environ},
            timeout=100,
            check=False,
            **({"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}),
        )


def _word(word: object) -> str | bytes:
    return word if isinstance(word, bytes) else str(word)


def draw_photos(folder: Path, count: int, first: int = 0) -> None:
    """Write JPEGs of coloured patches, 0.jpg and so on, and a smaller copy of the first."""
    from PIL import Image

    folder.mkdir(parents=True)
    for number in range(count):
        patches = np.random.default_rng(first + number).integers(
            0, 255, (14, 20, 3), dtype=np.uint8
        )
        picture = Image.fromarray(patches).resize((240, 160), Image.Resampling.BICUBIC)
        picture.save(folder / f"{number}.jpg", quality=90)
    with Image.open(folder / "0.jpg") as picture:
        picture.resize((160, 107)).save(folder / "small.jpg", quality=80)


@pytest.fixture(scope="session")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Scanned:
    """One scanned library for all tests that only ask."""
    folder = tmp_path_factory.mktemp("scanned")
    made = Scanned(folder / "library", folder / "photos")
    draw_photos(made.photos, 6)
    shutil.copy(made.photos / "1.jpg", made.odd)
    (made.photos / "damaged.jpg").write_bytes(b"no photo at all")
    done = made(
        "scan",
        made.photos,
        TWINLENS_SETTLE_SECONDS="0.1",
        TWINLENS_DECODE_PROCESSES="1",
        OMP_NUM_THREADS="1",
    )
    assert done.returncode == 0, done.stderr
    return made
