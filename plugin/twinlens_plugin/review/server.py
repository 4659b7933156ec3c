"""The server: bound to this computer alone, quiet, ended in good order by Ctrl-C and SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from twinlens_plugin.errors import ServerError
from twinlens_plugin.review.peers import OURS, is_ours

HOST = "127.0.0.1"
BACKLOG = 128
GRACE_SECONDS = 3
"""How long answers that are under way are waited for at the end."""


def bind(port: int) -> socket.socket:
    """Return a socket that listens on a port of this computer; 0: on a free one.

    Raises ServerError where the port is taken, or not ours to take.
    """
    # The protocol is named, or asyncio does not set TCP_NODELAY: then each answer on a connection that
    # is kept waits for the client's delayed acknowledgement (measured: 48 ms instead of 3).
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise _cannot_bind(port, error) from error
    return listening


def _cannot_bind(port: int, error: OSError) -> ServerError:
    if error.errno == errno.EADDRINUSE:
        why = "taken by another program"
    elif error.errno == errno.EACCES:
        why = "kept for the system"
    else:
        why = error.strerror or str(error)
    return ServerError(
        f"port {port} of this computer is {why}. Name another with --port, or none: then a free one"
        " is found."
    )


class _Connection(H11Protocol):
    """Tells the application who is at its other end."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Look once for all requests that come by it: the table of connections takes milliseconds."""
        super().connection_made(transport)
        if self.client and self.server and self.server[1] is not None:
            ours = is_ours(self.client, (self.server[0], self.server[1]))
            self.app_state = {**self.app_state, OURS: ours}


class Server(uvicorn.Server):
    """A quiet server that ends in good order, and takes signals from before it runs."""

    def __init__(self, app: ASGIApp) -> None:
        # What goes wrong within a request is said by the application, in one line. What is left
        # are clients that hang up, or speak no HTTP.
        logger = logging.getLogger("uvicorn")
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=_Connection,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        super().__init__(config)

    @contextlib.contextmanager
    def ended_by_signals(self) -> Iterator[None]:
        """Let Ctrl-C and SIGTERM end it: enter this before anybody is told that it is there."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, self.handle_exit) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take none: uvicorn would raise them once more at the end."""
        yield
