"""``twinlens duplicates``: which photos are there twice?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from twinlens_plugin import output
from twinlens_plugin.groups import Group, Member
from twinlens_plugin.keeper import Photo, reason
from twinlens_plugin.options import PATH, Command, Session, common
from twinlens_plugin.places import part_of_library
from twinlens_plugin.relations import Duplicates, find_duplicates


@click.command("duplicates", cls=Command)
@click.argument("folders", nargs=-1, type=PATH, metavar="[FOLDER...]")
@click.option("--paths", is_flag=True, help="Print the paths of the photos to spare alone.")
@click.option("-0", "--null", is_flag=True, help="The same, with NUL after each path.")
@common
def command(folders: tuple[bytes, ...], session: Session, *, paths: bool, null: bool) -> None:
    """List photos that are there twice, the one to keep first.

    "identical" has the same bytes as the keeper, "copy 0.97" is the same shot saved again, smaller
    or otherwise, with how sure that is. With FOLDERs: the groups that have a photo below one of
    them. Nothing is deleted; --paths and -0 print the photos other than the keepers.

    Example:
      twinlens duplicates ~/Pictures/2024
      twinlens duplicates -0 | xargs -0 mv --backup=numbered -t ~/spare
    """
    if session.as_json and (paths or null):
        raise click.UsageError("--json and --paths exclude each other.")
    with session.open_to_read() as catalogue:
        below = [part_of_library(catalogue, folder) for folder in folders]
        found = find_duplicates(catalogue, session.settings, below)
    if paths or null:
        output.write_paths(_paths_to_spare(found.groups), null=null)
    elif session.as_json:
        output.write_json(*map(_as_json, found.groups))
    else:
        output.write_lines(_as_text(found))
    if found.stale:
        photos = output.plural(found.stale, "photo has", "photos have")
        output.remark(
            f"{photos} changed or gone since the last scan, and left out. Run: twinlens scan"
        )
    if found.sought_from is not None:
        output.remark(
            f"copies below {found.sought_from:.2f} have not been looked for. Run: twinlens scan"
        )


def _paths_to_spare(groups: Sequence[Group]) -> list[bytes]:
    """Return what can be spared now.

    Where the keeper's disk is away, its copies may be all there is: they are left out.
    """
    away = [group for group in groups if not group.keeper.online]
    if away:
        output.remark(
            f"{output.plural(len(away), 'group')} left out: the disk of the keeper is away."
        )
    return [
        member.photo.path
        for group in groups
        if group.keeper.online
        for member in group.spare
        if member.photo.online
    ]


def _as_json(group: Group) -> dict[str, object]:
    return {
        "group": group.name,
        "kind": group.kind,
        **output.json_path(group.keeper.path, "keeper"),
        "reason": _reason(group),
        "bytes_to_win": group.bytes_to_win,
        "photos": [_member_as_json(member) for member in group.members],
    }


def _member_as_json(member: Member) -> dict[str, object]:
    photo = member.photo
    return {
        **output.json_path(photo.path),
        "relation": member.relation,
        "score": round(member.score, 4),
        "bytes": photo.size,
        "width": photo.width,
        "height": photo.height,
        "online": photo.online,
    }


def _as_text(found: Duplicates) -> Iterator[str]:
    """Lay the groups out in one set of columns, so that sizes compare over groups."""
    rows = [_row(member) for group in found.groups for member in group.members]
    lines = iter(output.columns(rows, indent=2))
    for group in found.groups:
        count = output.plural(len(group.members), "photo")
        won = output.megabytes(group.bytes_to_win)
        yield f"{group.name}  {count}, {won} to win back, kept: {_reason(group)}"
        for _ in group.members:
            yield next(lines)
        yield ""
    yield _total(found.groups)


def _row(member: Member) -> tuple[str, ...]:
    photo = member.photo
    relation = f"copy {member.score:.2f}" if member.relation == "copy" else member.relation
    size = f"{photo.width}x{photo.height}" if photo.pixels else "?"
    path = output.shown(photo.path) + ("" if photo.online else "  (disk is away)")
    return relation, size, output.megabytes(photo.size).rjust(9), path


def _total(groups: Sequence[Group]) -> str:
    if not groups:
        return "No duplicates."
    spare = output.plural(sum(len(group.spare) for group in groups), "photo")
    won = output.megabytes(sum(group.bytes_to_win for group in groups))
    return f"{output.plural(len(groups), 'group')}, {spare} to spare, {won} to win back."


def _reason(group: Group) -> str:
    others: list[Photo] = [member.photo for member in group.spare]
    return reason(group.keeper, others)
