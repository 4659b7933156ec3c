"""Reading photos: bytes on disk become small upright sRGB squares, in killable child processes."""

from twinlens_worker.decode.pool import DecoderPool
from twinlens_worker.decode.request import Decoded, DecodeRequest, KnownVectors

__all__ = ["DecodeRequest", "Decoded", "DecoderPool", "KnownVectors"]
