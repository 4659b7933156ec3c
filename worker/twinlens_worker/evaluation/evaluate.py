"""From photos and names of models to one verdict for each model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twinlens import vectors
from twinlens.library import Library
from twinlens.messages import encode_bytes
from twinlens.settings import Settings
from twinlens_worker.decode import DecoderPool
from twinlens_worker.evaluation.embedding import Collection
from twinlens_worker.evaluation.judging import judge
from twinlens_worker.evaluation.labelled import Labelled, LeftOut, refuse_too_few
from twinlens_worker.local_models import LocalModels
from twinlens_worker.models.descriptor import Descriptor, load
from twinlens_worker.one_shot import wanted_model
from twinlens_worker.pipeline import Pipeline

Say = Callable[[Mapping[str, Any]], object]
"""Takes one record, to be written as a line of JSON."""


@dataclass(frozen=True, slots=True)
class Named:
    """A model as it was asked for."""

    name: str
    weights: Path | None


def evaluate(
    settings: Settings, photos: Sequence[Labelled], models: Sequence[Named], say: Say
) -> None:
    """Judge ``models`` on the same photos, or the library's own model where none is named.

    ``say`` gets, as it goes: ``{"model", "step": "embed" | "compare", "done", "of"}``;
    ``{"left_out": path, "kind", "reason"}`` for each photo that is not judged; at the end one
    ``{"result": {...}}`` for each model. Raises ModelError, TooFewPhotosError.
    """

    def leave_out(one: LeftOut) -> None:
        path = encode_bytes(photos[one.place].path)
        say({"left_out": path, "kind": one.kind, "reason": one.reason})

    refuse_too_few(photos)
    # All of them first: a name that is none must not be found out after an hour.
    loaded = _load(settings, models)
    collection = Collection(photos, settings.batch_size, leave_out)
    embedded = []
    with DecoderPool(settings) as decoders:
        for descriptor in loaded:
            with Pipeline(descriptor, settings, decoders=decoders) as pipeline:
                progress = _progress(say, descriptor, "embed", len(collection.places))
                embedded.append(collection.embed(pipeline, progress))
            refuse_too_few(collection.judged())
    folders = [photo.folder for photo in collection.judged()]
    for place, (descriptor, blobs) in enumerate(zip(loaded, embedded, strict=True)):
        rows = vectors.stack([blobs[i] for i in collection.places], descriptor.info.dimension)
        progress = _progress(say, descriptor, "compare", len(folders))
        weights = models[place].weights if models else None
        verdict = judge(vectors.project(rows), folders, progress)
        say({"result": {**_about(descriptor, weights), **verdict}})


def _load(settings: Settings, models: Sequence[Named]) -> list[Descriptor]:
    if not models:
        library = Library(settings.library)
        return [LocalModels(settings, library).load(wanted_model(library))]
    device, trusted = settings.device, settings.trusted
    return [
        load(model.name, weights=model.weights, device=device, trusted=trusted) for model in models
    ]


def _progress(say: Say, descriptor: Descriptor, step: str, of: int) -> Callable[[int], object]:
    def tell(done: int) -> None:
        say({"model": descriptor.info.name, "step": step, "done": done, "of": of})

    return tell


def _about(descriptor: Descriptor, weights: Path | None) -> dict[str, Any]:
    info = descriptor.info
    return {
        "model": info.name,
        "weights": str(weights) if weights else None,
        "digest": info.digest,
        "dimension": info.dimension,
    }
