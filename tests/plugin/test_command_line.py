"""The command line itself: help, exit codes, what goes where, and how fast it starts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.plugin.conftest import Built, Cli, Program
from twinlens_plugin.main import COMMANDS, cli

ROOT = Path(__file__).parents[2]

SLOW = {"torch", "torchvision", "celery", "kombu", "sqlite_utils", "psutil", "platformdirs", "PIL"}


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command and subcommand with its words."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", found) for sub, found in command.commands.items())


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_command_has_help_with_an_example(name: str, twinlens: Cli):
    """A paragraph, an example that begins with the command, no line wider than 80 columns."""
    text = twinlens(*name.split(), "--help").stdout
    assert re.search(r"^  Example:\n    .*twinlens " + name, text, re.MULTILINE), text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    "name", [name for name, command in commands() if not isinstance(command, click.Group)]
)
def test_every_command_takes_the_common_options(name: str, twinlens: Cli):
    """--json, --library, --config and --debug are the same everywhere."""
    text = twinlens(*name.split(), "--help").stdout
    for option in ("--json", "--library", "--config", "--debug"):
        assert option in text


def test_the_list_of_commands_is_the_list_of_modules():
    """A command module that nobody can call is a mistake."""
    folder = ROOT / "plugin" / "twinlens_plugin" / "commands"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    modules |= {path.parent.name for path in folder.glob("*/__init__.py")}
    assert modules == {module.rpartition(".")[2] for module, _ in COMMANDS.values()}


def test_the_page_of_commands_is_up_to_date():
    """docs/commands.md is what --help says: run python plugin/commands_page.py."""
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, ROOT / "plugin" / "commands_page.py", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert written == done.stdout
    assert all(f"## twinlens {name}\n" in written for name in COMMANDS)


BAD = {
    "an unknown option": (
        ("similar", "--foo"),
        2,
        r"twinlens: No such option .?--foo.* See: twinlens similar --help",
    ),
    "an unknown command": (("simlar", "x"), 2, r"twinlens: No such command 'simlar'.* See: .*"),
    "nothing to look for": (("similar",), 2, r"twinlens: Name a PHOTO, .*--files-from.*"),
    "a bad number": (("similar", "-k", "0", "x"), 2, r"twinlens: Invalid value for '-k'.*"),
    "two forms at once": (
        ("duplicates", "--json", "--paths"),
        2,
        r"twinlens: --json and --paths exclude each other.*",
    ),
    "a config that is not there": (
        ("status", "--config", "/nowhere.toml"),
        1,
        r"twinlens: /nowhere.toml: no such config file. Check the path given.",
    ),
    "a list that is not there": (
        ("similar", "--files-from", "/nowhere"),
        1,
        r"twinlens: .*'/nowhere'.*No such file or directory. Check the path.",
    ),
    "no such photo": (
        ("similar", "/nowhere.jpg"),
        1,
        r"twinlens: /nowhere.jpg: no such file. Check the path.",
    ),
    "a folder, not a photo": (
        ("similar", "/tmp"),
        1,
        r"twinlens: /tmp: is a folder, not a photo. Name a photo.",
    ),
    "a folder that is not watched": (
        ("duplicates", "/tmp/nowhere-at-all"),
        1,
        r"twinlens: /tmp/nowhere-at-all: not watched. Run: twinlens scan /tmp/nowhere-at-all",
    ),
    "a folder that is not there": (
        ("scan", "/nowhere-at-all"),
        1,
        r"twinlens: /nowhere-at-all: no such folder. Check the path.",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_gets_one_line_that_names_it(built: Built, program: Program, case: str):
    """Exit code, nothing on standard output, one line on standard error, never a traceback."""
    args, code, pattern = BAD[case]
    done = program(*args)
    assert (done.returncode, done.stdout) == (code, b"")
    assert re.fullmatch(pattern + "\n", done.stderr.decode()), done.stderr


@pytest.mark.parametrize("words", [(), ("model",)])
def test_no_command_shows_the_help(built: Built, program: Program, words: tuple[str, ...]):
    """On standard error, as a usage error: nothing was answered."""
    done = program(*words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"Usage: twinlens")
    assert b"\nCommands:\n" in done.stderr


def test_no_library_yet(tmp_path: Path):
    """Asking before the first scan says what to do."""
    for words in (("similar", "x.jpg"), ("duplicates",), ("status",), ("doctor",), ("quarantine",)):
        result = Cli(tmp_path / "none")(*words, code=1)
        folder = tmp_path / "none"
        assert result.stderr == (
            f"twinlens: {folder}: no library here yet. Make one: twinlens scan FOLDER\n"
        )
        assert not folder.exists()


def test_a_library_without_photos(built: Built, twinlens: Cli):
    """Before the first worker ran there is no model to answer with."""
    with built.catalogue.write_tx() as tx:
        tx.execute("DELETE FROM meta")
    text = twinlens("similar", "x.jpg", code=1).stderr
    assert "holds no photos yet. Run: twinlens scan FOLDER" in text


def test_a_catalogue_of_a_newer_version(built: Built, twinlens: Cli):
    """It is refused, not misread."""
    built.catalogue._connection.execute("PRAGMA user_version = 999")
    assert "written by a newer twinlens" in twinlens("status", code=1).stderr


def test_a_catalogue_that_is_none(built: Built, twinlens: Cli):
    """A damaged file is named with its cure."""
    built.catalogue.close()
    for path in built.library.folder.iterdir():
        path.unlink()
    built.library.catalogue.write_bytes(b"not a database at all" * 100)
    assert "the catalogue is damaged" in twinlens("status", code=1).stderr


def test_an_unreadable_photo(built: Built, twinlens: Cli, tmp_path: Path):
    """Named, with the cause and the cure."""
    locked = tmp_path / "locked.jpg"
    locked.touch(mode=0)
    if os.access(locked, os.R_OK):
        pytest.skip("root may read everything")
    result = twinlens("similar", locked, code=1)
    assert result.stderr == (
        f"twinlens: {locked}: cannot be read: Permission denied. Correct its permissions.\n"
    )


def test_a_library_on_a_network_mount(
    built: Built, twinlens: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """It is refused before anything is written."""
    monkeypatch.setattr("twinlens.library.filesystem_type", lambda path: "nfs4")
    result = twinlens("scan", tmp_path, "--library", tmp_path / "other", code=1)
    assert "on a network mount (nfs4)" in result.stderr
    assert not (tmp_path / "other").exists()


def test_the_unexpected_is_one_line_and_debug_shows_more(
    built: Built, twinlens: Cli, monkeypatch: pytest.MonkeyPatch
):
    """Users see no traceback unless they ask for it."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("twinlens_plugin.commands.status._facts", broken)
    result = twinlens("status", code=1)
    assert result.stderr == (
        "twinlens: this should not happen: ZeroDivisionError: oops."
        " Add --debug for a report to send us.\n"
    )
    assert "Traceback" in twinlens("status", "--debug", code=1).stderr
    assert "Traceback" in twinlens("--debug", "status", code=1).stderr


def test_a_reader_that_has_enough_is_no_error(built: Built):
    """``twinlens ... | head`` ends quietly."""
    for number in range(300):
        built.photo(f"{'long' * 40}/{number}.jpg", data=b"same")
    shell = f"set -o pipefail; {sys.executable} -m twinlens_plugin duplicates --json | head -c 10"
    done = subprocess.run(
        ["bash", "-c", shell],
        env={**os.environ, "TWINLENS_LIBRARY": str(built.library.folder)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout) == 10


def test_a_full_disk_under_the_answer_is_said(built: Built):
    """``twinlens ... > file`` fails with the cause, and is no bug to send us."""
    built.photo("a.jpg")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "twinlens_plugin", "duplicates"],
            env={**os.environ, "TWINLENS_LIBRARY": str(built.library.folder)},
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(
        b"twinlens: the answer cannot be written: No space left on device."
    )
    assert done.stderr.count(b"\n") == 1


def test_the_library_is_an_option_before_the_environment(built: Built, tmp_path: Path):
    """--library wins over TWINLENS_LIBRARY."""
    built.photo("a.jpg")
    found = Cli(tmp_path / "none").json("status", "--library", built.library.folder)
    assert found[0]["photos"]["photos"] == 1


def imported(*words: str, library: Path) -> set[str]:
    """Run a command in a fresh process; return the top-level modules that it imported."""
    program = (
        "import sys, json\n"
        "from twinlens_plugin.main import cli\n"
        "try:\n    cli()\n"
        "finally:\n    print(json.dumps([n.partition('.')[0] for n in sys.modules]), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "TWINLENS_LIBRARY": str(library)},
        capture_output=True,
        check=True,
        timeout=60,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_similar_starts_without_what_it_does_not_need(built: Built):
    """An indexed photo needs numpy and usearch, and nothing else that is slow to import."""
    photo = built.photo("a.jpg")
    built.photo("b.jpg")
    built.publish()
    modules = imported("similar", str(photo), library=built.library.folder)
    assert modules & SLOW == set()
    assert {"numpy", "usearch"} <= modules


@pytest.mark.parametrize("words", [("duplicates",), ("status",), ("quarantine",), ("--help",)])
def test_the_others_start_without_numpy(built: Built, words: tuple[str, ...]):
    """What answers from the catalogue alone imports nothing slow at all."""
    built.photo("a.jpg")
    modules = imported(*words, library=built.library.folder)
    assert modules & (SLOW | {"numpy", "usearch", "tqdm"}) == set()


@pytest.mark.parametrize(
    "words", [["scan", ""], ["duplicates", ""], ["remove-root", ""], ["status", "--library", ""]]
)
def test_an_empty_path_is_a_mistake(words: list[str], built: Built, twinlens: Cli):
    """A script's unset variable does not stand for the folder that the script is in."""
    assert "The path is empty." in twinlens(*words, code=2).stderr


def test_a_pipe_is_no_photo(built: Built, twinlens: Cli, tmp_path: Path):
    """Said at once; nobody waits for what may come out of it."""
    built.photo("a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    result = twinlens("similar", tmp_path / "pipe.jpg", code=1)
    assert "pipe.jpg: is a pipe, a device or a socket, not a photo." in result.stderr


def test_duplicates_below_a_folder_that_is_not_there(built: Built, twinlens: Cli):
    """A mistyped folder is said, not answered with "No duplicates."."""
    built.photo("2024/a.jpg")
    assert twinlens("duplicates", built.photos / "2024").stdout == "No duplicates.\n"
    result = twinlens("duplicates", built.photos / "2042", code=1)
    assert (
        result.stderr
        == f"twinlens: {built.photos / '2042'}: no such photo or folder. Check the path.\n"
    )
