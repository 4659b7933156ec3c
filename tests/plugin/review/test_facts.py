"""Facts of a photo: what EXIF, file, catalogue and sidecar say; hostile files say nothing and hold nobody up."""

from __future__ import annotations

import io
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from tests.plugin.review.conftest import Read
from twinlens.catalogue import Catalogue
from twinlens_plugin.review import exif, ids
from twinlens_plugin.review.facts import Fact, compared, facts


def photo(**options: object) -> bytes:
    """Return a JPEG as a camera writes it."""
    tags = Image.Exif()
    tags[0x010F], tags[0x0110], tags[0x0131] = "Canon", "Canon EOS 90D", "Version 1.2"
    tags[0x013B] = "Ada"
    inner = tags.get_ifd(0x8769)
    inner.update(
        {
            0x829A: IFDRational(1, 250),  # ExposureTime
            0x829D: IFDRational(28, 10),  # FNumber
            0x8827: 400,  # ISO
            0x9003: "2024:05:01 12:30:15",
            0x9291: "25",  # SubSecTimeOriginal
            0x9011: "+02:00",
            0x920A: IFDRational(50, 1),
            0xA405: 80,  # 35 mm
            0xA434: "EF-S 50 mm",
            0xA001: 1,  # sRGB
        }
    )
    tags.get_ifd(0x8825).update({1: "S", 2: (33.0, 51.0, 36.0), 3: "E", 4: (151.0, 12.0, 40.0)})
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(stream, "JPEG", exif=tags)
    return stream.getvalue()


def test_exif_in_words():
    """What a camera wrote is said as photographers say it."""
    assert exif.read(io.BytesIO(photo())) == exif.Exif(
        {
            "Taken": "2024-05-01 12:30:15.25 +02:00",
            "Camera": "Canon EOS 90D",
            "Lens": "EF-S 50 mm",
            "Exposure": "1/250 s, f/2.8",
            "ISO": "400",
            "Focal length": "50 mm (as 80 mm)",
            "Place": "33.86000° S, 151.21111° E",
            "Colour space": "sRGB",
            "Software": "Version 1.2",
            "By": "Ada",
        }
    )


def test_a_photo_without_exif_says_nothing():
    """No EXIF is no fault."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")
    assert exif.read(stream) == exif.Exif({})


def tiff(*entries: tuple[int, int, int, int], after: int = 0) -> bytes:
    """Return a little-endian TIFF header with one folder of these entries."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + packed + struct.pack("<I", after)


HOSTILE = {
    "a text of four gigabytes": tiff((0x010F, 2, 0xFFFFFFFF, 8)),
    "four billion numbers": tiff((0x927C, 3, 0xFFFFFFFF, 8), (0x8769, 4, 1, 8)),
    "a folder in itself": tiff((0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (0xA005, 4, 1, 8)),
    "folders without end": struct.pack("<2sHI", b"II", 42, 8) + b"\0\0" * 200_000,
    "a chunk that is no text": b"\x89PNG\r\n\x1a\n" + b"\xff" * 64,
    "division by zero": tiff((0x829A, 5, 1, 0), (0x829D, 5, 1, 0)),
    "cut off": photo()[:60],
    "nothing": b"",
    "a HEIC of boxes that hold themselves": (b"\0\0\0\x18ftypheic" + b"\0" * 12 + b"\0\0\0\0meta")
    * 9,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_says_nothing_and_holds_nobody_up(data: bytes):
    """Offsets and counts that lead astray end within what headers may cost."""
    padded = data + b"\0" * 200_000
    began = time.monotonic()
    assert exif.read(io.BytesIO(padded)).facts.keys() <= set(exif.NAMES)
    assert time.monotonic() - began < 3


def test_a_file_is_not_read_beyond_its_headers():
    """Of a huge field no more is read than headers may take."""

    class Counting(io.BytesIO):
        taken = 0

        def read(self, size: int | None = -1, /) -> bytes:
            found = super().read(size)
            Counting.taken += len(found)
            return found

    found = exif.read(Counting(tiff((0x010F, 2, 0x7FFFFFFF, 8)) + b"a" * 30_000_000))
    assert found == exif.Exif({}, unreadable=True)
    assert Counting.taken <= exif.MOST_BYTES + 1000


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_header_never_raises(data: st.DataObject):
    """Whatever bytes of a header are damaged: facts of known names, or none."""
    damaged = bytearray(photo())
    for _ in range(data.draw(st.integers(1, 12))):
        damaged[data.draw(st.integers(2, 600))] = data.draw(st.integers(0, 255))
    found = exif.read(io.BytesIO(bytes(damaged)))
    assert all(words.isprintable() and len(words) <= 200 for words in found.facts.values())


@pytest.mark.data
def test_hostile_and_real_photos(data: Path):
    """None of the odd, broken and real photos that we have raises or holds anybody up."""
    slowest = 0.0
    paths = [path for part in ("camera", "hostile") for path in sorted((data / part).rglob("*"))]
    cameras = 0
    for path in paths:
        if path.is_file():
            began = time.monotonic()
            with path.open("rb") as handle:
                cameras += "Camera" in exif.read(handle).facts
            slowest = max(slowest, time.monotonic() - began)
    assert cameras > 60
    assert slowest < 2


def test_facts_of_two_photos_side_by_side(read: Read):
    """Facts that differ and facts that are the same are told apart; nothing known is left out."""
    with Catalogue.open_to_read(read.library.catalogue) as catalogue:
        a, b = (
            ids.find(catalogue, read.file_id(f"2024/{name}"))
            for name in ("photo-0.jpg", "photo-0 small.jpg")
        )
        found = {fact.name: fact for fact in compared(catalogue, a, b)}
    by = "\N{MULTIPLICATION SIGN}"
    assert found["Pixels"] == Fact("Pixels", f"640 {by} 480", f"480 {by} 360")
    assert not found["Pixels"].same
    assert found["Folder"].same
    assert found["Format"] == Fact("Format", "JPEG", "JPEG")
    assert found["Camera"] == Fact("Camera", "Test 1", "")
    assert found["Taken"].a == "2024-05-01 12:00:00"
    assert "Rating" not in found


def test_the_sidecar_speaks_too(own: Read, tmp_path: Path):
    """Rating and keywords are those of the sidecar beside the photo."""
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
        ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmp:Rating="4"><dc:subject><rdf:Bag><rdf:li>sea</rdf:li><rdf:li>boat</rdf:li></rdf:Bag>'
        "</dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    sidecar = own.photos / "2024" / "photo-4.jpg.xmp"
    sidecar.write_text(xmp)
    try:
        with Catalogue.open_to_read(own.library.catalogue) as catalogue:
            found = facts(catalogue, ids.find(catalogue, own.file_id("2024/photo-4.jpg")))
    finally:
        sidecar.unlink()
    assert (found["Rating"], found["Keywords"]) == ("4", "boat, sea")
