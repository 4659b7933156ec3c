"""Parts: what a model brings along for searching, besides the vectors of photos.

- its *background*, a tuning (``twinlens.tuning``) that its makers fitted to photos of theirs. A library
  that is too small to be tuned on itself, or is not to be, is in that space;
- its *looks* (``twinlens.looks``), by which ``similar`` orders photos.

The worker knows them, from the file of weights; who searches reads them in the catalogue. A model may
have none: then the cosine of its vectors is all.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING

from twinlens.catalogue import Catalogue
from twinlens.errors import TuningError
from twinlens.models import Model

if TYPE_CHECKING:
    from twinlens.looks import Looks
    from twinlens.tuning import Tuning

BACKGROUND = "background"
LOOKS = "looks"


def keep(catalogue: Catalogue, model: Model, brought: Mapping[str, bytes]) -> None:
    """Put the parts that a model brought into the catalogue; those that are there stay."""
    with catalogue.write_tx() as tx:
        tx.executemany(
            "INSERT OR IGNORE INTO model_parts (model_id, name, digest, data) VALUES (?, ?, ?, ?)",
            [
                (model.id, name, hashlib.sha256(data).hexdigest(), data)
                for name, data in brought.items()
            ],
        )


def are_kept(catalogue: Catalogue, model: Model) -> bool:
    """Tell whether any parts of a model are in the catalogue."""
    return catalogue.row("SELECT 1 FROM model_parts WHERE model_id = ?", (model.id,)) is not None


def damaged(catalogue: Catalogue, model: Model) -> list[str]:
    """Return the names of the parts in the catalogue that are not as the model brought them."""
    rows = catalogue.rows(
        "SELECT name, digest, data FROM model_parts WHERE model_id = ?", (model.id,)
    )
    return [name for name, digest, data in rows if hashlib.sha256(data).hexdigest() != digest]


def mend(catalogue: Catalogue, model: Model, brought: Mapping[str, bytes]) -> None:
    """Put damaged parts back as the model brought them: the index, made by what they were, holds.

    A background that was given up does not come back: pairs have been sought without it.
    """
    with catalogue.write_tx() as tx:
        tx.executemany(
            "UPDATE model_parts SET digest = ?, data = ? WHERE model_id = ? AND name = ?",
            [
                (hashlib.sha256(data).hexdigest(), data, model.id, name)
                for name, data in brought.items()
            ],
        )


def drop_background(tx: sqlite3.Connection, model: Model) -> None:
    """Forget a background that is damaged; it does not come back."""
    tx.execute("DELETE FROM model_parts WHERE model_id = ? AND name = ?", (model.id, BACKGROUND))


def background(catalogue: Catalogue, model: Model) -> Tuning | None:
    """Return the background; None where the model has none. Raises TuningError where it is damaged."""
    data = _data(catalogue, model, BACKGROUND)
    if data is None:
        return None
    from twinlens.tuning import Tuning

    return Tuning.from_bytes(data, model.dimension)


def looks(catalogue: Catalogue, model: Model) -> Looks | None:
    """Return the looks; None where the model has none. Raises TuningError where they are damaged."""
    data = _data(catalogue, model, LOOKS)
    if data is None:
        return None
    from twinlens.looks import Looks

    return Looks.from_bytes(data, model.dimension)


def _data(catalogue: Catalogue, model: Model, name: str) -> bytes | None:
    row = catalogue.row(
        "SELECT digest, data FROM model_parts WHERE model_id = ? AND name = ?", (model.id, name)
    )
    if row is None:
        return None
    digest, data = row
    if hashlib.sha256(data).hexdigest() != digest:
        raise TuningError(
            f"the {name} of model {model.name} in the catalogue is damaged."
            " The worker puts it back: twinlens scan"
        )
    return bytes(data)
