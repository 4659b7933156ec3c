"""The catalogue's tables, as numbered steps from empty to now.

Each migration runs once, in order, inside the one BEGIN IMMEDIATE transaction that
``connecting.migrate`` opens: of several processes that start at once, one applies them and the
others find them applied; killed in the middle, none is applied.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twinlens import to_win

if TYPE_CHECKING:
    from sqlite_utils import Database

Migration = Callable[["Database"], None]


def m001_photos(db: Database) -> None:
    """Roots, contents and the files that point to them."""
    db.create_table("meta", {"key": str, "value": str}, pk="key", strict=True)
    # A snapshot names the catalogue it was made from: its numbers mean nothing in another one.
    db.execute("INSERT INTO meta (key, value) VALUES ('catalogue_id', lower(hex(randomblob(16))))")
    # AUTOINCREMENT: a number is never used twice. A late result for a file that was forgotten must
    # not land on another, nor an old index entry pass for a new content, nor a sweep of a root that
    # was removed be recorded below the next one.
    db.execute(
        "CREATE TABLE roots (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " name TEXT NOT NULL, path BLOB NOT NULL,"
        " marker TEXT,"  # NULL: the folder is read-only and carries no marker
        " online INTEGER NOT NULL,"
        " reason TEXT,"  # why it is offline, for people
        " added_at REAL NOT NULL, swept_at REAL) STRICT"
    )
    db.execute(
        "CREATE TABLE contents (id INTEGER PRIMARY KEY AUTOINCREMENT, sha256 BLOB NOT NULL,"
        " bytes INTEGER NOT NULL,"
        " width INTEGER, height INTEGER,"  # as shown, after EXIF orientation
        " format TEXT,"
        " taken_at TEXT,"  # EXIF local time, ISO 8601
        " camera TEXT) STRICT"
    )
    db.execute(
        "CREATE TABLE files (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " root_id INTEGER NOT NULL REFERENCES roots (id),"
        " path BLOB NOT NULL,"  # below the root; any bytes but NUL
        " size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,"
        " inode INTEGER NOT NULL,"
        " generation INTEGER NOT NULL,"  # counts changes of the file; late results are dropped
        " content_id INTEGER REFERENCES contents (id),"  # NULL until embedded once
        " missing_since REAL) STRICT"  # tombstone
    )
    for table, columns in (
        ("roots", ["name"]),
        ("roots", ["path"]),
        ("contents", ["sha256"]),
        ("files", ["root_id", "path"]),
    ):
        db.table(table).create_index(columns, unique=True)
    db.table("files").create_index(["content_id"])


def m002_ledger(db: Database) -> None:
    """Work to be done: at most one job for each file."""
    db.create_table(
        "jobs",
        {
            "file_id": int,
            "state": str,  # pending, leased, quarantined
            "priority": int,  # lower first: 0 new and changed photos, 1 a change of model
            "attempts": int,  # failures that a worker reported
            "lapses": int,  # leases that ran out without a word
            "not_before": float,
            "lease_until": float,
            "lease_owner": str,
            "kind": str,  # of the last failure, stable
            "reason": str,  # of the last failure, for people
        },
        pk="file_id",
        not_null={"state", "priority", "attempts", "lapses", "not_before"},
        defaults={"priority": 0, "attempts": 0, "lapses": 0, "not_before": 0},
        foreign_keys=[("file_id", "files", "id")],
        strict=True,
    )
    # In the order in which jobs are handed out, so that a lease reads only what it takes.
    db.table("jobs").create_index(["state", "priority", "lapses", "not_before"])


def m003_vectors(db: Database) -> None:
    """Models, their vectors, the log that the index replays, and pairs found in it."""
    db.create_table(
        "models",
        {
            "id": int,
            "name": str,
            "digest": str,
            "dimension": int,
            "input_size": int,
            "copy_threshold": float,
            "weights": str,  # a local weights file, where one was given
        },
        pk="id",
        not_null={"name", "digest", "dimension", "input_size", "copy_threshold"},
        strict=True,
    )
    db.table("models").create_index(["name", "digest"], unique=True)
    db.create_table(
        "vectors",
        {"id": int, "content_id": int, "model_id": int, "vector": bytes},  # f16, little-endian
        pk="id",
        not_null={"content_id", "model_id", "vector"},
        foreign_keys=[("content_id", "contents", "id"), ("model_id", "models", "id")],
        strict=True,
    )
    db.table("vectors").create_index(["content_id", "model_id"], unique=True)
    # AUTOINCREMENT: a number is never used twice, or a reader would miss the second use.
    db.execute(
        "CREATE TABLE log (seq INTEGER PRIMARY KEY AUTOINCREMENT,"
        " content_id INTEGER NOT NULL, model_id INTEGER NOT NULL) STRICT"
    )
    db.execute(
        "CREATE TABLE pairs (model_id INTEGER NOT NULL, a INTEGER NOT NULL, b INTEGER NOT NULL,"
        " score REAL NOT NULL, PRIMARY KEY (model_id, a, b), CHECK (a < b)) STRICT, WITHOUT ROWID"
    )
    db.table("pairs").create_index(["model_id", "b"])
    db.table("pairs").create_index(["model_id", "score"])


def m004_events(db: Database) -> None:
    """What happened, for those who follow along."""
    db.execute(
        "CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL,"
        " kind TEXT NOT NULL, root_id INTEGER, path BLOB, other BLOB, detail TEXT) STRICT"
    )


def m005_flat(db: Database) -> None:
    """Which contents are pictures without structure, never paired by what they look like."""
    db.table("contents").add_column("flat", int, not_null_default=0)


def m006_tunings(db: Database) -> None:
    """What was fitted to the library, and the pairs sought in a space that does not answer yet."""
    # AUTOINCREMENT: a number is never used twice, or what one tuning was wanted for another would be.
    db.execute(
        "CREATE TABLE tunings (id INTEGER PRIMARY KEY AUTOINCREMENT,"
        " model_id INTEGER NOT NULL REFERENCES models (id),"
        " digest TEXT NOT NULL,"  # sha256 of the stored form
        " fitted_at REAL NOT NULL, photos INTEGER NOT NULL,"
        " tuning BLOB NOT NULL) STRICT"
    )
    db.table("tunings").create_index(["model_id"])
    db.execute(
        "CREATE TABLE pairs_next (model_id INTEGER NOT NULL, a INTEGER NOT NULL,"
        " b INTEGER NOT NULL, score REAL NOT NULL,"
        " PRIMARY KEY (model_id, a, b), CHECK (a < b)) STRICT, WITHOUT ROWID"
    )


def m007_labels(db: Database) -> None:
    """What a classifier names in a photo, for models whose labels are kept."""
    db.table("models").add_column("labels", int, not_null_default=0)  # whether they are kept
    # A photo in which nothing was named has no rows below: whether it was asked is said here.
    db.table("vectors").add_column("labelled", int, not_null_default=0)
    db.execute(
        "CREATE TABLE labels (content_id INTEGER NOT NULL REFERENCES contents (id),"
        " model_id INTEGER NOT NULL REFERENCES models (id),"
        " label TEXT NOT NULL, probability REAL NOT NULL,"
        " PRIMARY KEY (content_id, model_id, label)) STRICT, WITHOUT ROWID"
    )
    # By name, the surest first.
    db.table("labels").create_index(["model_id", "label", "probability"])


def m008_decisions(db: Database) -> None:
    """What people decided about photos, by the hashes of their bytes, and what keepers are chosen by."""
    # By hash, not by number: decisions outlive forgotten photos and the catalogue itself.
    db.execute(
        "CREATE TABLE decisions (a BLOB NOT NULL, b BLOB NOT NULL,"
        " verdict TEXT NOT NULL CHECK (verdict IN ('not-duplicates', 'same', 'keep')),"
        " keeper BLOB CHECK ((verdict = 'keep') = (keeper IS NOT NULL)),"  # a or b
        " at REAL NOT NULL, PRIMARY KEY (a, b), CHECK (a <= b)) STRICT, WITHOUT ROWID"
    )
    db.table("decisions").create_index(["b"])
    # When the file came or its bytes changed.
    db.table("files").add_column("added_at", float, not_null_default=0)
    db.table("contents").add_column("sharpness", float)


def m010_relations(db: Database) -> None:
    """What two contents are to each other, as verification found; see ``twinlens.relations``."""
    db.execute(
        "CREATE TABLE relations (a INTEGER NOT NULL, b INTEGER NOT NULL,"
        " kind TEXT NOT NULL,"
        " probability REAL NOT NULL,"  # that both show one shot
        " detail TEXT NOT NULL,"  # JSON: done, words, overlap, transform, score
        " verifier INTEGER NOT NULL,"  # version of the code that judged
        " PRIMARY KEY (a, b), CHECK (a < b)) STRICT, WITHOUT ROWID"
    )
    db.table("relations").create_index(["b"])
    # By the newer content first, so that its features are made once for all its candidates.
    db.execute(
        "CREATE TABLE unverified (b INTEGER NOT NULL, a INTEGER NOT NULL, score REAL NOT NULL,"
        " not_before REAL NOT NULL DEFAULT 0,"  # later than 0: its pictures could not be read
        " PRIMARY KEY (b, a), CHECK (a < b)) STRICT, WITHOUT ROWID"
    )
    db.table("unverified").create_index(["a"])
    # Those that wait for a disk that is away for months are not gone through four times a second.
    db.table("unverified").create_index(["not_before"])
    # Pairs found before there was a verifier: shown they are only once they wait or were compared.
    db.execute(
        "INSERT INTO unverified (b, a, score) SELECT b, a, max(score) FROM pairs GROUP BY a, b"
    )
    # A trigger: whoever finds a pair, in the same transaction it is one to be verified. What the
    # two tables do not share says the same, but to know it both would have to be read whole.
    db.execute(
        "CREATE TRIGGER pair_to_verify AFTER INSERT ON pairs WHEN NOT EXISTS"
        " (SELECT 1 FROM relations WHERE a = NEW.a AND b = NEW.b)"
        " BEGIN INSERT OR IGNORE INTO unverified (b, a, score)"
        " VALUES (NEW.b, NEW.a, NEW.score); END"
    )
    contents = db.table("contents")
    contents.add_column("burst", str)  # Apple's BurstUUID, Google's BurstID
    contents.add_column("document", str)  # xmpMM:OriginalDocumentID, else DocumentID
    contents.add_column("derived_from", str)  # the document that xmpMM:DerivedFrom names


def m011_to_win(db: Database) -> None:
    """In which order duplicates are listed; see ``twinlens.to_win``."""
    for statement in (*to_win.TABLE, to_win.fill(), *to_win.triggers()):
        db.execute(statement)


def m012_inner_vectors(db: Database) -> None:
    """The picture within a picture: a second vector of those contents that hold one."""
    db.create_table(
        "inner_vectors",
        {"id": int, "content_id": int, "model_id": int, "vector": bytes},  # f16, little-endian
        pk="id",
        not_null={"content_id", "model_id", "vector"},
        foreign_keys=[("content_id", "contents", "id"), ("model_id", "models", "id")],
        strict=True,
    )
    db.table("inner_vectors").create_index(["content_id", "model_id"], unique=True)


def m013_model_parts(db: Database) -> None:
    """What a model brings along for searching; see ``twinlens.parts``."""
    db.execute(
        "CREATE TABLE model_parts (model_id INTEGER NOT NULL REFERENCES models (id),"
        " name TEXT NOT NULL, digest TEXT NOT NULL, data BLOB NOT NULL,"
        " PRIMARY KEY (model_id, name)) STRICT"
    )


MIGRATIONS: tuple[Migration, ...] = (
    m001_photos,
    m002_ledger,
    m003_vectors,
    m004_events,
    m005_flat,
    m006_tunings,
    m007_labels,
    m008_decisions,
    m010_relations,
    m011_to_win,
    m012_inner_vectors,
    m013_model_parts,
)
VERSION = len(MIGRATIONS)
