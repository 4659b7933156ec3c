"""What people meet on a bad day: one line that names the file, the cause and the cure, from every command."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result

from tests.plugin.conftest import Built, Cli, Scanned
from tests.plugin.test_guest import every_command

NEEDS_A_LIBRARY: dict[str, tuple[str, ...]] = {
    "scan": (),
    "watch": (),
    "similar": ("x.jpg",),
    "labels": (),
    "duplicates": (),
    "review": ("--no-browser",),
    "decide": ("a.jpg", "b.jpg", "--same"),
    "decisions list": (),
    "decisions export": (),
    "apply": ("PLAN",),
    "apply --yes": ("PLAN",),
    "tag": (),
    "tag --yes": (),
    "check": ("x.jpg",),
    "undo": (),
    "status": (),
    "quarantine": (),
    "doctor": (),
    "remove-root": ("photos",),
    "model forget": ("pocket",),
    "model tune": (),
}
"""Commands that a library must be there for, with what else they need."""

NEEDS_NONE = {
    "decisions import",  # into a new library
    "model use",  # before the first scan
    "model list",
    "model eval",
    "plugin list",
    "plugin install",
    "plugin remove",
    "plugin show",  # says it in the browser: tests/plugin/dam/test_show.py
    "completion",
}


def one_line(result: Result | subprocess.CompletedProcess[str]) -> str:
    """Return the one line on standard error, of a command that answered nothing."""
    assert result.stdout == ""
    assert result.stderr.startswith("twinlens: ")
    assert result.stderr.count("\n") == 1, result.stderr
    assert "this should not happen" not in result.stderr
    return result.stderr.removeprefix("twinlens: ").rstrip("\n")


@pytest.fixture
def plan(built: Built, twinlens: Cli, tmp_path: Path) -> Path:
    """A plan of one group."""
    for name in ("a.jpg", "b.jpg"):
        built.photo(name, data=b"same")
    twinlens("duplicates", "--plan", tmp_path / "plan.json")
    return tmp_path / "plan.json"


def words_of(command: str, plan: Path) -> list[str]:
    """Return a command line."""
    return [
        *command.split(),
        *(str(plan) if word == "PLAN" else word for word in NEEDS_A_LIBRARY[command]),
    ]


def test_every_command_is_here():
    """None is forgotten."""
    known = {command.removesuffix(" --yes") for command in NEEDS_A_LIBRARY} | NEEDS_NONE
    assert known == {words for words, _ in every_command()}


@pytest.mark.parametrize("command", NEEDS_A_LIBRARY)
def test_no_library_yet(command: str, plan: Path, tmp_path: Path):
    """Every command says so and how one is made, and makes none itself."""
    folder = tmp_path / "none"
    expected = f"{folder}: no library here yet. Make one: twinlens scan FOLDER"
    assert one_line(Cli(folder)(*words_of(command, plan), code=1)) == expected
    assert not folder.exists()


@pytest.mark.parametrize("command", [words for words in NEEDS_A_LIBRARY if words != "undo"])
def test_a_library_of_a_newer_version(command: str, built: Built, plan: Path, twinlens: Cli):
    """Every command refuses it, and says what to do. (undo works without the catalogue.)"""
    built.catalogue._connection.execute("PRAGMA user_version = 999")
    said = one_line(twinlens(*words_of(command, plan), code=1))
    assert said.startswith(f"{built.library.catalogue}: written by a newer twinlens (tables 999,")
    assert said.endswith("Upgrade twinlens on this computer.")


@pytest.mark.parametrize("command", [words for words in NEEDS_A_LIBRARY if words != "undo"])
def test_a_library_that_is_no_library(command: str, built: Built, plan: Path, twinlens: Cli):
    """A damaged catalogue is named with its cure by every command, and left as it is."""
    built.catalogue.close()
    for path in built.library.folder.glob("catalogue*"):
        path.unlink()
    built.library.catalogue.write_bytes(b"not a database at all" * 100)
    said = one_line(twinlens(*words_of(command, plan), code=1))
    assert said.startswith(f"{built.library.catalogue}: the catalogue is damaged")
    assert "Restore it from a backup" in said


@pytest.mark.parametrize("command", NEEDS_A_LIBRARY)
def test_a_library_that_is_a_file(command: str, plan: Path, tmp_path: Path):
    """--library names a folder."""
    (tmp_path / "file").touch()
    said = one_line(Cli(tmp_path / "file")(*words_of(command, plan), code=1))
    assert said == (
        f"{tmp_path / 'file'}: is a file, no library folder. Choose another with --library."
    )


CONFIGS = {
    "copy_threshold = 0.9\nkeep = raw": r"cannot be read as TOML: Invalid value (at line 2, column 8).",
    "copy_treshold = 0.9": "unknown setting 'copy_treshold'. Did you mean copy_threshold?",
    "frobnicate = 1": "unknown setting 'frobnicate'. See docs/settings.md.",
    "copy_threshold = 'high'": "config 'copy_threshold' has value 'high'. Not a valid float.",
}


@pytest.mark.parametrize("text", CONFIGS)
def test_a_config_that_cannot_be_used(text: str, built: Built, twinlens: Cli):
    """The file, the line or the setting, and what it was to be."""
    file = built.library.folder / "config.toml"
    file.write_text(text)
    said = one_line(twinlens("status", code=1))
    assert said.startswith(f"{file}: ")
    assert CONFIGS[text] in said


def test_a_folder_for_a_config(built: Built, twinlens: Cli, tmp_path: Path):
    """Said as it is, not as bad TOML."""
    said = one_line(twinlens("status", "--config", tmp_path, code=1))
    assert (
        said == f"{tmp_path}: cannot be read: Is a directory. Check the path and its permissions."
    )


def test_a_misspelt_variable_is_said_and_the_answer_given(
    built: Built, twinlens: Cli, monkeypatch: pytest.MonkeyPatch
):
    """A setting that is not in force must not seem to be; what is right is not remarked on."""
    monkeypatch.setenv("TWINLENS_COPY_TRESHOLD", "0.9")
    monkeypatch.setenv("TWINLENS_COPY_THRESHOLD", "0.9")
    result = twinlens("quarantine")
    assert result.stderr == (
        "twinlens: TWINLENS_COPY_TRESHOLD: unknown setting, ignored."
        " Did you mean TWINLENS_COPY_THRESHOLD? See docs/settings.md.\n"
    )


WRONG_FILES = {
    ("apply", "FILE"): "is no plan, for it is no JSON",
    ("undo", "FILE"): "is no plan, for it is no JSON",
    ("decisions", "import", "FILE"): "holds no decisions, for it is no JSON",
    ("duplicates", "--plan", "FILE"): "is there already, and is no plan. Choose another name.",
    ("duplicates", "--html", "FILE"): "is there already, and is no contact sheet. Choose another",
    ("scan", "FILE"): "is a file. Name its folder.",
    ("model", "eval", "FILE"): "no such folder. Check the path.",
    ("duplicates", "--plan", "FOLDER/none/plan.json"): "the plan cannot be written: No such file",
    ("duplicates", "--html", "FOLDER/none/a.html"): "the sheet cannot be written: No such file",
    ("decisions", "export", "FOLDER"): "cannot be written: Is a directory. Choose another place.",
    ("decisions", "import", "FOLDER"): "cannot be read: Is a directory. Check the path.",
    ("apply", "FOLDER"): "cannot be read: Is a directory. Check the path.",
    ("similar", "FOLDER"): "is a folder, not a photo. Name a photo.",
    ("similar", "/dev/null"): "is a pipe, a device or a socket, not a photo.",
    ("remove-root", "FOLDER"): "not a watched folder. Watched: ",
    ("tag", "FOLDER"): "not watched. Run: twinlens scan ",
    ("duplicates", "--under", "FOLDER"): "not watched. Run: twinlens scan ",
    ("duplicates", "--reference", "FOLDER"): "not watched. Run: twinlens scan ",
}


@pytest.mark.parametrize("words", WRONG_FILES, ids=" ".join)
def test_the_wrong_kind_of_file(
    words: tuple[str, ...], built: Built, twinlens: Cli, tmp_path: Path
):
    """Named, with the cause and what to name instead; nothing of it is changed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    file = folder / "holiday.jpg"
    file.write_bytes(b"\xff\xd8 no JSON")
    built.photo("a.jpg", data=b"same")
    built.photo("b.jpg", data=b"same")
    given = [word.replace("FILE", str(file)).replace("FOLDER", str(folder)) for word in words]
    assert WRONG_FILES[words] in one_line(twinlens(*given, code=1))
    assert file.read_bytes() == b"\xff\xd8 no JSON"


def test_json_that_goes_too_deep(built: Built, twinlens: Cli, tmp_path: Path):
    """It is no plan, and no bug of ours."""
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 100_000)
    for words in (("apply",), ("undo",), ("decisions", "import")):
        assert "for it is no JSON" in one_line(twinlens(*words, deep, code=1))


@pytest.mark.parametrize(
    "more", [("--action", "tag"), ("--merge-metadata",), ("--action", "tag", "--yes")]
)
def test_without_exiftool(
    more: tuple[str, ...], plan: Path, twinlens: Cli, monkeypatch: pytest.MonkeyPatch
):
    """It says how it is installed, before anything is done."""
    monkeypatch.setenv("PATH", "/nowhere")
    said = one_line(twinlens("apply", plan, *more, code=1))
    assert said.startswith("exiftool is not installed")
    assert said.endswith("Install it: apt install libimage-exiftool-perl")


@pytest.mark.parametrize("name", ["geeqie", "darktable", "digikam", "nautilus"])
def test_a_photo_manager_that_is_not_there(
    name: str, built: Built, twinlens: Cli, monkeypatch: pytest.MonkeyPatch, own_home: Path
):
    """Named, with how it is installed."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("XDG_DATA_DIRS", "/nowhere")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(own_home / "config"))
    result = twinlens("plugin", "install", name, code=1)
    said = one_line(result)
    assert "is not found on this computer" in said
    assert said.endswith("or add --anyway.")


def test_an_answer_for_geeqie_where_there_is_none(
    built: Built, plan: Path, twinlens: Cli, monkeypatch: pytest.MonkeyPatch, own_home: Path
):
    """How it is installed, and no traceback."""
    monkeypatch.setenv("PATH", "/nowhere")
    said = one_line(twinlens("duplicates", "--geeqie", code=1))
    assert said == "geeqie is not on this computer. Install it: apt install geeqie"


def test_a_port_that_is_taken(built: Built, twinlens: Cli):
    """Which one, by whom, and what to do."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = one_line(twinlens("review", "--no-browser", "--port", port, code=1))
    assert said.startswith(
        f"port {port} of this computer is taken by another program. Name another"
    )


DISK = """
import json, os, subprocess, sys
from click.testing import CliRunner
from twinlens_plugin.main import cli
disk, library, spoil, commands = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", disk], check=True)
subprocess.run(["cp", "-r", library, disk + "/library"], check=True)
if spoil == "read-only":
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
elif spoil == "full":
    with open(disk + "/filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 4096)
        except OSError:
            pass
else:
    code = "import sqlite3, os, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
    code += "c.execute('CREATE TABLE left_over (x)'); os._exit(0)"
    subprocess.run([sys.executable, "-c", code, disk + "/library/catalogue.sqlite3"], check=True)
    os.unlink(disk + "/library/catalogue.sqlite3-shm")
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
for words in json.loads(commands):
    result = CliRunner().invoke(cli, words, env={"TWINLENS_LIBRARY": disk + "/library"})
    print(json.dumps([result.exit_code, result.stdout, result.stderr]))
"""

Said = list[tuple[int, str, str]]


def on_disk(spoil: str, disk: Path, library: Path, commands: list[list[str]]) -> Said:
    """Run commands on a copy of a library, on a disk of its own that is spoilt first."""
    disk.mkdir()
    unshare = ["unshare", "-rm"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.skip("may not mount a disk of its own")
    done = subprocess.run(
        [*unshare, sys.executable, "-c", DISK, disk, library, spoil, json.dumps(commands)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


QUESTIONS = [["duplicates"], ["duplicates", "--paths"], ["quarantine"], ["decisions", "list"]]
"""What is asked of a library on a disk on which nothing can be written."""


def test_a_library_on_a_read_only_disk(scanned: Scanned, tmp_path: Path):
    """It answers as ever; what writes says why it cannot."""
    photos = scanned.photos
    questions = [*QUESTIONS, ["similar", f"{photos}/0.jpg"]]
    changes = [
        ["scan"],
        ["decide", f"{photos}/0.jpg", f"{photos}/1.jpg", "--same"],
        ["remove-root", "photos"],
        ["model", "tune", "--off"],
    ]
    said = on_disk("read-only", tmp_path / "disk", scanned.library, [*questions, *changes])
    for words, (code, stdout, stderr) in zip(questions, said, strict=False):
        usual = scanned(*words)
        assert (code, stdout, stderr) == (0, os.fsdecode(usual.stdout).replace("\udcff", "�"), "")
    for code, stdout, stderr in said[len(questions) :]:
        assert (code, stdout) == (1, "")
        assert stderr == (
            f"twinlens: {tmp_path}/disk/library: the library folder is not writable."
            " Correct its permissions or choose another with --library.\n"
        )


def test_a_library_on_a_full_disk(scanned: Scanned, tmp_path: Path):
    """Who is out of space can ask what to remove; each thing that cannot be written is named."""
    disk, photos = tmp_path / "disk", scanned.photos
    plan = tmp_path / "plan.json"
    assert scanned("duplicates", "--plan", plan).returncode == 0
    full = "its disk is full. Make space there, then do the same again."
    changes = {
        ("duplicates", "--plan", f"{disk}/plan.json"): "plan.json: the plan cannot be written: No space left on device. ",
        ("duplicates", "--html", f"{disk}/a.html"): "a.html: the sheet cannot be written: No space left on device. Make space",
        ("decisions", "export", f"{disk}/d.json"): "d.json: cannot be written: No space left on device. ",
        ("scan",): f"catalogue.sqlite3: cannot open the catalogue: {full}",
        ("decide", f"{photos}/0.jpg", f"{photos}/1.jpg", "--same"): full,
        ("apply", str(plan), "--yes"): full,
        ("remove-root", "photos"): full,
    }  # fmt: skip
    said = on_disk(
        "full", disk, scanned.library, [*QUESTIONS, *map(list, changes), ["undo", "--list"]]
    )
    for words, (code, stdout, stderr) in zip(QUESTIONS, said, strict=False):
        usual = scanned(*words)
        assert (code, stdout, stderr) == (0, os.fsdecode(usual.stdout).replace("\udcff", "�"), "")
    for expected, (code, stdout, stderr) in zip(
        changes.values(), said[len(QUESTIONS) :], strict=False
    ):
        assert (code, stdout) == (1, "")
        assert stderr.startswith(f"twinlens: {disk}/")
        assert expected in stderr
        assert stderr.count("\n") == 1
    assert said[-1] == (0, "Nothing was applied yet.\n", "")


def test_what_a_crash_left_on_a_read_only_disk(scanned: Scanned, tmp_path: Path):
    """It cannot be read without being mended first, and that is said: half of it is no answer."""
    said = on_disk("crashed", tmp_path / "disk", scanned.library, QUESTIONS)
    for code, stdout, stderr in said:
        assert (code, stdout) == (1, "")
        assert stderr == (
            f"twinlens: {tmp_path}/disk/library/catalogue.sqlite3: what was written last still lies"
            " beside it (by a crash, or another computer at work), and nothing can be written here to"
            " take it in. Make its disk writable once, or copy the library to one that is.\n"
        )
