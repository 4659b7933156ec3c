"""``twinlens tag``: say in XMP sidecars what is there twice."""

from __future__ import annotations

import functools
import itertools

import click
from click.core import ParameterSource

from twinlens.catalogue import Catalogue
from twinlens_plugin.acting import running
from twinlens_plugin.acting.actions import Action, Order
from twinlens_plugin.acting.clearing import tagged_photos, ungrouped_photos
from twinlens_plugin.acting.journal import read_runs
from twinlens_plugin.acting.tagging import Field, Former
from twinlens_plugin.filters import NAMES, Filters, filter_options
from twinlens_plugin.listed import read_list
from twinlens_plugin.named import about
from twinlens_plugin.names import Names
from twinlens_plugin.options import PATH, Command, Session, common, photo_list_option
from twinlens_plugin.planning import planned
from twinlens_plugin.plans import Plan, new_plan
from twinlens_plugin.relations import Duplicates
from twinlens_plugin.wanted import Wanted


@click.command("tag", cls=Command)
@click.argument("named", nargs=-1, type=PATH, metavar="[FOLDER|PHOTO...]")
@click.option("--yes", is_flag=True, help="Do it. Without this, say what would be written.")
@click.option(
    "--with",
    "fields",
    type=Names("fields", [*Field], "cannot be written"),
    metavar="FIELD,...",
    help="What to write: keywords (the default), rating, label.",
)
@click.option(
    "--overwrite-ratings",
    "stars",
    type=click.IntRange(1, 5),
    metavar="N",
    help="With rating: reject what could go though it has up to N stars.",
)
@click.option(
    "--clear",
    is_flag=True,
    help="Take out what twinlens wrote earlier: of FOLDERs and PHOTOs, or everywhere.",
)
@filter_options
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Tag N groups, then stop.")
@photo_list_option("Tag the groups of")
@common
@click.pass_context
def command(
    context: click.Context,
    named: tuple[bytes, ...],
    filters: Filters,
    fields: frozenset[str] | None,
    stars: int | None,
    limit: int | None,
    files_from: str | None,
    session: Session,
    *,
    yes: bool,
    null: bool,
    clear: bool,
) -> int:
    """Write to XMP sidecars which photos are there twice, for your photo manager to filter by.

    keywords: twinlens|duplicates|GROUP, twinlens|keeper and twinlens|spare. rating: what could go is
    rejected (-1), unless it has stars. label: Green to keep, Red to spare, where there is none. Sidecars that are there are
    added to, photos are never written to, and `twinlens undo` brings everything back. What twinlens
    wrote before and is no longer so is exchanged, and goes from photos that are in no group any more
    (a run with filters does not look for those). With FOLDERs or PHOTOs: only groups that have a photo
    below one of them, or one of them. It needs exiftool.

    Example:
      twinlens tag
      twinlens tag ~/Pictures/2024 --with keywords,rating --yes
      twinlens tag --kind burst --yes
      twinlens tag --clear --yes
    """
    if stars and (clear or "rating" not in (fields or ())):
        raise click.UsageError("--overwrite-ratings goes with --with rating, and not with --clear.")
    if clear and (given := _given(context)):
        raise click.UsageError(f"--clear takes FOLDERs, PHOTOs and --with, and no {given}.")
    listed = None if files_from is None else read_list(files_from, null=null)
    with session.open_to_read() as catalogue:
        asked = about(catalogue, filters(catalogue, session.settings), named, listed)
        order = Order(
            Action.TAG,
            keyword_root=session.settings.keyword_root,
            sidecar_style=session.settings.sidecar_style,
            fields=frozenset(map(Field, fields or (Field if clear else {Field.KEYWORDS}))),
            whole_groups=True,
            stars=stars or 0,
            clear=clear,
        )
        if clear:
            plan = functools.partial(_plan_to_clear, session, catalogue, asked)
        else:
            every = _given(context) is None
            plan = functools.partial(
                _plan_to_tag, session, catalogue, asked, limit, every_group=every
            )
        if not yes:
            return running.dry_run(session, catalogue, plan(), order)
        told = {"with": sorted(order.fields), "clear": clear}
        return running.do(session, catalogue, plan, order, **told)


def _plan_to_tag(
    session: Session,
    catalogue: Catalogue,
    wanted: Wanted,
    limit: int | None,
    *,
    every_group: bool,
) -> Plan:
    """``every_group``: no filter leaves any out, so that a photo in none of these is in no group."""
    found = itertools.islice(Duplicates(catalogue, session.settings, wanted), limit)
    groups = list(planned((item.group for item in found), whole=True))
    if every_group:
        former = Former(read_runs(session.library))
        groups += ungrouped_photos(catalogue, session.settings, former, wanted, groups)
    references = (*wanted.references, *wanted.against)
    return new_plan(catalogue.meta("catalogue_id") or "", groups, references)


def _plan_to_clear(session: Session, catalogue: Catalogue, asked: Wanted) -> Plan:
    former = Former(read_runs(session.library))
    groups = tagged_photos(catalogue, session.settings, former, asked)
    return new_plan(catalogue.meta("catalogue_id") or "", groups)


def _given(context: click.Context) -> str | None:
    """Return an option that was given and says nothing where tags are cleared."""
    for name in (*NAMES, "limit"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = next(p for p in context.command.params if p.name == name)
            return option.opts[0]
    return None
