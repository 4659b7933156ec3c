"""The Lua that both photo managers share: JSON and answers, in Lua 5.1 and 5.4; and luacheck."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import lupa.lua51
import lupa.lua54
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plugin.dam.screen import needed
from twinlens_plugin import output
from twinlens_plugin.dam import luacode
from twinlens_plugin.dam.integration import Call

DAM = resources.files("twinlens_plugin.dam")
VERSIONS = {"5.1": lupa.lua51.LuaRuntime, "5.4": lupa.lua54.LuaRuntime}


def module(version: str, name: str) -> Any:
    """Return a shared module; its strings are bytes, a character each."""
    lua = VERSIONS[version](encoding="latin-1", unpack_returned_tuples=True)
    loaded = lua.execute(DAM.joinpath("lua", "json.lua").read_text())
    if name == "json":
        return loaded
    return lua.execute(DAM.joinpath("lua", f"{name}.lua").read_text())(loaded)


def as_python(value: Any) -> Any:
    """Return a value of Lua's; a table is a list where it has a first element."""
    if not hasattr(value, "items"):
        return value.encode("latin-1") if isinstance(value, str) else value
    if 1 in list(value) or not list(value):
        return [as_python(item) for item in value.values()]
    return {key: as_python(item) for key, item in value.items()}


@pytest.fixture(params=VERSIONS)
def decode(request: pytest.FixtureRequest) -> Any:
    """Return json.decode of each version of Lua."""
    return module(request.param, "json").decode


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        'quote " backslash \\ slash / tab \t line \n bell \a',
        "é ß 日本 😀 \U0010ffff",
        "",
        12,
        -0.5,
        1e20,
        0.9321,
        True,
        False,
        [1, [2, [3]]],
        {"a": {"b": "c"}, "d": [True, "x"]},
    ],
)
def test_what_python_writes_is_read(decode: Any, value: object):
    """With its escapes, and with text as it is."""
    expected = json.loads(json.dumps(value), parse_int=float)

    def bytes_of(item: Any) -> Any:
        if isinstance(item, str):
            return item.encode()
        if isinstance(item, list):
            return [bytes_of(one) for one in item]
        if isinstance(item, dict):
            return {key: bytes_of(one) for key, one in item.items()}
        return item

    plain = json.dumps(value, ensure_ascii=False, indent=1).encode().decode("latin-1")
    assert as_python(decode(json.dumps(value))) == bytes_of(expected)
    assert as_python(decode(plain)) == bytes_of(expected)


@given(st.binary(max_size=30))
def test_paths_of_any_bytes_come_back_as_they_were(path: bytes):
    """Bytes that are no UTF-8 are lone surrogates in the JSON of twinlens."""
    text = json.dumps(output.json_path(path))
    for version in VERSIONS:
        assert module(version, "json").decode(text).path.encode("latin-1") == path


def test_null_is_nothing(decode: Any):
    """A member that is null is as one that is not there."""
    assert as_python(decode('{"a": null, "b": 1}')) == {"b": 1}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a"',
        '{"a":',
        '{"a": 1',
        '{"a": 1,}',
        "{a: 1}",
        "[1",
        "[1 2]",
        "[,]",
        '"open',
        r'"\x"',
        r'"\u12"',
        r'"\ud83d"',
        r'"\ud83dA"',
        "nul",
        "1 2",
        "-",
        "{} {}",
    ],
)
def test_what_is_no_json_is_said(decode: Any, text: str):
    """With its place; nothing is raised."""
    value, wrong = decode(text)
    assert value is None
    assert wrong.startswith("no JSON at character ")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_answer_that_was_cut_off_is_an_error(version: str):
    """Half an answer must not be taken for a whole one."""
    answers = module(version, "answers")
    groups, wrong = answers.groups('{"group": "a", "keeper": "/a", "photos": [{"pa')
    assert groups is None
    assert wrong.startswith("the answer of twinlens cannot be read: ")


@pytest.mark.parametrize("version", VERSIONS)
def test_files_of_a_shot_stay_and_go_together(version: str):
    """A companion does what its photo does."""
    photos = [
        {"path": "/a.cr2", "proposal": "keep", "online": True, "companions": [{"path": "/a.jpg"}]},
        {"path": "/b.cr2", "proposal": "remove", "companions": [{"path": "/b.jpg"}]},
    ]
    line = json.dumps({"group": "0123456789ab", "keeper": "/a.cr2", "photos": photos})
    (group,) = module(version, "answers").groups(f"{line}\n").values()
    found = [(file.path, file.goes) for file in group.files.values()]
    assert found == [("/a.cr2", False), ("/a.jpg", False), ("/b.cr2", True), ("/b.jpg", True)]
    assert group.online


@pytest.mark.parametrize("version", VERSIONS)
def test_remarks_are_one_line(version: str):
    """What twinlens says on standard error, without its name; progress is no remark."""
    remarks = module(version, "answers").remarks
    assert remarks("twinlens: one. Do this.\r\nReading 3/4\ntwinlens: two.\n") == (
        "one. Do this. two."
    )
    assert remarks("") is None


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "word", ["plain", 'a"b\\c', "é\n\t", os.fsdecode(b"\xff\x00"[:1]), "9\\065"]
)
def test_how_twinlens_is_started_is_written_as_lua(version: str, word: str):
    """Any path comes out as it went in."""
    lua = VERSIONS[version](encoding="latin-1")
    made = lua.execute(luacode.installed(Call((word,), ("--library", word))).decode())
    assert os.fsdecode(made.program[1].encode("latin-1")) == word
    assert os.fsdecode(made.options[2].encode("latin-1")) == word


def test_luacheck_finds_nothing():
    """Its settings say which Lua each folder is written for."""
    needed("luacheck")
    folder = Path(str(DAM))
    done = subprocess.run(
        [shutil.which("luacheck") or "", "--config", ".luacheckrc", "--no-color", "."],
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()
    assert done.stdout.count(b"OK") >= 19  # all of them were looked at
