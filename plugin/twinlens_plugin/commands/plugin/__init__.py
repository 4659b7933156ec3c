"""``twinlens plugin``: twinlens inside photo managers. One module a subcommand."""

from __future__ import annotations

import click

from twinlens_plugin.commands.plugin.installing import install, remove
from twinlens_plugin.commands.plugin.listing import list_plugins
from twinlens_plugin.commands.plugin.show import show
from twinlens_plugin.options import Group


@click.group("plugin", cls=Group)
def command() -> None:
    """Put twinlens into photo managers and file managers, or take it out.

    Example:
      twinlens plugin list
      twinlens plugin install geeqie
      twinlens plugin remove geeqie
    """


for _subcommand in (list_plugins, install, remove, show):
    command.add_command(_subcommand)
