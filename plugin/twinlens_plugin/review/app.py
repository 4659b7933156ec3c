"""The page as an ASGI application: routes, errors as one line, and the guard before all of them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import anyio.to_thread
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from twinlens_plugin.review import (
    compare,
    decide,
    groups,
    pictures,
    plans,
    progress,
    search,
    spread,
)
from twinlens_plugin.review.problems import handlers
from twinlens_plugin.review.security import Guard
from twinlens_plugin.review.state import HERE, State

THREADS = 16
"""Requests answered at once. Each thread holds a connection to the catalogue, of 2 MB and more."""


def create_app(state: State) -> ASGIApp:
    """Return the application."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        try:
            yield
        finally:
            await anyio.to_thread.run_sync(state.close)

    static = Mount("/static", _Static(directory=HERE / "static"), name="static")
    app = Starlette(
        routes=[*_routes(state), static], exception_handlers=handlers(), lifespan=lifespan
    )
    app.state.templates = state.templates  # for errors, which have no other way to them
    return Guard(app, state)


class _Static(StaticFiles):
    """Styles and scripts, which the browser keeps, and asks whether they are still the same."""

    def file_response(self, *args: Any, **named: Any) -> Response:  # noqa: ANN401  as Starlette has it
        response = super().file_response(*args, **named)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _routes(state: State) -> list[BaseRoute]:
    modules = (groups, pictures, decide, compare, search, progress, spread, plans)
    return [route for module in modules for route in module.routes(state)]
