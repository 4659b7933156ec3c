"""The local socket: answers ``twinlens similar`` about unseen photos.

They are embedded with the model that is loaded, and compared with photos of the library.
"""

from __future__ import annotations

import json
import logging
import socketserver
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twinlens.asking import answer_error, answer_views, short_path
from twinlens.errors import TwinlensError
from twinlens.messages import ModelRef, read_query
from twinlens_worker.pipeline import Pipeline

log = logging.getLogger("twinlens.worker.socket")

MAX_LINE = 1 << 20


Answer = dict[str, Any]

PipelineFor = Callable[[ModelRef], Pipeline]
"""Gives the pipeline for a model; raises ModelError where this worker has another."""


def answer_query(pipeline_for: PipelineFor, body: object) -> Answer:
    """Answer one query, from the socket or from the broker."""
    try:
        model, path = read_query(body)
        return answer_views(pipeline_for(model).embed_file(path))
    except TwinlensError as error:
        return answer_error(error)


class LocalSocket:
    """Listens beside the worker's loop. Only the library's owner can connect."""

    def __init__(
        self,
        path: Path,
        pipeline_for: PipelineFor,
        relate: Callable[[object], Answer] | None = None,
    ) -> None:
        """``relate``: what answers a comparison; without it whoever asks is told to look elsewhere."""
        self._path = path
        path.unlink(missing_ok=True)  # left by a killed worker; the worker's lock is ours

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                try:
                    body = json.loads(self.rfile.readline(MAX_LINE))
                except ValueError:
                    return
                if relate is not None and isinstance(body, dict) and "candidates" in body:
                    answer = relate(body)
                else:
                    answer = answer_query(pipeline_for, body)
                self.wfile.write(json.dumps(answer).encode() + b"\n")

        with short_path(path) as name:
            self._server = _Server(name, Handler)
        path.chmod(0o600)
        self._thread = threading.Thread(target=self._serve, name="socket", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        self._path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = 16

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        # A client that went away is no trouble of ours.
        log.debug("a query failed: %s", sys.exception())
