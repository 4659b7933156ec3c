"""Official weights: fetched with progress on a terminal, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import http.client
import io
import os
import signal
import subprocess
import sys
import time
from email.message import Message
from pathlib import Path
from urllib.request import addinfourl

import pytest
import torch

from twinlens_worker.models import official
from twinlens_worker.models.errors import WeightsDamagedError, WeightsMissingError

NAME = "torchvision:mobilenet_v3_small"
DATA = bytes(range(256)) * 4096


class Terminal(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def served(data: bytes, length: int | None = None) -> addinfourl:
    """What a web server answers."""
    headers = Message()
    headers["Content-Length"] = str(len(data) if length is None else length)
    return addinfourl(io.BytesIO(data), headers, "x")


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the weights will lie; their published hash is that of DATA."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    prefix = hashlib.sha256(DATA).hexdigest()[:8]
    monkeypatch.setattr(official, "_hash_prefix", lambda _path: prefix)
    monkeypatch.setattr("torch.hub.urlopen", lambda *_, **__: served(DATA))
    return official.cached(official.weights_of(NAME))


def left(cached: Path) -> list[str]:
    """Return the names of all files beside the weights."""
    return sorted(path.name for path in cached.parent.iterdir()) if cached.parent.exists() else []


def test_progress_is_shown_on_a_terminal(cached: Path, monkeypatch: pytest.MonkeyPatch):
    """What comes, how much and from where, then how far it is; and nothing on standard output."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    stdout = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    assert official.fetch(NAME, official.weights_of(NAME)) == cached
    text = terminal.getvalue()
    assert f"{cached.name}: 10 MB from download.pytorch.org" in text
    assert "100%" in text
    assert stdout.getvalue() == ""


def test_a_download_is_quiet_elsewhere(cached: Path, capsys: pytest.CaptureFixture[str]):
    """A log or a pipe gets nothing; the file is whole, and alone."""
    official.fetch(NAME, official.weights_of(NAME))
    assert capsys.readouterr() == ("", "")
    assert cached.read_bytes() == DATA
    assert left(cached) == [cached.name]


def test_what_is_here_is_not_fetched_again(cached: Path, monkeypatch: pytest.MonkeyPatch):
    """Nor is the network asked."""
    official.fetch(NAME, official.weights_of(NAME))
    monkeypatch.setattr("torch.hub.urlopen", None)
    assert official.fetch(NAME, official.weights_of(NAME)) == cached


def test_a_connection_that_ends_early_leaves_nothing(cached: Path, monkeypatch: pytest.MonkeyPatch):
    """Half a file has not the published hash."""
    monkeypatch.setattr("torch.hub.urlopen", lambda *_, **__: served(DATA[:5000], len(DATA)))
    with pytest.raises(WeightsDamagedError, match=r"arrived damaged .* try again"):
        official.fetch(NAME, official.weights_of(NAME))
    assert left(cached) == []


class Broken(io.BytesIO):
    """A connection that breaks in the middle."""

    def __init__(self, error: Exception) -> None:
        super().__init__(DATA[:5000])
        self._error = error

    def read(self, size: int | None = -1) -> bytes:
        """Give some, then fail."""
        data = super().read(size)
        if not data:
            raise self._error
        return data


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionResetError("reset by peer"), "no way to its weights"),
        (TimeoutError("timed out"), "no way to its weights"),
        (http.client.IncompleteRead(b""), "no way to its weights"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "make space"),
    ],
)
def test_a_connection_that_breaks_leaves_nothing(
    cached: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
):
    """One line says what to do; what had come is removed."""
    answer = addinfourl(Broken(error), Message(), "x")
    monkeypatch.setattr("torch.hub.urlopen", lambda *_, **__: answer)
    with pytest.raises(WeightsMissingError, match=said) as raised:
        official.fetch(NAME, official.weights_of(NAME))
    assert "\n" not in str(raised.value)
    assert left(cached) == []


def test_what_a_killed_download_left_is_removed(cached: Path):
    """An hour after the last byte nobody writes to it; a fresher one may be at work elsewhere."""
    cached.parent.mkdir(parents=True)
    old, fresh = (cached.with_name(f"{cached.name}.{name}.partial") for name in ("old", "fresh"))
    for path in (old, fresh):
        path.write_bytes(b"half")
    then = time.time() - official.LEFT_SECONDS - 1
    os.utime(old, (then, then))
    official.fetch(NAME, official.weights_of(NAME))
    assert left(cached) == sorted([cached.name, fresh.name])


def test_a_stalled_server_is_given_up(cached: Path, monkeypatch: pytest.MonkeyPatch):
    """The network waits for a bounded time while weights are fetched, and as before afterwards."""
    import socket

    seen: list[float | None] = []

    def ask(*_args: object, **_kwargs: object) -> addinfourl:
        seen.append(socket.getdefaulttimeout())
        return served(DATA)

    monkeypatch.setattr("torch.hub.urlopen", ask)
    official.fetch(NAME, official.weights_of(NAME))
    assert seen == [official.STALLED_SECONDS]
    assert socket.getdefaulttimeout() is None


STOPPED = """
import io, sys, time, torch
from email.message import Message
from urllib.request import addinfourl

class Endless(io.BytesIO):
    def read(self, size=-1):
        print("reading", flush=True)
        time.sleep(0.05)
        return bytes(100)

torch.hub.urlopen = lambda *_, **__: addinfourl(Endless(), Message(), "x")
sys.argv = ["twinlens-worker", "describe", sys.argv[1]]
from twinlens_worker.main import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_download_that_is_stopped_leaves_nothing(tmp_path: Path, number: signal.Signals):
    """Ctrl-C, or a terminal that is closed: the half file goes."""
    checkpoints = tmp_path / "hub" / "checkpoints"
    with subprocess.Popen(
        [sys.executable, "-c", STOPPED, NAME],
        env={**os.environ, "TORCH_HOME": str(tmp_path), "TWINLENS_LIBRARY": str(tmp_path / "l")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == b"reading\n"
        assert [path.suffix for path in checkpoints.iterdir()] == [".partial"]
        child.send_signal(number)
        child.communicate(timeout=60)
    assert child.returncode != 0
    assert list(checkpoints.iterdir()) == []


def test_torch_still_writes_beside_the_file_first():
    """What we rely on: a temporary name, and a rename when the hash is right."""
    import inspect

    source = inspect.getsource(torch.hub.download_url_to_file)
    assert ".partial" in source
    assert "hash_prefix" in source
