"""Reading photos: bytes on disk become small upright sRGB squares, in killable child processes."""

from twinlens_worker.decode.pool import DecoderPool
from twinlens_worker.decode.request import Box, Decoded, DecodeRequest, KnownVectors, Rendering

__all__ = ["Box", "DecodeRequest", "Decoded", "DecoderPool", "KnownVectors", "Rendering"]
