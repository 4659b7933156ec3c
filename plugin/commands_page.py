"""Write docs/commands.md: the help of every command, as the command line prints it.

python plugin/commands_page.py        # writes the page, and the manual pages (man_pages.py)
python plugin/commands_page.py -      # prints it
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

import man_pages
from twinlens_plugin.main import cli

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
HEAD = "# Commands\n\nWritten by `plugin/commands_page.py` from the help of each command.\n"


def page() -> str:
    """Return the page."""
    return HEAD + "".join(_sections("twinlens", cli, None))


def _sections(words: str, command: click.Command, above: click.Context | None) -> Iterator[str]:
    context = click.Context(
        command, parent=above, info_name=words.rpartition(" ")[2], terminal_width=80
    )
    context.help_option_names = ["-h", "--help"]
    yield f"\n## {words}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found:
                yield from _sections(f"{words} {name}", found, context)


if __name__ == "__main__":
    if sys.argv[1:] == ["-"]:
        sys.stdout.write(page())
    else:
        PAGE.write_text(page(), encoding="utf-8")
        man_pages.write()
