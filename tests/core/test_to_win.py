"""The order in which duplicates are listed: kept by triggers, whoever writes."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from twinlens import models, to_win
from twinlens.catalogue import Catalogue

CONTENTS = st.integers(1, 3)
KINDS = st.sampled_from(["same-pixels", "copy", "edit", "burst", "pair", "similar"])
VERDICTS = st.sampled_from(["not-duplicates", "same"])
PAIRS = st.sampled_from(list(itertools.combinations(range(1, 4), 2)))


def sha256(content: int) -> bytes:
    """Return the hash of a content: the lower the number, the higher the hash."""
    return bytes([100 - content]) * 32


class Library(RuleBasedStateMachine):
    """Everything that writers do to what counts, in any order."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.catalogue = Catalogue.open(self.folder / "catalogue.sqlite3")
        self.catalogue.value("PRAGMA synchronous = OFF")  # a thousand commits, and no power cut
        models.set_target(
            self.catalogue,
            name="pocket",
            digest="ab" * 32,
            dimension=2,
            input_size=8,
            copy_threshold=0.9,
        )
        self.execute(
            "INSERT OR IGNORE INTO roots (id, name, path, online, added_at) VALUES (1, 'r', x'', 1, 0)"
        )

    def teardown(self) -> None:
        """Leave an empty catalogue to the next run."""
        for table in ("files", "relations", "unverified", "decisions", "contents", "to_win"):
            self.execute(f"DELETE FROM {table}")
        self.catalogue.close()

    def execute(self, sql: str, *values: object) -> None:
        """Run one statement in a transaction."""
        with self.catalogue.write_tx() as tx:
            tx.execute(sql, values)

    @rule(content=CONTENTS, size=st.integers(1, 9))
    def add_content(self, content: int, size: int) -> None:
        """A photo is read."""
        self.execute(
            "INSERT OR IGNORE INTO contents (id, sha256, bytes) VALUES (?, ?, ?)",
            *(content, sha256(content), size),
        )

    @rule(content=CONTENTS)
    def forget_content(self, content: int) -> None:
        """With what hangs on it, as ``drop_orphans`` does."""
        self.execute("DELETE FROM files WHERE content_id = ?", content)
        for table in ("relations", "unverified"):
            self.execute(f"DELETE FROM {table} WHERE a = ? OR b = ?", content, content)
        self.execute("DELETE FROM contents WHERE id = ?", content)

    @rule(file=st.integers(1, 3), content=CONTENTS)
    def set_file(self, file: int, content: int) -> None:
        """A file comes, is read, or is another photo from now on."""
        self.execute(
            "INSERT OR IGNORE INTO files"
            " (id, root_id, path, size, mtime_ns, ctime_ns, inode, generation)"
            " VALUES (?, 1, CAST(? AS BLOB), 0, 0, 0, 0, 1)",
            *(file, str(file)),
        )
        self.execute(
            "UPDATE files SET content_id = (SELECT id FROM contents WHERE id = ?) WHERE id = ?",
            *(content, file),
        )

    @rule(file=st.integers(1, 3))
    def forget_file(self, file: int) -> None:
        """A file's tombstone is old."""
        self.execute("DELETE FROM files WHERE id = ?", file)

    @rule(pair=PAIRS, kind=KINDS)
    def verify(self, pair: tuple[int, int], kind: str) -> None:
        """Two pictures are compared, perhaps once more."""
        self.execute(
            "INSERT INTO relations (a, b, kind, probability, detail, verifier)"
            " SELECT ?, ?, ?, 1, '{}', 1 WHERE"
            " (SELECT count(*) FROM contents WHERE id IN (?, ?)) = 2"
            " ON CONFLICT (a, b) DO UPDATE SET kind = excluded.kind",
            *(*pair, kind, *pair),
        )
        self.execute("DELETE FROM unverified WHERE a = ? AND b = ?", *pair)

    @rule(pair=PAIRS, score=st.sampled_from([0.8, 0.86, 0.95]))
    def find(self, pair: tuple[int, int], score: float) -> None:
        """The index finds a pair."""
        self.execute(
            "INSERT OR IGNORE INTO unverified (a, b, score) SELECT ?, ?, ? WHERE"
            " (SELECT count(*) FROM contents WHERE id IN (?, ?)) = 2",
            *(*pair, score, *pair),
        )

    @rule(pair=PAIRS, verdict=VERDICTS)
    def decide(self, pair: tuple[int, int], verdict: str) -> None:
        """A person decides, perhaps on photos that are not here."""
        b, a = map(sha256, pair)
        self.execute(
            "INSERT INTO decisions (a, b, verdict, at) VALUES (?, ?, ?, 0)"
            " ON CONFLICT (a, b) DO UPDATE SET verdict = excluded.verdict",
            *(a, b, verdict),
        )

    @rule(pair=PAIRS)
    def undo(self, pair: tuple[int, int]) -> None:
        """A decision is forgotten."""
        self.execute("DELETE FROM decisions WHERE b = ? AND a = ?", *map(sha256, pair))

    @invariant()
    def as_made_from_scratch(self) -> None:
        """Nothing drifts."""
        kept = self.catalogue.rows("SELECT content_id, bytes FROM to_win ORDER BY content_id")
        self.execute("DELETE FROM to_win")
        self.execute(to_win.fill())
        anew = self.catalogue.rows("SELECT content_id, bytes FROM to_win ORDER BY content_id")
        assert [tuple(row) for row in kept] == [tuple(row) for row in anew]


def test_the_table_is_what_it_would_be_made_from_scratch(tmp_path: Path):
    """After any sequence of what writers do."""
    Library.folder = tmp_path
    machine = Library.TestCase
    machine.settings = settings(
        max_examples=15,
        stateful_step_count=20,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        database=None,
    )
    machine("runTest").runTest()


@pytest.fixture
def filled(catalogue: Catalogue) -> Catalogue:
    """Two contents of 5 and 3 bytes, and one of 2 that two files hold."""
    with catalogue.write_tx() as tx:
        tx.execute(
            "INSERT INTO roots (id, name, path, online, added_at) VALUES (1, 'r', x'', 1, 0)"
        )
        for content, size in ((1, 5), (2, 3), (3, 2)):
            tx.execute(
                "INSERT INTO contents (id, sha256, bytes) VALUES (?, ?, ?)",
                (content, sha256(content), size),
            )
        for file in (1, 2):
            tx.execute(
                "INSERT INTO files (root_id, path, size, mtime_ns, ctime_ns, inode, generation,"
                " content_id) VALUES (1, ?, 0, 0, 0, 0, 1, 3)",
                (b"%d" % file,),
            )
    return catalogue


def test_what_is_won_is_the_smaller_of_two_and_all_but_one_of_the_same(filled: Catalogue):
    """A relation that is no duplicate wins nothing."""
    with filled.write_tx() as tx:
        for a, b, kind in ((1, 2, "copy"), (2, 3, "burst")):
            tx.execute("INSERT INTO relations VALUES (?, ?, ?, 1, '{}', 1)", (a, b, kind))
    rows = filled.rows("SELECT content_id, bytes FROM to_win ORDER BY content_id")
    assert [tuple(row) for row in rows] == [(1, 3), (2, 3), (3, 2)]


def test_what_was_decided_of_a_content_that_is_forgotten_wins_nothing(filled: Catalogue):
    """The decision stays, for the day on which it comes back."""
    with filled.write_tx() as tx:
        tx.execute(
            "INSERT INTO decisions (a, b, verdict, at) VALUES (?, ?, 'same', 0)",
            sorted(map(sha256, (1, 2))),
        )
    won = "SELECT content_id FROM to_win ORDER BY content_id"
    assert [row[0] for row in filled.rows(won)] == [1, 2, 3]
    with filled.write_tx() as tx:
        tx.execute("DELETE FROM contents WHERE id = 2")
    assert [row[0] for row in filled.rows(won)] == [3]
