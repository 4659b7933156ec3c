"""Thumbnails as ``data:`` addresses, from the library's cache."""

from __future__ import annotations

import base64

from twinlens.library import Library


class Thumbnails:
    """Reads the thumbnails of one library, and counts those that are missing."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.missing = 0
        """Photos so far of which there is no preview."""

    def of(self, sha256: bytes | None) -> str | None:
        """Return the thumbnail of a content as an address; None where there is none."""
        data = self._read(sha256) if sha256 else None
        if data is None:
            self.missing += 1
            return None
        return "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")

    def _read(self, sha256: bytes) -> bytes | None:
        try:
            data = self._library.thumbnail(sha256).read_bytes()
        except OSError:
            return None
        # A file cut short by a power cut would show as a torn picture; one of no JPEG as nothing.
        return data if data.startswith(b"\xff\xd8") and data.endswith(b"\xff\xd9") else None
