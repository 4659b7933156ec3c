"""Completion: what the shells themselves complete, asked of real ones, and that it is fast."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.conftest import Built, Cli
from twinlens_plugin import shells
from twinlens_plugin.main import COMMANDS, cli

BIN = Path(sys.executable).parent
"""Where the program ``twinlens`` is, which the scripts call."""

BASH = """
source /dev/stdin <<< "$SCRIPT"
complete -p twinlens || exit 1
COMP_LINE=$1 COMP_POINT=${#1} COMPREPLY=()
compopt() { echo "compopt $2"; }
_twinlens_completion twinlens
printf '%s\\n' "${COMPREPLY[@]}"
"""

# compsys' own functions, as far as the script calls them: they print what they are given.
ZSH = """
compdef() { [[ $2 == twinlens ]] || exit 1; handler=$1; }
_describe() { print -rl -- ${(P)3}; }
compadd() { print -rl -- ${(P)@[-1]}; }
_path_files() { print -r -- "files $1"; }
eval "$SCRIPT"
words=(${(z)1}); [[ $1 == *' ' ]] && words+=('')
CURRENT=$#words
$handler
"""

FISH = 'echo "$SCRIPT" | source; complete -C "$argv[1]"'


def run(program: str, code: str, line: str, built: Built) -> list[str]:
    """Type ``line`` into a shell that has read the script; return what it offers."""
    if shutil.which(program) is None:
        message = f"the program {program} is not installed"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    done = subprocess.run(
        [program, *(["--no-config"] if program == "fish" else []), "-c", code]
        + ([] if program == "fish" else ["shell"])
        + [line],
        env={
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "SCRIPT": shells.script(cli, program),
            "TWINLENS_LIBRARY": str(built.library.folder),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def bash(line: str, built: Built) -> list[str]:
    """Return what bash offers, without the line that says that it knows the program."""
    first, *rest = run("bash", BASH, line, built)
    assert first == "complete -o nosort -F _twinlens_completion twinlens"
    return [word for word in rest if word]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("twinlens ", list(COMMANDS)),
        ("twinlens dec", ["decide", "decisions"]),
        ("twinlens --ver", ["--version"]),
        ("twinlens duplicates --ki", ["--kind"]),
        ("twinlens duplicates --kind ", ["identical", "same-pixels", "copy", "edit", "burst", "similar"]),
        ("twinlens duplicates --kind identical,co", ["identical,copy"]),
        ("twinlens duplicates --kind=ed", ["edit"]),
        ("twinlens duplicates --keep path,ra", ["path,raw", "path,rated"]),
        ("twinlens tag --with keywords,", ["keywords,rating", "keywords,label"]),
        ("twinlens plugin install geeqie dark", ["darktable"]),
        ("twinlens plugin show ", ["similar", "duplicates", "check"]),
        ("twinlens apply plan.json --action re", ["reflink"]),
        ("twinlens model use poc", ["pocket"]),
        ("twinlens remove-root pho", ["photos"]),
        ("twinlens remove-root /no", ["compopt dirnames"]),
        ("twinlens similar a.jpg ", ["compopt default"]),
        ("twinlens undo ", ["compopt default"]),
    ],
)  # fmt: skip
def test_bash_completes(line: str, offered: list[str], built: Built):
    """Commands, options, their values, lists with commas, names of the library, files."""
    assert bash(line, built) == offered


def test_bash_gets_what_follows_a_colon(built: Built):
    """It takes words apart there, and would put the whole name after what is typed."""
    with built.catalogue.write_tx() as tx:
        tx.execute("UPDATE models SET name = 'torchvision:resnet50'")
    assert bash("twinlens model use torchvision:res", built) == ["resnet50"]
    assert bash("twinlens model use torch", built) == ["torchvision:resnet50"]


def test_bash_completes_labels_of_the_library(built: Built):
    """Those that photos carry now."""
    content = built.content_id(built.photo("a.jpg"))
    with built.catalogue.write_tx() as tx:
        tx.execute(
            "INSERT INTO labels (model_id, content_id, label, probability) VALUES (?, ?, 'crab', 0.9)",
            (built.model.id, content),
        )
    assert bash("twinlens labels --find cr", built) == ["crab"]


@pytest.mark.parametrize("spoil", ["missing", "damaged", "newer"])
def test_a_library_that_cannot_be_asked_completes_nothing_and_says_nothing(
    spoil: str, built: Built
):
    """An error in the middle of a line that is being typed helps nobody."""
    if spoil == "newer":
        built.catalogue._connection.execute("PRAGMA user_version = 999")
    else:
        for file in built.library.folder.glob("catalogue*"):
            file.unlink()
    if spoil == "damaged":
        built.library.catalogue.write_bytes(b"no database" * 100)
    assert bash("twinlens remove-root ph", built) == ["compopt dirnames"]
    assert built.library.catalogue.exists() == (spoil != "missing")


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("twinlens dec", {"decide:Say what are duplicates and what are not.",
                          "decisions:List, export or import what was decided."}),
        ("twinlens duplicates --kind identical,co", {"identical,copy"}),
        ("twinlens plugin install dark", {"darktable"}),
        ("twinlens similar ", {"files -f"}),
    ],
)  # fmt: skip
def test_zsh_completes(line: str, offered: set[str], built: Built):
    """With the help of commands beside them."""
    assert set(run("zsh", ZSH, line, built)) == offered


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("twinlens dec", {"decide\tSay what are duplicates and what are not.",
                          "decisions\tList, export or import what was decided."}),
        ("twinlens duplicates --kind identical,co", {"identical,copy"}),
        ("twinlens plugin install dark", {"darktable"}),
        ("twinlens remove-root pho", {"photos"}),
    ],
)  # fmt: skip
def test_fish_completes(line: str, offered: set[str], built: Built):
    """Values with commas are whole, and so are the helps of commands."""
    found = run("fish", FISH, line, built)
    assert {word.removesuffix(f"\t{built.photos}") for word in found} == offered


def test_a_command_is_completed_without_importing_any(built: Built):
    """Who types does not wait: 0.08 s of CPU, as much as --version takes, not the 0.4 s of all."""
    code = (
        "import sys, atexit, json\n"
        "atexit.register(lambda: print(json.dumps([*sys.modules]), file=sys.stderr))\n"
        "from twinlens_plugin.main import main\nmain()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, shells.VARIABLE: "bash_complete", "COMP_WORDS": "twinlens dup"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "plain,duplicates\n"
    modules = json.loads(done.stderr)
    assert not [name for name in modules if name.startswith("twinlens_plugin.commands")]
    assert not {"numpy", "sqlite_utils", "platformdirs"} & set(modules)


def test_the_command_prints_the_script(tmp_path: Path):
    """With no library at all: it is put into the shell's settings."""
    for shell in shells.SHELLS:
        script = Cli(tmp_path / "none")("completion", shell).stdout
        assert script.rstrip("\n") == shells.script(cli, shell).rstrip("\n")
        assert "_TWINLENS_COMPLETE" in script
    result = Cli(tmp_path / "none")("completion", "powershell", code=2)
    assert "'powershell' is not one of 'bash', 'zsh', 'fish'" in result.stderr
