"""Options that every command takes, and what they stand for: the session."""

from __future__ import annotations

import functools
import inspect
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.settings import Settings, load_settings, unknown_variables
from twinlens_plugin.output import remark
from twinlens_plugin.wording import unusable

Function = TypeVar("Function", bound=Callable[..., Any])


class _Named(click.Path):
    """A path that is not empty: an unset variable of a script would stand for the folder it is in."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401  as click has it
        """Refuse what names nothing."""
        if value in ("", b""):
            self.fail("The path is empty.", param, ctx)
        return super().convert(value, param, ctx)


PATH = _Named(path_type=bytes, readable=False)
"""Any path the system can hold: names need not be UTF-8. Whether it can be read is found out by
reading it: click would call one photo without permission, among a thousand, a wrong usage."""

FILE_OR_STDIN = _Named(path_type=str, readable=False, allow_dash=True)
"""A file to read, or ``-`` for standard input."""


class _WithExample(click.Command):
    """Help whose example keeps its lines: click would wrap them into a paragraph."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Mark the example with click's sign for text that stays as it is."""
        text = inspect.cleandoc(self.help or "")
        self.help = text.replace("\n\nExample:", "\n\n\b\nExample:")
        super().format_help_text(ctx, formatter)


class Command(_WithExample):
    """A command of ours."""


class Group(_WithExample, click.Group):
    """A command of ours with commands of its own."""


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with."""

    settings: Settings
    config: Path | None
    """The config file given, to be handed to child processes."""
    as_json: bool

    @property
    def library(self) -> Library:
        """The library folder."""
        return Library(self.settings.library)

    def open_to_read(self) -> Catalogue:
        """Open the catalogue for reading. Raises CatalogueError."""
        return Catalogue.open_to_read(self.library.catalogue)

    def open_to_write(self) -> Catalogue:
        """Open the catalogue, made first where there is none. Raises LibraryError too."""
        self.library.create()
        return Catalogue.open(self.library.catalogue)

    def open_existing(self) -> Catalogue:
        """Open a catalogue that is there for writing: none is made just to find nothing in it."""
        with self.open_to_read():
            pass
        return self.open_to_write()

    def child_arguments(self) -> list[str]:
        """Return the options that make a child process work on the same library."""
        config = ["--config", str(self.config.absolute())] if self.config else []
        return ["--library", str(self.library.folder), *config]


def common(function: Function) -> Function:
    """Add ``--library --config --json --debug``; the command gets a ``session`` instead."""

    @functools.wraps(function)
    def with_session(
        *args: object, library: Path | None, config: Path | None, as_json: bool, **rest: object
    ) -> object:
        for stranger in unknown_variables(os.environ):
            remark(stranger)
        settings = load_settings(os.environ, config=config, library=library)
        session = Session(settings, config, as_json)
        try:
            return function(*args, session=session, **rest)
        except sqlite3.Error as error:
            raise unusable(session.library.catalogue, error) from error

    options = (
        click.option(
            "--library",
            type=_Named(path_type=Path, readable=False),
            metavar="DIR",
            help="Folder of the library (or TWINLENS_LIBRARY).",
        ),
        click.option(
            "--config",
            type=_Named(path_type=Path, readable=False),
            metavar="FILE",
            help="Settings to use instead of config.toml in the library.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line."),
        click.option(
            "--debug", is_flag=True, expose_value=False, help="Show a traceback on errors."
        ),
    )
    wrapped: Any = with_session
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]


def photo_list_option(verb: str, null: str = "in --files-from") -> Callable[[Function], Function]:
    """Add ``--files-from`` and ``-0`` to a command that takes photos; see ``listed.read_list``.

    ``verb``: what it does with them; ``null``: where NUL takes the place of newlines.
    """
    files_from = click.option(
        "--files-from",
        type=FILE_OR_STDIN,
        metavar="FILE",
        help=f"{verb} the photos listed in FILE too, one a line; - is standard input.",
    )
    zero = click.option("-0", "--null", is_flag=True, help=f"NUL instead of newline, {null}.")
    return lambda function: zero(files_from(function))


def html_option(what: str) -> Callable[[Function], Function]:
    """Add ``--html`` to a command that can write a contact sheet; ``what``: what is on it."""
    return click.option(
        "--html",
        type=_Named(path_type=Path, dir_okay=False, readable=False),
        metavar="FILE",
        help=f"Write {what} to FILE, a web page with its pictures in it, to mail or to print.",
    )


def geeqie_option(what: str) -> Callable[[Function], Function]:
    """Add ``--geeqie`` to a command; ``what``: what is shown there."""
    return click.option(
        "--geeqie", is_flag=True, help=f"Show {what} in Geeqie, as a collection, instead."
    )
