"""How another program is to start this very twinlens, on this very library."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

from twinlens.settings import ENV_PREFIX, default_library
from twinlens_plugin.dam.integration import Call
from twinlens_plugin.options import Session


def call_for(session: Session, environ: Mapping[str, str], started_as: str) -> Call:
    """Return the call that asks the library of a session.

    The library is named where it is not the one that twinlens takes by itself: other programs have
    neither the options nor the variables of the shell in which they were installed.
    """
    bare = {name: value for name, value in environ.items() if name != f"{ENV_PREFIX}LIBRARY"}
    options: list[str] = []
    if session.settings.library != default_library(bare).absolute():
        options += ["--library", str(session.settings.library)]
    if session.config is not None:
        options += ["--config", str(session.config.absolute())]
    return Call(_program(started_as), tuple(options))


def _program(started_as: str) -> tuple[str, ...]:
    """Return the program as it was started, if by name; symbolic links stay.

    pipx and others upgrade what such a link leads to.
    """
    scripts = Path(sysconfig.get_path("scripts"))
    for program in (Path(started_as).absolute(), scripts / "twinlens", scripts / "twinlens.exe"):
        if program.stem == "twinlens" and program.is_file() and os.access(program, os.X_OK):
            return (str(program),)
    return (sys.executable, "-P", "-m", "twinlens_plugin")
