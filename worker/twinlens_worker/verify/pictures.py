"""Where the verifier gets pictures from: thumbnails that the library keeps, else the photo itself."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import cv2
import numpy as np

from twinlens.errors import PhotoError
from twinlens.settings import Settings
from twinlens.thumbnails import thumbnail_path
from twinlens_worker.decode import Decoded, DecodeRequest
from twinlens_worker.decode.process import DecoderProcess
from twinlens_worker.verify import kept
from twinlens_worker.verify.sketch import SIDE, Pixels, Sketch

REMEMBERED: Final = 64
"""Sketches held in memory, at most 0.7 MB each: a new photo meets many, the many one another."""


Held = tuple[bytes, Sequence[bytes]]
"""The hash of a content, and the files that hold it."""


class NoPictureError(Exception):
    """A content's picture cannot be had now: no thumbnail, and no file of it can be read."""


class Pictures:
    """Gives the sketch of any content. Used by one thread."""

    def __init__(self, settings: Settings, thumbnails: Path) -> None:
        """Take the thumbnail folder; features are kept there too unless there are to be none."""
        cv2.setNumThreads(1)  # the decoders have the other cores
        self._settings = settings
        self._folder = thumbnails
        self._sketches: OrderedDict[bytes, Sketch] = OrderedDict()
        self._decoder: DecoderProcess | None = None

    def sketch(self, sha256: bytes, paths: Sequence[bytes]) -> Sketch:
        """Return the sketch of a content that the files at ``paths`` hold. Raises NoPictureError."""
        found = self._sketches.pop(sha256, None)
        if found is None:
            path = self._feature_path(sha256)
            found = Sketch(self._thumbnail(sha256, paths), kept.read(path))
        self._sketches[sha256] = found
        if len(self._sketches) > REMEMBERED:
            self._forget_oldest()
        return found

    def same_pixels(self, first: Held, second: Held) -> bool:
        """Compare every pixel of two contents; False where one cannot be read."""
        hashes = [self._decode(sha256, paths, exact=True) for sha256, paths in (first, second)]
        exact = [one.exact for one in hashes if one is not None]
        return len(exact) == 2 and exact[0] is not None and exact[0] == exact[1]

    def close(self) -> None:
        """Keep the features that were made, and end the decoder if there was need for one."""
        while self._sketches:
            self._forget_oldest()
        if self._decoder is not None:
            self._decoder.close()
            self._decoder = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def keep(self) -> None:
        """Keep the features that were made since."""
        for sha256, sketch in self._sketches.items():
            self._keep(sha256, sketch)

    def _forget_oldest(self) -> None:
        self._keep(*self._sketches.popitem(last=False))

    def _keep(self, sha256: bytes, sketch: Sketch) -> None:
        made = sketch.take_made()
        if made is not None and self._settings.thumbnails:
            kept.write(self._feature_path(sha256), made)

    def _feature_path(self, sha256: bytes) -> Path:
        return thumbnail_path(self._folder, sha256).with_suffix(".orb")

    def _thumbnail(self, sha256: bytes, paths: Sequence[bytes]) -> Pixels:
        path = thumbnail_path(self._folder, sha256)
        found = _read(path)
        if found is None:
            decoded = self._decode(sha256, paths)
            # Written by the decoder where thumbnails are kept: that one has the picture's shape.
            found = _read(path) if decoded is not None else None
            if found is None and decoded is not None:
                found = unsquashed(decoded)
        if found is None:
            raise NoPictureError
        return found

    def _decode(
        self, sha256: bytes, paths: Sequence[bytes], *, exact: bool = False
    ) -> Decoded | None:
        """Return what the first file that holds a content gives, in a process of its own.

        A file that was replaced since the catalogue looked would lend its picture to another content,
        and what was found of that stays.
        """
        folder = self._folder if self._settings.thumbnails else None
        if self._decoder is None:
            self._decoder = DecoderProcess(self._settings)
        for path in paths:
            with contextlib.suppress(PhotoError):
                found = self._decoder.decode(DecodeRequest(path, SIDE, folder, None, exact=exact))
                if found.sha256 == sha256:
                    return found
        return None


def _read(path: Path) -> Pixels | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    # Written by us: what is in it was decoded once already.
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    return None if picture is None else np.asarray(picture, np.uint8)


def unsquashed(decoded: Decoded) -> Pixels | None:
    """Return the picture of a square decode, (H, W, 3) BGR, in its own proportions."""
    if decoded.pixels is None or not decoded.width or not decoded.height:
        return None
    scale = min(1.0, SIDE / max(decoded.width, decoded.height))
    size = (max(1, round(decoded.width * scale)), max(1, round(decoded.height * scale)))
    small = cv2.resize(decoded.pixels, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small[..., ::-1], np.uint8)
