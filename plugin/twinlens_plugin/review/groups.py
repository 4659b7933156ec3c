"""The list of groups: as a page, and in the pieces that the page asks for while it is scrolled."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import click
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twinlens.catalogue import Catalogue
from twinlens.errors import ConfigError, RootError
from twinlens_plugin.filters import filters_of
from twinlens_plugin.relations import Cursor, Duplicates, Found
from twinlens_plugin.review import ids
from twinlens_plugin.review.nearby import some_folders
from twinlens_plugin.review.problems import Refused, told, whole_number
from twinlens_plugin.review.state import State
from twinlens_plugin.wanted import Wanted

FIRST_PAGE: Final = 12
"""Groups painted with the page: more than a large screen holds."""
MOST_AT_ONCE: Final = 200

Query = list[tuple[str, str]]
"""Names and values of an address. Bytes that are no UTF-8 are as Python has them (PEP 383)."""

NO_FILTERS: Final = frozenset({"after", "n", "near", "photo", "whole", "fragment"})
"""What addresses of groups hold beside filters."""


def routes(state: State) -> list[Route]:
    """Return the addresses of the list."""

    def index(request: Request) -> Response:
        query = query_of(request)
        with state.catalogue() as catalogue:
            context = {"page": "groups", **_surroundings(catalogue, query)}
            try:
                listed = _listed(state, catalogue, query, None, FIRST_PAGE)
            except (click.UsageError, ConfigError, RootError) as error:
                context |= {"found": [], "next": None, "complaint": told(error)}
                return _page(state, request, "groups.html", context, 400)
            if not listed["found"]:
                context["photos"] = _count_photos(catalogue)
        return _page(state, request, "groups.html", {**context, **listed, "complaint": None})

    def more(request: Request) -> Response:
        query, after = query_of(request), request.query_params.get("after")
        start, count = Cursor.parse(after) if after else None, _count(request)
        with state.catalogue() as catalogue:
            listed = _listed(state, catalogue, query, start, count)
        return _page(state, request, "_groups.html", {**listed, "query": filters_in(query)})

    def one(request: Request) -> Response:
        query = query_of(request)
        with state.catalogue() as catalogue:
            found = _sought(state, catalogue, request, wanted_by(state, catalogue, query))
        if found is None:
            return Response(status_code=204)
        return _page(state, request, "_group.html", {"one": found, "query": filters_in(query)})

    return [
        Route("/", index, name="index"),
        Route("/groups", more, name="groups"),
        Route("/groups/{name}", one, name="group"),
    ]


def query_of(request: Request) -> Query:
    """Return the names and values of an address, bytes that are no UTF-8 among them."""
    return parsed(request.scope["query_string"].decode("latin-1"))


def parsed(query: str) -> Query:
    """Return the names and values of a query. Raises Refused."""
    try:
        return parse_qsl(
            query, keep_blank_values=True, errors="surrogateescape", max_num_fields=500
        )
    except ValueError:
        raise Refused("The address holds more than this page takes.") from None


def wanted_by(state: State, catalogue: Catalogue, query: Query) -> Wanted:
    """Return what an address asks for, as the command line takes it.

    Raises click.UsageError, ConfigError, RootError.
    """
    filters = filters_of((name, value) for name, value in query if name not in NO_FILTERS)
    return filters(catalogue, state.session.settings)


def filters_in(query: Query) -> str:
    """Return the filters among these alone, as an address has them after its ``?``."""
    filters = [(name, value) for name, value in query if name not in NO_FILTERS and value]
    return urlencode(filters, errors="surrogateescape")


def _listed(
    state: State, catalogue: Catalogue, query: Query, after: Cursor | None, count: int
) -> dict[str, Any]:
    """Return some groups after a place, and the place to go on after where there are more."""
    wanted = wanted_by(state, catalogue, query)
    duplicates = Duplicates(catalogue, state.session.settings, wanted, after)
    found = list(islice(duplicates, count + 1))
    more = len(found) > count
    return {"found": found[:count], "next": found[count - 1].cursor if more else None}


def _surroundings(catalogue: Catalogue, query: Query) -> Mapping[str, Any]:
    """Return what stands around the list."""
    asked: dict[str, list[str]] = {}
    for name, value in query:
        if name not in NO_FILTERS and value:
            # A page is UTF-8: other bytes are shown as a sign; in ``query`` they are as they were.
            shown = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            asked.setdefault(name, []).append(shown)
    return {
        "asked": asked,
        "query": filters_in(query),
        "folders": some_folders(catalogue),
    }


def _count_photos(catalogue: Catalogue) -> int:
    """Return how many photos there are. Not for each page: of 200,000 it takes longer than all the rest."""
    return int(catalogue.value("SELECT count(*) FROM files WHERE missing_since IS NULL"))


def _page(
    state: State, request: Request, template: str, context: dict[str, Any], status: int = 200
) -> Response:
    # no-cache, not no-store: Back shows the list where it was left.
    headers = {"Cache-Control": "private, no-cache"}
    return state.templates.TemplateResponse(request, template, context, status, headers)


def _sought(state: State, catalogue: Catalogue, request: Request, wanted: Wanted) -> Found | None:
    """Return the group that holds a photo now, else that of a name; None where there is none."""
    photos = {_number(value) for value in request.query_params.getlist("photo")}
    contents = {ids.find(catalogue, photo).content_id for photo in photos}
    if near := request.query_params.get("near"):
        contents.add(Cursor.parse(near).place[1])
    if not contents:
        raise Refused("Say near=CURSOR or photo=NUMBER.")
    found = Duplicates(catalogue, state.session.settings, wanted).around(contents)
    holding = [one for one in found if any(p.file_id in photos for p in one.group.photos)]
    named = [one for one in found if one.group.name == request.path_params["name"]]
    return next(iter((*holding, *named)), None)


def _count(request: Request) -> int:
    count = _number(request.query_params.get("n", "20"))
    if not 1 <= count <= MOST_AT_ONCE:
        raise Refused(f"n={count}: must be 1 to {MOST_AT_ONCE}.")
    return count


def _number(text: str) -> int:
    return whole_number(text, f"'{text}' is no number.")
