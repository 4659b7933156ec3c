"""Pictures that a data set holds twice are found by their pixels."""

from PIL import Image, ImageOps

from training.edits import reencode
from training.photos import PhotoSet
from training.twins import distinct


def test_re_saved_and_mirrored_pictures_are_kept_once(pictures: PhotoSet):
    """The first stays; pictures that only look alike all stay."""
    first, second, third = (pictures.picture(row) for row in range(3))
    rows = [first, second, reencode(first, 60), third, ImageOps.mirror(second)]
    assert distinct(rows) == [0, 1, 3]


def test_a_crop_is_another_picture(pictures: PhotoSet):
    """The same scene from nearer is what the benchmark wants told apart by the caller."""
    photo = pictures.picture(0)
    nearer: Image.Image = photo.crop((40, 40, 140, 140))
    assert distinct([photo, nearer]) == [0, 1]
