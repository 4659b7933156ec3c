"""``twinlens duplicates``: which photos are there twice?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import click

from twinlens_plugin import output, showing
from twinlens_plugin.filters import Filters, filter_options
from twinlens_plugin.options import PATH, Command, Session, common
from twinlens_plugin.places import part_of_library
from twinlens_plugin.relations import Cursor, Duplicates, Found


@click.command("duplicates", cls=Command)
@click.argument("folders", nargs=-1, type=PATH, metavar="[FOLDER...]")
@filter_options
@click.option("--limit", type=click.IntRange(1), metavar="N", help="List N groups, then stop.")
@click.option("--after", metavar="PLACE", help="Go on after the place that the last page named.")
@click.option("--paths", is_flag=True, help="Print the paths of the photos to spare alone.")
@click.option("-0", "--null", is_flag=True, help="The same, with NUL after each path.")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    metavar="FILE",
    help="Write what is proposed to FILE, for `twinlens apply`, instead of listing it.",
)
@common
def command(
    folders: tuple[bytes, ...],
    filters: Filters,
    limit: int | None,
    after: str | None,
    plan_file: Path | None,
    session: Session,
    *,
    paths: bool,
    null: bool,
) -> None:
    """List photos that are there twice, the one to keep first, the largest groups first.

    "identical" has the same bytes as the keeper, "same-pixels" the same picture, "copy" is the same
    shot saved again, "edit" the same shot changed; the number says how sure that is. RAW and JPEG of
    one shot are one photo. With FOLDERs: the groups that have a photo below one of them. Nothing is
    deleted; --paths and -0 print the photos that could go.

    Example:
      twinlens duplicates ~/Pictures/2024
      twinlens duplicates --under ~/card --against ~/Pictures --json
      twinlens duplicates --plan plan.json && twinlens apply plan.json
      twinlens duplicates --keep rated,raw,pixels --reference ~/Pictures/best
    """
    if session.as_json and (paths or null):
        raise click.UsageError("--json and --paths exclude each other.")
    if plan_file is not None and (paths or null):
        raise click.UsageError("--plan and --paths exclude each other.")
    with session.open_to_read() as catalogue:
        below = tuple(part_of_library(catalogue, folder) for folder in folders)
        wanted = dataclasses.replace(filters(catalogue, session.settings), folders=below)
        start = Cursor.parse(after) if after is not None else None
        duplicates = Duplicates(catalogue, session.settings, wanted, start)
        page = _Page(iter(duplicates), limit)
        if plan_file is not None:
            from twinlens_plugin.planning import write_planned  # listing must start fast

            write_planned(session, catalogue, page, wanted, plan_file)
        elif paths or null:
            _write_paths(page, null=null)
        elif session.as_json:
            for found in page:
                output.write_json(showing.as_json(found.group, str(found.cursor)))
        else:
            _write_text(page, whole=start is None)
        if page.next is not None:
            output.remark(f"there are more groups. Go on with: --after {page.next}")
        _remark_on(duplicates)


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
            f"copies below {duplicates.sought_from:.2f} have not been looked for."
            " Run: twinlens scan"
        )
