"""``twinlens review`` itself: what it prints, how it ends, which libraries it serves."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.plugin.conftest import Built, Program, wait_until
from tests.plugin.review.conftest import Page, Read, Serve, scan, scene
from twinlens.catalogue import Catalogue
from twinlens.migrations import VERSION

ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)/\?token=[\w-]{43}")


def test_the_address_is_all_that_it_prints(own: Read):
    """The first line, at once; then nothing, also at the end, which is exit code 0."""
    process = subprocess.Popen(
        [sys.executable, "-m", "twinlens_plugin", "review", "--no-browser"],
        env={**os.environ, "TWINLENS_LIBRARY": str(own.library.folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert ADDRESS.fullmatch(process.stdout.readline().rstrip("\n"))
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_quietly(own: Read, serve: Serve, number: signal.Signals):
    """By Ctrl-C and by SIGTERM, with a browser that holds its connection, within a moment."""
    page = serve(own.library.folder)
    with page.browser() as browser:
        assert browser.get("/").status_code == 200
        start = time.monotonic()
        assert page.stop(number) == (0, "", "")
        assert time.monotonic() - start < 5
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", page.port)) != 0


def test_as_json(own: Read, serve: Serve):
    """Address, port and process, for those who start it for others."""
    page = serve(own.library.folder)
    assert ADDRESS.fullmatch(page.url)
    assert page.url.startswith(f"http://127.0.0.1:{page.port}/")
    assert page.process.poll() is None


def test_a_port_of_ones_own(own: Read, serve: Serve, program: Program):
    """The one that was named; taken, it is said in a line what to do."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert serve(own.library.folder, "--port", str(port)).port == port
    refused = program(
        "review", "--no-browser", "--port", str(port), "--library", own.library.folder
    )
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert refused.stderr.decode() == (
        f"twinlens: port {port} of this computer is taken by another program. Name another with"
        " --port, or none: then a free one is found.\n"
    )


def test_the_same_port_again_at_once(own: Read, serve: Serve):
    """Connections of the last page that the system still holds are no hindrance."""
    first = serve(own.library.folder)
    with first.browser() as browser:
        browser.get("/")
    first.stop()
    assert serve(own.library.folder, "--port", str(first.port)).port == first.port


def test_no_library_yet(program: Program, tmp_path: Path):
    """Said in a line, before any browser opens; and no library is made."""
    refused = program("review", "--no-browser", "--library", tmp_path / "none")
    assert (refused.returncode, refused.stdout) == (1, b"")
    assert refused.stderr.endswith(b"no library here yet. Make one: twinlens scan FOLDER\n")
    assert not (tmp_path / "none").exists()


def test_a_newer_catalogue(built: Built, program: Program):
    """Said in a line."""
    with built.catalogue.write_tx() as tx:
        tx.execute(f"PRAGMA user_version = {VERSION + 1}")
    refused = program("review", "--no-browser")
    assert refused.returncode == 1
    assert b"Upgrade twinlens on this computer." in refused.stderr
    assert refused.stderr.count(b"\n") == 1


def test_a_catalogue_that_becomes_newer(own: Read, serve: Serve):
    """Under a page that runs: the same line, in the browser."""
    page = serve(own.library.folder)
    with page.browser() as browser:
        assert browser.get("/").status_code == 200
        with Catalogue.open(own.library.catalogue) as catalogue, catalogue.write_tx() as tx:
            tx.execute(f"PRAGMA user_version = {VERSION + 1}")
        answer = browser.get("/")
    assert answer.status_code == 503
    assert "Upgrade twinlens on this computer." in answer.text
    assert page.stop() == (0, "", "")


def test_an_empty_library(built: Built, serve: Serve):
    """A page that says what to do."""
    with serve(built.library.folder).browser() as browser:
        answer = browser.get("/")
    assert answer.status_code == 200
    assert "twinlens scan" in answer.text


def test_while_a_scan_is_running(own: Read, serve: Serve, tmp_path: Path):
    """Groups that a scan finds are there, with their pictures, at the next look."""
    more = tmp_path / "more"
    more.mkdir()
    scene(100).save(more / "new.jpg", quality=92)
    scene(100).resize((320, 240)).save(more / "new small.jpg", quality=80)
    with serve(own.library.folder).browser() as browser:
        assert "new small.jpg" not in browser.get("/").text
        scan(own.library.folder, more)
        listed = browser.get(f"/groups?under={more}").text
        assert "new small.jpg" in listed
        thumb = re.search(r"/photos/\d+/thumb", listed)
        assert thumb is not None
        assert browser.get(thumb[0]).status_code == 200


@pytest.fixture
def frozen(own: Read) -> Iterator[Read]:
    """The library on a disk that nobody can write."""
    folder = own.library.folder
    if subprocess.run(
        ["mount", "--bind", folder, folder], check=False, capture_output=True
    ).returncode:
        pytest.skip("may not mount")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield own
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_read_only_library(frozen: Read):
    """It can be looked at; deciding says what is wrong. Its thumbnails may be gone."""
    with Page(frozen.library.folder) as page, page.browser() as browser:
        assert "photo-0 small.jpg" in browser.get("/").text
        number = frozen.file_id("2024/photo-0.jpg")
        assert browser.get(f"/photos/{number}/thumb").status_code == 200
        body = {"verdict": "same", "photos": [number, frozen.file_id("2024/photo-5.jpg")]}
        answer = browser.send_json("/decisions", body)
    assert answer.status_code == 503
    assert "the library folder is not writable" in answer.json()["error"]


def test_a_full_disk(own: Read, tmp_path: Path):
    """A decision that cannot be written is said, and nothing of it is there."""
    disk = tmp_path / "full"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "none", disk]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount")
    try:
        subprocess.run(["cp", "-r", own.library.folder, disk / "library"], check=True)
        with Page(disk / "library") as page, page.browser() as browser:
            assert browser.get("/").status_code == 200
            filler = disk / "filler"
            fill = ["dd", "if=/dev/zero", f"of={filler}", "bs=4096"]
            assert subprocess.run(fill, check=False, capture_output=True).returncode != 0
            photos = [own.file_id(f"2024/photo-{i}.jpg") for i in range(4, 12)]
            answer = browser.send_json("/decisions", {"verdict": "same", "photos": photos})
            assert answer.status_code == 503, answer.text
            assert "Free disk space?" in answer.json()["error"]
            filler.unlink()
            with Catalogue.open_to_read(disk / "library" / "catalogue.sqlite3") as catalogue:
                assert catalogue.value("SELECT count(*) FROM decisions") == 0
            done = browser.send_json("/decisions", {"verdict": "same", "photos": photos})
            assert done.status_code == 200, "and with space again it goes on"
    finally:
        subprocess.run(["umount", disk], check=True)


@contextlib.contextmanager
def at_a_terminal(library: Path, *options: str, **environ: str) -> Iterator[int]:
    """Start the command as a person does; give the end of the terminal that the person holds."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _AT_A_TERMINAL, *options],
        env={**os.environ, "TWINLENS_LIBRARY": str(library), **environ},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    try:
        yield leader
        os.write(leader, b"\x03")
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def test_enter_gives_another_address(own: Read):
    """Where a person sits: for a second browser, or the same one after a restart."""
    with at_a_terminal(own.library.folder, "--no-browser") as terminal:
        first = _address_from(terminal)
        os.write(terminal, b"\n")
        second = _address_from(terminal)
        assert first != second
        with httpx.Client(trust_env=False) as one, httpx.Client(trust_env=False) as other:
            assert one.get(first).status_code == 303
            assert other.get(second).status_code == 303


@pytest.mark.parametrize(
    ("options", "display", "opens"),
    [((), ":9", True), ((), "", False), (("--no-browser",), ":9", False)],
)
def test_the_browser_is_opened(
    own: Read, tmp_path: Path, options: tuple[str, ...], display: str, opens: bool
):
    """At the address that is printed; not where there is no screen, nor where it is not wanted."""
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(
        f'#!/bin/sh\necho "hello from the browser"\nprintf %s "$1" > {opened}.part\n'
        f"mv {opened}.part {opened}\n"
    )
    browser.chmod(0o755)
    environ = {"BROWSER": f"{browser} %s", "DISPLAY": display, "WAYLAND_DISPLAY": ""}
    with at_a_terminal(own.library.folder, *options, **environ) as terminal:
        address = _address_from(terminal)
        if opens:
            wait_until(opened.exists, "the browser")
            assert opened.read_text() == address
            assert select.select([terminal], [], [], 0.2)[0] == [], "the browser says nothing here"
    assert opened.exists() == opens


_AT_A_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from twinlens_plugin.main import cli
cli(["review", *sys.argv[1:]])
"""


def _address_from(terminal: int) -> str:
    said = ""
    deadline = time.monotonic() + 20
    while (found := ADDRESS.search(said)) is None or "\n" not in said[found.end() :]:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, said
        said += os.read(terminal, 4096).decode()
    return found[0]


def test_other_commands_start_without_it():
    """The web framework costs a third of a second: nobody else waits for it."""
    script = (
        "import sys; from twinlens_plugin.main import COMMANDS, cli\n"
        "for name in COMMANDS: cli.get_command(None, name)\n"
        "print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert not {"starlette", "uvicorn", "jinja2", "anyio", "h11"} & set(done.stdout.split())


def test_memory_stays_flat(page: Page):
    """Pictures and pages take no more than the first ones did."""
    with page.browser() as browser:

        def look(times: int) -> int:
            for i in range(times):
                browser.get(f"/photos/{i % 16 + 1}/full")
                if i % 20 == 0:
                    browser.get("/")
            status = Path(f"/proc/{page.process.pid}/status").read_text()
            return int(status.partition("VmRSS:")[2].split()[0])

        before = look(100)
        assert look(300) < before + 4_000, "kB"
