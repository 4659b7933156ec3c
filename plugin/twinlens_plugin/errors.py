"""What can go wrong in the plugin alone."""

from __future__ import annotations

from twinlens.errors import PhotoError, TwinlensError


class EmptyLibraryError(TwinlensError):
    """The library holds no photos yet."""


class ChildError(TwinlensError):
    """A child process does not stay alive, or refuses its work."""


class OutputError(TwinlensError):
    """The answer cannot be written."""


class PlanError(TwinlensError):
    """A plan cannot be read, or would do what no plan may do."""


class SkippedError(TwinlensError):
    """A photo that is not acted on: it changed, or to act on it would not be safe."""


class ActingError(TwinlensError):
    """An action on a file did not work; what it had done was taken back."""


class JournalError(TwinlensError):
    """The journal cannot be written or read, and nothing is done without one."""


class ExiftoolError(TwinlensError):
    """exiftool is missing, or does not do what it is asked."""


class LabelsError(TwinlensError):
    """A folder is not sorted in such a way that a model can be judged by it."""


class DecisionError(TwinlensError):
    """A decision cannot be made of these photos, or a file of decisions cannot be read."""


class StrangerError(PhotoError):
    """A photo that is not in the library."""

    kind = "stranger"


class IntegrationError(TwinlensError):
    """twinlens cannot be put into another program, or taken out of it."""


class SheetError(TwinlensError):
    """A contact sheet cannot be written."""


class ServerError(TwinlensError):
    """The review page cannot be served."""
