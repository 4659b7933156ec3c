"""Reading a file's bytes: only whole files of one moment count."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from twinlens.errors import ChangedError, DecodeError, UnreadableError, VanishedError
from twinlens_worker.decode import Decoded
from twinlens_worker.decode.source import read_photo

Decode = Callable[..., Decoded]
Encode = Callable[..., bytes]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of ten bytes."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"some bytes")
    return path


@pytest.fixture
def unprivileged(file: Path) -> Iterator[None]:
    """Be a user who may not read ``file``, for the length of a test."""
    file.chmod(0)
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_a_file_is_read_whole(file: Path):
    """All bytes, as they are."""
    assert read_photo(os.fsencode(file)) == b"some bytes"


def test_a_file_that_grows_while_it_is_read_is_refused(file: Path):
    """Fault 22: what was read is half of something."""

    def grow() -> None:
        with file.open("ab") as more:
            more.write(b"!")

    with pytest.raises(ChangedError, match="changed while it was read"):
        read_photo(os.fsencode(file), after_read=grow)


def test_a_file_rewritten_in_place_is_refused_though_its_size_is_the_same(file: Path):
    """Fault 22: the modification time tells."""

    def rewrite() -> None:
        file.write_bytes(b"SOME BYTES")
        os.utime(file, ns=(1, 1))

    with pytest.raises(ChangedError):
        read_photo(os.fsencode(file), after_read=rewrite)


def test_a_file_replaced_while_it_is_read_is_refused(file: Path):
    """Fault 22: an editor renames a new file over the old one."""

    def replace() -> None:
        new = file.with_suffix(".new")
        new.write_bytes(b"other")
        new.replace(file)

    with pytest.raises(ChangedError):
        read_photo(os.fsencode(file), after_read=replace)


def test_a_file_deleted_while_it_is_read_has_vanished(file: Path):
    """Fault 23: no second try is due."""
    with pytest.raises(VanishedError, match="deleted"):
        read_photo(os.fsencode(file), after_read=file.unlink)


@pytest.mark.parametrize("name", ["missing.jpg", "photo.jpg/below-a-file.jpg"])
def test_a_file_that_is_not_there_has_vanished(file: Path, name: str):
    """Fault 23: also where its folder became a file."""
    with pytest.raises(VanishedError, match="no longer there"):
        read_photo(os.fsencode(file.parent / name))


@pytest.mark.usefixtures("unprivileged")
def test_a_file_that_may_not_be_read_says_so(file: Path):
    """Fault 47: the reason names the cure."""
    with pytest.raises(UnreadableError, match=r"no permission .* right to read"):
        read_photo(os.fsencode(file))


def test_an_empty_file_is_damaged(file: Path):
    """Fault 47: zero bytes are no photo."""
    file.write_bytes(b"")
    with pytest.raises(DecodeError, match="the file is empty"):
        read_photo(os.fsencode(file))


def test_a_name_that_is_not_utf_8_is_read(tmp_path: Path):
    """Fault 45: paths are bytes."""
    path = os.fsencode(tmp_path) + b"/caf\xe9 \xff.jpg"
    Path(os.fsdecode(path)).write_bytes(b"bytes")
    assert read_photo(path) == b"bytes"


def test_a_pipe_named_like_a_photo_is_refused_at_once(tmp_path: Path):
    """Opening it the usual way would wait for a writer for ever."""
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UnreadableError, match="not a regular file"):
        read_photo(os.fsencode(tmp_path / "pipe.jpg"))


def test_a_folder_named_like_a_photo_is_refused(tmp_path: Path):
    """Folders open, but hold no picture."""
    with pytest.raises(UnreadableError, match="not a regular file"):
        read_photo(os.fsencode(tmp_path))


def test_a_symbolic_link_is_not_followed(file: Path):
    """Fault 46: a link swapped in between seeing and reading must not lead elsewhere."""
    link = file.with_name("link.jpg")
    link.symlink_to(file)
    with pytest.raises(UnreadableError, match="symbolic link"):
        read_photo(os.fsencode(link))


def test_the_hash_is_of_the_bytes_on_disk(decode: Decode, encode: Encode, quarters: Image.Image):
    """Identity is the content, so the hash must be that of the file."""
    data = encode(quarters)
    answer = decode(data)
    assert answer.sha256 == hashlib.sha256(data).digest()
    assert answer.size == len(data)
