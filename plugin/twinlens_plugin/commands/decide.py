"""``twinlens decide``: say that photos are no duplicates, or are, or which one to keep."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from twinlens_plugin import decisions, output
from twinlens_plugin.decisions import KEEP, NOT_DUPLICATES, SAME, Decision
from twinlens_plugin.errors import DecisionError
from twinlens_plugin.listed import read_list
from twinlens_plugin.options import PATH, Command, Session, common, photo_list_option
from twinlens_plugin.photos import Identities


@click.command("decide", cls=Command)
@click.argument("photos", nargs=-1, type=PATH, metavar="[PHOTO...]")
@click.option("--not-duplicates", is_flag=True, help="Never propose any two of them together.")
@click.option("--same", is_flag=True, help="They are one shot, whatever the model says.")
@click.option("--keep", type=PATH, metavar="PHOTO", help="The same, and this is the one to keep.")
@click.option("--undo", is_flag=True, help="Forget what was decided among them.")
@photo_list_option("Decide on")
@common
def command(
    photos: tuple[bytes, ...],
    keep: bytes | None,
    files_from: str | None,
    session: Session,
    *,
    not_duplicates: bool,
    same: bool,
    undo: bool,
    null: bool,
) -> None:
    """Remember what you say of two photos or more, so that you are not asked again.

    It is remembered by their bytes: through renames, moves, scans and other models. An edited copy
    is another photo, of which nothing was said yet. Two files with the same bytes that are not to be
    duplicates: then all files with these bytes are wanted.

    Example:
      twinlens decide IMG_1041.JPG IMG_1042.JPG --not-duplicates
      twinlens decide scan-1.tif scan-2.tif --keep scan-2.tif
      twinlens decide IMG_1041.JPG IMG_1042.JPG --undo
    """
    if [not_duplicates, same, keep is not None, undo].count(True) != 1:
        raise click.UsageError("Say one of --not-duplicates, --same, --keep PHOTO, --undo.")
    given = [*photos, *(read_list(files_from, null=null) if files_from else ())]
    distinct = {output.absolute(photo): photo for photo in given}
    if keep is not None:
        distinct.setdefault(output.absolute(keep), keep)
    if len(distinct) < 2:
        raise click.UsageError("Name two PHOTOs or more.")
    with session.open_existing() as catalogue:
        identities = Identities(catalogue)
        hashes = [identities.sha256(photo) for photo in distinct.values()]
        if undo:
            with catalogue.write_tx() as tx:
                count = decisions.forget(tx, hashes)
            _say_forgotten(session, count)
            return
        keeper = identities.sha256(keep) if keep is not None else None
        verdict = NOT_DUPLICATES if not_duplicates else SAME if same else KEEP
        if verdict != NOT_DUPLICATES:
            _refuse_one(hashes, next(iter(distinct.values())))
        made = decisions.make(hashes, verdict, keeper, time.time())
        with catalogue.write_tx() as tx:
            decisions.store(tx, made)
    _say_remembered(session, made, verdict)


def _refuse_one(hashes: Sequence[bytes], photo: bytes) -> None:
    if len(set(hashes)) == 1:
        raise DecisionError(
            f"{output.shown(photo)}: the others have the same bytes, so there is nothing to decide."
            " Which file stays: twinlens duplicates --keep path:GLOB"
        )


def _say_remembered(session: Session, made: Sequence[Decision], verdict: str) -> None:
    if session.as_json:
        output.write_json({"verdict": verdict, "remembered": len(made)})
    elif all(decision.a == decision.b for decision in made):
        output.write_lines(["Remembered: every file with these bytes is wanted."])
    else:
        words = {
            NOT_DUPLICATES: "no duplicates",
            SAME: "the same",
            KEEP: "the same, and which one to keep",
        }
        pairs = output.plural(len(made), "pair")
        output.write_lines([f"Remembered: {words[verdict]} ({pairs})."])


def _say_forgotten(session: Session, count: int) -> None:
    if session.as_json:
        output.write_json({"forgotten": count})
    else:
        output.write_lines([f"Forgotten: {output.plural(count, 'decision')}."])
