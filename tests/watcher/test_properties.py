"""Event or sweep, the result is the same, whatever happened and in whatever order."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.watcher.conftest import Photos
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.roots import add_root
from twinlens_watcher.clock import FakeClock
from twinlens_watcher.follow import Follower
from twinlens_watcher.sweep import Sweep

NAMES = ["a.jpg", "b.jpg", "d/a.jpg", "d/b.jpg", "d/e/c.png", "no.txt", "@eaDir/a.jpg"]
FOLDERS = ["d", "d/e", "f", ".hidden"]
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(NAMES), st.integers(0, 3)),
        st.tuples(st.just("delete"), st.sampled_from(NAMES), st.just(0)),
        st.tuples(st.just("touch"), st.sampled_from(NAMES), st.integers(0, 3)),
        st.tuples(st.just("move"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.tuples(st.just("move"), st.sampled_from(FOLDERS), st.sampled_from(FOLDERS)),
        st.tuples(st.just("link"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.tuples(st.just("symlink"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
        st.tuples(st.just("sweep"), st.just(""), st.just(0)),
    ),
    max_size=14,
)


class World:
    """A photo folder, a catalogue that follows it, and random things that happen."""

    def __init__(self, folder: Path) -> None:
        library = Library(folder / "library")
        library.create()
        self.folder = folder / "photos"
        self.folder.mkdir()
        self.catalogue = Catalogue.open(library.catalogue)
        root = add_root(self.catalogue, self.folder, now=0)
        self.photos = Photos(self.catalogue, root)
        self.clock = FakeClock(time.time() + 3600)
        self.follower = Follower(self.catalogue, root, self.clock, 2.0, local=True)
        self._serial = itertools.count()

    def apply(self, operation: tuple[str, str, object]) -> None:
        """Do one thing; what the file system refuses does not happen."""
        kind, name, value = operation
        path = self.folder / name
        with contextlib.suppress(OSError, shutil.Error):
            match kind:
                case "write":
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(b"%d" % next(self._serial) * (int(str(value)) + 1))
                case "delete":
                    path.unlink()
                case "touch":
                    os.utime(path, ns=(0, int(str(value))))
                case "move":
                    path.rename(self.folder / str(value))
                case "link":
                    os.link(path, self.folder / str(value))
                case "symlink":
                    path.symlink_to(self.folder / str(value))
                case _:
                    self.sweep()

    def sweep(self) -> None:
        """Sweep all."""
        Sweep(self.follower).all()

    def table(self) -> list[tuple[object, ...]]:
        """Return what the catalogue says of each live file, but for its number and history."""
        sql = (
            "SELECT path, size, mtime_ns, ctime_ns, inode, EXISTS"
            " (SELECT 1 FROM jobs WHERE file_id = files.id AND state = 'pending')"
            " FROM files WHERE missing_since IS NULL ORDER BY path"
        )
        return [tuple(row) for row in self.catalogue.rows(sql)]

    def everything(self) -> list[tuple[object, ...]]:
        """Return all rows of all tables that the watcher writes to."""
        tables = ("files", "jobs", "events", "roots")
        return [
            tuple(row) for name in tables for row in self.catalogue.rows(f"SELECT * FROM {name}")
        ]


@contextlib.contextmanager
def a_world() -> Iterator[World]:
    """Make a world that goes away afterwards."""
    with tempfile.TemporaryDirectory(prefix="twinlens-test-") as folder:
        world = World(Path(folder))
        yield world
        world.catalogue.close()


def fresh_table(world: World) -> list[tuple[object, ...]]:
    """Return what an empty catalogue would say after one sweep."""
    with tempfile.TemporaryDirectory(prefix="twinlens-test-") as folder:
        library = Library(Path(folder) / "library")
        library.create()
        with Catalogue.open(library.catalogue) as catalogue:
            root = add_root(catalogue, world.folder, now=0)
            Sweep(Follower(catalogue, root, world.clock, 2.0, local=True)).all()
            world_like = World.__new__(World)
            world_like.catalogue = catalogue
            return world_like.table()


@settings(max_examples=30, deadline=None)
@given(OPERATIONS)
def test_after_any_history_a_sweep_gives_what_a_fresh_sweep_gives(
    operations: list[tuple[str, str, object]],
) -> None:
    """No history leaves anything behind."""
    with a_world() as world:
        for operation in operations:
            world.apply(operation)
        world.sweep()
        assert world.table() == fresh_table(world)


@settings(max_examples=30, deadline=None)
@given(OPERATIONS, st.permutations(NAMES))
def test_events_in_any_order_give_what_a_sweep_gives(
    operations: list[tuple[str, str, object]], order: list[str]
) -> None:
    """Each file named by an event, in any order, plus each folder: as a sweep."""
    with a_world() as world:
        for operation in operations:
            world.apply(operation)
        names = [*order, *(str(value) for _, _, value in operations if isinstance(value, str))]
        paths = [os.fsencode(name) for name in names if name in NAMES[:5]]
        world.follower.look(paths)
        world.clock.advance(2.0)
        world.follower.look_at_due()
        Sweep(world.follower).folders([os.fsencode(folder) for folder in ("d", "f")])
        assert world.table() == fresh_table(world)


@settings(max_examples=20, deadline=None)
@given(OPERATIONS)
def test_events_twice_are_events_once(operations: list[tuple[str, str, object]]) -> None:
    """What was seen already changes nothing, down to the last column."""
    with a_world() as world:
        for operation in operations:
            world.apply(operation)
        paths = [os.fsencode(name) for name in NAMES[:5]]
        tables = []
        for _ in range(2):
            world.follower.look(paths)
            world.clock.advance(2.0)
            world.follower.look_at_due()
            tables.append(world.everything())
        assert tables[0] == tables[1]
        assert len(world.follower.settler) == 0
