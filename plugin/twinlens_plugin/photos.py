"""Photos as queries: is this path one that the catalogue knows, as it is on disk now?"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from twinlens.catalogue import Catalogue
from twinlens.errors import PhotoError, UnreadableError, VanishedError
from twinlens.filestat import FileStat
from twinlens.models import Model
from twinlens.roots import Root, list_roots
from twinlens.views import Views, views_of
from twinlens_plugin.current import CURRENT, below
from twinlens_plugin.errors import StrangerError
from twinlens_plugin.output import absolute, shown


@dataclass(frozen=True, slots=True)
class Query:
    """A photo asked about."""

    given: bytes
    """The path as it was given."""
    path: bytes
    """Its real, absolute path."""
    content_id: int | None = None
    """Its content, where the catalogue knows it."""
    views: Views | None = None
    """The catalogue's vectors of that content; None: it has to be embedded."""


class Lookup:
    """Finds photos in the catalogue by path, and by their bytes where the path is unknown."""

    def __init__(self, catalogue: Catalogue, model: Model) -> None:
        self._catalogue = catalogue
        self._model = model
        self._roots = list_roots(catalogue)

    def find(self, given: bytes) -> Query:
        """Look one photo up.

        A file below a root whose size, time or inode is not the recorded one is treated as never
        seen. Raises UnreadableError, VanishedError for what is no readable file.
        """
        path = absolute(given)
        root = next((root for root in self._roots if below(path, root.path)), None)
        known = self._by_path(root, path) if root else None
        return Query(given, path, *(known or self._by_bytes(path)))

    def _by_path(self, root: Root, path: bytes) -> tuple[int, Views] | None:
        row = self._catalogue.row(
            "SELECT f.content_id, size, mtime_ns, ctime_ns, inode FROM files f"  # noqa: S608
            " LEFT JOIN jobs ON file_id = f.id"
            f" WHERE root_id = ? AND f.path = ? AND {CURRENT}",
            (root.id, os.path.relpath(path, root.path)),
        )
        views = row and views_of(self._catalogue, self._model, row["content_id"])
        if row is None or views is None:
            return None
        recorded = FileStat(row["size"], row["mtime_ns"], row["ctime_ns"], row["inode"])
        # A photo of a disk that is away is answered from the catalogue.
        if root.online and not recorded.same_bytes(_stat(path)):
            return None
        return row["content_id"], views

    def _by_bytes(self, path: bytes) -> tuple[int, Views | None] | tuple[None, None]:
        """Hashing takes milliseconds, embedding seconds: copies of known photos need no model."""
        content: int | None = self._catalogue.value(
            "SELECT id FROM contents WHERE sha256 = ?", (_sha256(path),)
        )
        if content is None:
            return None, None
        return content, views_of(self._catalogue, self._model, content)


class Identities:
    """Tells which content a file is, by its path or else by its bytes; no model is needed."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._roots = list_roots(catalogue)

    def sha256(self, given: bytes) -> bytes:
        """Return the SHA-256 of a photo of the library.

        A file of a disk that is away is believed to be what was recorded. Raises UnreadableError,
        VanishedError, StrangerError for a photo that is not in the library.
        """
        path = absolute(given)
        root = next((root for root in self._roots if below(path, root.path)), None)
        found = self._recorded(root, path) if root else None
        found = found or self._by_bytes(path)
        if found is None:
            raise StrangerError(
                f"{shown(given)}: not in the library, or changed since it was read."
                " Run: twinlens scan FOLDER"
            )
        return found

    def _recorded(self, root: Root, path: bytes) -> bytes | None:
        row = self._catalogue.row(
            "SELECT sha256, size, mtime_ns, ctime_ns, inode FROM files f"  # noqa: S608
            " JOIN contents c ON c.id = content_id LEFT JOIN jobs ON file_id = f.id"
            f" WHERE root_id = ? AND f.path = ? AND {CURRENT}",
            (root.id, os.path.relpath(path, root.path)),
        )
        if row is None:
            return None
        recorded = FileStat(row["size"], row["mtime_ns"], row["ctime_ns"], row["inode"])
        same = not root.online or recorded.same_bytes(_stat(path))
        return bytes(row["sha256"]) if same else None

    def _by_bytes(self, path: bytes) -> bytes | None:
        found = _sha256(path)
        known = self._catalogue.value("SELECT 1 FROM contents WHERE sha256 = ?", (found,))
        return found if known else None


def _stat(path: bytes) -> FileStat:
    try:
        found = os.stat(path)  # noqa: PTH116  bytes
    except OSError as error:
        raise _refused(path, error) from error
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, a device or a socket"
        raise UnreadableError(f"{shown(path)}: is {kind}, not a photo. Name a photo.")
    return FileStat.of(found)


def _sha256(path: bytes) -> bytes:
    _stat(path)  # before opening: a FIFO would hang
    try:
        with Path(os.fsdecode(path)).open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").digest()
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: bytes, error: OSError) -> PhotoError:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return VanishedError(f"{shown(path)}: no such file. Check the path.")
    why = os.strerror(error.errno or errno.EIO)
    return UnreadableError(f"{shown(path)}: cannot be read: {why}. Correct its permissions.")
