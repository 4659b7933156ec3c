"""``twinlens model list``: which models can be used, and which one is?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from twinlens.forgetting import Stored, stored_models
from twinlens.models import DEFAULT_MODEL
from twinlens.settings import Settings
from twinlens_plugin import handover, output
from twinlens_plugin.asking_worker import known_models
from twinlens_plugin.handover import is_outgrown
from twinlens_plugin.options import Command, Session, common

ROLES = {"serving": "in use", "target": "wanted", None: "kept"}
"""What the library does with a model, in the words of the list."""

Row = dict[str, Any]


@click.command("list", cls=Command)
@click.option("--here", is_flag=True, help="Only models whose weights are on this computer.")
@common
def list_models(session: Session, *, here: bool) -> None:
    """List the models that can be used, and what the library does with them.

    First those that the library has vectors of: the one in use, the one wanted, others that are
    kept. Then whether the weights are here, the numbers a photo, the side of the input, the cost
    of a photo and the size of the weights.

    Example:
      twinlens model list
      twinlens model list --here --json
    """
    rows = list(_rows(known_models(), _stored(session), session.settings))
    if here:
        rows = [row for row in rows if row["here"]]
    if session.as_json:
        output.write_json(*rows)
    else:
        output.write_lines(output.columns([_as_text(row) for row in rows]))
        _remark_on(session)


def _remark_on(session: Session) -> None:
    if session.library.catalogue.exists():
        with session.open_to_read() as catalogue:
            handover.remark_on(session, catalogue)


def _stored(session: Session) -> list[Stored]:
    """Return the models of the library; none where there is no library yet."""
    if not session.library.catalogue.exists():
        return []
    with session.open_to_read() as catalogue:
        return stored_models(catalogue, session.library)


def _rows(known: Sequence[Row], stored: Sequence[Stored], settings: Settings) -> Iterator[Row]:
    by_name = {model["name"]: model for model in known}
    outgrown = [each for each in stored if is_outgrown(each.model, settings)]
    for each in stored:
        facts = _GONE if each in outgrown else by_name.get(each.model.name, {})
        yield {**_unknown(each), **facts, **_own_weights(each), **_use(each)}
    used = {each.model.name for each in stored if each not in outgrown}
    for model in known:
        if model["name"] not in used:
            yield {**model, **_use(None)}


_GONE: Row = {"here": False, "cost": "tiny"}
"""The bundled model of another twinlens: its weights went when this one came."""


def _unknown(stored: Stored) -> Row:
    """Return what is known of a model that no list has: a file of the user's own."""
    model = stored.model
    return {
        "name": model.name,
        "bundled": False,
        "here": True,
        "dimension": model.dimension,
        "input_size": model.input_size,
        "cost": None,
        "gflops": None,
        "megabytes": None,
        "labels": model.labels,
    }


def _own_weights(stored: Stored) -> Row:
    """Return that weights are here which torchvision's folder has not: a file of the user's own."""
    weights = stored.model.weights
    return {"here": True} if weights and Path(weights).is_file() else {}


def _use(stored: Stored | None) -> Row:
    return {
        "used": ROLES[stored.role] if stored else None,
        "weights": stored.model.weights if stored else None,
        "digest": stored.model.digest if stored else None,
        "vectors": stored.vectors if stored else 0,
        "stored_bytes": stored.bytes if stored else 0,
    }


def _as_text(row: Row) -> tuple[str, ...]:
    return (
        row["used"] or "",
        str(row["name"]),
        _where(row),
        f"{row['dimension'] or '?'} numbers".rjust(12),
        f"{row['input_size']} px",
        row["cost"] or "",
        f"{row['gflops']:.1f} GFLOP".rjust(11) if row["gflops"] else "",
        f"{row['megabytes']:.0f} MB".rjust(6) if row["megabytes"] else "",
        _kept(row),
    )


def _where(row: Row) -> str:
    if row["bundled"]:
        return "bundled"
    if row["name"] == DEFAULT_MODEL and not row["here"]:
        return "other version"
    return "here" if row["here"] else ""


def _kept(row: Row) -> str:
    if not row["vectors"]:
        return ""
    text = f"{output.plural(row['vectors'], 'vector')}, {output.megabytes(row['stored_bytes'])}"
    return f"{text} (twinlens model forget {row['name']})" if row["used"] == "kept" else text
