"""The verifier: compares the pairs that the index found, and says which are duplicates.

A photo can be found as soon as it is indexed; this comes after and never holds it up. What is not
compared yet stands in the catalogue (``relations.unverified``), so that a kill at any moment loses
at most the comparisons of one step.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from twinlens import relations
from twinlens.catalogue import Catalogue
from twinlens.events import add_duplicate
from twinlens.library import Library
from twinlens.relations import Candidate, Relation
from twinlens.settings import Settings
from twinlens_worker.one_thread import one_thread
from twinlens_worker.verify.decide import VERIFIER, Decision, File, Subject, decide
from twinlens_worker.verify.metadata import Metadata
from twinlens_worker.verify.pictures import NoPictureError, Pictures

log = logging.getLogger("twinlens.worker.verifying")

STEP: Final = 64
"""Pairs compared and stored together: one write to the disk for each 0.3 s of work."""
WAIT_SECONDS: Final = 600.0
"""How long a pair waits whose pictures cannot be read now: its disk is away, mostly."""


class Verifier:
    """Compares pairs step by step. Used by one thread."""

    def __init__(
        self,
        catalogue: Catalogue,
        library: Library,
        settings: Settings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Have what an older verifier judged compared again."""
        self._catalogue = catalogue
        self._clock = clock
        self._pictures = Pictures(settings, library.thumbnails)
        if relations.has_older(catalogue, VERIFIER):
            with catalogue.write_tx() as tx:
                count = relations.verify_again(tx, VERIFIER)
            log.info("%d pairs are compared again, by newer rules", count)

    def step(self, limit: int = STEP) -> int:
        """Compare up to ``limit`` pairs; return how many there were."""
        waiting = relations.unverified(self._catalogue, limit, now=self._clock())
        subjects = Subjects(self._catalogue)
        with one_thread():
            decided = [(one, self._decide(one, subjects)) for one in waiting]
        if decided:
            with self._catalogue.write_tx() as tx:
                for candidate, decision in decided:
                    self._store(tx, candidate, decision)
            self._pictures.keep()
        return len(decided)

    def close(self) -> None:
        """End what was started to read pictures."""
        self._pictures.close()

    def _decide(self, pair: Candidate, subjects: Subjects) -> Decision | None:
        """Compare two contents; None where that cannot be done now."""
        a, b = subjects[pair.a], subjects[pair.b]
        if a is None or b is None:
            return None
        try:
            return decide(
                a.subject,
                b.subject,
                lambda: (
                    self._pictures.sketch(a.sha256, a.paths),
                    self._pictures.sketch(b.sha256, b.paths),
                ),
                lambda: self._pictures.same_pixels((a.sha256, a.paths), (b.sha256, b.paths)),
                pair.score,
            )
        except NoPictureError:
            return None

    def _store(self, tx: sqlite3.Connection, pair: Candidate, decision: Decision | None) -> None:
        if decision is None:
            relations.put_off(tx, pair, until=self._clock() + WAIT_SECONDS)
            return
        new = relations.store(
            tx,
            Relation(
                pair.a, pair.b, decision.kind, decision.probability, decision.detail, VERIFIER
            ),
        )
        if new:
            _say(tx, self._clock(), pair, decision)


def _say(tx: sqlite3.Connection, now: float, pair: Candidate, decision: Decision) -> None:
    """Tell those who follow along which new photo is a duplicate of which."""
    files = [
        tx.execute(
            "SELECT root_id, roots.path AS root_path, files.path FROM files"
            " JOIN roots ON roots.id = root_id"
            " WHERE content_id = ? AND missing_since IS NULL ORDER BY files.id",
            (content_id,),
        ).fetchone()
        for content_id in (pair.b, pair.a)
    ]
    if None not in files:
        new, twin = files
        add_duplicate(tx, now, new, twin, detail=f"{decision.kind} {decision.probability:.2f}")


class Content:
    """A content and where its files are."""

    def __init__(self, row: sqlite3.Row, files: Iterable[sqlite3.Row]) -> None:
        files = list(files)
        self.sha256: bytes = row["sha256"]
        self.paths = [os.path.join(f["root_path"], f["path"]) for f in files if f["online"]]  # noqa: PTH118  bytes
        self.subject = Subject(
            Metadata(
                row["taken_at"], row["camera"], row["burst"], row["document"], row["derived_from"]
            ),
            tuple(_file(f) for f in files),
            (row["width"] or 0) * (row["height"] or 0) or None,
            row["format"],
            bool(row["flat"]),
        )


def _file(row: sqlite3.Row) -> File:
    folder, name = os.path.split(os.path.join(row["root_path"], row["path"]))  # noqa: PTH118  bytes
    return File(folder, name)


class Subjects:
    """Contents of one step, each read once."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._read: dict[int, Content | None] = {}

    def __getitem__(self, content_id: int) -> Content | None:
        if content_id not in self._read:
            self._read[content_id] = self._content(content_id)
        return self._read[content_id]

    def _content(self, content_id: int) -> Content | None:
        row: Any = self._catalogue.row("SELECT * FROM contents WHERE id = ?", (content_id,))
        files = self._catalogue.rows(
            "SELECT roots.path AS root_path, files.path, online FROM files"
            " JOIN roots ON roots.id = root_id"
            " WHERE content_id = ? AND missing_since IS NULL ORDER BY files.id",
            (content_id,),
        )
        return None if row is None else Content(row, files)
