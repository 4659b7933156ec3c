"""What can go wrong in the plugin alone."""

from __future__ import annotations

from twinlens.errors import TwinlensError


class EmptyLibraryError(TwinlensError):
    """The library holds no photos yet."""


class ChildError(TwinlensError):
    """A child process does not stay alive, or refuses its work."""


class OutputError(TwinlensError):
    """The answer cannot be written."""
