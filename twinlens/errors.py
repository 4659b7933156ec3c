"""Everything that can go wrong, by name.

Each error is one line that names the culprit, the cause and the cure. Only the command lines turn
errors into exit codes; everything below them raises.
"""


class TwinlensError(Exception):
    """Root of all errors that twinlens raises on purpose."""


class ConfigError(TwinlensError):
    """A setting has a value that cannot be used."""


class LibraryError(TwinlensError):
    """The library folder cannot be used: missing, on a network mount, or not writable."""


class CatalogueError(TwinlensError):
    """The catalogue cannot be opened or is not one of ours."""


class NewerCatalogueError(CatalogueError):
    """The catalogue was written by a newer twinlens."""


class RootError(TwinlensError):
    """A photo folder cannot be added, found or removed."""


class SnapshotError(TwinlensError):
    """An index snapshot is missing, damaged or belongs to another model. It can be rebuilt."""


class AlreadyRunningError(TwinlensError):
    """Another process holds the lock for this role."""


class MessageError(TwinlensError):
    """A message from the broker is not one of ours, or of a version that we do not speak."""


class BrokerError(TwinlensError):
    """The broker cannot be reached or refuses messages."""


class WorkerError(TwinlensError):
    """A worker does not answer or cannot go on."""


class TuningError(TwinlensError):
    """A library cannot be tuned, or what was stored of its tuning is damaged."""


class ModelError(TwinlensError):
    """A model cannot be loaded or does not give usable vectors."""


class PhotoError(TwinlensError):
    """A photo that cannot be read. ``kind`` is stable, the text is for people."""

    kind = "unreadable"
    permanent = True
    """Whether trying the same bytes again is pointless."""


class UnreadableError(PhotoError):
    """The operating system does not let us read the file."""


class DecodeError(PhotoError):
    """The bytes are not an image that we can decode."""

    kind = "damaged"


class TooLargeError(PhotoError):
    """The image would need more pixels or memory than the limit allows."""

    kind = "too-large"


class VanishedError(PhotoError):
    """The file went away between being seen and being read."""

    kind = "vanished"


class ChangedError(PhotoError):
    """The file changed while it was being read."""

    kind = "changed"
    permanent = False


class DecoderCrashError(PhotoError):
    """The decoder process died on this photo."""

    kind = "crashed-decoder"
    permanent = False


class DecoderTimeoutError(PhotoError):
    """The decoder took longer than the limit on this photo."""

    kind = "timeout"
    permanent = False


class BadVectorError(PhotoError):
    """The model gave NaN, infinity or zero for this photo."""

    kind = "bad-vector"
