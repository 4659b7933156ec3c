"""Photos for the browser to show: thumbnails, and as large as they are."""

from __future__ import annotations

import os
from typing import BinaryIO, Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from twinlens.thumbnails import thumbnail_path
from twinlens_plugin.review import ids
from twinlens_plugin.review.ids import File
from twinlens_plugin.review.state import State
from twinlens_plugin.review.words import version

SHOWN_BY_BROWSERS: Final = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "AVIF": "image/avif",
}
"""Formats, as the catalogue has them, that are sent as they are."""


def routes(state: State) -> list[Route]:
    """Return the addresses of pictures."""

    def thumb(request: Request) -> Response:
        with state.catalogue() as catalogue:
            found = ids.find(catalogue, request.path_params["id"])
        return unchanged(request, found, "thumb") or _thumbnail(state, request, found)

    def full(request: Request) -> Response:
        with state.catalogue() as catalogue:
            found = ids.find(catalogue, request.path_params["id"])
        handle = found.open()
        said = unchanged(request, found, "full")
        if said is not None:
            handle.close()
            return said
        kind = SHOWN_BY_BROWSERS.get(found.format or "")
        if kind is not None:
            return Opened(handle, kind, _caching(request, found, "full"))
        handle.close()
        return _rendered(state, request, found)

    return [
        Route("/photos/{id:int}/thumb", thumb, name="thumb"),
        Route("/photos/{id:int}/full", full, name="full"),
    ]


class Opened(FileResponse):
    """The bytes of an open file, whatever stands under its name by now; ranges too."""

    chunk_size = 1_000_000
    """Each is read in another thread: at starlette's 64 KiB that takes longer than reading."""

    def __init__(self, handle: BinaryIO, media_type: str, headers: dict[str, str]) -> None:
        self._handle = handle
        super().__init__(
            f"/dev/fd/{handle.fileno()}",
            headers=headers,
            media_type=media_type,
            stat_result=os.fstat(handle.fileno()),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with self._handle:
            await super().__call__(scope, receive, send)


def unchanged(request: Request, file: File, what: str) -> Response | None:
    """Return "not modified" where the browser has the picture of this content already."""
    headers = _caching(request, file, what)
    asked = request.headers.get("if-none-match", "")
    known = {tag.strip().removeprefix("W/") for tag in asked.split(",")}
    return Response(status_code=304, headers=headers) if headers["ETag"] in known else None


def _caching(request: Request, file: File, what: str) -> dict[str, str]:
    # An address with the content's version never shows anything else; one without may.
    versioned = request.query_params.get("v") == version(file.sha256)
    kept = "private, max-age=86400, immutable" if versioned else "private, no-cache"
    return {"ETag": f'"{what}-{file.sha256.hex()}"', "Cache-Control": kept}


def _thumbnail(state: State, request: Request, found: File) -> Response:
    path = thumbnail_path(state.session.library.thumbnails, found.sha256)
    try:
        picture = path.read_bytes()  # 15 kB: in one go it takes half the time of a FileResponse
    except OSError:
        found.open().close()  # a link in its place is not followed
        picture = state.assistant.thumbnail(found.path, found.sha256).read_bytes()
    return Response(picture, media_type="image/jpeg", headers=_caching(request, found, "thumb"))


def _rendered(state: State, request: Request, found: File) -> Response:
    made = state.assistant.render(found.path)
    found.open().close()  # nothing was put in its place while it was rendered
    return Opened(made.open("rb"), "image/jpeg", _caching(request, found, "full"))
