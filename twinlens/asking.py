"""Asking a running worker about an unseen photo, instead of loading a model again.

The local worker listens on a Unix socket in the library folder: one JSON line asks, one answers.
Only the library's owner can reach it (the folder is private).
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from twinlens.broker import make_app
from twinlens.errors import MessageError, PhotoError, TwinlensError
from twinlens.library import Library
from twinlens.messages import (
    TASK_QUERY,
    ModelRef,
    decode_bytes,
    encode_bytes,
    query_message,
    relate_message,
)
from twinlens.settings import Settings
from twinlens.views import Views

SOCKET_SECONDS = 30.0
BROKER_SECONDS = 5.0
"""A query that no worker takes by then is embedded here."""


def ask_worker(settings: Settings, model: ModelRef, path: bytes) -> Views | None:
    """Return the vectors of the photo at ``path``, or None where no worker answers.

    Raises PhotoError when a worker answered that the photo cannot be read.
    """
    body = query_message(model, path)
    answer = _ask_socket(Library(settings.library).socket, body)
    if answer is None and settings.broker:
        answer = _ask_broker(settings.broker, body)
    return None if answer is None else read_answer(answer)


def ask_to_relate(
    settings: Settings, path: bytes, candidates: Sequence[tuple[int, float]]
) -> list[Any] | None:
    """Return what the photo at ``path`` is to contents, in order, or None where no worker can say.

    That takes the catalogue and the thumbnails, which the local worker alone has: the broker is not
    asked. What stands in the list is for the caller to check.
    """
    return read_relations(
        _ask_socket(Library(settings.library).socket, relate_message(path, candidates))
    )


def read_relations(answer: object) -> list[Any] | None:
    """Read a worker's answer; None where it has none: it is of a version before, say."""
    found = answer.get("relations") if isinstance(answer, dict) else None
    return found if isinstance(found, list) else None


def answer_views(views: Views) -> dict[str, Any]:
    """Return a worker's answer: ``vector``, and ``inner`` where there is a picture within the photo."""
    answer = {"vector": encode_bytes(views.whole)}
    return answer if views.inner is None else answer | {"inner": encode_bytes(views.inner)}


def answer_error(error: TwinlensError) -> dict[str, Any]:
    """Return a worker's answer: the photo cannot be read, or the model is another one."""
    return {"error": str(error), "photo": isinstance(error, PhotoError)}


def read_answer(answer: object) -> Views | None:
    """Read a worker's answer; None where this worker cannot help (another model, say).

    Raises PhotoError, MessageError.
    """
    if not isinstance(answer, dict):
        raise MessageError("a worker answered with no JSON object. Run one version of twinlens.")
    if "vector" in answer:
        inner = answer.get("inner")
        return Views(decode_bytes(answer["vector"]), None if inner is None else decode_bytes(inner))
    if answer.get("photo"):
        raise PhotoError(str(answer.get("error")))
    return None


@contextlib.contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Give a name for the socket that fits the kernel's 107 bytes, however deep its folder lies.

    Linux resolves names below an open folder's descriptor; elsewhere the path stays as it is.
    """
    if not Path("/proc/self/fd").exists():
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _ask_socket(path: Path, body: dict[str, Any]) -> object | None:
    try:
        with (
            short_path(path) as name,
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection,
        ):
            connection.settimeout(SOCKET_SECONDS)
            connection.connect(name)
            connection.sendall(json.dumps(body).encode() + b"\n")
            with connection.makefile("rb") as lines:
                answer: object = json.loads(lines.readline())
                return answer
    except (OSError, ValueError):
        return None  # nobody there, or one that died just now: the caller embeds by itself


def _ask_broker(url: str, body: dict[str, Any]) -> object | None:
    app = make_app(url)
    try:
        with contextlib.closing(app):
            result = app.send_task(
                TASK_QUERY, args=[body], retry=False, ignore_result=False, expires=BROKER_SECONDS
            )
            try:
                answer: object = result.get(timeout=BROKER_SECONDS)
            finally:
                # Celery leaves this to __del__, where an error of the broker goes to the terminal.
                app.backend.remove_pending_result(result)
    except Exception:  # noqa: BLE001  kombu, redis and celery raise many unrelated types
        return None
    return answer
