"""The script in the real darktable, on a screen that nobody sees."""

from __future__ import annotations

import io
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.plugin.conftest import Built
from tests.plugin.dam.screen import needed, screen
from twinlens_plugin.dam import darktable
from twinlens_plugin.dam.installing import Installer
from twinlens_plugin.dam.integration import Call
from twinlens_plugin.dam.machine import Machine
from twinlens_plugin.dam.record import Record

DRIVER = Path(__file__).with_name("lua") / "drive_darktable.lua"
PATIENCE = 150.0
"""Longest wait, in seconds: some 20 where nothing else runs, 60 at a load of 20 on two cores."""

REJECTED = 8
"""Flag of a rejected image (DT_IMAGE_REJECTED, src/common/image.h)."""


def jpeg(seed: int, size: int) -> bytes:
    """Return a picture with structure."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    picture = Image.fromarray(coarse).resize((size, size * 3 // 4), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    picture.save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture
def photos(built: Built) -> Path:
    """A photo with its twin and a small copy, and two that are alone; real JPEGs."""
    best = built.photo("in/best.jpg", data=jpeg(1, 400), pixels=(400, 300))
    built.photo("out/twin.jpg", data=jpeg(1, 400))
    small = built.photo("out/small.jpg", data=jpeg(1, 200), pixels=(200, 150))
    for seed in (2, 3):
        built.photo(f"in/other{seed}.jpg", data=jpeg(seed, 400))
    built.pair(best, small, 0.97)
    return built.photos


def install(home: Path, library: Path) -> None:
    """Install the script, and what drives darktable after it."""
    machine = Machine({"HOME": str(home)})
    program = (sys.executable, "-P", "-m", "twinlens_plugin")
    call = Call(program, ("--library", str(library)))
    Installer(machine, Record(home / "record.json")).install(darktable.integration, call)
    with (darktable.settings(machine) / "luarc").open("a") as luarc:
        luarc.write(f'dofile "{DRIVER}"\n')


@contextmanager
def running(environ: dict[str, str], home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run darktable in a process group of its own, and end that."""
    command = ["darktable", "--disable-opencl", "--library", str(home / "library.db")]
    with (home / "darktable.log").open("wb") as said:
        process = subprocess.Popen(
            [*command, "-d", "lua"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=20)


def wait_for_the_end(log: Path, process: subprocess.Popen[bytes]) -> list[str]:
    """Return what the driver saw, when it is done."""
    deadline = time.monotonic() + PATIENCE
    lines: list[str] = []
    while not lines or lines[-1].partition(" ")[0] not in ("done", "failed"):
        assert process.poll() is None, "darktable has ended"
        assert time.monotonic() < deadline, lines
        time.sleep(0.1)
        lines = log.read_text().splitlines() if log.exists() else []
    return lines


@pytest.mark.timeout(200)
def test_photos_are_selected_grouped_and_rejected_in_the_real_darktable(
    built: Built, photos: Path, tmp_path: Path
):
    """By its shortcuts: seen by Lua, and in darktable's own database."""
    needed("darktable", "Xvfb")
    home = tmp_path / "home"
    home.mkdir()
    install(home, built.library.folder)
    environ = {
        # With OMP_NUM_THREADS=1 darktable 4.2.1 never gets as far as its Lua.
        **{n: v for n, v in os.environ.items() if not n.startswith(("XDG_", "DBUS_", "OMP_"))},
        "HOME": str(home),
        "NO_AT_BRIDGE": "1",
        "TWINLENS_TEST_LOG": str(home / "seen"),
        "TWINLENS_TEST_PHOTOS": str(photos),
    }
    with screen(environ) as display, running(display.environ, home) as process:
        seen = wait_for_the_end(home / "seen", process)
        display.picture(tmp_path / "darktable.png")
    said = (home / "darktable.log").read_text(errors="replace")
    assert seen[-1] == "done", (seen, said)
    assert seen[:2] == [
        "imported best.jpg other2.jpg other3.jpg small.jpg twin.jpg",
        "selected best.jpg small.jpg twin.jpg",
    ]
    assert "best.jpg" in seen[2]
    assert "twinlens: 3 photos in 1 group, the one to keep on top" in said
    assert "twinlens: 2 photos rejected" in said
    with closing(sqlite3.connect(home / "library.db")) as library:
        rows = library.execute(
            "SELECT i.filename, leader.filename, i.flags & ? FROM images i"
            " JOIN images leader ON leader.id = i.group_id ORDER BY i.filename",
            (REJECTED,),
        ).fetchall()
    assert rows == [
        ("best.jpg", "best.jpg", 0),
        ("other2.jpg", "other2.jpg", 0),
        ("other3.jpg", "other3.jpg", 0),
        ("small.jpg", "best.jpg", REJECTED),
        ("twin.jpg", "best.jpg", REJECTED),
    ]
