"""What an integration is: a program that twinlens can be put into, and the files that do it.

To add one: a subclass of ``Integration`` in a module of its own, and its line in ``registry``. It
says what should be on disk; ``installing`` compares, writes and removes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from twinlens_plugin.dam import marked
from twinlens_plugin.dam.machine import Machine


@dataclass(frozen=True, slots=True)
class Call:
    """How another program is to start twinlens."""

    program: tuple[str, ...]
    """The absolute path of the program; with what follows it where it is Python.

    Programs started from a desktop have another PATH than a shell: a venv's ``bin`` is not in it.
    """
    options: tuple[str, ...] = ()
    """``--library DIR`` and ``--config FILE``, absolute, where they are not the defaults."""
    to: Path | None = None
    """A folder, absolute, to write what is carried to another computer."""

    def words(self, *command: str) -> list[str]:
        """Return the words that start a command, as ``words("similar", "--geeqie")``.

        The options come last: each command takes them, ``twinlens`` itself does not.
        """
        return [*self.program, *command, *self.options]


@dataclass(frozen=True, slots=True)
class Found:
    """A program that is on this computer."""

    version: str = ""
    """Empty where it does not say."""
    folder: Path | None = None
    """Where its settings or plugins are, where that matters."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that is all ours."""

    path: Path
    content: bytes
    executable: bool = False

    kind = "file"

    def own(self, found: bytes | None) -> bytes | None:
        """Return what is ours of what is there."""
        return found

    def put(self, found: bytes | None) -> bytes:  # noqa: ARG002  the other kind needs it
        """Return the file as it should be."""
        return self.content

    def without(self, found: bytes) -> bytes:  # noqa: ARG002
        """Return what is left when ours is gone."""
        return b""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines between two marks in a file that is somebody else's, as darktable's ``luarc``.

    All else in it stays as it is, to the byte.
    """

    path: Path
    lines: tuple[str, ...]
    comment: str = "--"
    """What starts a comment in this file."""

    kind = "lines"
    executable = False

    @property
    def content(self) -> bytes:
        """The lines with their marks."""
        return marked.block(self.lines, self.comment)

    def own(self, found: bytes | None) -> bytes | None:
        """Return our lines and their marks; None where there are none."""
        return None if found is None else marked.find(found, self.comment)

    def put(self, found: bytes | None) -> bytes:
        """Return the file with our lines in it: where they were, or at its end."""
        return marked.put(found or b"", self.content, self.comment)

    def without(self, found: bytes) -> bytes:
        """Return the file without our lines."""
        return marked.cut(found, self.comment)


Piece = File | Lines
"""Something that should be on disk."""


class Integration(ABC):
    """A program that twinlens can be put into."""

    name: str
    """As the command line has it: ``geeqie``."""
    title: str
    """As its makers write it: ``Geeqie``."""
    cure: str
    """What to do where it is not found: ``Install it: apt install geeqie``."""

    @abstractmethod
    def found(self, machine: Machine) -> Found | None:
        """Return the program, where it is on this computer; must be quick and open no window."""

    @abstractmethod
    def pieces(self, machine: Machine, call: Call) -> Sequence[Piece]:
        """Return all that should be on disk. Paths are absolute."""

    def advice(self, machine: Machine, call: Call) -> Sequence[str]:  # noqa: ARG002
        """Return what the user still has to do or know, a line each; said after an install."""
        return ()

    def refresh(self, machine: Machine) -> None:  # noqa: B027  most need not
        """Tell the desktop, after files were written or removed. May fail without a word."""


def data(tool: str, name: str) -> bytes:
    """Return a file that travels with this package: ``data("darktable", "twinlens.lua")``."""
    return resources.files("twinlens_plugin.dam").joinpath(tool, name).read_bytes()
