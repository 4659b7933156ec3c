"""The page's assistant: one process that stays, whatever happens to it or to the photos."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.conftest import Clock
from twinlens import vectors
from twinlens.errors import ChangedError, PhotoError, VanishedError
from twinlens.library import Library
from twinlens.models import Model
from twinlens.settings import Settings
from twinlens_plugin.conversation import Conversation
from twinlens_plugin.errors import ChildError
from twinlens_plugin.options import Session
from twinlens_plugin.review.assistant import Assistant
from twinlens_plugin.review.rendered import GRACE_SECONDS, Rendered
from twinlens_worker.models.registry import weights_digest

POCKET = Model(1, "pocket", weights_digest("pocket", None), 256, 96, 0.9, None)


@pytest.fixture
def assistant(library: Library, monkeypatch: pytest.MonkeyPatch) -> Iterator[Assistant]:
    """An assistant on an empty library."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made = Assistant(Session(Settings(library=library.folder), None, as_json=False))
    yield made
    made.close()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo that no browser shows, under a name that is no UTF-8."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.tif"))
    noise = np.random.default_rng(1).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((400, 300), Image.Resampling.BICUBIC).save(path)
    return path


def test_a_picture_is_rendered_once(assistant: Assistant, photo: Path):
    """Asked for by many at once and again, it is one file, for this user alone."""
    with ThreadPoolExecutor(4) as threads:
        paths = list(threads.map(assistant.render, [os.fsencode(photo)] * 8))
    assert len(set(paths)) == 1
    with Image.open(paths[0]) as shown:
        assert (shown.format, shown.size) == ("JPEG", (400, 300))
    made = paths[0].stat().st_ino
    assert assistant.render(os.fsencode(photo)).stat().st_ino == made
    assert assistant.folder.stat().st_mode & 0o077 == 0


def test_a_photo_that_changed_is_rendered_anew(assistant: Assistant, photo: Path):
    """The rendering is that of the bytes that are there."""
    before = assistant.render(os.fsencode(photo), 100)
    Image.new("RGB", (50, 80)).save(photo)
    after = assistant.render(os.fsencode(photo), 100)
    assert before != after
    with Image.open(after) as shown:
        assert shown.size == (50, 80)


def test_a_missing_thumbnail_is_the_library_s_again(
    assistant: Assistant, library: Library, photo: Path
):
    """And it is not made where the file holds another photo than it should."""
    digest = sha256(photo.read_bytes()).digest()
    path = assistant.thumbnail(os.fsencode(photo), digest)
    assert path.is_relative_to(library.thumbnails)
    with Image.open(path) as shown:
        assert shown.size == (320, 240)
    with pytest.raises(ChangedError):
        assistant.thumbnail(os.fsencode(photo), b"\0" * 32)


def test_without_a_thumbnail_cache_there_are_thumbnails(library: Library, photo: Path):
    """They go with the page."""
    settings = Settings(library=library.folder, thumbnails=False)
    with contextlib.closing(Assistant(Session(settings, None, as_json=False))) as assistant:
        digest = sha256(photo.read_bytes()).digest()
        path = assistant.thumbnail(os.fsencode(photo), digest)
        assert path.parent == assistant.folder
        with Image.open(path) as shown:
            assert shown.size == (320, 240)


def test_a_box_is_embedded(assistant: Assistant, photo: Path):
    """All of the photo as a box is the photo; a corner of it is something else."""

    def embed(box: tuple[float, ...] | None) -> np.ndarray:
        vector = assistant.embed(POCKET, os.fsencode(photo), box).whole
        return vectors.project(vectors.decode(vector, POCKET.dimension))

    whole = embed(None)
    assert float(whole @ embed((0, 0, 1, 1))) > 0.99
    assert float(whole @ embed((0, 0, 0.2, 0.2))) < 0.97


def test_what_cannot_be_read_is_one_line(assistant: Assistant, tmp_path: Path):
    """With the path once, the cause and a cure; and the next photo is served."""
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(PhotoError) as refused:
        assistant.render(os.fsencode(tmp_path / "text.jpg"))
    assert str(refused.value).startswith(f"{tmp_path}/text.jpg: not an image")
    assert "\n" not in str(refused.value)
    with pytest.raises(PhotoError, match=r"text\.jpg: not an image"):
        assistant.embed(POCKET, os.fsencode(tmp_path / "text.jpg"), (0, 0, 1, 1))
    with pytest.raises(VanishedError):
        assistant.render(os.fsencode(tmp_path / "away.jpg"))
    Image.new("RGB", (40, 30)).save(tmp_path / "link.png")
    (tmp_path / "to.png").symlink_to(tmp_path / "link.png")
    with pytest.raises(PhotoError, match="symbolic link"):
        assistant.render(os.fsencode(tmp_path / "to.png"))
    assert assistant.render(os.fsencode(tmp_path / "link.png")).exists()


def test_a_model_that_is_not_here_is_no_photo_s_fault(assistant: Assistant, photo: Path):
    """The reason names the weights."""
    other = Model(1, "pocket", "ab" * 32, 256, 96, 0.9, None)
    with pytest.raises(ChildError, match="weights"):
        assistant.embed(other, os.fsencode(photo), (0, 0, 1, 1))


def test_killed_it_is_started_again(assistant: Assistant, photo: Path):
    """What was rendered before stays, and what was asked meanwhile is answered."""
    first = assistant.render(os.fsencode(photo), 100)
    before = assistant.conversation.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    second = assistant.render(os.fsencode(photo), 50)
    assert assistant.conversation.pid != before
    assert first.exists()
    with Image.open(second) as shown:
        assert shown.size == (50, 38)


def test_closed_it_leaves_nothing(library: Library, photo: Path):
    """Neither a process nor the folder."""
    assistant = Assistant(Session(Settings(library=library.folder), None, as_json=False))
    assistant.render(os.fsencode(photo))
    pid = assistant.conversation.pid
    assert pid is not None
    assistant.close()
    assert not psutil.pid_exists(pid)
    assert not assistant.folder.exists()
    with pytest.raises(ChildError, match="was stopped"):
        assistant.render(os.fsencode(photo), 10)


def test_killed_the_page_leaves_nothing(library: Library, photo: Path):
    """The assistant sees the end of its input, ends, and removes the folder of both."""
    program = f"""
        import os, sys, time
        from pathlib import Path
        from twinlens.settings import Settings
        from twinlens_plugin.options import Session
        from twinlens_plugin.review.assistant import Assistant
        made = Assistant(Session(Settings(library=Path({str(library.folder)!r})), None, False))
        made.render(os.fsencode({str(photo)!r}))
        print(made.conversation.pid, made.folder, flush=True)
        time.sleep(60)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as page:
        assert page.stdout is not None
        pid, folder = page.stdout.readline().split()
        assert Path(folder).exists()
        child = psutil.Process(int(pid))
        family = [child, *child.children(recursive=True)]
        page.kill()
    psutil.wait_procs(family, timeout=30)
    assert not any(process.is_running() for process in family)
    assert not Path(folder).exists()


def converse(program: str, seconds: float = 30.0) -> Conversation:
    """Return a conversation with a child that runs this Python."""
    return Conversation([sys.executable, "-c", textwrap.dedent(program)], seconds=seconds)


def test_a_child_that_cannot_start_says_why():
    """Its last words, not a traceback of ours."""
    with contextlib.closing(converse("import sys; sys.exit('no decoders here')")) as child:
        for _ in range(2):
            with pytest.raises(ChildError, match="no decoders here"):
                child.ask({})


def test_answers_find_those_who_asked():
    """Though they come in another order than the questions."""
    program = """
        import json, sys
        asked = [json.loads(sys.stdin.readline()) for _ in range(4)]
        for one in reversed(asked):
            print(json.dumps(one), flush=True)
    """
    with contextlib.closing(converse(program)) as child, ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda n: child.ask({"n": n})["n"], range(4)))
    assert answers == [0, 1, 2, 3]


def test_a_child_that_hangs_is_given_up_and_replaced():
    """Whoever asks next gets one that answers; what is no JSON is passed over."""
    program = """
        import json, sys
        for line in sys.stdin:
            if "hang" not in line:
                print("no answer at all", line, sep="\\n", flush=True)
    """
    with contextlib.closing(converse(program, seconds=3)) as child:
        assert child.ask({"n": 1})["n"] == 1
        before = child.pid
        with pytest.raises(ChildError, match="no answer within"):
            child.ask({"hang": 1})
        wait_until(lambda: not psutil.pid_exists(before or 0) or zombie(before))
        assert child.ask({"n": 2})["n"] == 2
        assert child.pid != before


def zombie(pid: int | None) -> bool:
    """Tell whether a process is dead but for its entry."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def wait_until(true: Callable[[], bool]) -> None:
    """Wait for another process to get somewhere."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_renderings_have_a_bound(tmp_path: Path, clock: Clock):
    """The one used longest ago goes, but none that was handed out just now."""
    kept = Rendered(tmp_path, 250, clock)

    def get(name: str) -> Path:
        return kept.get(name, lambda path: path.write_bytes(bytes(100)))

    get("a"), get("b"), get("c")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]
    clock.advance(GRACE_SECONDS + 1)
    get("a")
    get("d")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "d"]


def test_what_someone_tidied_up_is_made_again(tmp_path: Path, clock: Clock):
    """And counts once."""
    kept = Rendered(tmp_path, 250, clock)
    for _ in range(5):
        path = kept.get("a", lambda path: path.write_bytes(bytes(100)))
        path.unlink()
    other = kept.get("b", lambda path: path.write_bytes(bytes(100)))
    clock.advance(GRACE_SECONDS + 1)
    kept.get("c", lambda path: path.write_bytes(bytes(100)))
    assert other.exists()


def test_a_failure_is_told_to_all_who_wait_and_tried_again(tmp_path: Path, clock: Clock):
    """It does not stick."""
    kept = Rendered(tmp_path, 250, clock)
    started, go_on = threading.Event(), threading.Event()

    def fail(_: Path) -> None:
        started.set()
        go_on.wait(10)
        raise PhotoError("no")

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(kept.get, "a", fail)
        assert started.wait(10)
        second = threads.submit(kept.get, "a", fail)
        go_on.set()
        for one in (first, second):
            with pytest.raises(PhotoError):
                one.result(10)
    assert kept.get("a", lambda path: path.write_bytes(b"x")).exists()
