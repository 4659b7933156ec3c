"""RAW files: the camera's preview where it serves, a development of the sensor data otherwise.

The files are DNGs made here by hand (Adobe DNG 1.4), so that their colours are known.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import ExifTags, Image

from twinlens.errors import DecodeError, TooLargeError
from twinlens_worker.decode import Decoded
from twinlens_worker.decode.raw import read_raw

Corners = Callable[..., list[str]]
Decode = Callable[..., Decoded]

WIDTH, HEIGHT = 640, 480


def sensor() -> bytes:
    """Grey, brighter in the upper half; a Bayer mosaic without colour."""
    values = np.full((HEIGHT, WIDTH), 2_000, dtype="<u2")
    values[: HEIGHT // 2] = 40_000
    return values.tobytes()


def dng(preview: bytes | None = None, orientation: int = 1) -> bytes:
    """Write a DNG; with a preview, it comes first, as cameras have it."""
    pixels = sensor()
    matrix = [0.4124, 0.3576, 0.1805, 0.2126, 0.7152, 0.0722, 0.0193, 0.1192, 0.9505]
    inverse = np.linalg.inv(np.array(matrix).reshape(3, 3)).ravel().tolist()
    raw = [
        (254, "I", [0]),
        (256, "I", [WIDTH]),
        (257, "I", [HEIGHT]),
        (258, "H", [16]),
        (259, "H", [1]),
        (262, "H", [32803]),
        (273, "I", ["pixels"]),
        (277, "H", [1]),
        (278, "I", [HEIGHT]),
        (279, "I", [len(pixels)]),
        (33421, "H", [2, 2]),
        (33422, "B", [0, 1, 1, 2]),
        (50714, "H", [0]),
        (50717, "I", [65535]),
    ]
    camera = [
        (271, "s", b"Twinlens\0"),
        (272, "s", b"Twinlens One\0"),
        (274, "H", [orientation]),
        (34665, "I", ["exif"]),
        (50706, "B", [1, 4, 0, 0]),
        (50708, "s", b"Twinlens One\0"),
        (50721, "r", inverse),
        (50728, "R", [1, 1, 1]),
        (50778, "H", [21]),
    ]
    shown = [
        (254, "I", [1]),
        (256, "I", [320]),
        (257, "I", [240]),
        (258, "H", [8, 8, 8]),
        (259, "H", [7]),
        (262, "H", [6]),
        (273, "I", ["preview"]),
        (277, "H", [3]),
        (278, "I", [240]),
        (279, "I", [len(preview or b"")]),
        (330, "I", ["raw"]),
    ]
    exif = [(36867, "s", b"2019:07:04 12:33:21\0")]
    blobs = {"preview": preview or b"", "pixels": pixels}
    if preview is None:
        return tiff({"main": camera + raw, "exif": exif}, blobs)
    return tiff({"main": camera + shown, "raw": raw, "exif": exif}, blobs)


def tiff(directories: dict[str, list], blobs: dict[str, bytes]) -> bytes:
    """Write a little-endian TIFF; a string among a tag's values is the place of that part."""
    places = dict.fromkeys([*directories, *blobs], 0)
    for _ in range(2):  # once to learn the places, once to write them
        body = b"II*\0\0\0\0\0"
        for name, tags in directories.items():
            places[name] = len(body)
            body += directory(sorted(tags), len(body), places)
        for name, blob in blobs.items():
            places[name] = len(body)
            body += blob + bytes(len(blob) % 2)
    return body[:4] + struct.pack("<I", places["main"]) + body[8:]


def directory(tags: list, at: int, places: dict[str, int]) -> bytes:
    """Return one directory, and behind it the values that do not fit into it."""
    entries, extra = b"", b""
    start = at + 2 + 12 * len(tags) + 4
    for tag, kind, values in tags:
        number, count, data = packed(kind, values, places)
        if len(data) > 4:
            entries += struct.pack("<HHII", tag, number, count, start + len(extra))
            extra += data + bytes(len(data) % 2)
        else:
            entries += struct.pack("<HHI", tag, number, count) + data.ljust(4, b"\0")
    return struct.pack("<H", len(tags)) + entries + bytes(4) + extra


def packed(kind: str, values: list, places: dict[str, int]) -> tuple[int, int, bytes]:
    """Return the number of a type, the count and the bytes of a tag's values."""
    if kind == "s":
        return 2, len(values), bytes(values)
    if kind in "rR":
        pairs = [number for value in values for number in (round(value * 10_000), 10_000)]
        return (10 if kind == "r" else 5), len(values), struct.pack(f"<{len(pairs)}i", *pairs)
    numbers = [places[value] if isinstance(value, str) else value for value in values]
    return (
        {"B": 1, "H": 3, "I": 4}[kind],
        len(values),
        struct.pack(f"<{len(numbers)}{kind}", *numbers),
    )


def jpeg(image: Image.Image, **options: object) -> bytes:
    """Return a preview."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95, **options)
    return buffer.getvalue()


def test_sensor_data_is_developed_where_there_is_no_preview(decode: Decode):
    """Half-size, upright, and bright where the light was."""
    answer = decode(dng(), "photo.dng")
    assert (answer.width, answer.height, answer.format) == (WIDTH, HEIGHT, "RAW")
    assert answer.pixels[4].mean() > answer.pixels[28].mean() + 80


def test_the_facts_of_a_raw_are_kept(decode: Decode):
    """Its directory is like a TIFF's."""
    answer = decode(dng(), "photo.dng")
    assert answer.camera == "Twinlens One"
    assert answer.taken_at == "2019-07-04T12:33:21"


def test_the_preview_is_taken_where_it_is_large_enough(
    decode: Decode, corners: Corners, quarters: Image.Image
):
    """It looks as the camera meant it, and costs a hundredth; the size is still the RAW's."""
    answer = decode(dng(jpeg(quarters.resize((320, 240)))), "photo.DNG")
    assert corners(answer.pixels) == ["red", "green", "blue", "white"]
    assert (answer.width, answer.height) == (WIDTH, HEIGHT)


def test_a_preview_that_is_too_small_is_not_taken(decode: Decode, quarters: Image.Image):
    """Some cameras embed 160 x 120 pixels."""
    data = dng(jpeg(quarters))
    picture = read_raw(data, side=224, max_megapixels=250)
    assert min(picture.image.size) >= 224
    assert np.asarray(picture.image)[..., 0].std() > 20  # the sensor's two halves
    assert np.ptp(np.asarray(picture.image).astype(int), axis=-1).max() < 60  # and no red


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_developed_raw_is_upright(decode: Decode, orientation: int):
    """The light of the upper half goes where the orientation says."""
    pixels = decode(dng(orientation=orientation), "photo.dng").pixels.astype(int)
    light = {1: pixels[4], 3: pixels[-4], 6: pixels[:, -4], 8: pixels[:, 4]}[orientation]
    dark = {1: pixels[-4], 3: pixels[4], 6: pixels[:, 4], 8: pixels[:, -4]}[orientation]
    assert light.mean() > dark.mean() + 80


@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_preview_is_upright(
    decode: Decode, corners: Corners, quarters: Image.Image, orientation: int, tagged: bool
):
    """With or without an orientation of its own, like the RAW's it came with."""
    back = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}
    back[8] = Image.Transpose.ROTATE_270
    upright = quarters.resize((240, 320)) if orientation in (6, 8) else quarters.resize((320, 240))
    stored = upright if back[orientation] is None else upright.transpose(back[orientation])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    preview = jpeg(stored, **({"exif": exif} if tagged else {}))
    answer = decode(dng(preview, orientation), "photo.dng")
    assert corners(answer.pixels) == ["red", "green", "blue", "white"]
    sideways = orientation in (6, 8)
    assert (answer.width, answer.height) == ((HEIGHT, WIDTH) if sideways else (WIDTH, HEIGHT))


def test_a_preview_that_stands_upright_already_is_not_turned_again(
    decode: Decode, corners: Corners, quarters: Image.Image
):
    """Some programs turn the preview and leave its tag as it was."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    answer = decode(dng(jpeg(quarters.resize((240, 320)), exif=exif), 6), "photo.dng")
    assert corners(answer.pixels) == ["red", "green", "blue", "white"]


def test_a_preview_with_a_tag_of_its_own_is_turned_by_that(
    decode: Decode, corners: Corners, quarters: Image.Image
):
    """A camera may store its preview upright, and say so, beside sensor data that is not."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 1
    preview = jpeg(quarters.resize((320, 240)), exif=exif)
    # Cameras write no JFIF header, 18 bytes. LibRaw overlooks Exif behind one, and writes its own.
    answer = decode(dng(preview[:2] + preview[20:], 3), "photo.dng")
    assert corners(answer.pixels) == ["red", "green", "blue", "white"]


def test_a_raw_that_is_cut_short_is_refused(decode: Decode, quarters: Image.Image):
    """Though its preview, which lies before the sensor data, is whole."""
    whole = dng(jpeg(quarters.resize((320, 240))))
    with pytest.raises(DecodeError, match="copy is not complete"):
        decode(whole[: len(whole) // 2], "photo.dng")
    whole = dng()
    with pytest.raises(DecodeError, match="copy is not complete"):
        decode(whole[: len(whole) // 2], "photo.dng")


def test_a_damaged_preview_is_no_loss(decode: Decode):
    """The sensor data is there."""
    answer = decode(dng(b"\xff\xd8\xff rubbish" * 100), "photo.dng")
    assert answer.pixels[4].mean() > answer.pixels[28].mean() + 80


def test_a_raw_with_too_many_pixels_is_not_developed():
    """The limit counts what development at half size needs: a quarter."""
    with pytest.raises(TooLargeError, match="640 x 480"):
        read_raw(dng(), side=32, max_megapixels=0)


def test_rubbish_named_raw_is_no_photo(decode: Decode):
    """In the same words as elsewhere."""
    with pytest.raises(DecodeError, match="not an image in a format that twinlens reads"):
        decode(b"rubbish" * 1000, "photo.nef")
