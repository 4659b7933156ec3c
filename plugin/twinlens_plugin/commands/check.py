"""``twinlens check``: which photos of a card are in the library already?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import click

from twinlens import ledger
from twinlens.models import get_model
from twinlens.relations import DUPLICATES, IDENTICAL, KINDS
from twinlens_plugin import handover, output
from twinlens_plugin.cards import UNKNOWN, UNREADABLE, Checked, Checker, photos_in
from twinlens_plugin.listed import read_list
from twinlens_plugin.options import PATH, Command, Session, common, photo_list_option

SOME_NEW = 3
"""Exit code: the library may lack some of the photos."""


@click.command("check", cls=Command)
@click.argument("card", nargs=-1, type=PATH, metavar="[FOLDER|PHOTO...]")
@click.option("--new", "only_new", is_flag=True, help="Print the paths of the new photos alone.")
@photo_list_option("Check", null="in --files-from and --new")
@common
def command(
    card: tuple[bytes, ...], files_from: str | None, session: Session, *, only_new: bool, null: bool
) -> int:
    """Say which photos of a card or an export are in the library already, and which are new.

    "identical", "same-pixels" and "copy" are there, as the pictures were compared, unless what is
    there is less: smaller, no RAW, or without the camera's data. "edit" is the same shot, but either
    may be the original, "burst" another frame of a moment that is there, "like" looks like a photo
    with which it could not be compared, "unknown" could be looked for by its bytes alone (after an
    upgrade, until the next scan): all four count as new. Nothing is added to the library, and nothing
    written to the card. Videos are not looked at.

    Exit code: 0 all are there, 3 some are new, 1 some cannot be read or are unknown. With --new: 0, or 1.

    Example:
      twinlens check /media/card
      cd /media/card
      twinlens check . --new -0 | xargs -0 -r cp -np --parents -t ~/new
    """
    given = [*card, *(read_list(files_from, null=null) if files_from else ())]
    if not given and not files_from:
        raise click.UsageError("Name a FOLDER or a PHOTO, or a list of them with --files-from.")
    if only_new and session.as_json:
        raise click.UsageError("--json and --new exclude each other.")
    with session.open_to_read() as catalogue:
        if not handover.remark_on(session, catalogue) and ledger.has_work(catalogue):
            output.remark("some photos of the library wait to be read. Run first: twinlens scan")
        checker = Checker(session, catalogue, get_model(catalogue, "serving"))
        checked = checker.check(photos_in(given))
    _remark_on(checked)
    if only_new:
        output.write_paths([one.path for one in checked if one.is_new], null=null)
    elif session.as_json:
        output.write_json(*map(_as_json, checked))
    else:
        output.write_lines(_as_text(checked))
    return _exit_code(checked, only_new=only_new)


def _remark_on(checked: Sequence[Checked]) -> None:
    """Say what is wrong with photos; what is the same for many of them once."""
    for one in checked:
        if one.status == UNREADABLE:
            output.remark(str(one.reason))
    unknown = [one for one in checked if one.status == UNKNOWN]
    if unknown:
        output.remark(
            f"{output.plural(len(unknown), 'photo')} could be looked for by bytes alone: the library may"
            f" have it in another form. The first: {unknown[0].reason}"
        )


def _exit_code(checked: Sequence[Checked], *, only_new: bool) -> int:
    if any(one.reason is not None for one in checked):
        return 1
    return SOME_NEW if not only_new and any(one.is_new for one in checked) else 0


def _as_json(one: Checked) -> dict[str, object]:
    match = {"match": None} if one.match is None else output.json_path(one.match, "match")
    deleted = {"deleted": None} if one.deleted is None else output.json_path(one.deleted, "deleted")
    return {
        **output.json_path(one.path),
        "status": one.status,
        "new": one.is_new,
        **match,
        "score": None if one.score is None else round(one.score, 4),
        "probability": one.probability,
        "words": one.words,
        **deleted,
        "reason": one.reason,
    }


def _as_text(checked: Sequence[Checked]) -> Iterator[str]:
    yield from output.columns([_row(one) for one in checked])
    counts = Counter(one.status for one in checked if not one.is_new)
    there = sum(counts[kind] for kind in DUPLICATES)
    kinds = [f"{counts[kind]:,} {kind}" for kind in KINDS if kind in DUPLICATES and counts[kind]]
    parts = [f"{there:,} in the library" + (f" ({', '.join(kinds)})" if there else "")]
    unknown = sum(one.status == UNKNOWN for one in checked)
    parts += [
        f"{sum(one.is_new for one in checked):,} new"
        + (f" ({unknown:,} unknown)" if unknown else "")
    ]
    parts += [f"{counts[UNREADABLE]:,} unreadable"] if counts[UNREADABLE] else []
    yield f"{output.plural(len(checked), 'photo')}: {', '.join(parts)}."


def _row(one: Checked) -> tuple[str, ...]:
    if one.probability is not None and one.status != IDENTICAL:
        status = f"{one.status} {one.probability:.2f}"
    else:
        status = one.status
    row = (status, output.shown(one.path))
    if one.match is None:
        return (*row, f"deleted: {output.shown(one.deleted)}" if one.deleted is not None else "")
    return (*row, output.shown(one.match) + (f"  {one.words}" if one.words else ""))
