"""twinlens-worker assistant: embeds, renders and makes thumbnails for as long as somebody asks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.worker.verify.conftest import draw_scene
from twinlens import vectors
from twinlens.library import Library
from twinlens.messages import decode_bytes, encode_bytes
from twinlens_worker.decode.failpoints import VARIABLE
from twinlens_worker.decode.thumbnail import thumbnail_path
from twinlens_worker.models.registry import weights_digest

SECONDS = 60
DIMENSION = 256


class Asked:
    """The real process, and questions to it."""

    def __init__(self, library: Library, *arguments: str, **environ: str) -> None:
        command = [sys.executable, "-m", "twinlens_worker", "--library", str(library.folder)]
        self.process = subprocess.Popen(
            [*command, "assistant", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"OMP_NUM_THREADS": "1", "TWINLENS_DEVICE": "cpu"} | environ,
        )

    def send(self, **asked: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(asked).encode() + b"\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def __call__(self, **asked: Any) -> dict[str, Any]:
        """Ask one question and wait for its answer."""
        self.send(id=1, **asked)
        return self.receive()

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


Start = Callable[..., Asked]


@pytest.fixture
def start(library: Library) -> Iterator[Start]:
    """Start assistants that are gone after the test."""
    running: list[Asked] = []

    def start_one(*arguments: str, **environ: str) -> Asked:
        running.append(Asked(library, *arguments, **environ))
        return running[-1]

    yield start_one
    for asked in running:
        with asked.process:  # closes the pipes
            asked.process.kill()


def path64(path: Path) -> str:
    """Return a path as requests carry it."""
    return encode_bytes(os.fsencode(path))


def pocket() -> list[str]:
    """Return the model as requests name it."""
    return ["pocket", weights_digest("pocket", None)]


def is_loaded(asked: Asked, library: str) -> bool:
    """Tell whether a process has a shared library in its memory."""
    return library in Path(f"/proc/{asked.process.pid}/maps").read_text()


def test_a_picture_is_rendered_upright_in_srgb(start: Start, tmp_path: Path):
    """A TIFF on its side becomes a JPEG that stands; torch is not imported for it."""
    image = Image.new("RGB", (120, 80), "blue")
    image.paste("red", (0, 0, 120, 20))  # the upper edge, and after a quarter turn the right one
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "a.tif", exif=exif)
    asked = start()
    answer = asked(render=path64(tmp_path / "a.tif"), side=None, to=str(tmp_path / "a.jpg"))
    assert answer == {
        "id": 1,
        "sha256": sha256((tmp_path / "a.tif").read_bytes()).hexdigest(),
        "width": 80,
        "height": 120,
    }
    with Image.open(tmp_path / "a.jpg") as shown:
        assert (shown.format, shown.size) == ("JPEG", (80, 120))
        assert shown.getpixel((75, 60)) == pytest.approx((255, 0, 0), abs=8)
        assert shown.getpixel((20, 60)) == pytest.approx((0, 0, 255), abs=8)
    assert not is_loaded(asked, "libtorch")


def test_a_side_bounds_the_rendering(start: Start, tmp_path: Path):
    """The long side has as many pixels as were asked for; a small picture is not enlarged."""
    Image.new("RGB", (1000, 400), "green").save(tmp_path / "a.bmp")
    asked = start()
    for side, size in ((300, (300, 120)), (5000, (1000, 400))):
        assert "error" not in asked(
            render=path64(tmp_path / "a.bmp"), side=side, to=str(tmp_path / "a.jpg")
        )
        with Image.open(tmp_path / "a.jpg") as shown:
            assert shown.size == size


def test_a_thumbnail_is_made_for_the_library(start: Start, library: Library, tmp_path: Path):
    """Where it belongs, by content; where the library keeps none, nothing is written."""
    Image.new("RGB", (1000, 400), "green").save(tmp_path / "a.png")
    digest = sha256((tmp_path / "a.png").read_bytes()).digest()
    start(TWINLENS_THUMBNAILS="false")(thumbnail=path64(tmp_path / "a.png"))
    assert not thumbnail_path(library.thumbnails, digest).exists()
    answer = start()(thumbnail=path64(tmp_path / "a.png"))
    assert answer["sha256"] == digest.hex()
    with Image.open(thumbnail_path(library.thumbnails, digest)) as made:
        assert made.size == (320, 128)


def test_a_box_is_embedded_as_if_it_were_the_photo(start: Start, tmp_path: Path):
    """The part of a photo that a box holds gives the vector of that part saved by itself."""
    first, second = draw_scene(1), draw_scene(2)
    both = Image.new("RGB", (1280, 480))
    both.paste(first, (0, 0))
    both.paste(second, (640, 0))
    both.save(tmp_path / "both.png")
    first.save(tmp_path / "first.png")
    second.save(tmp_path / "second.png")
    asked = start()

    def embed(name: str, box: list[float] | None = None) -> np.ndarray:
        answer = asked(embed=path64(tmp_path / name), model=pocket(), box=box)
        return vectors.project(vectors.decode(decode_bytes(answer["vector"]), DIMENSION))

    for name, box in (("first.png", [0, 0, 0.5, 1]), ("second.png", [0.5, 0, 0.5, 1])):
        whole = embed(name)
        assert float(whole @ embed("both.png", box)) > 0.99
        assert float(whole @ embed("both.png")) < 0.9


def test_what_is_wrong_is_said_and_the_next_is_answered(start: Start, tmp_path: Path):
    """Text, nothing, a folder, a FIFO, a bomb, a file that is away, and what is no request at all."""
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    asked = start()
    for name, words in (
        ("text.jpg", "not an image"),
        ("empty.jpg", "empty"),
        ("folder.jpg", "regular file"),
        ("pipe.jpg", "regular file"),
        ("bomb.png", "max_megapixels"),
        ("away.jpg", "no longer there"),
    ):
        answer = asked(render=path64(tmp_path / name), side=None, to=str(tmp_path / "out.jpg"))
        assert words in answer["error"]
        assert answer["photo"]
        assert "\n" not in answer["error"]
    assert not (tmp_path / "out.jpg").exists()
    for odd in ({}, {"render": "!"}, {"embed": path64(tmp_path), "model": 3}, {"render": None}):
        assert not asked(**odd)["photo"]
    draw_scene(1).save(tmp_path / "good.png")
    good = asked(render=path64(tmp_path / "good.png"), side=64, to=str(tmp_path / "out.jpg"))
    assert "error" not in good


def test_a_full_disk_is_not_the_photo_s_fault(start: Start, tmp_path: Path):
    """The reason names the folder that cannot be written."""
    draw_scene(1).save(tmp_path / "good.png")
    away = tmp_path / "away" / "out.jpg"
    answer = start()(render=path64(tmp_path / "good.png"), side=64, to=str(away))
    assert str(away.parent) in answer["error"]
    assert "damaged" not in answer["error"]


def test_a_slow_photo_stands_in_nobody_s_way(start: Start, tmp_path: Path):
    """While one hangs in its decoder another is rendered; the first is given up in time."""
    for name in ("hang.png", "good.png"):
        draw_scene(1).save(tmp_path / name)
    asked = start(**{VARIABLE: "hang:hang"}, TWINLENS_DECODE_SECONDS="2")
    for number, name in enumerate(("hang.png", "good.png")):
        to = str(tmp_path / f"{name}.jpg")
        asked.send(id=number, render=path64(tmp_path / name), side=64, to=to)
    first, second = asked.receive(), asked.receive()
    assert first["id"] == 1
    assert "error" not in first
    assert second["id"] == 0
    assert "decode_seconds" in second["error"]


def test_a_photo_that_kills_its_decoder_kills_no_more(start: Start, tmp_path: Path):
    """It is told which photo it was, and the next one is rendered."""
    for name in ("crash.png", "good.png"):
        draw_scene(1).save(tmp_path / name)
    asked = start(**{VARIABLE: "crash:crash"})
    out = str(tmp_path / "out.jpg")
    assert "died" in asked(render=path64(tmp_path / "crash.png"), side=64, to=out)["error"]
    assert "error" not in asked(render=path64(tmp_path / "good.png"), side=64, to=out)


def test_it_ends_with_whoever_asked(start: Start, tmp_path: Path):
    """At the end of its input it removes its folder and leaves no process, busy or not."""
    scratch = tmp_path / "twinlens-review-abc"
    scratch.mkdir()
    (scratch / "old.jpg").touch()
    draw_scene(1).save(tmp_path / "hang.png")
    asked = start("--scratch", str(scratch), **{VARIABLE: "hang:hang"})
    asked.send(id=0, render=path64(tmp_path / "hang.png"), side=1, to=str(scratch / "new.jpg"))
    deadline = time.monotonic() + SECONDS
    while not (decoders := asked.children()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert asked.process.stdin is not None
    asked.process.stdin.close()
    assert asked.process.wait(SECONDS) == 0
    psutil.wait_procs(decoders, timeout=SECONDS)
    assert not any(process.is_running() for process in decoders)
    assert not scratch.exists()


def test_no_other_folder_is_removed(start: Start, tmp_path: Path):
    """What it is told to remove must be called as such folders are."""
    photos = tmp_path / "photos"
    photos.mkdir()
    asked = start("--scratch", str(photos))
    assert asked.process.stdin is not None
    asked.process.stdin.close()
    assert asked.process.wait(SECONDS) == 0
    assert photos.exists()


def test_killed_it_leaves_no_decoder(start: Start, tmp_path: Path):
    """The kernel ends its children."""
    draw_scene(1).save(tmp_path / "a.png")
    asked = start()
    asked(render=path64(tmp_path / "a.png"), side=64, to=str(tmp_path / "a.jpg"))
    decoders = asked.children()
    assert decoders
    asked.process.send_signal(signal.SIGKILL)
    psutil.wait_procs(decoders, timeout=SECONDS)
    assert not any(process.is_running() for process in decoders)
