"""``twinlens apply``: do what a plan proposes."""

from __future__ import annotations

import os
from pathlib import Path

import click

from twinlens.catalogue import Catalogue
from twinlens.roots import list_roots
from twinlens_plugin import output
from twinlens_plugin.acting import running
from twinlens_plugin.acting.actions import Action, Order
from twinlens_plugin.acting.applying import folder_to_move_to
from twinlens_plugin.errors import PlanError
from twinlens_plugin.options import PATH, Command, Session, common
from twinlens_plugin.plans import PROGRAM, Plan, read_plan


@click.command("apply", cls=Command)
@click.argument("plan", type=click.Path(path_type=Path, readable=False))
@click.option("--yes", is_flag=True, help="Do it. Without this, say what would be done.")
@click.option(
    "--action",
    type=click.Choice([action.value for action in Action]),
    default=Action.TRASH.value,
    help="What to do with the photos to remove (trash).",
)
@click.option("--to", "folder", type=PATH, metavar="DIR", help="The folder for --action move.")
@click.option(
    "--merge-metadata",
    is_flag=True,
    help="First add keywords, rating, caption and album folders to the keeper's sidecar.",
)
@common
def command(
    plan: Path,
    action: str,
    folder: bytes | None,
    session: Session,
    *,
    yes: bool,
    merge_metadata: bool,
) -> int:
    """Do what a PLAN proposes. Without --yes nothing is done: it is said what would be.

    trash: to the system's trash. move: to a folder, keeping paths below it, overwriting nothing.
    hardlink, reflink: a file of the same bytes becomes one with its keeper. tag: say it in XMP
    sidecars. Sidecars travel with their photo. No photo is ever written to, and `twinlens undo`
    brings everything back.

    Both files are read again before each action; whatever changed since the plan is left alone and
    said, and so is what was compared again since (after an upgrade) and is no duplicate any more.
    Ctrl-C stops between two actions.

    Example:
      twinlens duplicates --plan plan.json && twinlens apply plan.json
      twinlens apply plan.json --yes
      twinlens apply plan.json --action move --to ~/spare --yes
    """
    wanted = Action(action)
    if (wanted is Action.MOVE) != (folder is not None):
        raise click.UsageError("--action move needs --to DIR, and nothing else takes it.")
    if merge_metadata and wanted is Action.TAG:
        raise click.UsageError("--merge-metadata is for actions that remove photos.")
    read = read_plan(plan)
    with session.open_existing() if yes else session.open_to_read() as catalogue:
        _refuse_other_library(read, catalogue, plan)
        _remark_on(read, plan)
        roots = list_roots(catalogue)
        order = Order(
            wanted,
            folder_to_move_to(folder, roots) if folder is not None else None,
            merge=merge_metadata,
            keyword_root=session.settings.keyword_root,
            sidecar_style=session.settings.sidecar_style,
        )
        if not yes:
            return running.dry_run(session, catalogue, read, order)
        file = output.json_path(os.fsencode(plan.absolute()), "plan_file")
        return running.do(session, catalogue, lambda: read, order, **file)


def _refuse_other_library(plan: Plan, catalogue: Catalogue, file: Path) -> None:
    if plan.library != catalogue.meta("catalogue_id"):
        raise PlanError(
            f"{output.shown(os.fsencode(file))}: was made from another library."
            " Make a plan from this one: twinlens duplicates --plan FILE"
        )


def _remark_on(plan: Plan, file: Path) -> None:
    """Say that a plan is of another twinlens: what to keep, and what is a copy, was decided by its rules."""
    if plan.made_by not in ("", PROGRAM):
        output.remark(
            f"{output.shown(os.fsencode(file))}: was made by {plan.made_by}, and this is {PROGRAM}, which"
            " may choose otherwise. To be sure, make a new plan: twinlens duplicates --plan FILE"
        )
