"""Errors as answers: a status, and one line that says what, why and what to do."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import Any, Final

import click
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from twinlens.errors import (
    CatalogueError,
    ChangedError,
    LibraryError,
    PhotoError,
    TwinlensError,
    VanishedError,
)
from twinlens_plugin.errors import ChildError
from twinlens_plugin.wording import one_line


class Refused(TwinlensError):  # noqa: N818  an answer rather than a mishap
    """A request that is not answered, with the status that says so to programs."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


def whole_number(text: str, refusal: str) -> int:
    """Read a number that an address names. Raises Refused with that text where it is none."""
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Refused(refusal)
    return int(text)


def answer(request: Request, text: str, status: int) -> Response:
    """Return one line: as JSON to programs; to people as text, or as a page where they came in."""
    if "text/html" not in request.headers.get("accept", "") or request.method == "POST":
        return JSONResponse({"error": text}, status)
    templates = getattr(request.app.state, "templates", None) if "app" in request.scope else None
    if (
        templates is None or "x-twinlens" in request.headers
    ):  # a piece of a page, asked for by script
        return PlainTextResponse(text + "\n", status)
    page: Response = templates.TemplateResponse(
        request, "problem.html", {"text": text}, status_code=status
    )
    return page


_FIELDS: Final = {
    "--kind": "What they are",
    "--under": "In folder",
    "--since": "New since",
    "--min-win": "Wins back at least",
    "--min-score": "At least this sure",
    "--rotated": "Turned or mirrored",
}
"""What the page calls options."""

_WORDS: Final = (
    (r"is not in the range (\S+?)<=x<=(\S+?)\.?$", r"must be from \1 to \2."),
    (r"is not in the range x>=(\S+?)\.?$", r"must be at least \1."),
    (r"is not a valid (float|integer)( range)?\.?$", "is no number."),
)
"""What click says of numbers, and what people understand."""


def told(error: Exception) -> str:
    """Return what is wrong in one line, in the page's words rather than those of the command line."""
    if not isinstance(error, click.ClickException):
        return one_line(error)
    text = " ".join(error.format_message().split()).removeprefix("Invalid value for ")
    text = re.sub(r"'?(--[a-z-]+)'?", lambda found: _FIELDS.get(found[1], found[1]), text, count=1)
    for theirs, ours in _WORDS:
        text = re.sub(theirs, ours, text)
    return text


def handlers() -> Mapping[Any, Any]:
    """Return what Starlette is to do with exceptions."""
    return {
        HTTPException: _http,
        TwinlensError: _ours,
        click.ClickException: _ours,
        sqlite3.Error: _unusable,
        OSError: _unusable,
        Exception: _unexpected,
    }


def _http(request: Request, error: HTTPException) -> Response:
    text = {404: "There is no such page.", 405: "This page does not do that."}
    said = answer(request, text.get(error.status_code, error.detail), error.status_code)
    said.headers.update(error.headers or {})
    return said


def _ours(request: Request, error: Exception) -> Response:
    return answer(request, told(error), _status(error))


def _status(error: Exception) -> int:
    if isinstance(error, Refused):
        return error.status
    known = (kind for kind in _STATUS if isinstance(error, kind))
    return _STATUS.get(next(known, Exception), 400)


_STATUS: Final[Mapping[type[Exception], int]] = {
    VanishedError: 410,
    ChangedError: 409,
    PhotoError: 422,
    CatalogueError: 503,
    LibraryError: 503,
    ChildError: 503,
}
"""By kind of error, the first that fits; what else is wrong is wrong with the request."""


def _unexpected(request: Request, error: Exception) -> Response:
    return answer(request, one_line(error), 500)


def _unusable(request: Request, error: Exception) -> Response:
    return answer(request, one_line(error), 503)
