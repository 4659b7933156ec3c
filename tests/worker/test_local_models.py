"""Which weights a computer takes for a model, and which programs it runs."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from twinlens.catalogue import Catalogue
from twinlens.errors import ModelError
from twinlens.library import Library
from twinlens.messages import ModelRef
from twinlens.models import Model, set_target
from twinlens.settings import Settings, load_settings
from twinlens_worker.local_models import LocalModels, find_weights
from twinlens_worker.models import pocket_file, weights
from twinlens_worker.models.errors import WeightsRefusedError

from .test_models_torchscript import NAME, Tiny, scripted


def choose(catalogue: Catalogue, name: str, digest: str, path: Path | None) -> Model:
    """Make a model the target."""
    return set_target(
        catalogue,
        name=name,
        digest=digest,
        dimension=5,
        input_size=32,
        copy_threshold=0.9,
        weights=str(path) if path else None,
    )[0]


def settings_with(library: Library, **more: object) -> Settings:
    """Settings from options, checked as those of a user."""
    return load_settings({}, library=library.folder, device="cpu", **more)


def test_weights_are_found_by_what_they_are(library: Library, catalogue: Catalogue, tmp_path: Path):
    """In a folder, the file with the wanted sha256; the owner's path where that has it."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).write_bytes(name.encode())
    digest = hashlib.sha256(b"b").hexdigest()
    wanted = ModelRef("torchvision:resnet18", digest)
    assert find_weights(settings_with(library, weights=folder), wanted, None) == folder / "b"
    model = choose(catalogue, wanted.name, digest, folder / "b")
    assert find_weights(settings_with(library), wanted, model) == folder / "b"
    assert find_weights(settings_with(library, weights=folder / "a"), wanted, model) == folder / "b"


def test_a_setting_for_another_model_does_not_stand_in_the_way(library: Library, tmp_path: Path):
    """While a library changes its model, both are asked for: the bundled one is found all the same."""
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"of another model")
    wanted = ModelRef("pocket", weights.digest(pocket_file.BUNDLED))
    assert find_weights(settings_with(library, weights=other), wanted, None) is None


def test_wrong_weights_are_named(library: Library, tmp_path: Path):
    """Where nothing fits, the file that was set is, so that the message says which it is."""
    other = tmp_path / "other.safetensors"
    other.write_bytes(pocket_file.BUNDLED.read_bytes())
    wanted = ModelRef("pocket", "12" * 32)
    with pytest.raises(ModelError, match=r"other\.safetensors: these weights .* are not those"):
        LocalModels(settings_with(library, weights=other), None).load(wanted)


def test_the_bundled_model_of_another_twinlens_is_told_from_wrong_weights(
    library: Library, catalogue: Catalogue
):
    """On the owner's computer a scan cures it; elsewhere another twinlens has to be installed."""
    old = choose(catalogue, "pocket", "12" * 32, None)
    settings = settings_with(library)
    with pytest.raises(ModelError, match=r"only photos of the library .* Make it: twinlens scan$"):
        LocalModels(settings, library).load(ModelRef("pocket", old.digest))
    with pytest.raises(ModelError, match="Run the same twinlens"):
        LocalModels(settings, None).load(ModelRef("pocket", old.digest))


def test_a_message_allows_no_program(library: Library, tmp_path: Path):
    """A remote worker runs TorchScript by its own setting alone, whatever the message asks for."""
    path = tmp_path / "tiny.pt"
    digest = scripted(path, Tiny())
    wanted = ModelRef(NAME, digest)
    with pytest.raises(WeightsRefusedError, match=digest):
        LocalModels(settings_with(library, weights=path), None).load(wanted)
    allowed = settings_with(
        library, weights=path, allow_torchscript=f"{'0' * 64}, {digest.upper()}"
    )
    assert LocalModels(allowed, None).load(wanted).info.digest == digest


def test_the_owner_runs_what_its_user_chose(library: Library, catalogue: Catalogue, tmp_path: Path):
    """The catalogue says so, for exactly this file: another in its place is refused unopened."""
    path = tmp_path / "tiny.pt"
    digest = scripted(path, Tiny())
    choose(catalogue, NAME, digest, path)
    here = LocalModels(settings_with(library), library)
    assert here.load(ModelRef(NAME, digest)).info.dimension == 5
    with pytest.raises(ModelError):
        LocalModels(settings_with(library), None).load(ModelRef(NAME, digest))
    path.write_bytes(b"another file")
    with pytest.raises(WeightsRefusedError):
        here.load(ModelRef(NAME, digest))
    with pytest.raises(WeightsRefusedError):  # nor by another sha256 than the chosen one
        LocalModels(settings_with(library, weights=path), library).load(
            ModelRef(NAME, hashlib.sha256(b"another file").hexdigest())
        )
