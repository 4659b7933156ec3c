"""Thumbnails as ``data:`` addresses: the library's, made where they are missing."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Self

from twinlens.errors import PhotoError
from twinlens.thumbnails import thumbnail_path
from twinlens_plugin.errors import ChildError
from twinlens_plugin.options import Session

if TYPE_CHECKING:
    from twinlens_plugin.review.assistant import Assistant


class Thumbnails:
    """Reads the thumbnails of one library, and counts those that cannot be had."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._assistant: Assistant | None = None
        self._refused = False
        self.missing = 0
        """Photos so far of which there is no preview."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._assistant is not None:
            self._assistant.close()

    def of(self, sha256: bytes | None, path: bytes | None) -> str | None:
        """Return a picture as an address; None where there is none.

        ``sha256``: its content, None where the library does not know it; ``path``: a file that holds
        it, real, None where it is away.
        """
        kept = sha256 and thumbnail_path(self._session.library.thumbnails, sha256)
        data = (_jpeg(kept) if kept else None) or (self._make(sha256, path) if path else None)
        if data is None:
            self.missing += 1
            return None
        return "data:image/jpeg;base64," + base64.b64encode(data).decode("ascii")

    def _make(self, sha256: bytes | None, path: bytes) -> bytes | None:
        if self._refused:
            return None
        from twinlens_plugin.review.assistant import THUMBNAIL_SIDE, Assistant

        self._assistant = self._assistant or Assistant(self._session)
        try:
            if sha256 is None:
                return _jpeg(self._assistant.render(path, THUMBNAIL_SIDE))
            return _jpeg(self._assistant.thumbnail(path, sha256))
        except PhotoError:
            return None
        except ChildError:  # nothing here decodes: the others are not tried, a second each
            self._refused = True
            return None


def _jpeg(file: Path) -> bytes | None:
    try:
        data = file.read_bytes()
    except OSError:
        return None
    # A file cut short by a power cut would show as a torn picture.
    return data if data.startswith(b"\xff\xd8") and data.endswith(b"\xff\xd9") else None
