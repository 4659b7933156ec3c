"""Search: which photos look like this one, like that file, like the one dropped, like this part?

``GET /search?photo=NUMBER[&box=left,top,width,height]`` or ``?path=TEXT``, with ``k`` and
``min-score``: a page, or with ``fragment=1`` what stands below its form. ``POST /search``, multipart
with the file ``photo`` and perhaps its ``name`` in JSON, ``box``, ``k`` and ``min-score``: JSON ``{"html", "words"}``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twinlens.errors import TwinlensError
from twinlens.media import printable
from twinlens.models import get_model
from twinlens.pairs import copy_threshold
from twinlens_plugin.output import plural
from twinlens_plugin.review import asked
from twinlens_plugin.review.asked import Limits
from twinlens_plugin.review.finding import Finder, Result
from twinlens_plugin.review.groups import query_of
from twinlens_plugin.review.matches import ALIKE, SOMEWHAT
from twinlens_plugin.review.problems import Refused
from twinlens_plugin.review.security import UPLOAD_BYTES
from twinlens_plugin.review.state import State
from twinlens_plugin.wording import one_line

LONGEST_NAME = 200


def routes(state: State) -> list[Route]:
    """Return the addresses of search."""

    def search(request: Request) -> Response:
        values = dict(query_of(request))
        if values.get("fragment") == "1":
            result = _found(state, values)
            return _fragment(state, request, result) if result else Response(status_code=204)
        return _page(state, request, values)

    async def dropped(request: Request) -> Response:
        async with request.form(max_files=1, max_fields=8) as form:
            name, answer = await run_in_threadpool(_dropped, state, form)
        html = _fragment(state, request, answer).body
        return JSONResponse({"html": bytes(html).decode(), "words": words(answer), "name": name})

    return [
        Route("/search", search, name="search"),
        Route("/search", dropped, methods=["POST"], name="search_dropped"),
    ]


def words(result: Result) -> str:
    """Return what was found, in a line."""
    near = sum(match.near for match in result.matches)
    what = "that part" if result.subject.box else result.subject.name
    if not near:
        return f"Nothing looks like {what}."
    if near == result.most:  # there may be more
        return f"The {plural(near, 'photo')} most like {what}."
    return f"{plural(near, 'photo looks', 'photos look')} like {what}."


def _page(state: State, request: Request, values: Mapping[str, str]) -> Response:
    complaint, status, result = "", 200, None
    try:
        result = _found(state, values)
    except TwinlensError as error:  # within the page, where it can be corrected
        complaint, status = one_line(error), getattr(error, "status", 400)
    context = _context(result) | {
        "page": "search",
        "values": _printed(values),
        "limits": Limits() if complaint else asked.limits(values),
        "levels": _levels(state, values.get("min-score", "")),
        "most_bytes": UPLOAD_BYTES,
        "complaint": complaint,
    }
    return state.templates.TemplateResponse(request, "search.html", context, status_code=status)


def _fragment(state: State, request: Request, result: Result) -> Response:
    return state.templates.TemplateResponse(request, "_matches.html", _context(result))


def _context(result: Result | None) -> dict[str, Any]:
    if result is None:
        return {"result": None, "subject": None}
    return {"result": result, "subject": result.subject, "words": words(result)}


def _levels(state: State, now: str) -> list[tuple[str, str]]:
    """Return how alike photos may be asked to be, as values and in words."""
    levels = [("", "anything"), *([(now, f"a score of {now}")] if now else [])]
    with state.catalogue() as catalogue:
        model = get_model(catalogue, "serving")
    if model is None:
        return levels
    threshold = copy_threshold(state.session.settings, model)
    shares = (("somewhat alike", SOMEWHAT), ("alike", ALIKE), ("very alike", 1.0))
    named = [(f"{threshold * share:.3f}", words) for words, share in shares]
    return [*(level for level in levels if level[0] not in dict(named)), *named]


def _printed(values: Mapping[str, str]) -> dict[str, str]:
    """Return values for a form's fields.

    A path is written as it is shown, and understood so too: one that is no UTF-8, or holds a
    newline, cannot stand in a field as it is.
    """
    return {name: printable(os.fsencode(value)) for name, value in values.items()}


def _found(state: State, values: Mapping[str, str]) -> Result | None:
    """Return what an address asks for; None where it asks for nothing. Raises TwinlensError."""
    limits, box = asked.limits(values), asked.box(values.get("box", ""))
    with state.catalogue() as catalogue:
        if path := values.get("path", ""):
            return Finder(state, catalogue, limits).like_path(asked.typed_path(path))
        if photo := values.get("photo", ""):
            number = asked.photo_number(photo)
            return Finder(state, catalogue, limits).like_photo(number, box)
    return None


def _given_name(values: Mapping[str, str], photo: UploadFile) -> str:
    """Return the name of a dropped file: as the page's own script sends it, in JSON, else of the part.

    A browser writes ``"`` as ``%22`` into the name of a part, and ``%22`` as well (HTML, "multipart
    form data"): from there nobody can tell.
    """
    try:
        name = json.loads(values.get("name", ""))
    except ValueError:
        name = (photo.filename or "photo").replace("\\", "/").rpartition("/")[2]
    return name if isinstance(name, str) else "photo"


def _dropped(state: State, form: FormData) -> tuple[str, Result]:
    photo = form.get("photo")
    if not isinstance(photo, UploadFile):
        raise Refused("No photo came along. Drop one file.")
    values = {name: value for name, value in form.items() if isinstance(value, str)}
    limits, box = asked.limits(values), asked.box(values.get("box", ""))
    name = printable(_given_name(values, photo).encode("utf-8", "replace"))[-LONGEST_NAME:]
    with state.catalogue() as catalogue:
        return name, Finder(state, catalogue, limits).like_dropped(name, photo.file, box)
