"""The pool survives what photos do to decoders, and blames the right photo."""

from __future__ import annotations

import concurrent.futures
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from twinlens.errors import (
    DecodeError,
    DecoderCrashError,
    DecoderTimeoutError,
    PhotoError,
    TooLargeError,
    VanishedError,
)
from twinlens_worker.decode import DecodeRequest, DecoderPool
from twinlens_worker.decode.decoder import Decoder
from twinlens_worker.decode.failpoints import VARIABLE

MakePool = Callable[..., DecoderPool]
MakeRequest = Callable[..., DecodeRequest]

TIMEOUT = 30


@pytest.fixture
def request_for(tmp_path: Path, quarters: Image.Image) -> MakeRequest:
    """Make a photo by this name and the request to decode it."""

    def make(name: str, image: Image.Image = quarters) -> DecodeRequest:
        path = tmp_path / name
        image.save(path)
        return DecodeRequest(os.fsencode(path), 32, None, None)

    return make


def children() -> list[psutil.Process]:
    """Return the decoder processes of this one; not those of programs that it runs for other tests."""
    return [
        child
        for child in psutil.Process().children()
        if "twinlens_worker.decode.child" in child.cmdline()
    ]


def test_photos_are_decoded_in_other_processes(
    make_pool: MakePool, request_for: MakeRequest, decoder: Decoder
):
    """With the same answer as in this one."""
    request = request_for("photo.png")
    answer = make_pool().submit(request).result(TIMEOUT)
    here = decoder.decode(request)
    assert (answer.pixels == here.pixels).all()
    assert answer.sha256 == here.sha256
    assert len(children()) == 1


def test_a_reason_crosses_the_process_border(make_pool: MakePool, tmp_path: Path):
    """Type and text, and nothing else than PhotoError."""
    pool = make_pool()
    (tmp_path / "empty.jpg").write_bytes(b"")
    empty = pool.submit(DecodeRequest(os.fsencode(tmp_path / "empty.jpg"), 32, None, None))
    gone = pool.submit(DecodeRequest(os.fsencode(tmp_path / "gone.jpg"), 32, None, None))
    with pytest.raises(DecodeError, match="the file is empty"):
        empty.result(TIMEOUT)
    with pytest.raises(VanishedError):
        gone.result(TIMEOUT)


def test_a_photo_that_kills_its_decoder_is_blamed_alone(
    make_pool: MakePool, request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
):
    """Fault 32: the photos before and behind it are decoded."""
    monkeypatch.setenv(VARIABLE, "crash:poison")
    pool = make_pool(decode_processes=2)
    names = ["a.png", "poison1.png", "b.png", "c.png", "poison2.png", "d.png"]
    futures = {name: pool.submit(request_for(name)) for name in names}
    for name, future in futures.items():
        if name.startswith("poison"):
            with pytest.raises(DecoderCrashError, match="SIGSEGV"):
                future.result(TIMEOUT)
        else:
            assert future.result(TIMEOUT).width == 160
    assert len(children()) <= 2


def test_a_photo_that_takes_too_long_is_given_up_at_its_limit(
    make_pool: MakePool, request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
):
    """Fault 33: and the next one is decoded."""
    monkeypatch.setenv(VARIABLE, "hang:slow")
    pool = make_pool(decode_seconds=1.0)
    pool.submit(request_for("first.png")).result(TIMEOUT)
    begun = time.monotonic()
    slow, next_one = pool.submit(request_for("slow.png")), pool.submit(request_for("next.png"))
    with pytest.raises(DecoderTimeoutError, match="decode_seconds = 1"):
        slow.result(TIMEOUT)
    assert 0.9 < time.monotonic() - begun < 3
    assert next_one.result(TIMEOUT).width == 160


def test_an_error_that_nobody_foresaw_is_a_photo_error(
    make_pool: MakePool, request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
):
    """Pillow raises undocumented exceptions (faults.md)."""
    monkeypatch.setenv(VARIABLE, "fail:odd")
    with pytest.raises(DecodeError, match=r"damaged \(failpoint\)"):
        make_pool().submit(request_for("odd.png")).result(TIMEOUT)


GREEDY = {
    "png": {},
    "tif": {},
    "bmp": {},
    "gif": {},
    "webp": {"lossless": True, "quality": 0, "method": 0},
    "avif": {"speed": 10},
    "heic": {"quality": 1},
    "jp2": {"num_resolutions": 1},
    "jpg": {"progressive": True, "subsampling": 0},
}


@pytest.mark.parametrize("suffix", GREEDY)
def test_a_photo_that_needs_too_much_memory_is_refused(
    make_pool: MakePool, request_for: MakeRequest, tmp_path: Path, suffix: str
):
    """The decoder says so and lives on."""
    pool = make_pool(decode_megabytes=10)
    pool.submit(request_for("first.png")).result(TIMEOUT)
    huge = Image.new("P" if suffix == "gif" else "RGB", (2000, 1500), 7)
    path = tmp_path / f"large.{suffix}"
    huge.save(path, **GREEDY[suffix])
    large = pool.submit(DecodeRequest(os.fsencode(path), 32, None, None))
    with pytest.raises(PhotoError, match="decode_megabytes") as caught:
        large.result(TIMEOUT)
    assert isinstance(caught.value, TooLargeError) or suffix == "webp"
    assert pool.submit(request_for("next.png")).result(TIMEOUT).width == 160


def test_a_decoder_that_dies_while_idle_costs_no_photo(
    make_pool: MakePool, request_for: MakeRequest
):
    """The kernel may take it when memory is short; a photo given to it later is not to blame."""
    pool = make_pool()
    pool.submit(request_for("a.png")).result(TIMEOUT)
    (child,) = children()
    child.kill()
    child.wait(TIMEOUT)
    assert pool.submit(request_for("b.png")).result(TIMEOUT).width == 160


def test_a_decoder_that_cannot_start_fails_photos_not_the_pool(
    make_pool: MakePool, request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Here because its environment has a broken package; mended, the pool goes on."""
    broken = tmp_path / "broken" / "PIL"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    pool = make_pool()
    with pytest.raises(DecoderCrashError, match=r"did not start \(exit code 3\)"):
        pool.submit(request_for("a.png")).result(TIMEOUT)
    monkeypatch.delenv("PYTHONPATH")
    assert pool.submit(request_for("b.png")).result(TIMEOUT).width == 160


def test_warming_starts_the_processes(make_pool: MakePool):
    """Before the first photo comes."""
    make_pool(decode_processes=2).warm()
    deadline = time.monotonic() + TIMEOUT
    while len(children()) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(children()) == 2


def test_closing_cancels_what_waits_and_ends_the_processes(
    make_pool: MakePool, request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
):
    """At once, also where a photo hangs; whoever waits for a future learns of it."""
    monkeypatch.setenv(VARIABLE, "hang:slow")
    pool = make_pool()
    futures = [pool.submit(request_for(f"slow{number}.png")) for number in range(3)]
    begun = time.monotonic()
    pool.close()
    done, waiting = concurrent.futures.wait(futures, timeout=TIMEOUT)
    assert time.monotonic() - begun < 5
    assert not waiting
    assert all(future.cancelled() for future in done)
    assert not children()
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(request_for("late.png"))


def test_a_cancelled_photo_is_not_decoded(
    make_pool: MakePool, request_for: MakeRequest, monkeypatch: pytest.MonkeyPatch
):
    """The decoder lives, though the cancelled photo would have killed it."""
    monkeypatch.setenv(VARIABLE, "crash:poison")
    pool = make_pool()
    slow, poison, third = request_for("a.png"), request_for("poison.png"), request_for("c.png")
    pool.submit(slow).result(TIMEOUT)
    before = children()
    before[0].suspend()  # so that nothing is decoded before the cancel
    pool.submit(slow)
    second, last = pool.submit(poison), pool.submit(third)
    assert second.cancel()
    before[0].resume()
    assert last.result(TIMEOUT).width == 160
    assert children() == before


def test_ctrl_c_does_not_reach_the_decoders(make_pool: MakePool, request_for: MakeRequest):
    """A terminal sends it to all processes; the worker decides what ends when."""
    pool = make_pool()
    pool.submit(request_for("a.png")).result(TIMEOUT)
    (child,) = children()
    child.send_signal(signal.SIGINT)
    assert pool.submit(request_for("b.png")).result(TIMEOUT).width == 160
    assert children() == [child]


def test_a_photo_folder_may_hold_python_files(
    make_pool: MakePool, request_for: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """People start the worker anywhere; what lies there must not be imported."""
    (tmp_path / "numpy.py").write_text("raise SystemExit('imported from the photo folder')")
    monkeypatch.chdir(tmp_path)
    assert make_pool().submit(request_for("a.png")).result(TIMEOUT).width == 160


def test_a_decoder_is_lean(make_pool: MakePool, request_for: MakeRequest):
    """No torch, no copy of what the parent opened, memory bounded, no core dumps."""
    import torch

    assert torch.__version__  # the parent has it, as the worker does
    make_pool().submit(request_for("a.png")).result(TIMEOUT)
    (child,) = children()
    assert not [mapped for mapped in child.memory_maps() if "torch" in mapped.path]
    assert child.memory_info().rss < 150_000_000
    assert child.num_fds() < 10
    assert child.rlimit(psutil.RLIMIT_AS)[0] < 3_000_000_000
    assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)


PARENT = """
    import os, sys, time
    from pathlib import Path
    from twinlens.settings import Settings
    from twinlens_worker.decode import DecoderPool, DecodeRequest

    if __name__ == "__main__":
        pool = DecoderPool(Settings(library=Path(sys.argv[1]), decode_processes=2))
        slow = pool.submit(DecodeRequest(os.fsencode(sys.argv[2]), 32, None, None))
        other = pool.submit(DecodeRequest(os.fsencode(sys.argv[3]), 32, None, None))
        other.result()
        print("ready", flush=True)
        time.sleep(60)
"""


def test_no_decoder_outlives_a_killed_worker(tmp_path: Path, request_for: MakeRequest):
    """Busy or idle: kill -9 of the parent ends both."""
    slow, other = request_for("slow.png"), request_for("other.png")
    script = tmp_path / "parent.py"
    script.write_text(textwrap.dedent(PARENT))
    command = [sys.executable, script, tmp_path, os.fsdecode(slow.path), os.fsdecode(other.path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env=os.environ | {VARIABLE: "hang:slow"}
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        decoders = psutil.Process(parent.pid).children()
        assert len(decoders) == 2
        parent.kill()
        gone, alive = psutil.wait_procs(decoders, timeout=5)
    assert len(gone) == 2
    assert not alive


def test_decoding_keeps_no_memory(make_pool: MakePool, tmp_path: Path):
    """Fault 50, in small: errors included, a decoder does not grow."""
    pool = make_pool()
    pixels = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), dtype=np.uint8)
    requests = []
    for name in ("a.jpg", "b.png", "cut.png"):
        path = tmp_path / name
        Image.fromarray(pixels).save(path, **({"compress_level": 0} if "png" in name else {}))
        requests.append(DecodeRequest(os.fsencode(path), 32, None, None))
    os.truncate(tmp_path / "cut.png", 4_000_000)

    def rounds(count: int) -> int:
        futures = [pool.submit(request) for _ in range(count) for request in requests]
        concurrent.futures.wait(futures, TIMEOUT)
        return int(children()[0].memory_info().rss)

    first = rounds(3)
    assert rounds(10) < first + 20_000_000
