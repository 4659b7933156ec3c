"""The training views: repeatable, in range, and each change does what its name says."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from training import geometry, pixels, procedural
from training.augment import Augmenter
from training.draw import Draw
from training.geometry import Placement
from training.photos import PhotoSet


def eye(count: int = 1) -> torch.Tensor:
    """Mappings that move nothing."""
    return torch.eye(3).repeat(count, 1, 1)


def test_a_mapping_that_moves_nothing_returns_the_picture(pictures: PhotoSet):
    """Sampling at the stored size is exact, and all of it is picture."""
    photo = pictures.pixels[:1].float() / 255
    views, inside = geometry.sample(photo, Placement(eye(), eye(), eye()), photo.shape[-1])
    assert torch.allclose(views, photo, atol=1e-4)
    assert bool(inside.all())


def test_quarter_turns_and_mirrors_are_exact(pictures: PhotoSet, monkeypatch: pytest.MonkeyPatch):
    """Each is one of the seven that `rot90` and `flip` give."""
    for name in ("TILTED", "WARPED", "FRAMED"):
        monkeypatch.setattr(geometry, name, 0.0)
    level = geometry.Difficulty(cropped=0.0, smallest=1.0, quarter_turned=1.0, narrowest=1.0)
    photo = pictures.pixels[:1].float() / 255
    views, _ = geometry.sample(
        photo.expand(64, -1, -1, -1),
        geometry.strong(Draw(1), torch.ones(64), level),
        photo.shape[-1],
    )
    turned = [torch.rot90(photo[0], turn, (1, 2)) for turn in (1, 2, 3)]
    expected = turned + [view.flip(2) for view in turned]
    hits = [
        next(i for i, known in enumerate(expected) if torch.allclose(view, known, atol=1e-3))
        for view in views
    ]
    assert set(hits) == set(range(6))


def test_crops_keep_at_least_the_smallest_share():
    """Every window lies inside the photo and is not smaller than promised."""
    place = geometry.strong(Draw(7), torch.full((500,), 1.5), geometry.LATER)
    width, height = place.window[:, 0, 0], place.window[:, 1, 1]
    shift = place.window[:, :2, 2].abs()
    assert bool((width + shift[:, 0] <= 1.0001).all())
    assert bool((height + shift[:, 1] <= 1.0001).all())
    assert float((width * height).min()) >= geometry.LATER.smallest - 1e-4


def test_views_depend_on_the_draw_alone(pictures: PhotoSet):
    """The same step sees the same views, another step others; all stay in 0..1."""
    augmenter = Augmenter(1, overlays=16, screens=8)

    def strong(step: int) -> torch.Tensor:
        return augmenter.strong(Draw(1, step), pictures.pixels, pictures.aspects, 64)

    assert torch.equal(strong(4), strong(4))
    assert not torch.equal(strong(4), strong(5))
    assert float(strong(4).min()) >= 0
    assert float(strong(4).max()) <= 1


@pytest.mark.parametrize("quality", [10, 50, 85])
def test_our_jpeg_is_pillows_jpeg(pictures: PhotoSet, quality: int):
    """On grey pictures the batched JPEG differs from libjpeg's by rounding only."""
    small = pictures.pixels[:1, :1, :64, :64].float().expand(-1, 3, -1, -1) / 255
    ours = pixels._jpeg(small, torch.tensor([float(quality)]))[0]
    stream = io.BytesIO()
    image = Image.fromarray((small[0].permute(1, 2, 0) * 255).round().byte().numpy())
    image.save(stream, "JPEG", quality=quality)
    theirs = torch.from_numpy(np.array(Image.open(stream))).permute(2, 0, 1) / 255
    loss = (theirs - small[0]).square().mean().sqrt()
    assert (ours - theirs).square().mean().sqrt() < 0.5 * loss


def test_invented_pictures_depend_on_the_seed_alone():
    """The same seed gives the same pictures, another seed others."""
    first, again, other = (procedural.generate(2, seed).pixels for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_photo_stays_on_its_side_of_the_split(pictures: PhotoSet):
    """Held-out photos are decided by name: more photos never move one into training."""
    _, held = pictures.split()
    _, held_of_fewer = pictures.take(list(range(24))).split()
    assert set(held_of_fewer.names) <= set(held.names)
    assert 0 < len(held) < len(pictures) / 3


def test_the_names_of_the_photos_tell_their_classes():
    """Whichever part of its dataset a photo came in; numbers are given in order."""
    names = ("caltech/lotus_image_0001.jpg", "caltech/lotus_image_0007.jpg",
             "grocery/train_Fruit_Kiwi_001.jpg", "grocery/val_Fruit_Kiwi_003.jpg")  # fmt: skip
    pictures = PhotoSet(torch.zeros(4, 3, 1, 1), torch.ones(4), names)
    assert pictures.classes().tolist() == [0, 0, 1, 1]
