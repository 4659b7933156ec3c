"""Which files are photos, and which names never are."""

from __future__ import annotations

import os

JPEG = frozenset({"jpg", "jpeg", "jpe", "jfif", "mpo"})
RAW = frozenset(
    "3fr arw cr2 cr3 crw dcr dng erf fff iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2"
    " srf srw x3f".split()
)
OTHER = frozenset(
    "png webp tif tiff bmp dib gif heic heif hif avif jp2 j2k jpx jpf jpc j2c".split()
)
PHOTO_SUFFIXES = JPEG | RAW | OTHER
"""Suffixes, lower case and without the dot, that are taken for photos."""

SKIPPED_FOLDERS = frozenset(
    {
        b"@eadir",
        b".dtrash",
        b".thumbnails",
        b"#recycle",
        b"__macosx",
        b"lost+found",
        b"$recycle.bin",
    }
)
"""Folders that other programs fill with their own thumbnails and deleted files: Synology,
digiKam, the freedesktop cache, NAS recycle bins, macOS archives."""

SKIPPED_FOLDER_ENDINGS = (b".lrdata", b".photoslibrary", b".cocatalog")
"""Catalogue bundles of Lightroom, Apple Photos and Capture One: their previews are not photos."""

TEMPORARY_ENDINGS = (
    b"~",
    b".tmp",
    b".part",
    b".crdownload",
    b".partial",
)
"""Ends of the part before the suffix that programs use while they write. What comes after the
suffix (``a.jpg~``, exiftool's ``a.jpg_original``) makes it no photo suffix; ``wedding_original.jpg``
is a photo."""

RAW_SUFFIXES = frozenset(suffix.encode() for suffix in RAW)
_PHOTO_SUFFIXES = frozenset(suffix.encode() for suffix in PHOTO_SUFFIXES)


def skip_folder(name: bytes) -> bool:
    """Tell whether a folder of this name is never entered."""
    lowered = name.lower()
    return (
        lowered.startswith(b".")  # hidden, .Trash-1000 and .dtrash among them
        or lowered in SKIPPED_FOLDERS
        or lowered.endswith(SKIPPED_FOLDER_ENDINGS)
    )


def is_photo_name(name: bytes) -> bool:
    """Tell whether a file of this name is taken for a photo.

    A name counts when: 1. its suffix is one of ``PHOTO_SUFFIXES``; 2. it is not hidden (which
    covers macOS's ``._*``); 3. it is not temporary.
    """
    stem, dot, suffix = name.rpartition(b".")
    return (
        bool(dot and stem)
        and suffix.lower() in _PHOTO_SUFFIXES
        and not name.startswith((b".", b"~"))
        and not stem.lower().endswith(TEMPORARY_ENDINGS)
    )


def is_photo_path(relative: bytes) -> bool:
    """Tell whether a path below a root is taken for a photo: good name, no skipped folder."""
    *folders, name = relative.split(os.fsencode(os.sep))
    return is_photo_name(name) and not any(skip_folder(folder) for folder in folders)


def is_raw(name: bytes) -> bool:
    """Tell whether the name is that of a camera RAW file."""
    return name.rpartition(b".")[2].lower() in RAW_SUFFIXES


def printable(path: bytes) -> str:
    r"""Return ``path`` for people: undecodable bytes become ``\xNN``, control characters too."""
    text = path.decode("utf-8", errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
