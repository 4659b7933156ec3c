"""Labels: what a classifier names in a photo, and how sure it is.

They come with the vector, from the same pass of the same model, and hang on content and model as it
does. A model without a classification head (``pocket``) has none, and they cost it nothing.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from twinlens.catalogue import Catalogue
from twinlens.models import Model

MOST = 5
"""Labels kept for one photo. The top five are what ImageNet classifiers are judged by; with more,
each photo would cost more rows than the answers show."""

FLOOR = 0.05
"""Probability below which a label is not kept: a guess among a thousand names."""

LONGEST = 200
"""Characters of a label. The longest of ImageNet-1k's has 30."""

_AT_ONCE = 500
"""SQLite takes at most 999 parameters where it is old (https://www.sqlite.org/limits.html)."""


@dataclass(frozen=True, slots=True)
class Label:
    """One name that a classifier gives to a photo."""

    name: str
    """In one word, as ``folding_chair``."""
    probability: float
    """0 to 1, after softmax over all the names that the classifier knows."""


@dataclass(frozen=True, slots=True)
class Held:
    """How many contents carry a label."""

    name: str
    photos: int


def one_word(name: str) -> str:
    """Return a category's name in the one spelling that is stored: words joined by ``_``."""
    return "_".join(name.split())


def is_label(name: str) -> bool:
    """Tell whether a name can be kept and printed as it is: one word, no control characters."""
    return 0 < len(name) <= LONGEST and name.isprintable() and name == one_word(name)


def store(tx: sqlite3.Connection, model_id: int, content_id: int, labels: Iterable[Label]) -> None:
    """Store the labels of a content whose vector is there, once; later ones change nothing."""
    marked = tx.execute(
        "UPDATE vectors SET labelled = 1 WHERE content_id = ? AND model_id = ? AND NOT labelled",
        (content_id, model_id),
    ).rowcount
    if not marked:
        return
    tx.executemany(
        "INSERT INTO labels (content_id, model_id, label, probability) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        [(content_id, model_id, label.name, label.probability) for label in labels],
    )


def of_contents(
    catalogue: Catalogue, model: Model, contents: Sequence[int]
) -> Mapping[int, tuple[Label, ...]]:
    """Return the labels of contents, the most probable first; a content without any is left out."""
    found: dict[int, list[Label]] = defaultdict(list)
    if not model.labels:
        return {}
    for start in range(0, len(contents), _AT_ONCE):
        some = contents[start : start + _AT_ONCE]
        rows = catalogue.rows(
            "SELECT content_id, label, probability FROM labels WHERE model_id = ?"  # noqa: S608
            f" AND content_id IN ({','.join('?' * len(some))})"
            " ORDER BY probability DESC, label",
            (model.id, *some),
        )
        for content_id, name, probability in rows:
            found[content_id].append(Label(name, probability))
    return {content_id: tuple(labels) for content_id, labels in found.items()}


def held(catalogue: Catalogue, model: Model) -> list[Held]:
    """Return every label of the library with the number of contents that carry it, most first."""
    rows = catalogue.rows(
        "SELECT label, count(*) FROM labels WHERE model_id = ?"
        " AND EXISTS (SELECT 1 FROM files f WHERE f.content_id = labels.content_id"
        "  AND missing_since IS NULL)"
        " GROUP BY label ORDER BY 2 DESC, label",
        (model.id,),
    )
    return [Held(*row) for row in rows]


def unlabelled(catalogue: Catalogue, model: Model) -> int:
    """Count the contents whose vector came without labels although the model keeps them."""
    return int(
        catalogue.value(
            "SELECT count(*) FROM vectors WHERE model_id = ? AND NOT labelled AND ?",
            (model.id, model.labels),
        )
    )


def contents_with(
    catalogue: Catalogue, model: Model, name: str, *, least: float = 0.0
) -> list[tuple[int, float]]:
    """Return the contents that carry a label, with its probability, the surest first."""
    rows = catalogue.rows(
        "SELECT content_id, probability FROM labels"
        " WHERE model_id = ? AND label = ? AND probability >= ? ORDER BY probability DESC, content_id",
        (model.id, one_word(name), least),
    )
    return [(row[0], row[1]) for row in rows]
