"""A screen that nobody sees (Xvfb), and the hands of a user on it (xdotool)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest

PATIENCE = 40.0
"""Longest wait for a window, in seconds: the computers that test are busy."""


def needed(*programs: str) -> None:
    """Skip where a program is missing, and fail there in CI."""
    for program in programs:
        if shutil.which(program) is None:
            _missing(program)


def system_program(name: str) -> str:
    """Return a program of the system's, whatever the test's own path; skip as ``needed`` does."""
    return shutil.which(name, path=os.defpath) or _missing(name)


def _missing(program: str) -> NoReturn:
    message = f"the program {program} is not installed"
    if os.environ.get("CI"):
        pytest.fail(message + ", and CI must not skip")
    pytest.skip(message)


class Screen:
    """One X display."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = dict(environ)

    def windows(self, title: str) -> list[str]:
        """Return the visible windows whose titles match a pattern."""
        done = self._xdotool("search", "--onlyvisible", "--name", title)
        return done.stdout.decode().split()

    def wait_for(self, title: str) -> str:
        """Wait until a window with such a title is there; return it."""
        deadline = time.monotonic() + PATIENCE
        while not (found := self.windows(title)):
            assert time.monotonic() < deadline, f"no window '{title}'; there are: {self.titles()}"
            time.sleep(0.1)
        return found[0]

    def titles(self) -> list[str]:
        """Return the titles of all windows, for a message."""
        return [
            self._xdotool("getwindowname", window).stdout.decode().strip()
            for window in self.windows(".")
        ]

    def press(self, window: str, key: str) -> None:
        """Press a key in a window."""
        self._xdotool("windowraise", window)
        self._xdotool("windowfocus", "--sync", window)
        self._xdotool("key", key)

    def picture(self, file: Path, window: str = "root") -> None:
        """Save what is to be seen, where ImageMagick is there: to look at after a failure."""
        if (program := shutil.which("import")) is not None:
            command = [program, "-window", window, file]
            subprocess.run(command, env=self.environ, check=False, timeout=20)

    def _xdotool(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["xdotool", *words], env=self.environ, capture_output=True, check=False, timeout=20
        )


@contextmanager
def screen(environ: Mapping[str, str]) -> Iterator[Screen]:
    """Start Xvfb on a display of its own; stop it afterwards."""
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as display:
            number = display.readline().strip()
        assert number, "Xvfb does not start"
        yield Screen({**environ, "DISPLAY": f":{number}"})
    finally:
        server.terminate()
        server.wait(timeout=20)
