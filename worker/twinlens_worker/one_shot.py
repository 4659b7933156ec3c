"""Embedding a few photos and going away: for queries while no worker runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from twinlens.catalogue import Catalogue
from twinlens.errors import PhotoError
from twinlens.library import Library
from twinlens.messages import ModelRef, encode_bytes
from twinlens.models import DEFAULT_MODEL, get_model
from twinlens.settings import Settings
from twinlens_worker.models.descriptor import describe
from twinlens_worker.pipeline import Pipeline
from twinlens_worker.target import load_descriptor, weights_file


def embed_paths(
    settings: Settings,
    paths: Sequence[bytes],
    *,
    name: str | None = None,
    digest: str | None = None,
    weights: Path | None = None,
) -> Iterator[dict[str, str]]:
    """Yield ``{"path", "vector"}`` or ``{"path", "error"}`` for each path, in order."""
    wanted, file = _wanted(settings, name, digest, weights)
    descriptor = load_descriptor(settings, wanted, file)
    with Pipeline(descriptor, settings) as pipeline:
        for path in paths:
            answer = {"path": encode_bytes(path)}
            try:
                yield answer | {"vector": encode_bytes(pipeline.embed_file(path))}
            except PhotoError as error:
                yield answer | {"error": str(error)}


def _wanted(
    settings: Settings, name: str | None, digest: str | None, weights: Path | None
) -> tuple[ModelRef, Path | None]:
    if name is None:
        catalogue_file = Library(settings.library).catalogue
        if catalogue_file.exists():
            with Catalogue.open_to_read(catalogue_file) as catalogue:
                serving = get_model(catalogue, "serving")
            if serving is not None:
                return ModelRef(serving.name, serving.digest), weights_file(settings, serving)
    name = name or DEFAULT_MODEL
    return ModelRef(name, digest or describe(name, weights=weights).digest), weights
