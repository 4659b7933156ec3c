"""Files that belong to a photo and travel with it: sidecars.

1. ``photo.jpg.xmp`` (darktable, digiKam) is that photo's alone; so are ``photo.jpg.pp3``
   (RawTherapee), ``.dop`` (DxO), ``.json`` (Google's exports), and darktable's versions
   ``photo_01.jpg.xmp``, unless there is a photo ``photo_01.jpg``.
2. ``photo.xmp`` (Lightroom) and ``photo.aae`` (Apple) belong to every photo of that stem, RAW + JPEG
   say: they stay with the one that remains, and go with the last.
3. Of both kinds by its name, ``a.cr2.xmp`` beside ``a.cr2`` and ``a.cr2.jpg``, it is the first kind: the
   RAW's, not its export's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from twinlens.media import is_photo_name, is_raw

OF_THE_NAME = (b".xmp", b".pp3", b".dop", b".json", b".supplemental-metadata.json")
"""Behind the photo's whole name."""

OF_THE_STEM = (b".xmp", b".aae")
"""In place of the photo's suffix."""


def companions(photo: bytes) -> list[bytes]:
    """Return the files that travel with a photo that leaves its folder now, its own ones first."""
    folder, name = os.path.split(photo)
    stem = os.path.splitext(name)[0]
    if not _any_likely(folder, name, stem):
        return []  # nearly always, and a folder of 10,000 photos is not listed for each
    names = os.listdir(folder)
    own = [found for found in names if _is_of(found, name, OF_THE_NAME)]
    own += _versions(names, name)
    if not _others_of_stem(names, name, stem) and not _names_a_photo(stem, names):
        own += [found for found in names if _is_of(found, stem, OF_THE_STEM)]
    return [os.path.join(folder, found) for found in dict.fromkeys(own)]


def renamed(companion: bytes, photo: bytes, target: bytes) -> bytes:
    """Return the path of a companion when its photo becomes ``target``."""
    name, new = os.path.basename(photo), os.path.basename(target)
    stem, new_stem = os.path.splitext(name)[0], os.path.splitext(new)[0]
    tail = os.path.basename(companion)
    old, fresh = (name, new) if tail.startswith(name) else (stem, new_stem)
    return os.path.join(os.path.dirname(target), fresh + tail.removeprefix(old))


def xmp_sidecars(photo: bytes, style: str) -> list[bytes]:
    """Return the XMP sidecars that speak of a photo; where there are none, the one to make.

    ``style``: ``name`` makes ``photo.jpg.xmp``, ``stem`` makes ``photo.xmp`` unless another photo has
    that stem. ``photo.xmp`` beside RAW + JPEG is the RAW's, as Lightroom has it.
    """
    folder, name = os.path.split(photo)
    stem = os.path.splitext(name)[0]
    names = os.listdir(folder)
    mine = [found for found in names if _is_of(found, name, (b".xmp",))]
    others = _others_of_stem(names, name, stem)
    first = not others or (is_raw(name) and not any(map(is_raw, others)))
    owns = first and not _names_a_photo(stem, names)
    if owns:
        mine += [found for found in names if _is_of(found, stem, (b".xmp",))]
    if not mine:
        mine = [(stem if style == "stem" and owns else name) + b".xmp"]
    return [os.path.join(folder, found) for found in mine]


def _any_likely(folder: bytes, name: bytes, stem: bytes) -> bool:
    likely = [name + end for end in OF_THE_NAME] + [stem + end for end in OF_THE_STEM]
    likely += [found + b".XMP" for found in (name, stem)] + [stem + b".AAE"]
    return any(os.path.lexists(os.path.join(folder, found)) for found in likely)


def _is_of(found: bytes, front: bytes, endings: Sequence[bytes]) -> bool:
    return found.startswith(front) and found[len(front) :].lower() in endings


def _versions(names: Sequence[bytes], name: bytes) -> list[bytes]:
    """Return darktable's further versions of a photo."""
    stem, suffix = os.path.splitext(name)
    form = re.compile(re.escape(stem) + rb"_\d\d+" + re.escape(suffix) + rb"\.xmp", re.IGNORECASE)
    there = set(names)
    return [f for f in names if form.fullmatch(f) and f[: -len(b".xmp")] not in there]


def _names_a_photo(stem: bytes, names: Sequence[bytes]) -> bool:
    """Tell whether a photo's stem is another photo's whole name: ``a.cr2`` of ``a.cr2.jpg``."""
    return is_photo_name(stem) and stem in names


def _others_of_stem(names: Sequence[bytes], name: bytes, stem: bytes) -> list[bytes]:
    return [
        found
        for found in names
        if found != name and os.path.splitext(found)[0] == stem and is_photo_name(found)
    ]
