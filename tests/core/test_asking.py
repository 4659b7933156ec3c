"""Asking a running worker: over the socket, over the broker, and when nobody answers."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RedisServer
from tests.core.conftest import Start
from twinlens import asking, messages
from twinlens.asking import answer_error, answer_views, ask_worker, read_answer, short_path
from twinlens.errors import DecodeError, MessageError, ModelError, PhotoError
from twinlens.library import Library
from twinlens.messages import ModelRef
from twinlens.settings import Settings
from twinlens.views import Views

REF = ModelRef("pocket", "ab" * 32)
Serve = Callable[[Library, Callable[[Any], bytes]], list[Any]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Run a tiny worker on a library's socket: one line in, what ``answer`` says out."""
    listeners: list[tuple[socket.socket, threading.Thread]] = []

    def start(library: Library, answer: Callable[[Any], bytes]) -> list[Any]:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with short_path(library.socket) as name:
            listener.bind(name)
        listener.listen()
        asked: list[Any] = []

        def loop() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, connection.makefile("rb") as lines:
                    asked.append(json.loads(lines.readline()))
                    with contextlib.suppress(BrokenPipeError):  # who asked waited no longer
                        connection.sendall(answer(asked[-1]))

        thread = threading.Thread(target=loop)
        thread.start()
        listeners.append((listener, thread))
        return asked

    yield start
    for listener, thread in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def says(answer: object) -> Callable[[Any], bytes]:
    """Return a worker that always gives one answer."""
    return lambda _: json.dumps(answer).encode() + b"\n"


def ask(library: Library, broker_url: str | None = None) -> Views | None:
    """Ask for the vector of a photo whose name is not UTF-8."""
    settings = Settings(library=library.folder, broker=broker_url)
    return ask_worker(settings, REF, b"/photos/\xff.jpg")


def test_round_trip(library: Library, serve: Serve):
    """The worker is asked for the photo with the model, and its vector comes back as it was."""
    asked = serve(library, says(answer_views(Views(b"\x00\x3c\xff"))))
    assert ask(library) == Views(b"\x00\x3c\xff")
    assert [messages.read_query(body) for body in asked] == [(REF, b"/photos/\xff.jpg")]


def test_deep_library(tmp_path: Path, serve: Serve):
    """A library so deep that its socket's path is over the kernel's 108 bytes works as well."""
    library = Library(tmp_path.joinpath(*["a folder with a long name"] * 12))
    library.create()
    assert len(str(library.socket)) > 300
    serve(library, says(answer_views(Views(b"ab"))))
    assert ask(library) == Views(b"ab")


def test_nobody_there(library: Library, tmp_path: Path):
    """Without a worker, or without a library, there is no answer and no error."""
    assert ask(library) is None
    assert ask(Library(tmp_path / "none")) is None


def test_socket_of_a_dead_worker(library: Library):
    """A socket that a killed worker left behind gives no answer and no error."""
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with short_path(library.socket) as name:
        dead.bind(name)
    dead.close()
    assert library.socket.exists()
    assert ask(library) is None


def test_file_in_place_of_the_socket(library: Library):
    """A file where the socket should be gives no answer and no error."""
    library.socket.write_text("")
    assert ask(library) is None


@pytest.mark.parametrize("answer", [b"", b"\n", b"{", b'{"vector": ', b"\xff\n"])
def test_worker_that_dies_while_it_answers(answer: bytes, library: Library, serve: Serve):
    """A worker that goes away in the middle of its answer counts as none."""
    serve(library, lambda _: answer)
    assert ask(library) is None


def test_worker_that_hangs(library: Library, serve: Serve, monkeypatch: pytest.MonkeyPatch):
    """A worker that never answers is waited for, but not for ever."""
    monkeypatch.setattr(asking, "SOCKET_SECONDS", 0.2)
    released = threading.Event()

    def hang(_: object) -> bytes:
        released.wait(10)
        return b""

    serve(library, hang)
    start = time.monotonic()
    assert ask(library) is None
    assert time.monotonic() - start < 5
    released.set()


def test_photo_that_cannot_be_read(library: Library, serve: Serve):
    """A worker that says that the photo is damaged is believed, with its words."""
    serve(library, says(answer_error(DecodeError("a.jpg: no image"))))
    with pytest.raises(PhotoError, match=r"a\.jpg: no image"):
        ask(library)


def test_worker_with_another_model(library: Library, serve: Serve):
    """A worker that cannot help says nothing about the photo: the caller embeds by itself."""
    serve(library, says(answer_error(ModelError("another model"))))
    assert ask(library) is None


@pytest.mark.parametrize("answer", [5, "x", [], {"vector": 5}, {"vector": "%"}, {"vector": None}])
def test_answer_that_is_none(answer: object):
    """An answer that is none of ours is refused as a bad message."""
    with pytest.raises(MessageError):
        read_answer(answer)


def test_short_path_names_the_same_file(tmp_path: Path):
    """The short name leads to the file, and fits."""
    (tmp_path / "worker.sock").write_text("here")
    with short_path(tmp_path / "worker.sock") as name:
        assert Path(name).read_text() == "here"
        assert len(name) < 100


WORKER = """
import sys
from twinlens import asking, broker, messages
from twinlens.views import Views
app = broker.make_app(sys.argv[1])
@app.task(name=messages.TASK_QUERY, ignore_result=False)
def query(body):
    model, path = messages.read_query(body)
    return asking.answer_views(Views(model.name.encode() + path))
options = "--pool solo --queues query --loglevel ERROR --without-gossip --without-mingle"
app.worker_main(["worker", *options.split()])
"""


@pytest.mark.redis
def test_asking_over_the_broker(
    library: Library,
    redis_server: RedisServer,
    start_python: Start,
    monkeypatch: pytest.MonkeyPatch,
):
    """Without a local worker, one on another computer is asked over the broker."""
    monkeypatch.setattr(asking, "BROKER_SECONDS", 60.0)  # it starts while the question waits
    start_python(WORKER, redis_server.url)
    assert ask(library, redis_server.url) == Views(b"pocket/photos/\xff.jpg")


@pytest.mark.redis
def test_nobody_at_the_broker(
    library: Library, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
):
    """A broker without workers, or that is down, gives no answer, in bounded time."""
    monkeypatch.setattr(asking, "BROKER_SECONDS", 0.3)
    start = time.monotonic()
    assert ask(library, redis_server.url) is None
    redis_server.stop()
    assert ask(library, redis_server.url) is None
    assert time.monotonic() - start < 10
