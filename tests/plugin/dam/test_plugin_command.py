"""twinlens plugin list, install and remove."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.plugin.dam.conftest import Home
from tests.plugin.dam.screen import system_program
from twinlens_plugin.dam import registry
from twinlens_plugin.main import cli


def run(*args: object, code: int = 0) -> Result:
    """Run a command in this process, in the environment as it is."""
    result = CliRunner().invoke(cli, ["plugin", *map(str, args)])
    assert result.exit_code == code, result.output
    return result


def as_json(*args: object, code: int = 0) -> list[dict[str, Any]]:
    """Run a command with ``--json``; return its objects."""
    return [json.loads(line) for line in run(*args, "--json", code=code).stdout.splitlines()]


def state(name: str) -> str:
    """Return what ``list`` says of one integration."""
    [row] = [row for row in as_json("list") if row["name"] == name]
    return str(row["state"])


@pytest.fixture
def entry(home: Home) -> Path:
    """One of Geeqie's menu entries, where it will be."""
    return home.folder / ".local/share/applications/twinlens-geeqie-similar.desktop"


def test_list_says_what_is_here_and_what_is_installed(home: Home, entry: Path):
    """Every integration has a line, and what to do next."""
    home.program("geeqie")
    rows = {row["name"]: row for row in as_json("list")}
    assert set(rows) == set(registry.INTEGRATIONS)
    assert (rows["geeqie"]["found"], rows["geeqie"]["state"]) == (True, "absent")
    assert rows["nautilus"]["found"] is False
    assert "Run: twinlens plugin install geeqie" in run("list").stdout
    run("install", "geeqie")
    assert "installed, up to date" in run("list").stdout
    entry.write_bytes(b"mine now")
    assert state("geeqie") == "changed"


def test_list_says_when_an_upgrade_or_the_program_is_missing(home: Home, entry: Path):
    """An entry of an older version is out of date; one whose twinlens is gone is broken."""
    home.program("geeqie")
    run("install", "geeqie")
    entry.unlink()
    assert state("geeqie") == "outdated"
    record = home.folder / ".local/share/twinlens/plugins.json"
    stored = json.loads(record.read_text())
    stored["calls"]["geeqie"]["program"] = ["/gone/twinlens"]
    record.write_text(json.dumps(stored))
    assert state("geeqie") == "broken"
    assert "/gone/twinlens" in run("list").stdout


def test_install_goes_into_all_that_are_found_and_remove_out_of_all(home: Home):
    """Without names nothing has to be known; afterwards the home is as it was."""
    home.program("geeqie")
    home.program("nautilus")
    written = as_json("install")
    assert {line["plugin"] for line in written} == {"geeqie", "nautilus"}
    assert {line["did"] for line in written} == {"wrote"}
    assert all(Path(line["path"]).is_file() for line in written)
    removed = as_json("remove")
    assert {line["path"] for line in removed} == {line["path"] for line in written}
    assert home.files() <= {".local", ".local/share", ".local/share/twinlens"}


def test_a_program_that_is_missing_is_named_with_the_cure(home: Home, entry: Path):
    """Nothing is written then, unless --anyway."""
    said = run("install", "geeqie", code=1).stderr
    assert said == (
        "twinlens: Geeqie is not found on this computer."
        " Install it: apt install geeqie, or add --anyway.\n"
    )
    assert "none of these is found" in run("install", code=1).stderr
    assert not entry.exists()
    run("install", "geeqie", "--anyway")
    assert entry.exists()


def test_a_dry_run_says_would(home: Home):
    """It writes nothing, no record either."""
    home.program("geeqie")
    before = home.files()
    assert "would write" in run("install", "--dry-run").stdout
    assert home.files() == before


def test_a_file_that_is_left_makes_exit_code_1(home: Home, entry: Path):
    """And is said, with what to do."""
    home.program("geeqie")
    entry.parent.mkdir(parents=True)
    entry.write_text("mine")
    assert "left" in run("install", "geeqie", code=1).stdout
    assert entry.read_text() == "mine"


def test_entries_ask_the_library_that_is_asked_now(
    home: Home, entry: Path, monkeypatch: pytest.MonkeyPatch
):
    """By option or by variable; the library that twinlens takes by itself is not named."""
    home.program("geeqie")
    run("install", "geeqie")
    assert "--library" not in entry.read_text()
    monkeypatch.chdir(home.folder)
    run("install", "geeqie", "--library", "here")
    assert f"--library {home.folder}/here " in entry.read_text()
    monkeypatch.setenv("TWINLENS_LIBRARY", "/elsewhere")
    run("install", "geeqie")
    assert "--library /elsewhere " in entry.read_text()


def test_xdg_data_home_is_respected(home: Home, monkeypatch: pytest.MonkeyPatch):
    """Entries and record go there; a relative one is ignored, as the specification says."""
    home.program("geeqie")
    monkeypatch.setenv("XDG_DATA_HOME", str(home.folder / "data"))
    run("install", "geeqie")
    assert (home.folder / "data/applications/twinlens-geeqie-similar.desktop").is_file()
    assert (home.folder / "data/twinlens/plugins.json").is_file()
    assert not (home.folder / ".local").exists()
    run("remove")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    run("install", "geeqie")
    assert (home.folder / ".local/share/applications").is_dir()


def test_entries_start_the_program_by_its_full_path(home: Home, entry: Path):
    """The real program writes its own path, or Python's where it was started as a module."""
    home.program("geeqie")
    twinlens = Path(sys.executable).with_name("twinlens")
    for command in ([twinlens], [sys.executable, "-m", "twinlens_plugin"]):
        subprocess.run(
            [*command, "plugin", "install", "geeqie"], check=True, capture_output=True, timeout=60
        )
        assert f"Exec={twinlens} similar" in entry.read_text()
        assert f"TryExec={twinlens}\n" in entry.read_text()


def test_entries_are_valid_as_freedesktop_checks_it(home: Home):
    """desktop-file-validate has nothing to say."""
    validate = system_program("desktop-file-validate")
    home.program("update-desktop-database")
    run(
        "install", "geeqie", "digikam", "--anyway", "--library", home.folder / 'a "100%" $HOME\\`b`'
    )
    entries = sorted((home.folder / ".local/share/applications").glob("*.desktop"))
    assert len(entries) == 5
    done = subprocess.run([validate, *entries], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
