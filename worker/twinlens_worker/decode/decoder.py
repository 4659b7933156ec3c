"""One photo from request to answer, within the process that runs it."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable

from twinlens import media
from twinlens_worker.decode import picture
from twinlens_worker.decode.boxes import cut_out, side_around
from twinlens_worker.decode.inner import innermost
from twinlens_worker.decode.known import KnownContents
from twinlens_worker.decode.reasons import explained
from twinlens_worker.decode.request import Decoded, DecodeRequest, Rendering
from twinlens_worker.decode.sharpness import sharpness
from twinlens_worker.decode.source import read_photo
from twinlens_worker.decode.square import squash
from twinlens_worker.decode.thumbnail import keep_thumbnail


class Decoder:
    """Reads photos one after the other; keeps the catalogue open that tells the known ones."""

    def __init__(
        self, *, max_megapixels: int, after_read: Callable[[bytes], None] = lambda _: None
    ) -> None:
        picture.prepare()
        self._max_megapixels = max_megapixels
        self._after_read = after_read
        self._known = KnownContents()

    def decode(self, request: DecodeRequest) -> Decoded:
        """Read, hash and decode one photo.

        Raises a PhotoError, whatever goes wrong.
        """
        try:
            return self._decode(request)
        except Exception as error:
            raise explained(error) from error

    def close(self) -> None:
        """Close the catalogue."""
        self._known.close()

    def _decode(self, request: DecodeRequest) -> Decoded:
        data = read_photo(request.path, after_read=lambda: self._after_read(request.path))
        sha256 = hashlib.sha256(data).digest()
        if self._known.holds(request.known, sha256):
            return Decoded(sha256, len(data))
        with warnings.catch_warnings():
            # Pillow warns of odd metadata and palettes; what matters raises.
            warnings.simplefilter("ignore")
            if request.exact:
                return Decoded(sha256, len(data), exact=self._exact(data, request))
            if request.rendering:
                return self._rendered(data, request, request.rendering, sha256)
            found = self._read(data, request)
            if request.thumbnails is not None:
                keep_thumbnail(found.image, request.thumbnails, sha256)
            return _answer(found, sha256, len(data), request)

    def _read(self, data: bytes, request: DecodeRequest) -> picture.Picture:
        side, limit = request.input_size, self._max_megapixels
        if request.box is not None:
            side = side_around(request.box, side)
        if media.is_raw(request.path):
            from twinlens_worker.decode.raw import read_raw  # a library has many or none

            return read_raw(data, side=side, max_megapixels=limit)
        return picture.read_picture(data, side=side, max_megapixels=limit)

    def _rendered(
        self, data: bytes, request: DecodeRequest, wanted: Rendering, sha256: bytes
    ) -> Decoded:
        from twinlens_worker.decode.render import render  # seldom asked for

        raw, limit = media.is_raw(request.path), self._max_megapixels
        found = render(data, wanted, raw=raw, max_megapixels=limit)
        return Decoded(
            sha256, len(data), width=found.width, height=found.height, format=found.format
        )

    def _exact(self, data: bytes, request: DecodeRequest) -> bytes:
        from twinlens_worker.decode.exact import hash_pixels, hash_sensor  # seldom asked for

        if media.is_raw(request.path):
            return hash_sensor(data)
        return hash_pixels(data, max_megapixels=self._max_megapixels)


def _answer(found: picture.Picture, sha256: bytes, size: int, request: DecodeRequest) -> Decoded:
    side, box = request.input_size, request.box
    image = found.image if box is None else cut_out(found.image, box)
    inner = innermost(image) if request.inner else image
    return Decoded(
        sha256=sha256,
        size=size,
        pixels=squash(image, side),
        inner=None if inner is image else squash(inner, side),
        width=found.width,
        height=found.height,
        format=found.format,
        taken_at=found.facts.taken_at,
        camera=found.facts.camera,
        burst=found.facts.origin.burst,
        document=found.facts.origin.document,
        derived_from=found.facts.origin.derived_from,
        sharpness=sharpness(found.image),
    )
