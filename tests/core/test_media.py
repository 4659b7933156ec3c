"""Media rules: which names are photos, which folders are entered, how paths are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlens.media import is_photo_name, is_photo_path, is_raw, printable, skip_folder


@pytest.mark.parametrize(
    "name",
    [
        b"IMG_1041.JPG",
        b"a.jpeg",
        b"a.b.c.jpg",
        b"photo.heic",
        b"photo.HIF",
        b"scan.tiff",
        b"DSC_0001.NEF",
        b"IMG_0001.CR3",
        b"DJI_0001.dng",
        b"wedding_original.jpg",
        b"IMG_20240101~2.jpg",
        b"-rf.jpg",
        b"with space.png",
        b"line\nbreak.jpg",
        b"\xff\xfe.jpg",
        "zoë.webp".encode(),
    ],
)
def test_photo_names(name: bytes):
    """Photos of all formats are taken, whatever else their names hold."""
    assert is_photo_name(name)


@pytest.mark.parametrize(
    "name",
    [
        b"notes.txt",
        b"movie.mp4",
        b"IMG_1041.xmp",
        b"IMG_1041.JPG.xmp",
        b"jpg",
        b".jpg",
        b"",
        b".hidden.jpg",
        b"._IMG_1041.JPG",
        b"~lock.jpg",
        b"IMG.jpg~",
        b"IMG.jpg_original",
        b"IMG.jpg_exiftool_tmp",
        b"IMG.jpg.part",
        b"IMG.jpg.crdownload",
        b"IMG.tmp.jpg",
        b"IMG.part.jpg",
        b".IMG.jpg.X7a2Qz",
    ],
)
def test_other_names(name: bytes):
    """Other files, hidden ones, backups and names that programs use while writing are not taken."""
    assert not is_photo_name(name)


@pytest.mark.parametrize(
    "name",
    [
        b"@eaDir",
        b"@EADIR",
        b".dtrash",
        b".thumbnails",
        b".Trash",
        b".Trash-1000",
        b"#recycle",
        b"__MACOSX",
        b"Catalog Previews.lrdata",
        b"Photos Library.photoslibrary",
        b"lost+found",
        b"$RECYCLE.BIN",
        b".git",
    ],
)
def test_skipped_folders(name: bytes):
    """Folders that other programs fill with thumbnails and deleted files are never entered."""
    assert skip_folder(name)
    assert not is_photo_path(b"2024/" + name + b"/a.jpg")


@pytest.mark.parametrize("name", [b"2024", b"eaDir", b"Trash", b"recycle", b"lrdata", b"\xff"])
def test_entered_folders(name: bytes):
    """A folder with a name that only resembles one of those is entered."""
    assert not skip_folder(name)
    assert is_photo_path(name + b"/a.jpg")


def test_raw_names():
    """RAW files are told from others by suffix, whatever its case."""
    assert is_raw(b"a.NEF")
    assert is_raw(b"a.dng")
    assert not is_raw(b"a.jpg")
    assert not is_raw(b"a.tif")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (b"2024/IMG.jpg", "2024/IMG.jpg"),
        ("zoë 写真.jpg".encode(), "zoë 写真.jpg"),
        (b"\xff.jpg", "\\xff.jpg"),
        (b"a\nb\x1b[31m.jpg", "a\\nb\\x1b[31m.jpg"),
        ("a\u202egpj.jpg".encode(), "a\\u202egpj.jpg"),
        (b"\xed\xa0\x80.jpg", "\\xed\\xa0\\x80.jpg"),
    ],
)
def test_printable(path: bytes, shown: str):
    """#45: undecodable bytes and control characters are shown, never sent to the terminal."""
    assert printable(path) == shown


@given(st.binary(max_size=60))
def test_any_bytes_are_printable(path: bytes):
    """#45: whatever a name holds, it can be printed and stored as text on one line."""
    shown = printable(path)
    assert shown.isprintable()
    assert shown.encode().decode() == shown
