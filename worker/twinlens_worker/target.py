"""The target model: the one that workers compute."""

from __future__ import annotations

from pathlib import Path

from twinlens import parts
from twinlens.catalogue import Catalogue
from twinlens.errors import ModelError
from twinlens.messages import ModelRef
from twinlens.models import DEFAULT_MODEL, Model, get_model, set_target
from twinlens.settings import Settings
from twinlens_worker.local_models import find_weights
from twinlens_worker.models import registry
from twinlens_worker.models.descriptor import DescriptorInfo, describe


def ensure_target(catalogue: Catalogue, settings: Settings) -> Model:
    """Return the target model; the bundled one where none was chosen.

    New bundled weights (an upgrade) become the target, and photos are embedded again. A weights
    file of the user's own that changed is refused: the vectors would no longer compare. What the model
    brings along for searching is in the catalogue then.
    """
    target = _target(catalogue, settings)
    keep_parts(catalogue, settings, target)
    return target


def keep_parts(catalogue: Catalogue, settings: Settings, model: Model) -> None:
    """Put what a model brings along for searching into the catalogue, before anything is indexed.

    What is damaged there is put back. Nothing of weights that are not the model's: those of a version
    before may be gone.
    """
    if model.name != DEFAULT_MODEL:
        return
    is_kept = parts.are_kept(catalogue, model)
    if is_kept and not parts.damaged(catalogue, model):
        return
    path = find_weights(settings, ref(model), model)
    if registry.weights_digest(model.name, path) != model.digest:
        return
    brought = registry.parts(model.name, path)
    if is_kept:
        parts.mend(catalogue, model, brought)
    else:
        parts.keep(catalogue, model, brought)


def _target(catalogue: Catalogue, settings: Settings) -> Model:
    target = get_model(catalogue, "target")
    if target is None:
        return make_target(catalogue, describe(DEFAULT_MODEL))
    path = find_weights(settings, ref(target), target)
    digest = registry.weights_digest(target.name, path)
    if digest == target.digest:
        return target
    if path is None and target.name == DEFAULT_MODEL:
        return make_target(catalogue, describe(DEFAULT_MODEL))
    raise ModelError(
        f"{path or target.name}: these weights ({digest[:12]}) are not those that the"
        f" library was embedded with ({target.digest[:12]}). Put the old file back, or run:"
        f" twinlens model use {target.name}"
    )


def ref(model: Model) -> ModelRef:
    """Return the reference to a model, as messages carry it."""
    return ModelRef(model.name, model.digest, model.catalogue, model.labels)


def make_target(catalogue: Catalogue, info: DescriptorInfo, weights: Path | None = None) -> Model:
    """Make a described model the target and return it; photos without its vectors are queued."""
    model, _ = set_target(
        catalogue,
        name=info.name,
        digest=info.digest,
        dimension=info.dimension,
        input_size=info.input_size,
        copy_threshold=info.copy_threshold,
        weights=str(weights) if weights else None,
    )
    return model
