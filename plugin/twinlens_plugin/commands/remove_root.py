"""``twinlens remove-root``: forget a folder."""

from __future__ import annotations

import click

from twinlens.roots import remove_root
from twinlens_plugin import output
from twinlens_plugin.completing import DIRECTORY, known_to_library, roots
from twinlens_plugin.options import PATH, Command, Session, common
from twinlens_plugin.places import watched_root


@click.command("remove-root", cls=Command)
@click.argument("folder", type=PATH, shell_complete=known_to_library(roots, else_=[DIRECTORY]))
@common
def command(folder: bytes, session: Session) -> None:
    """Forget a watched FOLDER, by path or by name. The photos stay untouched.

    What was learned of its photos is forgotten too, where no other folder holds the same ones.

    Example:
      twinlens remove-root ~/Pictures
    """
    with session.open_existing() as catalogue:
        root = watched_root(catalogue, folder)
        count = remove_root(catalogue, root)
    if session.as_json:
        output.write_json({**output.json_path(root.path), "photos": count})
    else:
        photos = output.plural(count, "photo")
        output.write_lines(
            [f"Forgot {output.shown(root.path)} ({photos}). Its files are untouched."]
        )
