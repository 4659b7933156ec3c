"""The manual pages: made from the help, well formed, and shown by man."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "man"


def program(name: str) -> str:
    """Return a program that is needed; skips where it is missing, and fails there in CI."""
    found = shutil.which(name)
    if found is None:
        message = f"the program {name} is not installed"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return found


def test_the_pages_are_up_to_date():
    """docs/man is what --help says: run python plugin/man_pages.py."""
    code = (
        "import runpy, json; made = runpy.run_path('plugin/man_pages.py')['pages']();"
        " print(json.dumps(made, sort_keys=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout) == {
        file.name: file.read_text(encoding="utf-8") for file in PAGES.iterdir()
    }


def test_mandoc_finds_nothing_to_mend():
    """No warning and no remark on style."""
    done = subprocess.run(
        [program("mandoc"), "-Tlint", "-Wstyle", *sorted(PAGES.iterdir())],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_man_shows_a_page_with_its_example_as_it_is_typed():
    """Its lines are whole, and its hyphens can be copied."""
    done = subprocess.run(
        [program("man"), "-l", PAGES / "twinlens-check.1"],
        env={**os.environ, "MANWIDTH": "100", "MAN_KEEP_FORMATTING": "", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert "twinlens-check - Say which photos of a card" in " ".join(done.stdout.split())
    typed = "twinlens check . --new -0 | xargs -0 -r cp -np --parents -t ~/new"
    assert f"\n       {typed}\n" in done.stdout


def test_man_finds_the_pages_by_name(tmp_path: Path):
    """``man twinlens-model-use`` with MANPATH at share/man."""
    (tmp_path / "share" / "man").mkdir(parents=True)
    (tmp_path / "share" / "man" / "man1").symlink_to(PAGES)
    done = subprocess.run(
        [program("man"), "-w", "twinlens-model-use"],
        env={**os.environ, "MANPATH": str(tmp_path / "share" / "man")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip().endswith("man1/twinlens-model-use.1")
