"""Embedding a few photos and going away: for queries while no worker runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from twinlens.asking import answer_views
from twinlens.catalogue import Catalogue
from twinlens.errors import PhotoError
from twinlens.library import Library
from twinlens.messages import ModelRef, encode_bytes
from twinlens.models import DEFAULT_MODEL, get_model
from twinlens.settings import Settings
from twinlens_worker.local_models import LocalModels
from twinlens_worker.models.registry import weights_digest
from twinlens_worker.pipeline import Pipeline
from twinlens_worker.target import ref


def embed_paths(
    settings: Settings,
    paths: Sequence[bytes],
    *,
    name: str | None = None,
    digest: str | None = None,
    weights: Path | None = None,
) -> Iterator[dict[str, str]]:
    """Yield ``{"path", "vector"}`` or ``{"path", "error"}`` for each path, in order.

    With ``inner``, the vector of the picture within it, where a photo holds one.
    """
    library = Library(settings.library)
    settings = dataclasses.replace(settings, weights=weights or settings.weights)
    wanted = wanted_model(library, name, digest, weights)
    descriptor = LocalModels(settings, library).load(wanted)
    with Pipeline(descriptor, settings) as pipeline:
        for path in paths:
            answer = {"path": encode_bytes(path)}
            try:
                yield answer | answer_views(pipeline.embed_file(path))
            except PhotoError as error:
                yield answer | {"error": str(error)}


def wanted_model(
    library: Library,
    name: str | None = None,
    digest: str | None = None,
    weights: Path | None = None,
) -> ModelRef:
    """Return the model named; without a name the one that answers for the library, else pocket."""
    if name is None and library.catalogue.exists():
        with Catalogue.open_to_read(library.catalogue) as catalogue:
            serving = get_model(catalogue, "serving")
        if serving is not None:
            return ref(serving)
    name = name or DEFAULT_MODEL
    return ModelRef(name, digest or weights_digest(name, weights))
