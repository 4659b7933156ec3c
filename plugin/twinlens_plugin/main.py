"""The ``twinlens`` command: finds the command named, and turns errors into exit codes.

Exit codes: 0 done, 1 something failed (said which, one line on standard error), 2 wrong usage,
130 interrupted.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
from collections.abc import Mapping, MutableSequence, Sequence
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from twinlens import __version__
from twinlens_plugin.options import Group
from twinlens_plugin.wording import one_line

COMMANDS: Mapping[str, tuple[str, str]] = {
    "scan": ("twinlens_plugin.commands.scan", "Read the photos of a folder, once."),
    "watch": ("twinlens_plugin.commands.watch", "Follow folders, and say what happens in them."),
    "similar": ("twinlens_plugin.commands.similar", "Find the photos that look like a photo."),
    "labels": ("twinlens_plugin.commands.labels", "Say what the model names in photos."),
    "duplicates": ("twinlens_plugin.commands.duplicates", "List photos that are there twice."),
    "review": ("twinlens_plugin.commands.review", "Look through duplicates in the browser."),
    "decide": ("twinlens_plugin.commands.decide", "Say what are duplicates and what are not."),
    "decisions": ("twinlens_plugin.commands.decisions", "List, export or import what was decided."),
    "apply": ("twinlens_plugin.commands.apply", "Do what a plan of duplicates proposes."),
    "tag": ("twinlens_plugin.commands.tag", "Say in XMP sidecars what is there twice."),
    "undo": ("twinlens_plugin.commands.undo", "Bring back what was applied."),
    "check": ("twinlens_plugin.commands.check", "Say which photos of a card are new."),
    "status": ("twinlens_plugin.commands.status", "Say what the library holds and waits for."),
    "quarantine": ("twinlens_plugin.commands.quarantine", "List photos that cannot be read."),
    "doctor": ("twinlens_plugin.commands.doctor", "Compare catalogue, index and disk."),
    "remove-root": ("twinlens_plugin.commands.remove_root", "Forget a folder; photos stay."),
    "plugin": ("twinlens_plugin.commands.plugin", "Put twinlens into photo managers."),
    "model": ("twinlens_plugin.commands.model", "List the models, or choose one."),
    "completion": ("twinlens_plugin.commands.completion", "Have the shell complete what you type."),
}
"""Command: its module, which has a ``command``, and its line in the list of commands."""

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""


class TwinlensGroup(Group):
    """A group whose commands are imported when called: ``similar`` must start in 0.3 s."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the commands in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Complete a command without importing any, which would take longer than people wait."""
        found = [
            CompletionItem(name, help=short)
            for name, (_, short) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in COMMANDS.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002, FBT001, FBT002  click's signature
        **extra: Any,  # noqa: ANN401
    ) -> NoReturn:
        """Run a command and leave with its exit code."""
        given: MutableSequence[str] = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(
                given, prog_name or "twinlens", complete_var, standalone_mode=False, **extra
            )
            sys.stdout.flush()
        except Exception as error:  # noqa: BLE001  the one place where errors become exit codes
            code = _report(error, debug=_wants_debug(given))
        sys.exit(code if isinstance(code, int) else 0)


@click.group(
    cls=TwinlensGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 88},
)
@click.version_option(__version__, prog_name="twinlens")
@click.option("--debug", is_flag=True, expose_value=False, help="Show a traceback on errors.")
def cli() -> None:
    """Which of these photos are duplicates, and which look alike?

    Example:
      twinlens scan ~/Pictures
      twinlens duplicates
      twinlens similar ~/Pictures/IMG_1041.JPG
    """


def main() -> None:
    """Run the command line."""
    # An answer of 10,000 photos makes no cycles, and looking for them takes 8 % of its time.
    gc.set_threshold(100_000)
    if "_TWINLENS_COMPLETE" in os.environ:
        from twinlens_plugin import shells

        shells.register()
    cli()


def _wants_debug(args: Sequence[str]) -> bool:
    options = args[: args.index("--")] if "--" in args else args
    return "--debug" in options


def _report(error: Exception, *, debug: bool) -> int:
    """Say in one line what went wrong; return the exit code."""
    if isinstance(error, BrokenPipeError):
        # The reader has what it wanted. Python would complain at exit about the unwritten rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(error, click.Abort):
        return INTERRUPTED
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return error.exit_code
    if debug and not isinstance(error, click.ClickException):
        import traceback

        traceback.print_exception(error)
    click.echo(f"twinlens: {one_line(error)}", err=True)
    return error.exit_code if isinstance(error, click.ClickException) else 1
