"""The target model: loading the one that the catalogue asks for."""

from __future__ import annotations

from pathlib import Path

from twinlens.catalogue import Catalogue
from twinlens.errors import ModelError
from twinlens.messages import ModelRef
from twinlens.models import DEFAULT_MODEL, Model, get_model, set_target
from twinlens.settings import Settings
from twinlens_worker.models.descriptor import Descriptor, DescriptorInfo, describe, load


def ensure_target(catalogue: Catalogue, settings: Settings) -> Model:
    """Return the target model; the bundled one where none was chosen.

    New bundled weights (an upgrade) become the target, and photos are embedded again. A weights
    file of the user's own that changed is refused: the vectors would no longer compare.
    """
    target = get_model(catalogue, "target")
    if target is None:
        return make_target(catalogue, describe(DEFAULT_MODEL))
    info = describe(target.name, weights=weights_file(settings, target))
    if info.digest == target.digest:
        return target
    if target.weights is None and target.name == DEFAULT_MODEL:
        return make_target(catalogue, info)
    raise ModelError(
        f"{target.weights or target.name}: these weights ({info.digest[:12]}) are not those that the"
        f" library was embedded with ({target.digest[:12]}). Put the old file back, or run:"
        f" twinlens model use {target.name}"
    )


def weights_file(settings: Settings, model: Model) -> Path | None:
    """Return where the model's weights lie on this computer, None for its official ones."""
    if settings.weights is not None:
        return settings.weights
    return Path(model.weights) if model.weights else None


def load_descriptor(settings: Settings, wanted: ModelRef, weights: Path | None) -> Descriptor:
    """Load a model and check that its weights are the wanted ones. Raises ModelError."""
    descriptor = load(wanted.name, weights=weights, device=settings.device)
    if descriptor.info.digest != wanted.digest:
        raise ModelError(
            f"{weights or wanted.name}: these weights ({descriptor.info.digest[:12]}) are not those"
            f" of the library ({wanted.digest[:12]})."
            " Run the same twinlens and weights on all computers."
        )
    return descriptor


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
