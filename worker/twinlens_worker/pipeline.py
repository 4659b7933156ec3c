"""The pipeline: photos in, results out. The embedded loop and the Celery tasks both run it.

Decoding happens in killable child processes, embedding here in batches. Two batches are under way
at a time: while one is embedded, the next is decoded.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from twinlens import vectors
from twinlens.errors import BadVectorError, ModelError, PhotoError
from twinlens.labels import Label
from twinlens.media import printable
from twinlens.messages import Embedded, Failed, ModelRef, Photo, Result
from twinlens.roots import resolve
from twinlens.settings import Settings
from twinlens.views import Views
from twinlens_worker.decode import Box, Decoded, DecodeRequest, DecoderPool, KnownVectors
from twinlens_worker.flatness import is_flat
from twinlens_worker.models.descriptor import Descriptor
from twinlens_worker.models.errors import BadOutputError

log = logging.getLogger("twinlens.worker")

Started = list[tuple[Photo, "Future[Decoded]"]]
Labels = tuple[Label, ...] | None
"""What a model names in a photo; None where it was not asked."""
Row = NDArray[np.float32]
"""A vector as the model gives it, (D,)."""


class Pipeline:
    """A loaded model and its decoders."""

    def __init__(
        self,
        descriptor: Descriptor,
        settings: Settings,
        *,
        known: KnownVectors | None = None,
        thumbnails: Path | None = None,
        decoders: DecoderPool | None = None,
    ) -> None:
        """Start the decoders, or take those of whoever owns ``decoders``.

        ``known`` names the catalogue that tells which contents need no embedding; a worker that
        cannot see it embeds them all.
        """
        self.descriptor = descriptor
        self._settings = settings
        self._known = known
        self._thumbnails = thumbnails
        self._owns_pool = decoders is None
        self._pool = decoders or DecoderPool(settings)
        self._pool.warm()

    @property
    def model(self) -> ModelRef:
        """The model whose vectors this pipeline gives."""
        return ModelRef(self.descriptor.info.name, self.descriptor.info.digest)

    def for_model(self, wanted: ModelRef) -> Self:
        """Return this pipeline. Raises ModelError where it has other weights than the wanted."""
        if self.model != wanted:
            raise ModelError(
                f"asked for model {wanted.name} ({wanted.digest[:12]}), this worker has"
                f" {self.model.name} ({self.model.digest[:12]})."
            )
        return self

    def start(self, photos: Sequence[Photo]) -> Started:
        """Begin to decode photos."""
        return [(photo, self._pool.submit(self._request(photo))) for photo in photos]

    def finish(self, started: Started, *, with_labels: bool = False) -> list[Result]:
        """Wait for photos that were started and embed them; one result for each, in no order."""
        results: list[Result] = []
        decoded: list[tuple[Photo, Decoded]] = []
        for photo, future in started:
            try:
                decoded.append((photo, future.result()))
            except PhotoError as error:
                results.append(_failed(photo, error))
        fresh = [(photo, item) for photo, item in decoded if item.pixels is not None]
        results += [_embedded(photo, item, None) for photo, item in decoded if item.pixels is None]
        return results + self._embed(fresh, with_labels=with_labels)

    def run(self, photos: Sequence[Photo], *, with_labels: bool = False) -> list[Result]:
        """Read and embed photos."""
        return self.finish(self.start(photos), with_labels=with_labels)

    def embed_file(self, path: bytes, box: Box | None = None) -> Views:
        """Return the vectors of one photo by its absolute path, or that of a part of it.

        Of what is in a box there is one: whoever drew it said what is meant.
        Raises PhotoError, with the path in its text.
        """
        side = self.descriptor.info.input_size
        request = DecodeRequest(path, side, None, None, box=box, inner=box is None)
        try:
            item = self.decode(request)
            [(whole, inner, _)] = self._describe([item], with_labels=False)
            return _views(whole, inner)
        except PhotoError as error:
            raise type(error)(f"{printable(path)}: {error}") from error

    def decode(self, request: DecodeRequest) -> Decoded:
        """Read one photo by this pipeline's decoders. Raises PhotoError."""
        return self._pool.submit(request).result()

    def close(self) -> None:
        """Stop the decoders, where they are ours."""
        if self._owns_pool:
            self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _request(self, photo: Photo) -> DecodeRequest:
        path = resolve(self._settings.mounts, photo.root, photo.root_path, photo.path)
        size = self.descriptor.info.input_size
        return DecodeRequest(path, size, self._thumbnails, self._known, inner=True)

    def _embed(
        self, decoded: Sequence[tuple[Photo, Decoded]], *, with_labels: bool
    ) -> list[Result]:
        if not decoded:
            return []
        described = self._describe([item for _, item in decoded], with_labels=with_labels)
        results: list[Result] = []
        for (photo, item), (whole, inner, labels) in zip(decoded, described, strict=True):
            try:
                results.append(_embedded(photo, item, _views(whole, inner), labels))
            except BadVectorError as error:
                results.append(_failed(photo, error))
        return results

    def _describe(
        self, items: Sequence[Decoded], *, with_labels: bool
    ) -> list[tuple[Row, Row | None, Labels]]:
        """Embed photos, and the pictures within them, in one go; one of each for each photo."""
        whole = [item.pixels for item in items if item.pixels is not None]
        inner = {
            place: item.inner
            for place, item in enumerate(items)
            if item.inner is not None and not _is_plain(item.inner)
        }
        rows, labels = self._run_model([*whole, *inner.values()], with_labels=with_labels)
        within = dict(zip(inner, rows[len(items) :], strict=True))
        return [(rows[n], within.get(n), labels[n]) for n in range(len(items))]

    def _run_model(
        self, images: Sequence[np.ndarray], *, with_labels: bool
    ) -> tuple[np.ndarray, Sequence[Labels]]:
        """Embed images of shape (S, S, 3); one bad vector spoils no other."""
        unasked: Sequence[Labels] = [None] * len(images)
        try:
            if with_labels:
                return self.descriptor.embed_and_label(np.stack(images))
            return self.descriptor.embed(np.stack(images)), unasked
        except BadOutputError as error:
            return error.vectors, error.labels or unasked


def _failed(photo: Photo, error: PhotoError) -> Failed:
    where = printable(os.path.join(photo.root_path, photo.path))  # noqa: PTH118  bytes
    log.warning("%s: %s", where, error)
    return Failed(photo.file_id, photo.generation, error.kind, str(error), error.permanent)


def _is_plain(inner: NDArray[np.uint8]) -> bool:
    """Tell whether an inner picture (S, S, 3) is a copy of nothing: a button, a field of one colour.

    Its rim is left out, which may show a line of the page.
    """
    rim = len(inner) // 16
    return is_flat(inner[rim:-rim, rim:-rim])


def _views(whole: Row, inner: Row | None) -> Views:
    """Return vectors as they are stored; without an inner one where that is no use.

    Raises BadVectorError.
    """
    stored = vectors.encode(whole)
    if inner is None:
        return Views(stored)
    try:
        return Views(stored, vectors.encode(inner))
    except BadVectorError:
        return Views(stored)


def _embedded(photo: Photo, item: Decoded, views: Views | None, labels: Labels = None) -> Embedded:
    return Embedded(
        file_id=photo.file_id,
        generation=photo.generation,
        sha256=item.sha256,
        size=item.size,
        vector=views and views.whole,
        width=item.width,
        height=item.height,
        format=item.format,
        taken_at=item.taken_at,
        camera=item.camera,
        burst=item.burst,
        document=item.document,
        derived_from=item.derived_from,
        flat=item.pixels is not None and is_flat(item.pixels),
        sharpness=item.sharpness,
        labels=labels,
        inner=views and views.inner,
    )
