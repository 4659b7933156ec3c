"""``twinlens duplicates``: which photos are there twice?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import click

from twinlens_plugin import handover, output, showing
from twinlens_plugin.filters import Filters, filter_options
from twinlens_plugin.listed import read_list
from twinlens_plugin.named import about
from twinlens_plugin.options import (
    PATH,
    Command,
    Session,
    common,
    geeqie_option,
    html_option,
    photo_list_option,
)
from twinlens_plugin.relations import Cursor, Duplicates, Found
from twinlens_plugin.wanted import Wanted


@click.command("duplicates", cls=Command)
@click.argument("named", nargs=-1, type=PATH, metavar="[FOLDER|PHOTO...]")
@filter_options
@click.option("--limit", type=click.IntRange(1), metavar="N", help="List N groups, then stop.")
@click.option("--after", metavar="PLACE", help="Go on after the place that the last page named.")
@click.option("--paths", is_flag=True, help="Print the paths of the photos to spare alone.")
@photo_list_option(
    "List the groups of", null="in --files-from and --paths; alone it implies --paths"
)
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    metavar="FILE",
    help="Write what is proposed to FILE, for `twinlens apply`, instead of listing it.",
)
@html_option("the groups")
@geeqie_option("the groups")
@common
def command(
    named: tuple[bytes, ...],
    filters: Filters,
    limit: int | None,
    after: str | None,
    files_from: str | None,
    plan_file: Path | None,
    html: Path | None,
    session: Session,
    *,
    paths: bool,
    null: bool,
    geeqie: bool,
) -> None:
    """List photos that are there twice, the one to keep first, the largest groups first.

    "identical" has the same bytes as the keeper, "same-pixels" the same picture, "copy" is the same
    shot saved again, "edit" the same shot changed; the number says how sure that is. RAW and JPEG of
    one shot are one photo. With FOLDERs or PHOTOs: the groups that have a photo below one of them, or
    one of them. Nothing is deleted; --paths and -0 print the photos that could go.

    Example:
      twinlens duplicates ~/Pictures/2024
      twinlens duplicates --under ~/card --against ~/Pictures --json
      find new -name '*.jpg' -print0 | twinlens duplicates --files-from - -0
      twinlens duplicates --plan plan.json && twinlens apply plan.json
      twinlens duplicates --limit 100 --html sheet.html
      twinlens duplicates IMG_1041.JPG IMG_1042.JPG --geeqie
      twinlens duplicates --keep rated,raw,pixels --reference ~/Pictures/best
    """
    just_paths = paths or (null and files_from is None)
    if session.as_json and just_paths:
        raise click.UsageError("--json and --paths exclude each other.")
    if sum(map(bool, (plan_file, just_paths, html, geeqie))) > 1:
        raise click.UsageError("--plan, --html, --geeqie and --paths exclude each other.")
    listed = None if files_from is None else read_list(files_from, null=null)
    with session.open_to_read() as catalogue:
        wanted = about(catalogue, filters(catalogue, session.settings), named, listed)
        start = Cursor.parse(after) if after is not None else None
        duplicates = Duplicates(catalogue, session.settings, wanted, start)
        page = _Page(iter(duplicates), limit)
        if plan_file is not None:
            from twinlens_plugin.planning import write_planned  # listing must start fast

            write_planned(session, catalogue, page, wanted, plan_file)
        elif html is not None:
            _write_sheet(session, html, page, wanted, limit)
        elif geeqie:
            _show_in_geeqie(session, page, wanted)
        elif just_paths:
            _write_paths(page, null=null)
        elif session.as_json:
            for found in page:
                output.write_json(showing.as_json(found.group, str(found.cursor)))
        else:
            _write_text(page, whole=start is None)
        if page.next is not None:
            output.remark(f"there are more groups. Go on with: --after {page.next}")
        _remark_on(duplicates)
        handover.remark_on(session, catalogue)


def _show_in_geeqie(session: Session, page: Iterable[Found], wanted: Wanted) -> None:
    """Show the groups one after another, each with its keeper first."""
    from twinlens_plugin.dam.geeqie import collection  # listing must start fast

    photos = [member.photo for found in page for member in found.group.members]
    about = [*sorted(wanted.photos or ()), *wanted.folders]
    title = f"Duplicates of {collection.name_of(about)}" if about else "Duplicates"
    there = (photo.path for photo in photos if photo.online)
    collection.show(title, there, as_json=session.as_json)


class _Page:
    """Up to ``limit`` groups, and where to go on."""

    def __init__(self, groups: Iterator[Found], limit: int | None) -> None:
        self._groups = groups
        self._limit = limit
        self.next: Cursor | None = None
        """After which to go on where there is more; known when the page was read."""

    def __iter__(self) -> Iterator[Found]:
        last = None
        for last in islice(self._groups, self._limit):
            yield last
        if last is not None and self._limit is not None and next(self._groups, None):
            self.next = last.cursor


def _write_paths(page: Iterable[Found], *, null: bool) -> None:
    """Print what can be spared now.

    Where the keeper's disk is away, its copies may be all there is: they are left out.
    """
    away = 0
    for found in page:
        group = found.group
        if not group.keeper.photo.online:
            away += 1
            continue
        spare = [photo for member in group.spare for photo in member.shot.photos if photo.online]
        output.write_paths([photo.path for photo in spare], null=null)
    if away:
        output.remark(f"{output.plural(away, 'group')} left out: the disk of the keeper is away.")


def _write_sheet(
    session: Session, file: Path, page: Iterable[Found], wanted: Wanted, limit: int | None
) -> None:
    from twinlens_plugin.sheets import groups, written  # listing must start fast

    asked = groups.facts(wanted, limit)
    made = groups.write_groups(file, session, page, asked)
    written.say(made, groups="group", as_json=session.as_json)


def _write_text(page: _Page, *, whole: bool) -> None:
    """Print the groups, and what they come to where all were printed."""
    groups, photos, won = 0, 0, 0
    for found in page:
        output.write_lines(showing.as_text(found.group))
        groups += 1
        photos += len(found.group.spare)
        won += found.group.bytes_to_win
    if page.next is None and whole:
        output.write_lines([_total(groups, photos, won)])


def _total(groups: int, photos: int, won: int) -> str:
    if not groups:
        return "No duplicates."
    if not photos:
        return (
            f"{output.plural(groups, 'group')}, nothing to spare: all of these photos stay,"
            " unless you choose (twinlens decide --keep)."
        )
    spare = f"{output.plural(photos, 'photo')} to spare, {output.megabytes(won)} to win back."
    return f"{output.plural(groups, 'group')}, {spare}"


def _remark_on(duplicates: Duplicates) -> None:
    if duplicates.stale:
        photos = output.plural(duplicates.stale, "photo has", "photos have")
        output.remark(
            f"{photos} changed or gone since the last scan, and left out. Run: twinlens scan"
        )
    if duplicates.sought_from is not None:
        output.remark(
            f"not all copies below {duplicates.sought_from:.2f} have been looked for."
            " Run: twinlens scan"
        )
