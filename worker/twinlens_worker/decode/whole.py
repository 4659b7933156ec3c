"""Telling half a file from a whole one where the decoder does not, or only says "damaged"."""

from __future__ import annotations

from twinlens.errors import DecodeError
from twinlens_worker.decode.reasons import TRUNCATED

_PICTURE_BOXES = {b"meta", b"mdat"}
"""Boxes of HEIF and AVIF that pictures need. Others may be anything: phones append trailers."""


def refuse_half(data: bytes) -> None:
    """Raise DecodeError where the file's own structure says that its end is missing.

    1. A JPEG that ends in zeros, without an end-of-image marker after its last scan, is a copy
       onto space allocated before, not done yet. Pillow decodes it without an error (faults.md).
    2. WebP: the RIFF header says how long the file is.
    3. HEIF, AVIF and CR3: a box reaches beyond the end. The preview of such a file decodes.
    """
    if data.startswith(b"\xff\xd8"):
        half = _jpeg_ends_in_zeros(data)
    elif data.startswith(b"RIFF"):
        half = 8 + int.from_bytes(data[4:8], "little") > len(data)
    elif data[4:8] == b"ftyp":
        half = _box_overruns(data)
    else:
        half = False
    if half:
        raise DecodeError(TRUNCATED)


def _jpeg_ends_in_zeros(data: bytes) -> bool:
    """Entropy-coded data holds no markers, so that both searches find real ones (ITU-T T.81)."""
    return data.endswith(bytes(512)) and data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")


def _box_overruns(data: bytes) -> bool:
    """Walk the top-level boxes (ISO/IEC 14496-12, 4.2)."""
    at = 0
    while at + 8 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16])
        if size == 0:  # to the end of the file, however far that is
            return False
        if at + size > len(data):
            return kind in _PICTURE_BOXES
        at += max(size, 8)
    return False
