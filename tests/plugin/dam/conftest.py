"""A home of the test's own, programs that are there or not, and a screen that nobody sees."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from twinlens_plugin.dam.machine import Machine


@dataclass
class Home:
    """A user's home folder, with programs of its own."""

    folder: Path

    def program(self, name: str, script: str = "exit 0") -> Path:
        """Put a program on the path: a shell script."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    @property
    def machine(self) -> Machine:
        """The computer as the test's environment has it."""
        return Machine(dict(os.environ), "linux")

    def files(self) -> set[str]:
        """Return all files below the home but its programs, and all folders."""
        return {
            str(path.relative_to(self.folder))
            for path in self.folder.rglob("*")
            if "bin" not in path.relative_to(self.folder).parts
        }


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty home; the path has the system's shell programs, and no photo manager."""
    folder = tmp_path / "home"
    (folder / "bin").mkdir(parents=True)
    for name in list(os.environ):
        if name.startswith(("XDG_", "TWINLENS_LI", "TWINLENS_CO")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    for name in ("sh", "cat", "printf", "env", "sleep"):
        found = shutil.which(name)
        assert found
        (folder / "bin" / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder / "bin"))
    monkeypatch.setenv("XDG_DATA_DIRS", str(folder / "usr/share"))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(folder / "etc"))
    return Home(folder)
