"""What this computer has of a model: where its weights lie, and whether it may run them.

Weights are found by their sha256, not by their path, so that one folder or setting serves several
models: while a library goes over to another, both are asked for. Where they are looked for:
1. the setting ``weights``, a file or a folder of files;
2. the path that the catalogue has for the model, on the owner's computer;
3. what ships with twinlens, or torchvision's downloads.

TorchScript is a program. It runs here only when its sha256 stands in the setting
``allow_torchscript``, or in the catalogue of this computer's library, where it stands because its
user said so to ``twinlens model use``. What a message from the broker says allows nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from twinlens.catalogue import Catalogue
from twinlens.errors import ModelError
from twinlens.library import Library
from twinlens.messages import ModelRef
from twinlens.models import Model, find_model
from twinlens.settings import Settings
from twinlens_worker.models import registry, weights
from twinlens_worker.models.descriptor import Descriptor, load
from twinlens_worker.models.errors import WeightsMissingError


class LocalModels:
    """The models that can be loaded here; ``library`` None on a computer that does not own it."""

    def __init__(self, settings: Settings, library: Library | None) -> None:
        self._settings = settings
        self._library = library

    def load(self, wanted: ModelRef) -> Descriptor:
        """Load a model with exactly the wanted weights. Raises ModelError."""
        recorded = self._recorded(wanted)
        path = find_weights(self._settings, wanted, recorded)
        trusted = {*self._settings.trusted, *([recorded.digest] if recorded else [])}
        descriptor = load(wanted.name, weights=path, device=self._settings.device, trusted=trusted)
        if descriptor.info.digest != wanted.digest:
            if recorded and path is None and wanted.name == registry.BUNDLED:
                raise ModelError(_outgrown(wanted, descriptor.info.digest))
            raise ModelError(
                f"{path or wanted.name}: these weights ({descriptor.info.digest[:12]}) are not those"
                f" of the library ({wanted.digest[:12]})."
                " Run the same twinlens and weights on all computers"
            )
        return descriptor

    def _recorded(self, wanted: ModelRef) -> Model | None:
        if self._library is None or not self._library.catalogue.exists():
            return None
        with Catalogue.open_to_read(self._library.catalogue) as catalogue:
            return find_model(catalogue, wanted.name, wanted.digest)


def _outgrown(wanted: ModelRef, digest: str) -> str:
    return (
        f"the index is of another version of {wanted.name} ({wanted.digest[:12]}) than came with"
        f" this twinlens ({digest[:12]}), so that only photos of the library can be asked about"
        " until the new one is made. Make it: twinlens scan"
    )


def find_weights(settings: Settings, wanted: ModelRef, recorded: Model | None) -> Path | None:
    """Return the file with a model's weights; None: what ships with twinlens or torchvision has.

    Where none has the wanted sha256, the one that was named, so that loading it says what is wrong.
    """
    named = list(_named(settings, recorded))
    for path in named:
        if _digest_now(path) == wanted.digest:
            return path
    of_its_own = recorded is not None and not recorded.weights
    return None if not named or of_its_own or _is_official(wanted) else named[0]


def _named(settings: Settings, recorded: Model | None) -> Iterator[Path]:
    given = settings.weights
    if given is not None and given.is_dir():
        yield from sorted(path for path in given.iterdir() if path.is_file())
    elif given is not None:
        yield given
    if recorded is not None and recorded.weights:
        yield Path(recorded.weights)


def _is_official(wanted: ModelRef) -> bool:
    try:
        return registry.weights_digest(wanted.name, None) == wanted.digest
    except ModelError:
        return False


def _digest_now(path: Path) -> str | None:
    try:
        stat = path.stat()
        return _digest(path, stat.st_size, stat.st_mtime_ns)
    except (OSError, WeightsMissingError):
        return None  # not to be read: another may be the one


@functools.lru_cache(maxsize=256)
def _digest(path: Path, _size: int, _mtime_ns: int) -> str:
    """Return the sha256 of a file, read once for as long as it does not change."""
    return weights.digest(path)
