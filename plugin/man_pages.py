"""Write docs/man: a manual page for ``twinlens`` and for each of its commands, from their help.

python plugin/man_pages.py        # writes the pages
python plugin/man_pages.py NAME   # prints one of them: twinlens-scan.1

click-man 0.6.0 does the same for programs whose help is prose alone: it runs our examples into a
paragraph, prints the date of the day on which it ran, and cannot say what ENVIRONMENT and FILES are.
"""

from __future__ import annotations

import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from twinlens import __version__
from twinlens_plugin.main import cli

FOLDER = Path(__file__).parents[1] / "docs" / "man"
DATE = "2026-11-24"
"""Of the release; not of the day, so that the same help gives the same pages."""

_DASH = "\N{EN DASH}"
"""Stands for the dash after a name, which must not be escaped twice."""

_EXITS = (
    ("0", "Done."),
    ("1", "Something failed: standard error says what, and what to do, in one line."),
    ("2", "Wrong usage."),
    ("3", "Of \\fBtwinlens check\\fR: some photos are new."),
    ("130", "Stopped by Ctrl\\-C. What was done stays done; the same command goes on."),
)
_ENVIRONMENT = (
    ("TWINLENS_LIBRARY", "Folder of the library, where \\fB\\-\\-library\\fR names none."),
    ("TWINLENS_\\fISETTING\\fP", "Any setting, as TWINLENS_COPY_THRESHOLD=0.93."),
)
_FILES = (
    ("~/.local/share/twinlens", "The library: what twinlens remembers of the photos."),
    ("~/.local/share/twinlens/config.toml", "Settings."),
    (".twinlens\\-root", "In the top of each watched folder: by it a disk is known again."),
)


def pages() -> dict[str, str]:
    """Return all pages by file name."""
    return {f"{name}.1": "\n".join(text) + "\n" for name, text in _pages("twinlens", cli, None)}


def _pages(
    words: str, command: click.Command, above: click.Context | None
) -> Iterator[tuple[str, list[str]]]:
    context = click.Context(command, parent=above, info_name=words.rpartition(" ")[2])
    context.help_option_names = ["-h", "--help"]
    yield words.replace(" ", "-"), list(_page(words, command, context))
    for name, found in _subcommands(command, context):
        yield from _pages(f"{words} {name}", found, context)


def _subcommands(
    command: click.Command, context: click.Context
) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield name, found


def _page(words: str, command: click.Command, context: click.Context) -> Iterator[str]:
    name = words.replace(" ", "-")
    paragraphs, example = _help(command)
    yield f'.TH "{_text(name.upper())}" "1" "{DATE}" "twinlens {__version__}" "twinlens"'
    yield ".SH NAME"
    yield from _prose(f"{name} {_DASH} {paragraphs[0].rstrip('.?')}")
    yield ".SH SYNOPSIS"
    yield f"\\fB{_text(words)}\\fR {_text(' '.join(command.collect_usage_pieces(context)))}"
    yield ".SH DESCRIPTION"
    for number, paragraph in enumerate(paragraphs):
        yield from [".PP"] if number else []
        yield from _prose(paragraph)
    yield from _commands(words, command, context)
    yield ".SH OPTIONS"
    yield from _options(command, context)
    if example:
        yield from (".SH EXAMPLES", ".EX", *map(_text, example), ".EE")
    if context.parent is None:
        yield from _list("EXIT STATUS", _EXITS)
        yield from _list("ENVIRONMENT", _ENVIRONMENT)
        yield from _list("FILES", _FILES)
    else:
        yield ".SH SEE ALSO"
        yield f"\\fB{_text(name.rpartition('-')[0] if ' ' in words else 'twinlens')}\\fR(1)"


def _help(command: click.Command) -> tuple[list[str], list[str]]:
    """Return the paragraphs of a command's help, and the lines of its example."""
    # \b: click's sign for text that stays as it is, put there when the help was shown before.
    text = inspect.cleandoc(command.help or "").replace("\b\n", "")
    text, _, example = text.partition("\n\nExample:\n")
    return text.split("\n\n"), inspect.cleandoc(example).splitlines()


def _commands(words: str, command: click.Command, context: click.Context) -> Iterator[str]:
    found = list(_subcommands(command, context))
    if found:
        yield ".SH COMMANDS"
    for name, sub in found:
        page = f"{words} {name}".replace(" ", "-")
        yield from (".TP", f"\\fB{_text(page)}\\fR(1)", *_prose(_help(sub)[0][0]))


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context) if isinstance(parameter, click.Option) else None
        if record is not None:
            tag, text = record
            yield from (".TP", _tag(tag), *_prose(text))


def _tag(tag: str) -> str:
    """Return an option with its names bold and its value in italics."""
    parts = re.split(r"([ ,/]+)", tag)
    fonts = {True: "\\fB{}\\fR", False: "\\fI{}\\fR"}
    return "".join(
        _text(part) if number % 2 else fonts[part.startswith("-")].format(_text(part))
        for number, part in enumerate(parts)
    )


def _list(title: str, rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    yield f".SH {title}"
    for tag, text in rows:
        yield from (".TP", f"\\fB{tag}\\fR", text)


def _prose(text: str) -> Iterator[str]:
    """Yield a paragraph in lines that editors and mandoc like."""
    words = " ".join(text.split())
    for line in textwrap.wrap(words, 70, break_long_words=False, break_on_hyphens=False):
        yield _text(line).replace(_DASH, r"\-")


def _text(text: str) -> str:
    """Return text as roff has it: no escape, no request, and signs that can be copied."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti")
    plain = plain.replace("`", "\\(ga").replace("^", "\\(ha")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain


def write() -> None:
    """Write all pages."""
    FOLDER.mkdir(exist_ok=True)
    for page, text in pages().items():
        (FOLDER / page).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.stdout.write(pages()[sys.argv[1]])
    else:
        write()
