"""The computer that integrations are installed on: its folders, its programs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PROBE_SECONDS = 5.0
"""Longest time that a program gets to say its version. Without a display some wait for one."""


@dataclass(frozen=True, slots=True)
class Machine:
    """One computer, as one user sees it. Tests give an environment of their own."""

    environ: Mapping[str, str]
    platform: str = sys.platform

    @property
    def home(self) -> Path:
        """The user's home folder."""
        named = self.environ.get("HOME") or self.environ.get("USERPROFILE")
        return Path(named) if named else Path.home()

    @property
    def data_home(self) -> Path:
        """``XDG_DATA_HOME``."""
        return self._xdg("XDG_DATA_HOME", ".local/share")

    @property
    def config_home(self) -> Path:
        """``XDG_CONFIG_HOME``."""
        return self._xdg("XDG_CONFIG_HOME", ".config")

    @property
    def cache_home(self) -> Path:
        """``XDG_CACHE_HOME``."""
        return self._xdg("XDG_CACHE_HOME", ".cache")

    def _xdg(self, variable: str, default: str) -> Path:
        # A relative path is to be ignored, says the XDG base directory specification.
        named = Path(self.environ.get(variable) or "")
        return named if named.is_absolute() else self.home / default

    def program(self, name: str) -> Path | None:
        """Return where a program is, by ``PATH``."""
        found = shutil.which(name, path=self.environ.get("PATH"))
        return Path(found).absolute() if found else None

    def version(self, command: Sequence[str | Path]) -> str:
        """Return the first thing like a version that a command prints; empty where there is none."""
        try:
            said = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=dict(self.environ),
                timeout=_PROBE_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        found = re.search(rb"\d+(?:\.\d+)+", said.stdout)
        return found.group().decode("ascii") if found else ""
