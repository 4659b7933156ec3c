"""Where a photo comes from: bursts and documents."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import ExifTags, Image

from twinlens_worker.decode.exif import facts
from twinlens_worker.decode.origin import Origin

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description {attributes}>{elements}
</rdf:Description></rdf:RDF></x:xmpmeta>"""


def opened(*, xmp: str = "", note: bytes = b"") -> Image.Image:
    """Return a JPEG with this XMP and this maker note, opened."""
    exif = Image.Exif()
    if note:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = note
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG", exif=exif, xmp=xmp.encode())
    return Image.open(io.BytesIO(stream.getvalue()))


def apple_note(burst: bytes) -> bytes:
    """Return a maker note of Apple's form with one number and a BurstUUID."""
    value = burst + b"\0"
    entries = struct.pack(">HHII", 1, 9, 1, 14)
    entries += struct.pack(">HHII", 0x000B, 2, len(value), 14 + 2 + 24 + 4)
    return b"Apple iOS\0\0\1MM" + struct.pack(">H", 2) + entries + bytes(4) + value


def test_no_metadata_no_origin():
    """Most photos name neither."""
    assert facts(opened()).origin == Origin()


def test_apple_numbers_bursts_in_its_maker_note():
    """The BurstUUID of an iPhone."""
    uuid = b"6A7E4D0F-3B0C-4E0A-9F3D-1D2C3B4A5E6F"
    assert facts(opened(note=apple_note(uuid))).origin.burst == uuid.decode()


@pytest.mark.parametrize("length", range(0, 80, 7))
def test_half_a_maker_note_is_none(length: int):
    """Cut anywhere, it raises nothing."""
    note = apple_note(b"6A7E4D0F-3B0C-4E0A-9F3D-1D2C3B4A5E6F")
    facts(opened(note=note[: 10 + length]))


def test_google_numbers_bursts_in_xmp():
    """As an attribute, whatever else there is."""
    xmp = XMP.format(attributes='GCamera:BurstID="abc-1" GCamera:BurstPrimary="1"', elements="")
    assert facts(opened(xmp=xmp)).origin.burst == "abc-1"


def test_documents_as_attributes_and_as_elements():
    """Both are in use; the original document comes before the document itself."""
    attributes = XMP.format(
        attributes='xmpMM:DocumentID="xmp.did:2" xmpMM:OriginalDocumentID="xmp.did:1"', elements=""
    )
    assert facts(opened(xmp=attributes)).origin.document == "xmp.did:1"
    elements = XMP.format(attributes="", elements="<xmpMM:DocumentID>xmp.did:3</xmpMM:DocumentID>")
    assert facts(opened(xmp=elements)).origin.document == "xmp.did:3"


def test_what_it_was_derived_from():
    """The document that DerivedFrom names, not one that the history names."""
    derived = '<xmpMM:DerivedFrom stRef:instanceID="xmp.iid:9" stRef:documentID="xmp.did:7"/>'
    history = '<rdf:li stRef:documentID="xmp.did:8"/>'
    origin = facts(opened(xmp=XMP.format(attributes="", elements=history + derived))).origin
    assert origin.derived_from == "xmp.did:7"


def test_broken_xmp_says_nothing():
    """Half a packet, or one of another language."""
    for xmp in ("<x:xmpmeta", 'GCamera:BurstID="', "xmpMM:DocumentID=\x00", "\ufeff"):
        assert facts(opened(xmp=xmp)).origin == Origin()
