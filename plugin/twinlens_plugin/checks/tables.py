"""Checks of the catalogue alone: is the file sound, and do its tables agree?"""

from __future__ import annotations

from collections.abc import Iterator

from twinlens import pairs
from twinlens.catalogue import Catalogue
from twinlens.models import Model, get_model
from twinlens_plugin.checks.finding import Problem
from twinlens_plugin.output import plural

RESTORE = "restore the catalogue from a backup, or move the library away and scan again"
SCAN = "run: twinlens scan"

CONTENTS_OF_NO_FILE = (
    "SELECT count(*) FROM contents c"
    " WHERE NOT EXISTS (SELECT 1 FROM files f WHERE f.content_id = c.id)"
)
PAIRS_OF_NOTHING = (
    "SELECT count(*) FROM pairs WHERE a NOT IN (SELECT id FROM contents)"
    " OR b NOT IN (SELECT id FROM contents)"
)


def check_catalogue(catalogue: Catalogue) -> Iterator[Problem]:
    """Check the file itself, and that every reference leads somewhere."""
    for (text,) in catalogue.rows("PRAGMA integrity_check(20)"):
        if text != "ok":
            yield Problem("catalogue", f"SQLite finds damage: {text}", RESTORE)
    broken = catalogue.rows("PRAGMA foreign_key_check")
    for table in sorted({row[0] for row in broken}):
        count = sum(row[0] == table for row in broken)
        yield Problem("catalogue", f"{count} rows of '{table}' lead nowhere", RESTORE)


def check_orphans(catalogue: Catalogue) -> Iterator[Problem]:
    """Check for leftovers: contents that no file holds, pairs of contents that are gone."""
    for what, sql in (("content", CONTENTS_OF_NO_FILE), ("pair", PAIRS_OF_NOTHING)):
        if count := catalogue.value(sql):
            text = f"{plural(count, f'{what} belongs', f'{what}s belong')} to no photo"
            yield Problem("catalogue", text, "start twinlens watch anew (it tidies up first)")


def check_jobs(catalogue: Catalogue) -> Iterator[Problem]:
    """Check that every job is in a state that can be, and no photo was forgotten."""
    impossible = catalogue.value(
        "SELECT count(*) FROM jobs WHERE state NOT IN ('pending', 'leased', 'quarantined')"
        " OR (state = 'leased') != (lease_until IS NOT NULL)"
        " OR (state = 'leased') != (lease_owner IS NOT NULL)"
        " OR attempts < 0 OR lapses < 0 OR (state = 'quarantined' AND reason IS NULL)"
    )
    if impossible:
        yield Problem("jobs", f"{plural(impossible, 'job')} in a state that cannot be", RESTORE)
    forgotten = catalogue.value(
        "SELECT count(*) FROM files LEFT JOIN jobs ON file_id = id"
        " WHERE content_id IS NULL AND file_id IS NULL AND missing_since IS NULL"
    )
    if forgotten:
        text = f"{plural(forgotten, 'photo')} neither read nor waiting to be read"
        yield Problem("jobs", text, SCAN)


def check_models(catalogue: Catalogue) -> Iterator[Problem]:
    """Check that each photo that was read has a vector of the right size."""
    model = get_model(catalogue, "serving")
    if model is None:
        if catalogue.value("SELECT count(*) FROM contents"):
            yield Problem("vectors", "photos were read but no model is known", SCAN)
        return
    yield from _missing_vectors(catalogue, model)
    wrong = sum(
        catalogue.value(
            f"SELECT count(*) FROM {table} WHERE model_id = ? AND length(vector) != ?",  # noqa: S608
            (model.id, model.dimension * 2),
        )
        for table in ("vectors", "inner_vectors")
    )
    if wrong:
        yield Problem("vectors", f"{plural(wrong, 'vector')} of the wrong length", RESTORE)
    yield from _pairs_ahead(catalogue, model)


def _missing_vectors(catalogue: Catalogue, model: Model) -> Iterator[Problem]:
    missing = catalogue.value(
        "SELECT count(DISTINCT f.content_id) FROM files f"
        " WHERE f.content_id IS NOT NULL AND f.missing_since IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM vectors v"
        "  WHERE v.content_id = f.content_id AND v.model_id = ?)"
        # Some file of the content waits to be embedded, or cannot be.
        " AND NOT EXISTS (SELECT 1 FROM jobs JOIN files o ON o.id = file_id"
        "  WHERE o.content_id = f.content_id)",
        (model.id,),
    )
    if missing:
        text = f"{plural(missing, 'photo')} without a vector of the model '{model.name}'"
        yield Problem("vectors", text, f"run: twinlens model use {model.name}")


def _pairs_ahead(catalogue: Catalogue, model: Model) -> Iterator[Problem]:
    done = pairs.sought(catalogue, model)
    last = catalogue.value("SELECT coalesce(max(seq), 0) FROM log")
    if done > last:
        text = f"duplicates were sought up to number {done}, but the log ends at {last}"
        yield Problem("catalogue", text, RESTORE)
