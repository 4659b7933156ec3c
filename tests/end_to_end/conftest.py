"""A photo folder with copies, and the real programs run on it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil
import pytest
from PIL import Image, ImageEnhance, ImageOps

WAIT_SECONDS = 150.0


@dataclass
class Photos:
    """A folder of photos and what is in it."""

    folder: Path
    copies: dict[Path, Path] = field(default_factory=dict)
    """Edited copy -> its original."""

    @property
    def count(self) -> int:
        """How many photos there are now."""
        return sum(path.is_file() for path in self.folder.rglob("*.*") if path.name[0] != ".")


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    """The folder of the issue where TWINLENS_DATA is set, else a smaller one of made photos."""
    made = Photos(tmp_path / "photos")
    data = os.environ.get("TWINLENS_DATA")
    if data:
        shutil.copytree(Path(data) / "camera", made.folder / "camera")
        originals = sorted((Path(data) / "copies" / "originals").rglob("*.jpg"))[::7][:200]
        for number, path in enumerate(originals):
            target = made.folder / "originals" / f"{number:03}.jpg"
            target.parent.mkdir(exist_ok=True)
            shutil.copy(path, target)
    else:
        for number in range(60):
            make_photo(made.folder / "originals" / f"{number:03}.jpg", number)
    _add_copies(made, 50 if data else 15)
    age(made.folder)
    return made


def make_photo(path: Path, seed: int, size: tuple[int, int] = (640, 480)) -> None:
    """Write a JPEG with shapes and texture of its own, the same for the same seed."""
    random = np.random.default_rng(seed)
    canvas = np.zeros((120, 160, 3), np.float32) + random.integers(0, 256, 3)
    rows, columns = np.mgrid[0:120, 0:160]
    for _ in range(40):
        centre, radius = random.uniform(0, 160, 2), random.uniform(4, 40)
        disc = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2
        canvas[disc] = random.integers(0, 256, 3)
    canvas += random.normal(0, 8, canvas.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(canvas.clip(0, 255).astype(np.uint8))
    image.resize(size, Image.Resampling.BICUBIC).save(path, quality=92)


def _add_copies(photos: Photos, count: int) -> None:
    originals = sorted((photos.folder / "originals").iterdir())[:count]
    for number, original in enumerate(originals):
        copy = photos.folder / "copies" / f"{original.stem}-copy.jpg"
        copy.parent.mkdir(exist_ok=True)
        with Image.open(original) as opened:
            edited, quality = _edit(opened.convert("RGB"), number)
        edited.save(copy, quality=quality)
        photos.copies[copy] = original


def _edit(image: Image.Image, number: int) -> tuple[Image.Image, int]:
    """Do one of the everyday edits: recompress, shrink, trim, brighten, grey."""
    width, height = image.size
    match number % 5:
        case 0:
            return image, 35
        case 1:
            return image.resize((width // 2, height // 2), Image.Resampling.LANCZOS), 85
        case 2:
            trim = (width // 25, height // 25, width - width // 25, height - height // 25)
            return image.crop(trim), 90
        case 3:
            return ImageEnhance.Brightness(image).enhance(1.2), 88
        case _:
            return ImageOps.autocontrast(image), 88


def age(folder: Path) -> None:
    """Make all files look an hour old, as photos are that were not copied just now."""
    then = time.time() - 3600
    for path in folder.rglob("*"):
        os.utime(path, (then, then))


class Programs:
    """Starts the real programs on one library and stops them all at the end."""

    def __init__(self, library: Path, log: IO[bytes]) -> None:
        self.library = library
        self.environ = {**os.environ, "TWINLENS_LIBRARY": str(library)}
        self._log = log
        self._running: list[subprocess.Popen[bytes]] = []

    def start(
        self, module: str, *arguments: str | Path, output: Path | None = None, **environ: str
    ) -> subprocess.Popen[bytes]:
        """Start a program that stays."""
        with (output or Path(os.devnull)).open("wb") as stdout:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *map(str, arguments)],
                env={**self.environ, **environ},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=self._log,
                start_new_session=True,
            )
        self._running.append(process)
        return process

    def twinlens(
        self, *arguments: str | Path, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        result = subprocess.run(
            [sys.executable, "-m", "twinlens_plugin", *map(str, arguments)],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or result.returncode == 0, f"{arguments}: {result.stdout} {result.stderr}"
        return result

    def json(self, *arguments: str | Path) -> list[dict[str, Any]]:
        """Run one command with --json; return its objects."""
        lines = self.twinlens(*arguments, "--json").stdout.splitlines()
        return [json.loads(line) for line in lines]

    def stop(self) -> None:
        """Stop everything, in good order where that works."""
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._running:
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """The programs, their log printed where a test fails."""
    log = tmp_path / "programs.log"
    with log.open("ab") as stream:
        running = Programs(tmp_path / "library", stream)
        yield running
        running.stop()
    print(log.read_text(errors="replace")[-6000:])


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait until ``condition`` holds; fail saying ``what`` did not happen."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {WAIT_SECONDS:.0f} s: {what}")
        time.sleep(0.1)


def process_of(parent: int, module: str) -> psutil.Process:
    """Return the child of ``parent`` that runs a module."""
    for child in psutil.Process(parent).children(recursive=True):
        if module in child.cmdline():
            return child
    raise LookupError(module)
