"""Reading the status of one photo, without following a symbolic link anywhere on the way."""

from __future__ import annotations

import os
import stat as modes

from twinlens.filestat import FileStat

SEPARATOR = os.fsencode(os.sep)


class Reader:
    """Reads files below one folder. Made anew for each batch, as it remembers which folders are real.

    A photo whose folder was moved to a bigger disk and replaced by a link is gone as a sweep sees
    it, though ``lstat`` of its path would find it: so the folders are looked at too.
    """

    def __init__(self, top: bytes) -> None:
        self._top = top
        self._real = {b"": True}

    def read(self, path: bytes) -> FileStat | None:
        """Return the status of the regular file at ``path`` (below the folder); None: not there.

        Raises OSError where that cannot be told: no permission, a failing disk, a stale mount.
        """
        try:
            if not self._folder_is_real(path.rpartition(SEPARATOR)[0]):
                return None
            status = os.lstat(os.path.join(self._top, path))  # noqa: PTH118  bytes
        except (FileNotFoundError, NotADirectoryError):
            return None
        return FileStat.of(status) if modes.S_ISREG(status.st_mode) else None

    def is_gone(self, path: bytes) -> bool:
        """Tell whether the file is certainly not there; False in doubt."""
        try:
            return self.read(path) is None
        except OSError:
            return False

    def _folder_is_real(self, folder: bytes) -> bool:
        if (known := self._real.get(folder)) is not None:
            return known
        real = self._folder_is_real(folder.rpartition(SEPARATOR)[0]) and modes.S_ISDIR(
            os.lstat(os.path.join(self._top, folder)).st_mode  # noqa: PTH118  bytes
        )
        self._real[folder] = real
        return real
