"""A folder of photos, the watcher's parts on a clock that is turned by hand, the real process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.roots import Root, list_roots
from twinlens_watcher.clock import FakeClock
from twinlens_watcher.follow import Follower
from twinlens_watcher.sweep import Sweep, Swept

NOBODY = 65534
SETTLE = 0.3
"""Settle time of the real processes in these tests, in seconds."""


class Photos:
    """The folder of one root, and what the catalogue has of it."""

    def __init__(self, catalogue: Catalogue, root: Root) -> None:
        self.catalogue = catalogue
        self.root_id = root.id
        self.folder = root.folder

    @property
    def root(self) -> Root:
        """The root's row now."""
        return next(root for root in list_roots(self.catalogue) if root.id == self.root_id)

    def write(self, name: str, content: bytes = b"photo") -> Path:
        """Write a photo; folders are made."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def write_many(self, count: int, folder: str = "many") -> None:
        """Write many small photos that differ in size."""
        for number in range(count):
            self.write(f"{folder}/{number:04}.jpg", b"x" * (number + 1))

    def live(self) -> list[str]:
        """Return the paths that the catalogue has as being there."""
        rows = self.catalogue.rows(
            "SELECT path FROM files WHERE root_id = ? AND missing_since IS NULL ORDER BY path",
            (self.root_id,),
        )
        return [os.fsdecode(row[0]) for row in rows]

    def row(self, name: str) -> dict[str, object]:
        """Return the files row of one path, tombstones included."""
        row = self.catalogue.row(
            "SELECT * FROM files WHERE root_id = ? AND path = ?", (self.root_id, os.fsencode(name))
        )
        assert row is not None, f"{name} is not in the catalogue"
        return dict(row)

    def jobs(self) -> list[str]:
        """Return the paths that have a pending job."""
        rows = self.catalogue.rows(
            "SELECT path FROM jobs JOIN files ON id = file_id"
            " WHERE state = 'pending' AND missing_since IS NULL ORDER BY path"
        )
        return [os.fsdecode(row[0]) for row in rows]

    def events(self) -> list[str]:
        """Return the kinds of all events so far."""
        return [row[0] for row in self.catalogue.rows("SELECT kind FROM events ORDER BY seq")]

    def embed_all(self) -> None:
        """Do as the worker does: give each photo a content and strike its job."""
        with self.catalogue.write_tx() as tx:
            for row in tx.execute(
                "SELECT file_id, generation FROM jobs JOIN files ON id = file_id"
                " WHERE state != 'quarantined'"
            ).fetchall():
                content = tx.execute(
                    "INSERT INTO contents (sha256, bytes) VALUES (?, 1) RETURNING id",
                    (b"%d-%d" % tuple(row),),
                ).fetchone()[0]
                tx.execute(
                    "UPDATE files SET content_id = ? WHERE id = ?", (content, row["file_id"])
                )
                tx.execute("DELETE FROM jobs WHERE file_id = ?", (row["file_id"],))


@pytest.fixture
def photos(catalogue: Catalogue, root: Root) -> Photos:
    """An empty photo folder that is registered."""
    return Photos(catalogue, root)


@pytest.fixture
def hand_clock() -> FakeClock:
    """A clock an hour ahead of the files, so that one reading of them is enough."""
    return FakeClock(time.time() + 3600)


@pytest.fixture
def follower(photos: Photos, hand_clock: FakeClock) -> Follower:
    """Follows ``photos`` by ``hand_clock``, with the default settle time of 2 s."""
    return Follower(photos.catalogue, photos.root, hand_clock, 2.0, local=True)


@pytest.fixture
def sweep(follower: Follower) -> Callable[..., Swept]:
    """Sweep ``photos`` by ``hand_clock``: what is there counts as settled."""

    def run(*, accept: bool = False, pause: Callable[[], None] = lambda: None) -> Swept:
        return Sweep(follower, accept_deletions=accept, pause=pause).all()

    return run


class Watcher:
    """A real ``twinlens-watcher`` process."""

    def __init__(
        self,
        library: Library,
        arguments: list[str],
        environment: dict[str, str],
        prefix: list[str],
    ) -> None:
        self.log = library.folder / f"watcher-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *prefix,
                    *(sys.executable, "-m", "twinlens_watcher", "--library", str(library.folder)),
                    *arguments,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={
                    **os.environ,
                    "TWINLENS_SETTLE_SECONDS": str(SETTLE),
                    "TWINLENS_SWEEP_SECONDS": "3600",
                    **environment,
                },
            )

    def said(self) -> str:
        """Return its log so far."""
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self.process.send_signal(number)

    def stop(self) -> int:
        """End its standard input; return its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(20)

    def kill(self) -> None:
        """Kill it, whatever it does, and close its pipes."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait(20)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


@pytest.fixture
def start(library: Library, catalogue: Catalogue) -> Iterator[Callable[..., Watcher]]:
    """Start a watcher of ``library``; with ``ready`` (the default) wait for its first sweep."""
    watchers: list[Watcher] = []

    def run(
        *arguments: str, ready: bool = True, prefix: Sequence[str] = (), **environment: str
    ) -> Watcher:
        before = time.time()
        watcher = Watcher(library, ["--stop-on-eof", *arguments], environment, [*prefix])
        watchers.append(watcher)
        if ready:
            swept = "SELECT count(*) FROM roots WHERE coalesce(swept_at, 0) < ?"
            wait_until(lambda: catalogue.value(swept, (before,)) == 0, watcher)
        return watcher

    yield run
    for watcher in watchers:
        watcher.kill()


def wait_until(
    condition: Callable[[], object], watcher: Watcher | None = None, seconds: float = 20
) -> float:
    """Wait until ``condition()`` holds; return how long that took."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            pytest.fail(f"not within {seconds} s; {watcher.said() if watcher else ''}")
        if watcher is not None and watcher.process.poll() is not None:
            pytest.fail(f"the watcher ended: {watcher.said()}")
        time.sleep(0.01)
    return time.monotonic() - start


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Give up root's rights for a while: to root, no file is unreadable."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
