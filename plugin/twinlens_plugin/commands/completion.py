"""``twinlens completion``: have the shell complete commands, options and names."""

from __future__ import annotations

import click

from twinlens_plugin import output
from twinlens_plugin.options import Command, Session, common


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common
@click.pass_context
def command(context: click.Context, shell: str, session: Session) -> None:
    """Print the script that has your shell complete what you type after "twinlens".

    bash and zsh read it in their settings, fish in a folder of its own; the next shell has it. It
    needs no renewal after an upgrade: it asks twinlens each time.

    Example:
      twinlens completion bash >> ~/.bashrc
      twinlens completion zsh >> ~/.zshrc
      twinlens completion fish > ~/.config/fish/completions/twinlens.fish
    """
    from twinlens_plugin import shells

    script = shells.script(context.find_root().command, shell)
    if session.as_json:
        output.write_json({"shell": shell, "script": script})
    else:
        output.write_lines([script.rstrip("\n")])
