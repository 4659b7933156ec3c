"""Looking up which contents already have a vector."""

from __future__ import annotations

import sqlite3

from twinlens.catalogue import Catalogue
from twinlens.errors import TwinlensError
from twinlens.models import WHOLE
from twinlens_worker.decode.request import KnownVectors

_HAS_VECTOR = (
    "SELECT 1 FROM vectors v JOIN contents ON contents.id = content_id"  # noqa: S608
    f" WHERE sha256 = ? AND model_id = ? AND {WHOLE}"
)


class KnownContents:
    """Keeps one catalogue open to read. A lookup only saves work, so that it never fails."""

    def __init__(self) -> None:
        self._catalogue: Catalogue | None = None

    def holds(self, known: KnownVectors | None, sha256: bytes) -> bool:
        """Tell whether ``known`` has a vector of the content; False also where it cannot tell."""
        if known is None:
            return False
        try:
            row = self._open(known).row(_HAS_VECTOR, (sha256, known.model_id))
        except (TwinlensError, sqlite3.Error, OSError):
            self.close()  # it may have been replaced: the next photo opens it afresh
            return False
        return row is not None

    def close(self) -> None:
        """Close the catalogue that is open, if any."""
        if self._catalogue is not None:
            self._catalogue.close()
            self._catalogue = None

    def _open(self, known: KnownVectors) -> Catalogue:
        if self._catalogue is None or self._catalogue.path != known.catalogue:
            self.close()
            self._catalogue = Catalogue.open_to_read(known.catalogue)
        return self._catalogue
