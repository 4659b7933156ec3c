"""From photos and names of models to one verdict for each model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twinlens import parts, vectors
from twinlens.library import Library
from twinlens.looks import Looks
from twinlens.messages import encode_bytes
from twinlens.settings import Settings
from twinlens.vectors import Vector
from twinlens.views import Views
from twinlens_worker.decode import DecoderPool
from twinlens_worker.evaluation.embedding import Collection
from twinlens_worker.evaluation.judging import judge
from twinlens_worker.evaluation.labelled import Labelled, LeftOut, refuse_too_few
from twinlens_worker.local_models import LocalModels
from twinlens_worker.measures import Inner
from twinlens_worker.models import registry
from twinlens_worker.models.descriptor import Descriptor, load
from twinlens_worker.one_shot import wanted_model
from twinlens_worker.pipeline import Pipeline

Say = Callable[[Mapping[str, Any]], object]
"""Takes one record, to be written as a line of JSON."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model to be judged."""

    descriptor: Descriptor
    weights: Path | None = None
    """The file that it was loaded from, where one was given."""


def load_candidates(
    settings: Settings, named: Sequence[tuple[str, Path | None]]
) -> list[Candidate]:
    """Load models by name and file, or the library's own where none is named. Raises ModelError.

    All of them at once: a name that is none must not be found out after an hour.
    """
    if not named:
        library = Library(settings.library)
        return [Candidate(LocalModels(settings, library).load(wanted_model(library)))]
    device, trusted = settings.device, settings.trusted
    return [
        Candidate(load(name, weights=weights, device=device, trusted=trusted), weights)
        for name, weights in named
    ]


def evaluate(
    settings: Settings, photos: Sequence[Labelled], candidates: Sequence[Candidate], say: Say
) -> None:
    """Judge models on the same photos.

    ``say`` gets, as it goes: ``{"model", "step": "embed" | "compare", "done", "of"}``;
    ``{"left_out": path, "kind", "reason"}`` for each photo that is not judged; at the end one
    ``{"result": {...}}`` for each model. Raises TooFewPhotosError.
    """

    def leave_out(one: LeftOut) -> None:
        path = encode_bytes(photos[one.place].path)
        say({"left_out": path, "kind": one.kind, "reason": one.reason})

    refuse_too_few(photos)
    collection = Collection(photos, settings.batch_size, leave_out)
    embedded = []
    with DecoderPool(settings) as decoders:
        for candidate in candidates:
            with Pipeline(candidate.descriptor, settings, decoders=decoders) as pipeline:
                progress = _progress(say, candidate, "embed", len(collection.places))
                embedded.append(collection.embed(pipeline, progress))
            refuse_too_few(collection.judged())
    folders = [photo.folder for photo in collection.judged()]
    for candidate, described in zip(candidates, embedded, strict=True):
        views = [described[place] for place in collection.places]
        whole, inner = _by_kind(views, candidate)
        progress = _progress(say, candidate, "compare", len(folders))
        verdict = judge(whole, folders, progress, inner)
        say({"result": {**_about(candidate), **verdict}})


def _by_kind(views: Sequence[Views], candidate: Candidate) -> tuple[Vector, Inner]:
    """Return the looks of photos (N, D), unit vectors, and those of the pictures within some."""
    dimension, looks = candidate.descriptor.info.dimension, _looks(candidate)
    within = [(place, one.inner) for place, one in enumerate(views) if one.inner is not None]
    whole, inner = (
        looks(vectors.stack(blobs, dimension))
        for blobs in ([one.whole for one in views], [blob for _, blob in within])
    )
    return whole, Inner(np.array([place for place, _ in within], np.int64), inner)


def _looks(candidate: Candidate) -> Callable[[Vector], Vector]:
    """Return how `twinlens similar` sees the model's vectors."""
    info = candidate.descriptor.info
    if info.name != registry.BUNDLED or (
        candidate.weights is None and info.digest != registry.weights_digest(info.name, None)
    ):
        return vectors.project  # a file of the library's own
    brought = registry.parts(info.name, candidate.weights).get(parts.LOOKS)
    return Looks.from_bytes(brought, info.dimension).of if brought else vectors.project


def _progress(say: Say, candidate: Candidate, step: str, of: int) -> Callable[[int], object]:
    def tell(done: int) -> None:
        say({"model": candidate.descriptor.info.name, "step": step, "done": done, "of": of})

    return tell


def _about(candidate: Candidate) -> dict[str, Any]:
    info = candidate.descriptor.info
    return {
        "model": info.name,
        "weights": str(candidate.weights) if candidate.weights else None,
        "digest": info.digest,
        "dimension": info.dimension,
    }
