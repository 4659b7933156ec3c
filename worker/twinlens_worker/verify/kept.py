"""Features kept beside the thumbnails: 8 KB a photo that was ever compared, made once.

A cache: what is missing, of another version or damaged is made anew.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

import numpy as np

from twinlens_worker.verify.sketch import Features

_MAGIC: Final = b"TWF4"
"""Names the form and the detector: raise its number when either changes."""
_FORM: Final = np.dtype(
    [("point", "<u2", 2), ("bits", "u1", 32), ("angle", "<u2"), ("level", "u1")]
)
_SCALE: Final = 65_535
_TURN: Final = 100
"""Parts of a degree."""


def read(path: Path) -> Features | None:
    """Return the features in a file, None where there are none of use."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if not data.startswith(_MAGIC) or (len(data) - len(_MAGIC)) % _FORM.itemsize:
        return None
    rows = np.frombuffer(data[len(_MAGIC) :], _FORM)
    return Features(
        (rows["point"] / _SCALE).astype(np.float32),
        np.ascontiguousarray(rows["bits"]),
        (rows["angle"] / _TURN).astype(np.float32),
        rows["level"].copy(),
    )


def write(path: Path, features: Features) -> None:
    """Keep features; a disk that takes nothing more fails nothing."""
    rows = np.empty(len(features.points), _FORM)
    rows["point"] = np.round(np.clip(features.points, 0, 1) * _SCALE)
    rows["bits"], rows["level"] = features.descriptors, features.levels
    rows["angle"] = np.round(features.angles * _TURN)
    unfinished = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(_MAGIC + rows.tobytes())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
