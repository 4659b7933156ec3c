"""``twinlens decisions``: what was decided, to see, to carry away and to bring back."""

from __future__ import annotations

import click

from twinlens_plugin.commands.decisions.carrying import export, import_decisions
from twinlens_plugin.commands.decisions.listing import list_decisions
from twinlens_plugin.options import Group


@click.group("decisions", cls=Group)
def command() -> None:
    """List what was decided with "twinlens decide", export it or import it.

    Example:
      twinlens decisions list
      twinlens decisions export decisions.json
      twinlens decisions import decisions.json
    """


for _subcommand in (list_decisions, export, import_decisions):
    command.add_command(_subcommand)
