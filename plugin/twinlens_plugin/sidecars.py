"""What a person said of a photo in other programs: rating and keywords of its XMP sidecar.

Sidecars are called ``a.cr2.xmp`` (darktable, digiKam) or ``a.xmp`` (Lightroom). Read are
``xmp:Rating`` and keywords, nothing else; a sidecar that cannot be read says nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from twinlens.media import is_photo_name
from twinlens_plugin.keywords import is_ours, words
from twinlens_plugin.shots import Photo

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOST_BYTES = 4_000_000
"""A sidecar is a few kilobytes; darktable's with long histories reach hundreds."""

_XMP = "{http://ns.adobe.com/xap/1.0/}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_LR = "{http://ns.adobe.com/lightroom/1.0/}"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


class Said(NamedTuple):
    """What a sidecar says."""

    rating: int | None = None
    """-1 rejected, 0 to 5."""
    keywords: frozenset[str] = frozenset()
    """Flat ones."""
    hierarchical: frozenset[str] = frozenset()

    def tagged(self, root: str) -> bool:
        """Tell whether somebody gave it keywords; those of twinlens choose no keeper."""
        ours = words(keyword for keyword in self.hierarchical if is_ours(keyword, root))
        return not self.keywords <= ours


def with_sidecars(photos: Sequence[Photo], keyword_root: str) -> list[Photo]:
    """Return the photos with what their sidecars say; those of a disk that is away as they are."""
    return [_with_sidecar(photo, keyword_root) if photo.online else photo for photo in photos]


def _with_sidecar(photo: Photo, keyword_root: str) -> Photo:
    found = [said for path in paths_of(photo.path) if (said := read(path)) is not None]
    if not found:
        return photo
    ratings = [said.rating for said in found if said.rating is not None]
    return photo._replace(
        rating=max(ratings, default=None), tagged=any(said.tagged(keyword_root) for said in found)
    )


def paths_of(photo: bytes) -> list[bytes]:
    """Return where the sidecars of a photo may be.

    ``a.cr2.xmp`` beside ``a.cr2`` and its export ``a.cr2.jpg`` is the RAW file's alone.
    """
    stem = photo.rpartition(b".")[0]
    name = os.path.basename(stem)  # noqa: PTH119  bytes
    exported = is_photo_name(name) and os.path.lexists(stem)
    return [photo + b".xmp", *([] if exported else [stem + b".xmp"])]


def read(path: bytes) -> Said | None:
    """Return what the sidecar ``path`` says; None where there is none that can be read."""
    try:
        # Not Path: most photos have no sidecar, and to find that out should cost little.
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        with os.fdopen(file, "rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError:
        return None
    return None if len(data) > MOST_BYTES else _said(data)


def _said(data: bytes) -> Said | None:
    """Return what the content of a sidecar says; None where it cannot be read."""
    # Imported here: most photos have no sidecar, and ``duplicates`` must start fast.
    from xml.etree import ElementTree as ET

    try:
        # Expat refuses entities that blow up (CVE-2013-0340) since 2.4.1, and fetches nothing.
        tree = ET.fromstring(data)  # noqa: S314
    except ET.ParseError:
        return None
    rating = None
    keywords: set[str] = set()
    hierarchical: set[str] = set()
    for description in tree.iter(f"{_RDF}Description"):
        rating = _rating(description) if rating is None else rating
        for tag, found in (
            (f"{_DC}subject", keywords),
            (f"{_LR}hierarchicalSubject", hierarchical),
        ):
            found.update(item.text or "" for item in description.iterfind(f"{tag}//{_RDF}li"))
    return Said(rating, frozenset(keywords), frozenset(hierarchical))


def _rating(description: Element) -> int | None:
    said = description.get(f"{_XMP}Rating") or description.findtext(f"{_XMP}Rating")
    try:
        return round(float(said or ""))
    except (ValueError, OverflowError):  # nan and inf are floats too
        return None
