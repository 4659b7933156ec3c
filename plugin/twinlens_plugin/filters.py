"""The options of ``duplicates`` that say which groups, and what to keep of them.

The review page takes the same ones from its addresses, by the same names.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from twinlens.catalogue import Catalogue
from twinlens.relations import DUPLICATES, KINDS, PAIR
from twinlens.settings import Settings
from twinlens_plugin.completing import with_commas
from twinlens_plugin.keeper import Keep
from twinlens_plugin.names import Names
from twinlens_plugin.options import PATH, Function
from twinlens_plugin.places import part_of_library
from twinlens_plugin.rules import DEFAULT, PATH_PREFIX, parse_keep
from twinlens_plugin.wanted import Wanted
from twinlens_plugin.when import Moment

_SHOWN = ",".join(kind for kind in KINDS if kind in DUPLICATES)

Filters = Callable[[Catalogue, Settings], Wanted]
"""What was asked for, once the library is known."""


def filter_options(function: Function) -> Function:
    """Add the options; the command gets ``filters`` instead, a ``Filters``."""

    @functools.wraps(function)
    def with_filters(**given: Any) -> object:  # noqa: ANN401
        asked = {name: given.pop(name) for name in NAMES}
        return function(filters=functools.partial(_wanted, asked), **given)

    wrapped: Any = with_filters
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[no-any-return]


def filters_of(query: Iterable[tuple[str, str]]) -> Filters:
    """Return what names and values of an address ask for; names that are no filters are not ours.

    Raises click.UsageError, as the command line does for the same mistake.
    """
    command = click.Command("review", params=_parameters())
    context = command.make_context("review", list(_words(query)))
    return functools.partial(_wanted, context.params)


def _parameters() -> list[click.Parameter]:
    """Return the options as click has them, which are put on a function only."""

    def nothing() -> None: ...

    wrapped: Any = nothing
    for option in reversed((*_OPTIONS, _BELOW)):
        wrapped = option(wrapped)
    return list(reversed(wrapped.__click_params__))


def _words(query: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield an address's filters as words of a command line. Those left empty say nothing."""
    kinds: list[str] = []
    for name, value in query:
        if "\0" in value:
            raise click.UsageError(f"--{name}: no name of a folder holds a NUL.")
        if name == "kind":
            kinds.append(value)
        elif name in _FLAGS and value in ("", "0", "no"):
            yield from _FLAGS[name][1:]
        elif name in _FLAGS:
            yield _FLAGS[name][0]
        elif name in _VALUED and value:
            yield f"--{name}={value}"
    if any(kinds):
        yield "--kind=" + ",".join(filter(None, kinds))


_FLAGS = {"rotated": ("--rotated", "--no-rotated"), "ignore-same-folder": ("--ignore-same-folder",)}
_VALUED = frozenset("min-score min-win since under against reference keep folder".split())


_KINDS = Names("kinds", [kind for kind in KINDS if kind != PAIR], "is no kind")
"""``pair`` is none of them, since one photo makes no group."""


def _folders(name: str, text: str) -> Any:  # noqa: ANN401  a decorator of click's
    return click.option(name, type=PATH, multiple=True, metavar="DIR", help=text)


_RULES = [*(rule.name for rule in DEFAULT), PATH_PREFIX]

_OPTIONS = (
    click.option(
        "--kind",
        "kinds",
        type=_KINDS,
        default=_SHOWN,
        metavar="KIND,...",
        help=f"Which relations make a group ({_SHOWN}); burst and similar are no duplicates.",
    ),
    click.option(
        "--min-score",
        type=click.FloatRange(0, 1),
        default=0.0,
        metavar="SCORE",
        help="No relation that is less probable than this; 1 is certain.",
    ),
    click.option(
        "--rotated/--no-rotated",
        "turned",
        default=None,
        help="Only groups with a rotated or mirrored photo; or no such relations.",
    ),
    click.option(
        "--ignore-same-folder",
        "one_a_folder",
        is_flag=True,
        help="Compare no photos of one folder with one another.",
    ),
    click.option(
        "--min-win",
        type=click.FloatRange(0),
        default=0.0,
        metavar="MB",
        help="Only groups that win back this much; 1 MB is a million bytes.",
    ),
    click.option(
        "--since",
        type=Moment(),
        metavar="WHEN",
        help="Only groups with a photo that came or changed since 2026-05-01, or 7d ago.",
    ),
    _folders("--under", "Only photos below DIR take part; may be repeated."),
    _folders("--against", "Compare them with the photos below DIR, a reference, and no others."),
    _folders("--reference", "Propose no photo below DIR for removal; may be repeated."),
    click.option(
        "--keep",
        metavar="RULE,...",
        shell_complete=lambda _ctx, _param, begun: with_commas(_RULES, begun),
        help="Choose keepers by these rules first: raw, pixels, unedited, camera, compression,"
        " reference, rated, sharp, oldest, path:GLOB.",
    ),
)
_BELOW = _folders("--folder", "Only groups with a photo below DIR, as duplicates DIR has it.")
NAMES = "kinds min_score turned one_a_folder min_win since under against reference keep".split()
"""The options, by the names of their parameters."""


def _wanted(asked: dict[str, Any], catalogue: Catalogue, settings: Settings) -> Wanted:
    """Return what was asked for. Raises RootError for folders that are not watched, ConfigError."""
    under, against, references, folders = (
        tuple(part_of_library(catalogue, folder) for folder in asked.get(name, ()))
        for name in ("under", "against", "reference", "folder")
    )
    if against and not under:
        raise click.UsageError("--against DIR needs --under DIR: what is to be compared with it?")
    keep = asked["keep"] if asked["keep"] is not None else settings.keep
    return Wanted(
        kinds=asked["kinds"],
        min_score=asked["min_score"],
        turned=asked["turned"],
        one_a_folder=asked["one_a_folder"],
        folders=folders,
        min_win=round(asked["min_win"] * 1e6),
        since=asked["since"],
        under=under,
        against=against,
        references=references,
        keep=Keep(parse_keep(keep)) if keep else Keep(),
    )
