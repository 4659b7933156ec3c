"""Bombs, halves and rubbish are refused in words, within memory."""

from __future__ import annotations

import os
import random
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from twinlens.errors import DecodeError, PhotoError, TooLargeError
from twinlens_worker.decode import Decoded, DecodeRequest
from twinlens_worker.decode.decoder import Decoder

Decode = Callable[..., Decoded]
Encode = Callable[..., bytes]


def noise(width: int, height: int) -> Image.Image:
    """A picture that no format can compress away."""
    data = random.Random(7).randbytes(width * height * 3)
    return Image.frombytes("RGB", (width, height), data)


def png_of(width: int, height: int, rows: int = 0) -> bytes:
    """Write a PNG by hand that claims a size and holds the first ``rows`` of it (RFC 2083)."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1 + 3 * width) * rows, 9)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    )


def test_a_bomb_is_refused_by_its_header(decode: Decode):
    """Fault 43: 100,000 x 100,000 in a few bytes."""
    with pytest.raises(TooLargeError) as caught:
        decode(png_of(100_000, 100_000))
    assert "100000 x 100000 pixels" in str(caught.value)
    assert "max_megapixels = 250" in str(caught.value)


def test_an_image_at_the_limit_is_taken(tmp_path: Path, quarters: Image.Image):
    """The setting counts pixels in millions, and its own value is allowed."""
    path = tmp_path / "photo.png"
    quarters.resize((1000, 1000)).save(path)
    request = DecodeRequest(os.fsencode(path), 32, None, None)
    assert Decoder(max_megapixels=1).decode(request).width == 1000
    quarters.resize((1001, 1000)).save(path)
    with pytest.raises(TooLargeError):
        Decoder(max_megapixels=1).decode(request)


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
def test_a_format_that_decodes_at_reduced_scale_may_be_larger(
    tmp_path: Path, quarters: Image.Image, kind: str
):
    """A 600 MP panorama as JPEG is decoded at an eighth of its sides."""
    path = tmp_path / "photo"
    quarters.resize((1600, 1200)).save(path, kind)
    request = DecodeRequest(os.fsencode(path), 32, None, None)
    answer = Decoder(max_megapixels=1).decode(request)
    assert (answer.width, answer.height) == (1600, 1200)


CUT = {
    "JPEG": {},
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "BMP": {},
    "GIF": {},
    "HEIF": {},
    "AVIF": {},
    "JPEG2000": {},
}


@pytest.mark.parametrize("kept", [0.5, 0.95])
@pytest.mark.parametrize("kind", CUT)
def test_a_photo_whose_end_is_missing_is_refused(
    decode: Decode, encode: Encode, kind: str, kept: float
):
    """Half a copy must not be indexed as if it were the photo."""
    data = encode(noise(400, 300), kind, **CUT[kind])
    with pytest.raises(DecodeError, match=r"not complete|damaged"):
        decode(data[: int(len(data) * kept)])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "HEIF", "AVIF"])
def test_the_reason_for_half_a_photo_is_that_it_is_incomplete(
    decode: Decode, encode: Encode, kind: str
):
    """The cure is another copy, not another program."""
    data = encode(noise(400, 300), kind, **CUT[kind])
    with pytest.raises(DecodeError, match=r"\(truncated\).* Copy it again"):
        decode(data[: len(data) // 2])


def test_a_jpeg_whose_end_is_still_zeros_is_refused(decode: Decode, encode: Encode):
    """Fault 21: copied half onto space that was allocated before; Pillow decodes it silently."""
    exif = Image.Exif()
    exif[0x010E] = "\xff\xd9" * 4  # an end marker before the picture, as thumbnails have
    data = encode(noise(400, 300), "JPEG", exif=exif)
    with pytest.raises(DecodeError, match="copy is not complete"):
        decode(data[: len(data) // 2] + bytes(len(data) // 2))


def test_a_whole_jpeg_with_zeros_behind_it_is_taken(decode: Decode, encode: Encode):
    """Some cameras fill the last sector."""
    assert decode(encode(noise(400, 300), "JPEG") + bytes(4096)).width == 400


def test_a_jpeg_without_its_end_marker_is_refused(decode: Decode, encode: Encode):
    """Nothing else would tell it from half a photo: libjpeg fills what is missing with grey."""
    data = encode(noise(400, 300), "JPEG")
    assert data.endswith(b"\xff\xd9")
    with pytest.raises(DecodeError, match="copy is not complete"):
        decode(data[:-2])


@pytest.mark.parametrize("data", [b"\0", b"hello, I am a text", bytes(100_000), b"\xff\xd8\xff"])
def test_rubbish_is_no_photo(decode: Decode, data: bytes):
    """In words, without Python in them."""
    with pytest.raises(DecodeError) as caught:
        decode(data, "IMG_0001.JPG")
    assert "not an image in a format that twinlens reads" in str(caught.value)
    assert "0x" not in str(caught.value)


def test_mutated_photos_are_pictures_or_photo_errors(decode: Decode, encode: Encode):
    """Fault 44, in small: the error is always ours, with a short reason."""
    chance = random.Random(1)
    image = noise(64, 48)
    outcomes, reasons = set(), set()
    for kind, options in CUT.items():
        whole = encode(image, kind, **options)
        for _ in range(60):
            data = bytearray(whole)
            for _ in range(chance.randint(1, 12)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            kept = chance.choice([len(data), chance.randint(1, len(data))])
            try:
                outcomes.add(decode(bytes(data[:kept])).format)
            except PhotoError as error:
                outcomes.add(type(error).__name__)
                reasons.add(str(error))
    assert not [reason for reason in reasons if len(reason) > 200 or "\n" in reason]
    assert "DecodeError" in outcomes
    assert len(outcomes) > 3


@pytest.mark.parametrize("kind", ["HEIF", "AVIF", "WEBP"])
def test_what_programs_append_to_a_photo_does_no_harm(decode: Decode, encode: Encode, kind: str):
    """Phones write trailers behind the last box."""
    data = encode(noise(400, 300), kind, **CUT[kind])
    assert decode(data + b"\xff\xff\xff\xffSEFT" + bytes(100)).width == 400


def test_a_heif_of_which_only_the_preview_is_there_is_refused(decode: Decode, encode: Encode):
    """The preview lies before the picture and would decode; the photo is half there."""
    data = encode(noise(400, 300), "HEIF", thumbnails=[340])
    assert decode(data).width == 400
    with pytest.raises(DecodeError, match="copy is not complete"):
        decode(data[: len(data) * 2 // 3])


def test_the_photo_is_left_as_it_was(
    decode: Decode, encode: Encode, quarters: Image.Image, tmp_path: Path
):
    """Photos are never modified."""
    data = encode(quarters, "PNG")
    decode(data, "photo.png")
    assert (tmp_path / "photo.png").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["photo.png"]
