"""The bundled descriptor: it finds edited copies, and it is the same for everyone."""

import dataclasses
import hashlib
import subprocess
import sys
from pathlib import Path

import imagehash
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from training import procedural
from training.edits import EDITS, edited
from training.photos import squash
from twinlens import parts, tuning
from twinlens.errors import ModelError
from twinlens.looks import Looks
from twinlens.tuning import Tuning
from twinlens_worker import measures
from twinlens_worker.models import pocket_file, pocket_parts
from twinlens_worker.models.descriptor import Descriptor, describe, load
from twinlens_worker.models.pocket import fresh_network

PICTURES = 120
EASY = ("jpeg 5-30", "resize 25 %", "tone", "crop 50 %", "crop 80 %", "border", "meme", "mirror")


@pytest.fixture(scope="module")
def pocket() -> Descriptor:
    """The bundled descriptor on one CPU thread."""
    torch.set_num_threads(1)
    return load("pocket", device="cpu")


@pytest.fixture(scope="module")
def pictures() -> list[Image.Image]:
    """Invented pictures; nothing that anybody has to download."""
    # A seed that training does not use: these pictures are new to the network.
    planes = procedural.generate(PICTURES, seed=4242).pixels
    return [Image.fromarray(p.permute(1, 2, 0).numpy()) for p in planes]


@pytest.fixture(scope="module")
def copies(pictures: list[Image.Image]) -> list[Image.Image]:
    """One edited copy of each picture."""
    rng = np.random.default_rng(1)
    return [edited(image, EASY[i % len(EASY)], rng) for i, image in enumerate(pictures)]


def vectors(pocket: Descriptor, images: list[Image.Image]) -> NDArray[np.float32]:
    """Embed pictures as the worker does: squashed to the descriptor's square."""
    return pocket.embed(np.stack([squash(image, pocket.info.input_size) for image in images]))


def hashes(images: list[Image.Image]) -> NDArray[np.float32]:
    """PHash as vectors whose products fall with the Hamming distance."""
    bits = np.stack([imagehash.phash(image).hash.ravel() for image in images])
    return (bits * 2.0 - 1.0).astype(np.float32)


def figures(similarity: NDArray[np.float32]) -> tuple[float, float]:
    """Return (R@1, µAP) where copy i belongs to picture i."""
    truth = np.arange(len(similarity))
    ranking = measures.rank(similarity, truth)
    return measures.recall_at_1(similarity, truth), measures.micro_average_precision(ranking)


def test_it_finds_edited_copies_far_better_than_a_perceptual_hash(
    pocket: Descriptor, pictures: list[Image.Image], copies: list[Image.Image]
):
    """At most half of pHash's misses, by first answer and by pooled precision."""
    ours = figures(vectors(pocket, copies) @ vectors(pocket, pictures).T)
    phash = figures(hashes(copies) @ hashes(pictures).T)
    assert 1 - ours[0] <= (1 - phash[0]) / 2
    assert 1 - ours[1] <= (1 - phash[1]) / 2


def test_vectors_have_unit_length(pocket: Descriptor, pictures: list[Image.Image]):
    """f32, (N, dimension), on the sphere."""
    out = vectors(pocket, pictures[:5])
    assert out.dtype == np.float32
    assert out.shape == (5, pocket.info.dimension)
    assert np.linalg.norm(out, axis=1) == pytest.approx(np.ones(5), abs=1e-5)


def test_a_photo_gets_the_same_vector_alone_and_in_any_batch(
    pocket: Descriptor, pictures: list[Image.Image]
):
    """Cosine differs by less than the f16 that vectors are stored in can show."""
    together = vectors(pocket, pictures)
    alone = np.concatenate([vectors(pocket, [image]) for image in pictures[60:70]])
    assert np.abs(together[60:70] - alone).max() < 1e-5


def test_no_photos_give_no_vectors(pocket: Descriptor):
    """An empty batch is not an error."""
    side = pocket.info.input_size
    assert pocket.embed(np.empty((0, side, side, 3), np.uint8)).shape == (0, pocket.info.dimension)


@pytest.mark.parametrize(
    ("shape", "kind"), [((1, 64, 64, 3), "uint8"), ((1, 160, 160, 3), "float32")]
)
def test_pictures_of_another_shape_or_type_are_refused(
    pocket: Descriptor, shape: tuple[int, ...], kind: str
):
    """Rather than resized or scaled in silence."""
    with pytest.raises(ValueError, match="pocket takes uint8 images"):
        pocket.embed(np.zeros(shape, kind))  # type: ignore[arg-type]


def test_the_digest_is_the_files_sha256():
    """What the catalogue keeps can be checked with any tool."""
    expected = hashlib.sha256(pocket_file.BUNDLED.read_bytes()).hexdigest()
    assert describe("pocket").digest == expected
    assert load("pocket", device="cpu").info == describe("pocket")


def test_a_copy_of_the_file_elsewhere_has_the_same_digest(tmp_path: Path):
    """The digest is of the content; where the file lies does not matter."""
    copy = tmp_path / "elsewhere.safetensors"
    copy.write_bytes(pocket_file.BUNDLED.read_bytes())
    assert describe("pocket", weights=copy) == describe("pocket")


def test_the_bundled_file_is_small_and_says_where_it_comes_from():
    """At most 4 MB in the wheel; the commit of its training code is in it."""
    assert pocket_file.BUNDLED.stat().st_size <= 4_000_000
    header = pocket_file.read_header(pocket_file.BUNDLED)
    assert len(header.training_commit) == 40
    assert 0.3 < header.copy_threshold < 1.0


def test_describing_needs_no_torch():
    """A command line that only wants to know the model starts without it."""
    code = (
        "import sys; from twinlens_worker.models.descriptor import describe; describe('pocket');"
        "print(sorted({'torch', 'torchvision', 'safetensors', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_kind_of_edit_gives_another_picture(pictures: list[Image.Image]):
    """An edit that changes nothing would make the benchmark easier than it says."""
    for kind in EDITS:
        copy = edited(pictures[0], kind, np.random.default_rng(2))
        assert copy.mode == "RGB"
        assert np.abs(squash(copy, 64).astype(int) - squash(pictures[0], 64)).mean() > 0.5, kind


def test_bytes_taken_as_they_are_give_the_same_vectors():
    """The normalisation within the stem is that of mean and deviation before it."""
    torch.manual_seed(3)
    network = fresh_network(seed=3).eval()
    network.fold()
    pixels = torch.randint(0, 256, (2, 3, 64, 64)).float()
    mean, std = torch.tensor([120.0, 110, 100]), torch.tensor([58.0, 57, 56])
    with torch.inference_mode():
        expected = network((pixels - mean.view(3, 1, 1)) / std.view(3, 1, 1))
    network.take_bytes(mean, std)
    with torch.inference_mode():
        assert torch.allclose(network(pixels), expected, atol=1e-5)
    assert load("pocket", device="cpu")._network.takes_bytes


def test_the_bundled_file_brings_its_parts(tmp_path: Path):
    """A background and looks for the catalogue; of a file without any, none; cut short, an error."""
    brought = pocket_parts.stored(None)
    dimension = describe("pocket").dimension
    background = Tuning.from_bytes(brought[parts.BACKGROUND], dimension)
    assert background.landmarks.shape == (4096, dimension)
    again = tuning.around(background.landmarks, background.photos, background.neighbours)
    assert background.edge == pytest.approx(again.edge, rel=1e-3)
    assert Looks.from_bytes(brought[parts.LOOKS], dimension).axes.shape[0] == dimension
    network = fresh_network(seed=1).eval()
    network.fold()
    header = dataclasses.replace(pocket_file.read_header(pocket_file.BUNDLED), background=())
    plain = tmp_path / "plain.safetensors"
    pocket_file.write(plain, network, header)
    assert pocket_parts.stored(plain) == {}
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(pocket_file.BUNDLED.read_bytes()[:-5000])
    with pytest.raises(ModelError, match=r"broken\.safetensors"):
        pocket_parts.stored(broken)
