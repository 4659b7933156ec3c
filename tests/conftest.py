"""Fixtures that all tests share: a library, its catalogue, a clock, a real Redis server."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from twinlens import models
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.models import Model
from twinlens.roots import Root, add_root


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the time, in seconds since 1970, as ``time.time`` does."""
        return self.now

    def advance(self, seconds: float) -> float:
        """Let ``seconds`` go by; return the time after them."""
        self.now += seconds
        return self.now


class RedisServer:
    """A real ``redis-server`` on a spare port, with its files in a folder of its own."""

    def __init__(self, program: str, folder: Path, options: list[str], password: str) -> None:
        self._command = [program, *options]
        self._folder = folder
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _spare_port()

    @property
    def url(self) -> str:
        """The address to give to Celery, with the password where there is one."""
        account = f":{self._password}@" if self._password else ""
        return f"redis://{account}127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server, on the same port and files as before; return when it answers."""
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *self._command,
                    *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
                    *(("--requirepass", self._password) if self._password else ()),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 20
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "redis.log").read_text())
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            return "PONG" in self.command("PING")
        except OSError:
            return False

    def command(self, *words: str) -> str:
        """Run one Redis command (``FLUSHALL``, ``LLEN embed``); return the raw reply."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            if self._password:
                connection.sendall(_encoded("AUTH", self._password))
                connection.recv(4096)
            connection.sendall(_encoded(*words))
            return connection.recv(65536).decode(errors="replace")

    def kill(self) -> None:
        """Kill the server without a chance to save anything (kill -9)."""
        self._stop(signal.SIGKILL)

    def stop(self) -> None:
        """Stop the server in good order."""
        self._stop(signal.SIGTERM)

    def _stop(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=20)
            self._process = None


def _encoded(*words: str) -> bytes:
    parts = [f"*{len(words)}\r\n".encode()]
    parts += [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
    return b"".join(parts)


def _spare_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def clock() -> Clock:
    """A clock to inject: ``clock()`` tells the time, ``clock.advance(seconds)`` moves it."""
    return Clock()


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """An empty library in a folder of its own."""
    made = Library(tmp_path / "library")
    made.create()
    return made


@pytest.fixture
def catalogue(library: Library) -> Iterator[Catalogue]:
    """The open catalogue of ``library``."""
    with Catalogue.open(library.catalogue) as opened:
        yield opened


@pytest.fixture
def model(catalogue: Catalogue) -> Model:
    """A model of 16 dimensions that is target and serving."""
    made, _ = models.set_target(
        catalogue,
        name="pocket",
        digest="ab" * 32,
        dimension=16,
        input_size=96,
        copy_threshold=0.9,
    )
    return made


@pytest.fixture
def root(catalogue: Catalogue, tmp_path: Path, clock: Clock) -> Root:
    """An empty photo folder, registered."""
    folder = tmp_path / "photos"
    folder.mkdir()
    return add_root(catalogue, folder, now=clock())


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[Callable[..., RedisServer]]:
    """Start real Redis servers: ``start_redis(maxmemory="3mb", aof=True, password="...")``.

    Skips where the program is not installed, and fails there in CI.
    """
    program = shutil.which("redis-server")
    if program is None:
        _missing("redis-server")
    servers: list[RedisServer] = []

    def start(*, maxmemory: str = "", aof: bool = False, password: str = "") -> RedisServer:
        folder = tmp_path / f"redis-{len(servers)}"
        folder.mkdir()
        options = ["--save", "", "--appendonly", "yes" if aof else "no"]
        if maxmemory:
            options += ["--maxmemory", maxmemory, "--maxmemory-policy", "noeviction"]
        assert program is not None
        servers.append(RedisServer(program, folder, options, password))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        with contextlib.suppress(ProcessLookupError):
            server.kill()


@pytest.fixture
def redis_server(start_redis: Callable[..., RedisServer]) -> RedisServer:
    """One running Redis server that keeps everything in memory."""
    return start_redis()


@pytest.fixture
def data() -> Path:
    """The folder of real photos that ``TWINLENS_DATA`` names; skips where it is unset."""
    named = os.environ.get("TWINLENS_DATA")
    if not named:
        pytest.skip("TWINLENS_DATA is not set: no folder of real photos to test with")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"TWINLENS_DATA={named}: no such folder")
    return folder


def _missing(program: str) -> None:
    message = f"the program {program} is not installed"
    if os.environ.get("CI"):
        pytest.fail(message + ", and CI must not skip")
    pytest.skip(message)
