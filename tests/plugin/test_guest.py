"""Every command as a guest in another program: lists, odd names, silence, no network, no questions."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import psutil
import pytest

from tests.plugin.conftest import ODD, Built, Cli, Program, Scanned, draw_photos, wait_until
from twinlens_plugin.main import cli

TAKE_PHOTOS = {
    "similar": (),
    "duplicates": (),
    "decide": ("--same",),
    "labels": (),
    "check": (),
    "tag": (),
    "plugin show": ("similar", "--no-browser"),
}
"""Commands that take photos, with what else they need."""


def every_command() -> Iterator[tuple[str, click.Command]]:
    """Yield every command and subcommand with its words."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", found) for sub, found in command.commands.items())
        else:
            yield name, command


def test_every_command_that_takes_photos_takes_a_list_of_them():
    """A selection of a photo manager is longer than a command line, and its names are odd."""
    taking = {
        words
        for words, command in every_command()
        if any("PHOTO..." in (parameter.metavar or "") for parameter in command.params)
    }
    listing = {
        words
        for words, command in every_command()
        if {"files_from", "null"} <= {parameter.name for parameter in command.params}
    }
    assert taking == listing == set(TAKE_PHOTOS)


@pytest.fixture
def odd(built: Built) -> list[bytes]:
    """Two photos whose names are no text, and no lines; the second is a copy."""
    names = (ODD, b"\xfe\r\n\t'\"\\$(x).jpg")
    paths = [built.photo(name, data=b"the same bytes") for name in names]
    built.publish()
    return [os.fsencode(path) for path in paths]


@pytest.mark.parametrize("words", [words for words in TAKE_PHOTOS if words != "labels"])
@pytest.mark.parametrize("way", ["standard input", "file", "arguments"])
def test_names_of_any_bytes_go_in(
    words: str, way: str, built: Built, odd: list[bytes], program: Program, twinlens: Cli, tmp_path: Path,
    own_home: Path
):  # fmt: skip
    """By a list or by name, through every command; nothing that it says is cut in two by a newline."""
    if words == "tag" and not shutil.which("exiftool"):
        pytest.skip("needs exiftool")
    built.photo("other.jpg")
    (tmp_path / "list").write_bytes(b"\0".join(odd))
    more = ["--not-duplicates" if word == "--same" else word for word in TAKE_PHOTOS[words]]
    if way == "standard input":
        listed = ["--files-from", "-", "-0", "--json"]
        done = program(*words.split(), *more, *listed, stdin=b"\0".join(odd) + b"\0")
        assert (done.returncode, done.stderr) == (0, b"")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
    elif way == "file":
        lines = twinlens.json(*words.split(), *more, "--files-from", tmp_path / "list", "-0")
    else:
        lines = twinlens.json(*words.split(), *more, *odd)
    assert lines
    if words in {"similar", "check", "tag"}:
        key = "query" if words == "similar" else "path"
        found = {line[key].encode("utf-8", "surrogateescape") for line in lines if key in line}
        assert found == set(odd)


@pytest.mark.parametrize("words", TAKE_PHOTOS)
def test_an_empty_list_is_about_no_photo(
    words: str, built: Built, odd: list[bytes], program: Program, own_home: Path
):
    """A script that found nothing must not be told of, or do something to, the whole library."""
    done = program(
        *words.split(), *TAKE_PHOTOS[words], "--files-from", "-", "--json", stdin=b"\n\n"
    )
    if words in {"decide", "plugin show"}:
        assert done.returncode == 2
    elif words == "labels":
        assert b"no labels are kept of pocket" in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, b"")
    assert b"jpg" not in done.stdout
    assert all(
        not any(map(bool, json.loads(line).values()))
        for line in done.stdout.splitlines()
        if words == "tag"
    )


@pytest.mark.parametrize("words", TAKE_PHOTOS)
def test_a_list_that_cannot_be_read_is_one_line(
    words: str, built: Built, twinlens: Cli, tmp_path: Path
):
    """It names the list, the cause and the cure."""
    for source, why in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file")):
        done = twinlens(*words.split(), *TAKE_PHOTOS[words], "--files-from", source, code=1)
        assert done.stdout == ""
        text = done.stderr
        assert text.count("\n") == 1
        assert str(source) in text
        assert why in text
        assert "Check the path." in text


ASKING = [
    ("similar", "PHOTO"),
    ("duplicates",),
    ("check", "PHOTO"),
    ("status",),
    ("quarantine",),
    ("doctor",),
    ("decisions", "list"),
    ("decisions", "export"),
    ("undo", "--list"),
    ("plugin", "list"),
    ("model", "list", "--here"),
    ("completion", "bash"),
]
"""Commands that ask and change nothing."""


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_a_question_needs_neither_network_nor_terminal(words: tuple[str, ...], scanned: Scanned):
    """In a network of its own with nothing in it, input at its end: the same answer, nothing beside it."""
    odd = [scanned.odd if word == "PHOTO" else word for word in words]
    online = scanned(*odd)
    unshared = subprocess.run(["unshare", "-rn", "true"], capture_output=True, check=False)
    if unshared.returncode:
        pytest.skip("may not unshare the network")
    alone = subprocess.run(
        ["unshare", "-rn", sys.executable, "-m", "twinlens_plugin", *map(os.fsencode, odd)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, "TWINLENS_LIBRARY": str(scanned.library)},
        timeout=100,
        check=False,
    )
    assert alone.returncode == online.returncode == 0
    assert alone.stderr == b""
    if words[0] != "status":  # which says how long ago something was
        assert alone.stdout == online.stdout


def test_a_scan_needs_no_network_and_no_terminal(tmp_path: Path):
    """The model is in the package; progress bars are for terminals."""
    draw_photos(tmp_path / "photos", 1)
    prefix = ["unshare", "-rn"]
    if subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode:
        prefix = []
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "twinlens_plugin", "scan", tmp_path / "photos", "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={
            **os.environ,
            "TWINLENS_LIBRARY": str(tmp_path / "library"),
            "TWINLENS_SETTLE_SECONDS": "0.1",
        },
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["photos"] == 2


@pytest.mark.parametrize(
    "words", [("apply", "PLAN", "--yes"), ("undo",), ("remove-root", "photos")]
)
def test_nothing_is_asked_before_something_is_done(
    words: tuple[str, ...], built: Built, program: Program, tmp_path: Path, own_home: Path
):
    """Whoever calls it has asked. A prompt would wait for ever for an answer that nobody gives."""
    for name in ("a.jpg", "b.jpg"):
        built.photo(name, data=b"same")
    plan = tmp_path / "plan.json"
    assert program("duplicates", "--plan", plan).returncode == 0
    if words[0] == "undo":
        assert program("apply", plan, "--yes").returncode == 0
    done = program(*(str(plan) if word == "PLAN" else word for word in words))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout


def test_the_page_listens_to_a_terminal_alone(scanned: Scanned):
    """Without one it serves on: the end of its input is no Enter, and no reason to end."""
    command = [sys.executable, "-m", "twinlens_plugin", "review", "--no-browser"]
    environ = {**os.environ, "TWINLENS_LIBRARY": str(scanned.library)}
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ
    ) as child:  # fmt: skip
        assert child.stdout is not None
        assert child.stdout.readline().startswith(b"http://127.0.0.1:")
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        assert child.stdout.read() == b""


def test_a_terminal_is_asked_nothing_either(built: Built):
    """On a terminal of its own, where a prompt would show: the answer, and no question mark."""
    for name in ("a.jpg", "b.jpg"):
        built.photo(name, data=b"same")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "twinlens_plugin", "remove-root", built.root.name],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TWINLENS_LIBRARY": str(built.library.folder)},
        start_new_session=True,
    ) as child:
        os.close(theirs)
        assert child.wait(timeout=60) == 0
        said = os.read(ours, 10_000)
    os.close(ours)
    assert said.startswith(b"Forgot ")
    assert b"?" not in said


def test_questions_are_answered_while_a_scan_runs(tmp_path: Path):
    """From what is known so far, and at once: nobody waits for a scan of 200,000 photos."""
    draw_photos(tmp_path / "photos", 3)
    shutil.copy(tmp_path / "photos" / "1.jpg", tmp_path / "photos" / "copy.jpg")
    library = Scanned(tmp_path / "library", tmp_path / "photos")
    quick = {"TWINLENS_SETTLE_SECONDS": "0.1", "TWINLENS_DECODE_PROCESSES": "1"}
    assert library("scan", library.photos, **quick).returncode == 0
    draw_photos(library.photos / "more", 4, first=50)
    # The new photos settle only after a minute: the scan goes on until it is stopped.
    slow = {**os.environ, "TWINLENS_LIBRARY": str(library.library), "TWINLENS_SETTLE_SECONDS": "60"}
    with subprocess.Popen(
        [sys.executable, "-m", "twinlens_plugin", "scan"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=slow,
    ) as scan:
        try:
            wait_until(lambda: _reads(scan), "the scan to begin")
            similar = library("similar", library.photos / "0.jpg", "--paths", "-k", 1)
            assert similar.stdout == os.fsencode(library.photos / "small.jpg") + b"\n"
            assert b"copy.jpg" in library("duplicates", "--json").stdout
            assert json.loads(library("status", "--json").stdout)["photos"]["photos"] >= 5
            decided = library("decide", *(library.photos / f"{n}.jpg" for n in (0, 2)), "--same")
            assert decided.returncode == 0
            assert scan.poll() is None, "the scan was to be running all the while"
        finally:
            scan.send_signal(signal.SIGINT)
        assert scan.wait(timeout=60) == 130


def _reads(scan: subprocess.Popen[bytes]) -> bool:
    """Tell whether a scan has started the program that looks through the folders."""
    children = psutil.Process(scan.pid).children()
    return any("twinlens_watcher" in child.cmdline() for child in children)
