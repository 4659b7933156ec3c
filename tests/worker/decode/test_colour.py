"""Pixels of any kind come out as the sRGB that a viewer shows."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageCms

from twinlens_worker.decode import Decoded

Corners = Callable[..., list[str]]
Decode = Callable[..., Decoded]


def ramp(dtype: str, top: float) -> np.ndarray:
    """A picture that goes evenly from 0 at the left to ``top`` at the right."""
    return np.tile(np.linspace(0, top, 256), (256, 1)).astype(dtype)


def assert_even_ramp(pixels: np.ndarray) -> None:
    """Fail unless a picture goes from black to white in even steps, without colour."""
    row = pixels[16, :, 0].astype(int)
    steps = np.diff(row)
    assert row[0] < 10
    assert row[-1] > 245
    assert steps.min() >= 6
    assert steps.max() <= 10
    assert (pixels == pixels[..., :1]).all()  # grey


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_saturated(decode: Decode, kind: str):
    """Pillow's own conversion turns nearly every pixel white (faults.md)."""
    assert_even_ramp(decode(Image.fromarray(ramp("uint16", 65535)), kind=kind).pixels)


def test_16_bit_big_endian_tiff_is_scaled_too(decode: Decode):
    """Macs wrote these."""
    pixels = ramp(">u2", 65535)
    image = Image.frombytes("I;16B", (256, 256), pixels.tobytes())
    assert_even_ramp(decode(image, kind="TIFF").pixels)


def test_12_bit_samples_are_scaled_by_their_own_range(decode: Decode):
    """Scanners write 12 bits; taken for 16 the picture would be nearly black."""
    values = ramp("uint16", 4095)
    pairs = values.reshape(-1, 2).astype(np.uint32)
    packed = np.stack(
        [pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=1
    ).astype(np.uint8)
    assert_even_ramp(decode(tiff(256, 256, 12, 1, 1, packed.tobytes())).pixels)


def test_16_bit_colour_keeps_its_upper_byte(decode: Decode):
    """48-bit TIFFs come from RAW developers and scanners."""
    grey = ramp("<u2", 65535)
    data = np.stack([grey] * 3, axis=-1).tobytes()
    assert_even_ramp(decode(tiff(256, 256, 16, 3, 2, data)).pixels)


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0, 1e6])
def test_floating_point_greys_are_scaled_by_their_range(decode: Decode, top: float):
    """There is no rule for what is white in a float TIFF: the usual ones are tried."""
    pixels = decode(Image.fromarray(ramp("float32", top)), kind="TIFF").pixels
    assert_even_ramp(pixels)


def test_float_pixels_that_are_no_numbers_are_black(decode: Decode):
    """Masked areas are NaN in some programs' files."""
    values = ramp("float32", 1.0)
    values[:, :64] = np.nan
    pixels = decode(Image.fromarray(values), kind="TIFF").pixels
    assert pixels[:, :7].max() == 0
    assert pixels[:, -1].min() > 240


@pytest.mark.parametrize("top", [255, 65535, 2**30])
def test_32_bit_greys_are_scaled_by_their_range(decode: Decode, top: float):
    """As for floats."""
    assert_even_ramp(decode(Image.fromarray(ramp("int32", top)), kind="TIFF").pixels)


def test_transparency_shows_white(decode: Decode):
    """As where an editor flattens the picture to JPEG, so that copy and original match."""
    image = Image.new("RGBA", (64, 64), (200, 0, 0, 255))
    image.paste((0, 0, 0, 0), (32, 0, 64, 64))
    pixels = decode(image).pixels
    assert tuple(pixels[16, 4]) == (200, 0, 0)
    assert tuple(pixels[16, 28]) == (255, 255, 255)


def test_half_transparent_pixels_are_mixed_with_white(decode: Decode):
    """Compositing, not a threshold."""
    pixels = decode(Image.new("RGBA", (640, 640), (0, 0, 0, 128))).pixels
    assert abs(int(pixels[16, 16, 0]) - 127) <= 1


def test_hidden_colours_do_not_bleed_into_scaled_edges(decode: Decode):
    """Transparent pixels often hold black or rubbish, which averaging must not pick up."""
    image = Image.new("RGBA", (1280, 1280), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 643, 1280))
    reds = decode(image).pixels[16].astype(int)
    assert (reds[:, 0] <= reds[:, 1] + 1).all()  # from blue to white, never through red


@pytest.mark.parametrize("mode", ["LA", "PA", "L", "P", "RGB"])
def test_every_way_to_mark_transparency_works(decode: Decode, mode: str):
    """An alpha channel, and a colour or palette entry that is declared transparent."""
    image = Image.new("L", (64, 64), 0)
    image.paste(100, (32, 0, 64, 64))
    if mode in {"LA", "PA"}:
        made = image.convert("LA") if mode == "LA" else image.convert("P").convert("PA")
        made.putalpha(image.point(lambda value: 255 if value else 0))
        options = {"kind": "PNG" if mode == "LA" else "TIFF"}
        pixels = decode(made.convert("LA") if mode == "PA" else made, **options).pixels
    else:
        transparent = (0, 0, 0) if mode == "RGB" else 0
        pixels = decode(image.convert(mode), transparency=transparent).pixels
    assert tuple(pixels[16, 4]) == (255, 255, 255)
    assert tuple(pixels[16, 28]) == (100, 100, 100)


def test_a_palette_is_looked_up_before_scaling(
    decode: Decode, corners: Corners, quarters: Image.Image
):
    """Averaging palette numbers would give colours from nowhere."""
    large = quarters.resize((1600, 1200)).quantize(16)
    assert corners(decode(large).pixels) == ["red", "green", "blue", "white"]


def test_1_bit_scans_become_grey(decode: Decode):
    """A chequered fax averages to grey."""
    board = np.indices((640, 640)).sum(axis=0) % 2 == 0
    pixels = decode(Image.fromarray(board), kind="TIFF").pixels
    assert abs(int(pixels.mean()) - 128) <= 2


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_without_a_profile_keeps_its_colours(
    decode: Decode, corners: Corners, kind: str, quarters: Image.Image
):
    """Adobe's JPEGs store CMYK inverted."""
    image = quarters.convert("CMYK")
    assert corners(decode(image, kind=kind).pixels) == ["red", "green", "blue", "white"]


def test_lab_is_converted(decode: Decode):
    """Photoshop saves TIFFs in Lab."""
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    image = to_lab.apply(Image.new("RGB", (64, 64), (200, 100, 50)))
    pixel = decode(image, kind="TIFF").pixels[16, 16].astype(int)
    assert np.abs(pixel - (200, 100, 50)).max() <= 3


def test_display_p3_is_converted_to_srgb(decode: Decode):
    """A phone's (224, 75, 60) in Display P3 is a stronger red in sRGB."""
    image = Image.new("RGB", (64, 64), (224, 75, 60))
    pixel = decode(image, icc_profile=DISPLAY_P3).pixels[16, 16].astype(int)
    assert np.abs(pixel - (243, 60, 48)).max() <= 12
    assert pixel[0] > 232
    assert pixel[1] < 68


def test_neutral_colours_stay_neutral_under_a_profile(decode: Decode):
    """White is white in every RGB space."""
    pixels = decode(Image.new("RGB", (64, 64), (128, 128, 128)), icc_profile=DISPLAY_P3).pixels
    assert np.abs(pixels.astype(int) - 128).max() <= 1


def test_a_grey_profile_applies_to_grey_pictures(decode: Decode):
    """Gamma 1.0 greys are brighter in sRGB."""
    pixels = decode(Image.new("L", (64, 64), 55), icc_profile=LINEAR_GREY).pixels
    assert np.abs(pixels.astype(int) - 128).max() <= 2


def test_an_srgb_profile_changes_nothing(decode: Decode):
    """Most photos carry one, so it is not even applied."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = decode(Image.new("RGB", (64, 64), (224, 75, 60)), icc_profile=profile).pixels
    assert tuple(pixels[16, 16]) == (224, 75, 60)


def test_a_colour_profile_on_a_grey_picture_is_ignored(decode: Decode):
    """Programs forget to drop it when they remove the colours."""
    pixels = decode(Image.new("L", (64, 64), 55), icc_profile=DISPLAY_P3).pixels
    assert tuple(pixels[16, 16]) == (55, 55, 55)


def test_a_broken_profile_is_ignored(decode: Decode):
    """Nor does one for another colour space cost the photo."""
    image = Image.new("RGB", (64, 64), (224, 75, 60))
    for profile in (b"rubbish", DISPLAY_P3_CUT, LINEAR_GREY):
        assert tuple(decode(image, icc_profile=profile).pixels[16, 16]) == (224, 75, 60)


def tiff(width: int, height: int, bits: int, samples: int, photometric: int, data: bytes) -> bytes:
    """Write a TIFF of one uncompressed strip, little-endian, by hand (TIFF 6.0, section 2)."""
    entries = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, samples, bits if samples == 1 else 8 + 2 + 12 * 9 + 4),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 8 + 2 + 12 * 9 + 4 + 6),
        (277, 3, 1, samples),
        (278, 3, 1, height),
        (279, 4, 1, len(data)),
    ]
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + struct.pack("<I", 0)
    return head + struct.pack("<3H", bits, bits, bits) + data


def icc(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Write a monitor profile by hand (ICC.1:2001, the version that everyone reads)."""
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(11 + 67),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        **tags,
    }
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = 128 + len(table) + len(body)
    head = struct.pack(">I4sI4s4s4s", size, b"test", 0x02400000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return head.ljust(128, b"\0") + table + body


def xyz(*values: float) -> bytes:
    """Return an XYZ tag."""
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))


def gamma(value: float) -> bytes:
    """Return a curve tag that is a plain power."""
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256))


# Primaries of Display P3 adapted to D50 (Apple's profile), with a plain gamma of 2.2.
DISPLAY_P3 = icc(
    b"RGB ",
    {
        b"rXYZ": xyz(0.51512, 0.24120, -0.00105),
        b"gXYZ": xyz(0.29198, 0.69225, 0.04189),
        b"bXYZ": xyz(0.15710, 0.06657, 0.78407),
        **{name: gamma(2.2) for name in (b"rTRC", b"gTRC", b"bTRC")},
    },
)
DISPLAY_P3_CUT = DISPLAY_P3[:200]
LINEAR_GREY = icc(b"GRAY", {b"kTRC": gamma(1.0)})
