"""Command lines of the Lightroom plug-in: what sh and cmd.exe make of them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import lupa.lua51
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plugin.dam import cmd

TEXT = resources.files("twinlens_plugin.dam").joinpath("lightroom", "command.lua").read_text()

MAC = [
    "/Applications/my twinlens/bin/twinlens",
    "it's",
    '"quoted"',
    "$HOME `id` $(id)",
    "new\nline",
    "a\\b",
    "*?[x]",
    "é日本",
    "-x",
    "",
    "!history & background; end",
]
WINDOWS = [
    r"C:\Program Files\twinlens\twinlens.exe",
    r"C:\100% & more\x",
    r"C:\%PATH%\x",
    r"C:\a%PATH%",
    r"C:\dir\%PATH%\%TEMP%",
    r"C:\R&D (2024)\^x\!y!",
    r"\\server\share\photos",
    "C:\\ends with\\",
    r"C:\Fotos\Überfahrt 日本",
    "C:\\a'b;c,d=e",
]
VARIABLES = {"PATH": r"C:\Windows", "TEMP": r"C:\tmp", "DIR": "no"}


@pytest.fixture(scope="module")
def command() -> Any:
    """Return the module, as Lightroom has it."""
    lua = lupa.lua51.LuaRuntime(unpack_returned_tuples=True)
    return lua.execute(TEXT), lua.table_from


def line(command: Any, words: Sequence[str], answer: str, remarks: str, *, windows: bool) -> str:
    """Return the line that runs words."""
    module, table = command
    made = module.line(table(words), answer, remarks, windows)
    assert isinstance(made, str), made
    return made


def test_sh_gives_a_program_its_words_as_they_are(command: Any, tmp_path: Path):
    """Run by a real shell; the answer and the remarks go into files of any name."""
    answer, remarks = tmp_path / "the 'answer' & $x", tmp_path / 'remarks "2"'
    script = 'printf "%s\\0" "$@"; echo said >&2; cat'
    words = ["sh", "-c", script, "name", *MAC]
    made = line(command, words, str(answer), str(remarks), windows=False)
    done = subprocess.run(["sh", "-c", made], stdin=subprocess.PIPE, timeout=20, check=True)
    assert done.returncode == 0
    assert answer.read_bytes().decode().split("\0")[:-1] == MAC
    assert remarks.read_text() == "said\n"


def test_cmd_gives_a_program_its_words_as_they_are(command: Any):
    """Spaces, &, ^, parentheses, backslashes at the end, and % around the name of a variable."""
    answer, remarks = r"C:\Users\J & J\100%\PATH%\answer", r"C:\Users\%TEMP%\remarks"
    made = line(command, WINDOWS, answer, remarks, windows=True)
    assert made.startswith('""')
    assert made.endswith('"')
    started = cmd.run(made, VARIABLES)
    assert started.arguments == WINDOWS
    assert started.streams == {"<": "nul", ">": answer, "2>": remarks}


@given(st.lists(st.text(r"ab %^&|<>()!\-'é日PATH", min_size=1), min_size=1))
def test_cmd_takes_any_path_that_windows_has(words: list[str]):
    """Whatever stands beside what."""
    lua = lupa.lua51.LuaRuntime(unpack_returned_tuples=True)
    command = lua.execute(TEXT), lua.table_from
    made = line(command, words, "C:\\out", "C:\\err", windows=True)
    assert cmd.run(made, VARIABLES).arguments == words


@pytest.mark.parametrize("word", ['C:\\"x"', "C:\\a\nb"])
def test_what_no_windows_path_holds_is_refused(command: Any, word: str):
    """A quote or a line's end would start something else."""
    module, table = command
    made, wrong = module.line(table([word]), "out", "err", True)
    assert made is None
    assert "Plug-in Manager" in wrong


def test_without_the_outer_quotes_cmd_would_take_the_inner_ones():
    """The model knows why they are there."""
    assert cmd.run('"C:\\a b\\x.exe" "C:\\c d"', {}).arguments != [r"C:\a b\x.exe", r"C:\c d"]
    assert cmd.run('""C:\\a b\\x.exe" "C:\\c d""', {}).arguments == [r"C:\a b\x.exe", r"C:\c d"]


def test_the_model_of_cmd_does_what_is_documented():
    """Examples of Microsoft's, and of the phases of cmd's parser."""
    assert list(cmd.split(r'"a b c" d e')) == ["a b c", "d", "e"]
    assert list(cmd.split(r'"ab\"c" "\\" d')) == ['ab"c', "\\", "d"]
    assert list(cmd.split(r'a\\\b d"e f"g h')) == ["a\\\\\\b", "de fg", "h"]
    assert list(cmd.split(r"a\\\"b c d")) == ['a\\"b', "c", "d"]
    assert cmd.run("echo %PATH% %NONE%", VARIABLES).arguments == ["echo", r"C:\Windows", "%NONE%"]
    assert cmd.run('echo "%PATH%" ^& "^&"', VARIABLES).arguments == [
        "echo",
        r"C:\Windows",
        "&",
        "^&",
    ]
    with pytest.raises(ValueError, match="not one command"):
        cmd.run("echo a & del b", {})


@pytest.mark.parametrize(("status", "code"), [(0, 0), (1, 1), (3, 3), (256, 1), (768, 3)])
def test_exit_codes_come_in_two_forms(command: Any, status: int, code: int):
    """As they are, or times 256."""
    assert command[0].exit_code(status) == code


def test_paths_are_written_as_the_system_does(command: Any):
    """Answers join folders with slashes; Lightroom on Windows finds photos by backslashes."""
    assert command[0].native("C:\\Fotos/2024/a.jpg", True) == "C:\\Fotos\\2024\\a.jpg"
    assert command[0].native("/Users/a\\b.jpg", False) == "/Users/a\\b.jpg"
