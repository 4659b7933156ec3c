"""Features kept beside the thumbnails: 9 KB a photo that was ever compared, made once.

A cache: what is missing, of another version or damaged is made anew.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

import numpy as np

from twinlens_worker.verify.sketch import Features

_MAGIC: Final = b"TWF1"
"""Names the form and the detector: raise its number when either changes."""
_POINT: Final = np.dtype("<u2")
_SCALE: Final = 65_535
_BYTES: Final = 32


def read(path: Path) -> Features | None:
    """Return the features in a file, None where there are none of use."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    count, rest = divmod(len(data) - len(_MAGIC), 2 * _POINT.itemsize + _BYTES)
    if not data.startswith(_MAGIC) or rest or count < 0:
        return None
    split = len(_MAGIC) + count * 2 * _POINT.itemsize
    points = np.frombuffer(data[len(_MAGIC) : split], _POINT).reshape(count, 2)
    descriptors = np.frombuffer(data[split:], np.uint8).reshape(count, _BYTES)
    return Features((points / _SCALE).astype(np.float32), descriptors)


def write(path: Path, features: Features) -> None:
    """Keep features; a disk that takes nothing more fails nothing."""
    points = np.round(np.clip(features.points, 0, 1) * _SCALE).astype(_POINT)
    unfinished = path.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(_MAGIC + points.tobytes() + features.descriptors.tobytes())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
