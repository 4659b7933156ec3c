"""What can be put in the place of a word: names that a library knows, lists of words with commas.

A shell asks while somebody types. Nothing may be printed then but completions, and a library that is
missing, damaged or newer has none.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

from twinlens.errors import TwinlensError
from twinlens.settings import load_settings
from twinlens_plugin.options import Session

Item = CompletionItem[str]
Complete = Callable[[click.Context, click.Parameter, str], Any]
"""As click has it: ``shell_complete`` of an option or an argument."""

FILE = CompletionItem("", type="file")
DIRECTORY = CompletionItem("", type="dir")


def known_to_library(
    names: Callable[[Session], Iterable[Item]], *, else_: Sequence[Item] = ()
) -> Complete:
    """Return a completion by names that the library knows; where none fits, by ``else_``."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> Sequence[Item]:
        found = [item for item in _ask(ctx, names) if item.value.startswith(incomplete)]
        return found or [CompletionItem(incomplete, type=item.type) for item in else_]

    return complete


def with_commas(words: Iterable[str], incomplete: str) -> list[Item]:
    """Return the words that can follow in a list of words with commas between them."""
    before, comma, begun = incomplete.rpartition(",")
    taken = before.split(",")
    return [
        CompletionItem(f"{before}{comma}{word}")
        for word in words
        if word.startswith(begun) and word not in taken
    ]


def _ask(ctx: click.Context, names: Callable[[Session], Iterable[Item]]) -> list[Item]:
    library, config = ctx.params.get("library"), ctx.params.get("config")
    try:
        settings = load_settings(os.environ, config=config, library=library)
        return list(names(Session(settings, config, as_json=False)))
    except (TwinlensError, OSError, sqlite3.Error):
        return []


def roots(session: Session) -> list[Item]:
    """Return the watched folders by name, with their paths."""
    from twinlens.roots import list_roots
    from twinlens_plugin.output import shown

    with session.open_to_read() as catalogue:
        return [CompletionItem(root.name, help=shown(root.path)) for root in list_roots(catalogue)]


def models(session: Session) -> list[Item]:
    """Return the bundled model and those of the library. The worker, asked for all, takes seconds."""
    from twinlens.models import DEFAULT_MODEL

    return [CompletionItem(name) for name in dict.fromkeys([DEFAULT_MODEL, *_stored(session)])]


def unused_models(session: Session) -> list[Item]:
    """Return the models of the library that can be forgotten."""
    return [CompletionItem(name) for name in _stored(session, unused=True)]


def _stored(session: Session, *, unused: bool = False) -> list[str]:
    from twinlens.forgetting import stored_models

    if not session.library.catalogue.exists():
        return []
    with session.open_to_read() as catalogue:
        stored = stored_models(catalogue, session.library)
    return [each.model.name for each in stored if not (unused and each.role)]


def labels(session: Session) -> list[Item]:
    """Return what the model in use names in the photos."""
    from twinlens.labels import held
    from twinlens.models import get_model

    with session.open_to_read() as catalogue:
        model = get_model(catalogue, "serving")
        return [CompletionItem(each.name) for each in held(catalogue, model)] if model else []


def runs(session: Session) -> list[Item]:
    """Return the runs that can be undone, the last first."""
    from twinlens_plugin.acting.journal import read_runs

    open_runs = [run for run in reversed(read_runs(session.library)) if not run.closed]
    return [CompletionItem(run.name, help=run.action) for run in open_runs]
