"""The catalogue: opening, migrating, and the one way to write."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.core.conftest import Start
from twinlens import connecting
from twinlens.catalogue import Catalogue, set_meta
from twinlens.connecting import APPLICATION_ID
from twinlens.errors import CatalogueError, NewerCatalogueError
from twinlens.library import Library
from twinlens.migrations import VERSION

MIGRATE_AT_ONCE = """
import sys
from pathlib import Path
from twinlens import catalogue, connecting, migrations
import sqlite_utils
applied = 0
def counted(step):
    def run(database):
        global applied
        applied += 1
        step(database)
    return run
connecting.MIGRATIONS = tuple(counted(step) for step in migrations.MIGRATIONS)
print("ready", flush=True)
sys.stdin.readline()
with catalogue.Catalogue.open(Path(sys.argv[1])) as opened:
    print(applied, opened.version())
"""

MIGRATE_AND_STOP = """
import sys, time
from pathlib import Path
from twinlens import catalogue, connecting, migrations
def stop(database):
    database.execute("INSERT INTO meta (key, value) VALUES ('half', 'done')")
    print("between", flush=True)
    time.sleep(60)
steps = list(migrations.MIGRATIONS)
steps.insert(int(sys.argv[2]), stop)
connecting.MIGRATIONS = tuple(steps)
catalogue.Catalogue.open(Path(sys.argv[1]))
"""

MIGRATE = """
import sys
from pathlib import Path
from twinlens.catalogue import Catalogue
import sqlite_utils
print("ready", flush=True)
Catalogue.open(Path(sys.argv[1]))
"""

COUNT_UP = """
import sys
from pathlib import Path
from twinlens.catalogue import Catalogue, set_meta
with Catalogue.open(Path(sys.argv[1])) as opened:
    for _ in range(int(sys.argv[2])):
        with opened.write_tx() as tx:
            (value,) = tx.execute("SELECT value FROM meta WHERE key = 'count'").fetchone()
            set_meta(tx, "count", str(int(value) + 1))
"""


def wait(child: subprocess.Popen[bytes]) -> bytes:
    """Let a child end and return what it printed; fail with its errors."""
    out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err.decode()
    return out


def write(catalogue: Catalogue, **facts: str) -> None:
    """Store facts in one transaction."""
    with catalogue.write_tx() as tx:
        for key, value in facts.items():
            set_meta(tx, key, value)


def tables(path: Path) -> set[str]:
    """Return the names of all tables of a database."""
    connection = sqlite3.connect(path)
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    return names


def whole(path: Path) -> None:
    """Fail unless SQLite finds the file and its references whole."""
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_settings_that_safety_rests_on(catalogue: Catalogue):
    """WAL, full sync and foreign keys are on for each connection; the file is marked as ours."""
    assert catalogue.value("PRAGMA journal_mode") == "wal"
    assert catalogue.value("PRAGMA synchronous") == 2
    assert catalogue.value("PRAGMA foreign_keys") == 1
    assert catalogue.value("PRAGMA application_id") == APPLICATION_ID
    assert catalogue.version() == VERSION


def test_concurrent_migration(tmp_path: Path, start_python: Start):
    """#39: of 4 processes that open a new catalogue at once, one applies the steps, all can use it.

    Three rounds, since the switch to WAL is where SQLite answered "locked" in 6 of 40 trials.
    """
    for trial in range(3):
        path = tmp_path / f"{trial}.sqlite3"
        children = [start_python(MIGRATE_AT_ONCE, path) for _ in range(4)]
        for child in children:
            assert child.stdout.readline() == b"ready\n"
        for child in children:
            child.stdin.write(b"go\n")
            child.stdin.flush()
        found = sorted(tuple(map(int, wait(child).split())) for child in children)
        assert found == [(0, VERSION)] * 3 + [(VERSION, VERSION)]


def test_first_opening_beside_a_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """#39: opening a new file waits for one who writes to it, as SQLite's switch to WAL does not."""
    path = tmp_path / "catalogue.sqlite3"
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(time, "sleep", lambda _: writer.close())
    with Catalogue.open(path) as opened:
        assert opened.version() == VERSION


@pytest.mark.parametrize("place", range(1, VERSION + 1))
def test_killed_between_two_steps(place: int, tmp_path: Path, start_python: Start):
    """#40: killed between two steps of the first migration, none is applied; the next one works."""
    path = tmp_path / "catalogue.sqlite3"
    child = start_python(MIGRATE_AND_STOP, path, place)
    assert child.stdout.readline() == b"between\n"
    child.kill()
    child.wait()
    assert tables(path) == set()
    with Catalogue.open(path) as opened:
        assert opened.version() == VERSION
        assert opened.meta("half") is None
    whole(path)


def test_killed_at_any_time(tmp_path: Path, start_python: Start):
    """#40: killed at a random moment of opening, the catalogue is empty or complete."""
    numbers = random.Random(40)
    complete = 0
    for trial in range(12):
        path = tmp_path / f"{trial}.sqlite3"
        child = start_python(MIGRATE, path)
        child.stdout.readline()
        time.sleep(numbers.uniform(0, 0.08))
        child.kill()
        child.wait()
        found = tables(path)
        assert not found or {"meta", "files", "jobs", "vectors", "events"} <= found
        complete += bool(found)
        Catalogue.open(path).close()
        whole(path)
    assert complete < 12, "no kill came before the end: this test shows nothing"


def test_failing_step_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A step that fails takes those before it back with it."""
    path = tmp_path / "catalogue.sqlite3"

    def broken(database: object) -> None:
        raise KeyboardInterrupt

    steps = (*connecting.MIGRATIONS, broken)
    with monkeypatch.context() as patch:
        patch.setattr(connecting, "MIGRATIONS", steps)
        with pytest.raises(KeyboardInterrupt):
            Catalogue.open(path)
    assert tables(path) == set()


def test_older_catalogue_keeps_its_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A catalogue of an older twinlens is brought up to date with what it holds, by readers too."""
    path = tmp_path / "catalogue.sqlite3"
    with monkeypatch.context() as patch:
        patch.setattr(connecting, "MIGRATIONS", connecting.MIGRATIONS[:1])
        patch.setattr(connecting, "VERSION", 1)
        with Catalogue.open(path) as old, old.write_tx() as tx:
            set_meta(tx, "kept", "yes")
    with Catalogue.open_to_read(path) as opened:
        assert opened.version() == VERSION
        assert opened.meta("kept") == "yes"


def test_pairs_of_an_older_catalogue_are_to_be_verified(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """What was found before there was a verifier waits for it, and is listed meanwhile."""
    path = tmp_path / "catalogue.sqlite3"
    with monkeypatch.context() as patch:
        patch.setattr(connecting, "MIGRATIONS", connecting.MIGRATIONS[:5])
        patch.setattr(connecting, "VERSION", 5)
        with Catalogue.open(path) as old, old.write_tx() as tx:
            tx.execute("INSERT INTO models VALUES (1, 'm', 'd', 2, 8, 0.8, NULL)")
            set_meta(tx, "model_serving", "1")
            for number in (1, 2):
                tx.execute(
                    "INSERT INTO contents (id, sha256, bytes) VALUES (?, ?, 7)",
                    (number, bytes([number]) * 32),
                )
            tx.execute("INSERT INTO pairs VALUES (1, 1, 2, 0.9)")
    with Catalogue.open(path) as opened:
        waiting = opened.rows("SELECT a, b, score FROM unverified")
        assert [tuple(row) for row in waiting] == [(1, 2, 0.9)]
        listed = opened.rows("SELECT content_id, bytes FROM to_win ORDER BY content_id")
        assert [tuple(row) for row in listed] == [(1, 7), (2, 7)]


@pytest.mark.parametrize("opening", [Catalogue.open, Catalogue.open_to_read])
def test_newer_catalogue_is_refused(opening: Callable[[Path], Catalogue], tmp_path: Path):
    """A catalogue of a newer twinlens is refused with the cure, and left as it is."""
    path = tmp_path / "catalogue.sqlite3"
    Catalogue.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(NewerCatalogueError, match="Upgrade twinlens"):
        opening(path)
    assert path.read_bytes() == before


def test_a_process_from_before_an_upgrade_writes_no_more(tmp_path: Path):
    """It knows nothing of what the new tables hold; it reads on, and says what to do."""
    path = tmp_path / "catalogue.sqlite3"
    with Catalogue.open(path) as old:
        with sqlite3.connect(path) as upgrade:
            upgrade.execute(f"PRAGMA user_version = {VERSION + 1}")
        upgrade.close()
        with (
            pytest.raises(NewerCatalogueError, match="Stop this old process"),
            old.write_tx() as tx,
        ):
            set_meta(tx, "written", "yes")
        assert old.meta("written") is None
        assert old.value("SELECT count(*) FROM meta") > 0


@pytest.mark.parametrize("opening", [Catalogue.open, Catalogue.open_to_read])
@pytest.mark.parametrize("version", [0, 1, VERSION, VERSION + 1])
def test_foreign_database_is_refused(
    opening: Callable[[Path], Catalogue], version: int, tmp_path: Path
):
    """Another program's database is refused and not changed by a byte, whatever its version."""
    path = tmp_path / "catalogue.sqlite3"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (id)")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(CatalogueError, match="another program's database"):
        opening(path)
    assert path.read_bytes() == before


def test_damaged_file_is_refused(tmp_path: Path):
    """A file that is no database any more is an error that says what to do."""
    path = tmp_path / "catalogue.sqlite3"
    path.write_bytes(b"not a database, but long enough to be one" * 100)
    with pytest.raises(CatalogueError, match=r"damaged.*backup"):
        Catalogue.open(path)
    with pytest.raises(CatalogueError, match=r"damaged.*backup"):
        Catalogue.open_to_read(path)


def test_damaged_pages_are_refused(tmp_path: Path):
    """A catalogue whose first pages were overwritten is refused, not migrated again."""
    path = tmp_path / "catalogue.sqlite3"
    Catalogue.open(path).close()
    with path.open("r+b") as handle:
        handle.seek(100)
        handle.write(b"\xff" * 4000)
    with pytest.raises(CatalogueError, match=r"damaged.*backup"):
        Catalogue.open(path)


def test_folder_that_is_not_there(tmp_path: Path):
    """A catalogue in a folder that does not exist is an error that names it."""
    with pytest.raises(CatalogueError, match="cannot open the catalogue"):
        Catalogue.open(tmp_path / "none" / "catalogue.sqlite3")


def test_reader_makes_no_library(tmp_path: Path):
    """Reading where there is no library says how to make one, and makes none."""
    with pytest.raises(CatalogueError, match="twinlens scan"):
        Catalogue.open_to_read(tmp_path / "catalogue.sqlite3")
    assert list(tmp_path.iterdir()) == []


def test_reader_cannot_write(library: Library, catalogue: Catalogue):
    """A catalogue opened to read refuses to be written to."""
    with (
        Catalogue.open_to_read(library.catalogue) as reader,
        pytest.raises(sqlite3.OperationalError, match="readonly"),
    ):
        write(reader, a="b")


class Interrupt(BaseException):
    pass


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Interrupt, GeneratorExit])
def test_error_rolls_back(error: type[BaseException], catalogue: Catalogue):
    """A write transaction left by any exception leaves nothing; the next one works."""
    with pytest.raises(error), catalogue.write_tx() as tx:  # noqa: PT012  it is the block
        set_meta(tx, "half", "done")
        raise error
    assert catalogue.meta("half") is None
    with catalogue.write_tx() as tx:
        set_meta(tx, "whole", "done")
    assert catalogue.meta("whole") == "done"


def test_no_write_outside_of_another(catalogue: Catalogue):
    """A write transaction within another is refused; the outer one is not harmed."""
    with catalogue.write_tx() as tx:
        set_meta(tx, "outer", "1")
        with pytest.raises(sqlite3.OperationalError), catalogue.write_tx():
            pass
        set_meta(tx, "outer", "2")
    assert catalogue.meta("outer") == "2"


def test_processes_that_read_and_write(library: Library, catalogue: Catalogue, start_python: Start):
    """Read-then-write from 3 processes at once never fails and never loses an update."""
    with catalogue.write_tx() as tx:
        set_meta(tx, "count", "0")
    for child in [start_python(COUNT_UP, library.catalogue, 60) for _ in range(3)]:
        wait(child)
    assert catalogue.meta("count") == "180"


def test_threads_that_read_and_write(library: Library, catalogue: Catalogue):
    """Read-then-write from 4 threads at once never fails and never loses an update."""
    with catalogue.write_tx() as tx:
        set_meta(tx, "count", "0")
    errors: list[Exception] = []

    def count_up() -> None:
        try:
            with Catalogue.open(library.catalogue) as own:
                for _ in range(30):
                    with own.write_tx() as tx:
                        value = own.meta("count")
                        set_meta(tx, "count", str(int(value or 0) + 1))
        except Exception as error:  # noqa: BLE001  whatever it is, the test must see it
            errors.append(error)

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert catalogue.meta("count") == "120"


def test_read_tx_sees_one_state(library: Library, catalogue: Catalogue):
    """Within a read transaction, what another process commits is not seen until it ends."""
    with Catalogue.open_to_read(library.catalogue) as reader:
        with reader.read_tx():
            assert reader.meta("a") is None
            with catalogue.write_tx() as tx:
                set_meta(tx, "a", "b")
            assert reader.meta("a") is None
        assert reader.meta("a") == "b"


FULL_DISK = """
import sqlite3, sys
from pathlib import Path
from twinlens.catalogue import Catalogue, set_meta
folder = Path(sys.argv[1])
ballast = folder / "ballast"
ballast.write_bytes(bytes(1 << 20))
with Catalogue.open(folder / "catalogue.sqlite3") as opened:
    committed = 0
    try:
        while True:
            with opened.write_tx() as tx:
                for i in range(20):
                    set_meta(tx, f"{committed}-{i}", "x" * 1000)
                set_meta(tx, "last", str(committed))
            committed += 1
    except sqlite3.OperationalError as error:
        print(error)
    assert committed > 0
    assert opened.meta("last") == str(committed - 1), (opened.meta("last"), committed)
    ballast.unlink()
    for _ in range(10):
        with opened.write_tx() as tx:
            for i in range(20):
                set_meta(tx, f"{committed}-{i}", "x" * 1000)
            set_meta(tx, "last", str(committed))
        committed += 1
with Catalogue.open(folder / "catalogue.sqlite3") as again:
    assert again.meta("last") == str(committed - 1)
    assert again.value("SELECT count(*) FROM meta WHERE key LIKE '%-%'") == committed * 20
    assert again.value("PRAGMA integrity_check") == "ok"
print("consistent")
"""


def test_full_disk(tmp_path: Path):
    """#36: on a full disk a commit fails whole; with space again the same connection goes on."""
    import sys

    folder = tmp_path / "small"
    folder.mkdir()
    script = 'mount -t tmpfs -o size=4m none "$1" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh"]
    probe = subprocess.run([*command, folder, "true", ""], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("mounting a small tmpfs is not permitted here")
    done = subprocess.run(
        [*command, folder, sys.executable, FULL_DISK], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["database or disk is full", "consistent"]


def test_full_database(catalogue: Catalogue):
    """#36: where no page is left, a transaction fails whole and the next one works with more."""
    pages = catalogue.value("PRAGMA page_count")
    catalogue.value(f"PRAGMA max_page_count = {pages + 4}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        write(catalogue, first="1", large="x" * 100_000)
    assert catalogue.meta("first") is None
    catalogue.value(f"PRAGMA max_page_count = {pages + 400}")
    with catalogue.write_tx() as tx:
        set_meta(tx, "large", "x" * 100_000)
    assert catalogue.value("PRAGMA integrity_check") == "ok"
    assert catalogue.meta("large") == "x" * 100_000


def test_numbers_are_never_used_twice(catalogue: Catalogue):
    """A file, a content or a root that was forgotten does not leave its number to the next."""
    for table in ("roots", "contents", "files", "log", "events"):
        sql = catalogue.value("SELECT sql FROM sqlite_master WHERE name = ?", (table,))
        assert "AUTOINCREMENT" in sql, table


@pytest.fixture
def read_only(library: Library, tmp_path: Path) -> Iterator[Path]:
    """The catalogue as a container sees it to which the library is lent to read."""
    folder = tmp_path / "lent"
    folder.mkdir()
    mount = ["mount", "--bind", library.folder, folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount")
    subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
    yield folder / library.catalogue.name
    subprocess.run(["umount", folder], check=True)


def test_a_folder_that_nobody_can_write(read_only: Path, catalogue: Catalogue):
    """A backup on a read-only disk can be asked, as it is; to be written, it says what is wrong."""
    with catalogue.write_tx() as tx:
        set_meta(tx, "said", "before")
    catalogue.close()
    with Catalogue.open_to_read(read_only) as reader:
        assert reader.meta("said") == "before"
        assert [*reader.iterate("SELECT value FROM meta WHERE key = 'said'")]
    with pytest.raises(CatalogueError, match="Check the disk and its permissions"):
        Catalogue.open(read_only)


def test_a_folder_that_another_computer_writes(read_only: Path, catalogue: Catalogue):
    """What is read-only here is a live library there: every answer is of the last commit."""
    catalogue.value("PRAGMA wal_checkpoint(TRUNCATE)")
    with Catalogue.open_to_read(read_only) as reader:
        for said in ("first", "second"):
            with catalogue.write_tx() as tx:
                set_meta(tx, "said", said)
            catalogue.value("PRAGMA wal_checkpoint(TRUNCATE)")
            assert reader.meta("said") == said


def test_a_folder_that_another_computer_begins_to_write(
    read_only: Path, library: Library, catalogue: Catalogue
):
    """No answer is made of pages of two times, nor is the catalogue called damaged."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)"
    with catalogue.write_tx() as tx:
        tx.execute(f"INSERT INTO meta {numbers} SELECT 'key' || i, hex(zeroblob(90)) FROM n")
    catalogue.close()
    with Catalogue.open_to_read(read_only) as reader:
        rows = reader.iterate("SELECT * FROM meta ORDER BY key")
        next(rows)
        with Catalogue.open(library.catalogue) as writer, writer.write_tx() as tx:
            tx.execute("DELETE FROM meta WHERE key LIKE '%1%'")
        with pytest.raises(CatalogueError, match=r"is being written to elsewhere\. Ask again\."):
            list(rows)
        with pytest.raises(CatalogueError, match="is being written to elsewhere"):
            reader.meta("key2")
