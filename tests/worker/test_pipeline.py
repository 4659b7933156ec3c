"""The pipeline, from files on disk to results, with real decoders and a small descriptor."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from twinlens import vectors
from twinlens.asking import ask_worker
from twinlens.catalogue import Catalogue
from twinlens.errors import DecodeError, PhotoError
from twinlens.library import Library
from twinlens.messages import Embedded, Failed, ModelRef, Photo
from twinlens.settings import Settings
from twinlens.views import Views
from twinlens_worker.commit import commit
from twinlens_worker.decode import Box, DecodeRequest, KnownVectors
from twinlens_worker.decode.decoder import Decoder
from twinlens_worker.local_socket import LocalSocket
from twinlens_worker.models.errors import BadOutputError
from twinlens_worker.pipeline import Pipeline
from twinlens_worker.target import make_target

from .conftest import Recorder, write_photo
from .fakes import GridDescriptor


@pytest.fixture
def settings(library: Library) -> Settings:
    """Settings with one decoder, to start quickly."""
    return Settings(library=library.folder, decode_processes=1)


@pytest.fixture
def pipeline(settings: Settings) -> Iterator[Pipeline]:
    """A pipeline with the small descriptor."""
    with Pipeline(GridDescriptor(), settings) as started:
        yield started


def _photo(folder: Path, name: str, file_id: int = 1, root: str = "photos") -> Photo:
    return Photo(file_id, 1, root, os.fsencode(folder), name.encode(), 0)


def test_good_and_bad_photos_in_one_batch(pipeline: Pipeline, tmp_path: Path):
    """Each photo gets its own result; a damaged one spoils no other."""
    write_photo(tmp_path / "good.jpg", 1)
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    photos = [
        _photo(tmp_path, name, i) for i, name in enumerate(("good.jpg", "bad.jpg", "gone.jpg"))
    ]
    results = {result.file_id: result for result in pipeline.run(photos)}
    good, bad, gone = results[0], results[1], results[2]
    assert isinstance(good, Embedded)
    assert (good.width, good.height, good.format) == (64, 48, "JPEG")
    assert good.size == (tmp_path / "good.jpg").stat().st_size
    assert isinstance(bad, Failed)
    assert (bad.kind, bad.permanent) == ("damaged", True)
    assert isinstance(gone, Failed)
    assert gone.kind == "vanished"


def test_bad_vector_is_a_failure_of_its_photo_alone(pipeline: Pipeline, tmp_path: Path):
    """NaN from the model puts that photo in quarantine, never in the index (#9)."""
    write_photo(tmp_path / "good.jpg", 1)
    Image.new("RGB", (64, 64)).save(tmp_path / "black.png")
    photos = [_photo(tmp_path, "black.png", 1), _photo(tmp_path, "good.jpg", 2)]
    results = {result.file_id: result for result in pipeline.run(photos)}
    black, good = results[1], results[2]
    assert isinstance(black, Failed)
    assert black.kind == "bad-vector"
    assert isinstance(good, Embedded)
    assert good.vector is not None
    assert np.isfinite(vectors.decode(good.vector, 48)).all()


def test_mount_of_this_computer_is_used(library: Library, tmp_path: Path):
    """A root name maps to this computer's own mount point; the owner's path need not exist."""
    write_photo(tmp_path / "mount" / "a.jpg", 1)
    settings = Settings(
        library=library.folder, decode_processes=1, mounts={"holidays": tmp_path / "mount"}
    )
    with Pipeline(GridDescriptor(), settings) as pipeline:
        photo = _photo(Path("/nowhere"), "a.jpg", root="holidays")
        [result] = pipeline.run([photo])
    assert isinstance(result, Embedded)


def test_known_content_is_not_embedded_again(
    library: Library, settings: Settings, catalogue: Catalogue, tmp_path: Path, record: Recorder
):
    """A copy of a known photo, under any name, costs a hash and no embedding (#10)."""
    info = GridDescriptor().info
    model = make_target(catalogue, info)
    write_photo(tmp_path / "a.jpg", 1)
    (tmp_path / "b.jpg").write_bytes((tmp_path / "a.jpg").read_bytes())
    known = KnownVectors(library.catalogue, model.id)
    with Pipeline(GridDescriptor(), settings, known=known) as pipeline:
        first = pipeline.run([_photo(tmp_path, "a.jpg", record(b"a.jpg"))])
        ref = ModelRef(info.name, info.digest)
        commit(catalogue, ref, first, now=1.0, max_attempts=3, settle_seconds=2.0)
        [second] = pipeline.run([_photo(tmp_path, "b.jpg", record(b"b.jpg"))])
        assert isinstance(second, Embedded)
        assert second.vector is None
        assert commit(catalogue, ref, [second], now=1.0, max_attempts=3, settle_seconds=2.0) == 1


def test_socket_answers_for_its_model_alone(
    pipeline: Pipeline, library: Library, settings: Settings, tmp_path: Path
):
    """A running worker embeds unseen photos, and says when it has another model (#48)."""
    write_photo(tmp_path / "a.jpg", 1)
    path = os.fsencode(tmp_path / "a.jpg")
    listener = LocalSocket(library.socket, pipeline.for_model)
    try:
        blob = ask_worker(settings, pipeline.model, path)
        assert blob == pipeline.embed_file(path)
        assert ask_worker(settings, ModelRef("grid", "cd" * 32), path) is None
        with pytest.raises(PhotoError, match=r"gone\.jpg"):
            ask_worker(settings, pipeline.model, path.replace(b"a.jpg", b"gone.jpg"))
        _send_junk(library.socket)
        assert ask_worker(settings, pipeline.model, path) == blob
        assert library.socket.stat().st_mode & 0o077 == 0
    finally:
        listener.close()
    assert ask_worker(settings, pipeline.model, path) is None


def _send_junk(path: Path) -> None:
    for junk in (b"", b"not json\n", b"[]\n", json.dumps({"v": 1, "path": 3}).encode() + b"\n"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(junk)


def test_unseen_photo_that_cannot_be_read_names_itself(pipeline: Pipeline, tmp_path: Path):
    """The one-line error for a query names the file and the cause."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no picture")
    with pytest.raises(DecodeError, match=r"bad\.jpg: "):
        pipeline.embed_file(os.fsencode(bad))


def _page(path: Path, inner: Image.Image) -> Image.Image:
    """Write a white page that shows a picture; return the picture."""
    page = Image.new("RGB", (inner.width * 2, inner.height * 2), "white")
    page.paste(inner, (inner.width // 2, inner.height // 2))
    page.save(path)
    return inner


def _colours(seed: int, darkness: int = 1) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8) // darkness
    return Image.fromarray(coarse.astype(np.uint8)).resize((160, 120), Image.Resampling.NEAREST)


def test_a_picture_within_a_photo_has_a_vector_of_its_own(pipeline: Pipeline, tmp_path: Path):
    """Nearly that of the picture alone; the whole is embedded as ever, labels or not."""
    _page(tmp_path / "page.png", _colours(1)).save(tmp_path / "alone.png")
    photos = [_photo(tmp_path, name, i) for i, name in enumerate(("page.png", "alone.png"))]
    for with_labels in (False, True):
        results = {one.file_id: one for one in pipeline.run(photos, with_labels=with_labels)}
        page, alone = results[0], results[1]
        assert isinstance(page, Embedded)
        assert isinstance(alone, Embedded)
        assert alone.inner is None
        assert page.inner is not None
        assert page.vector is not None
        assert alone.vector is not None
        whole, inner, other = (
            vectors.decode(blob, 48) for blob in (page.vector, page.inner, alone.vector)
        )
        assert inner @ other > 0.95
        assert whole @ other < 0.8
    path = os.fsencode(tmp_path / "page.png")
    assert pipeline.embed_file(path) == Views(page.vector, page.inner)
    box = Box(0.1, 0.1, 0.8, 0.8)
    assert pipeline.embed_file(path, box).inner is None, "whoever drew a box said what is meant"


class BlindInTheDark(GridDescriptor):
    """NaN for dark photos."""

    def embed(self, images: np.ndarray) -> np.ndarray:
        """Embed u8 images (N, 64, 64, 3) as f32 (N, 48)."""
        found = super().embed(images)
        bad = images.reshape(len(images), -1).mean(axis=1) < 60
        found[bad] = np.nan
        if bad.any():
            raise BadOutputError("bad", rows=np.flatnonzero(bad).tolist(), vectors=found)
        return found


def test_a_bad_inner_vector_costs_the_photo_nothing(settings: Settings, tmp_path: Path):
    """NaN of a dark picture on a page: the page has its own vector alone (#9)."""
    _page(tmp_path / "dark.png", _colours(2, darkness=4))
    _page(tmp_path / "light.png", _colours(3))
    names = ("dark.png", "light.png")
    assert all(_decoded_inner(tmp_path / name) is not None for name in names)
    photos = [_photo(tmp_path, name, i) for i, name in enumerate(names)]
    with Pipeline(BlindInTheDark(), settings) as pipeline:
        results = {one.file_id: one for one in pipeline.run(photos)}
        asked = pipeline.embed_file(os.fsencode(tmp_path / "dark.png"))
    dark, light = results[0], results[1]
    assert isinstance(dark, Embedded)
    assert isinstance(light, Embedded)
    assert (dark.inner is None, light.inner is None) == (True, False)
    assert dark.vector is not None
    assert asked == Views(dark.vector)


def test_a_plain_inner_picture_has_no_vector(pipeline: Pipeline, tmp_path: Path):
    """It would be a copy of every other plain one."""
    _page(tmp_path / "plain.png", Image.new("RGB", (160, 120), "navy"))
    assert _decoded_inner(tmp_path / "plain.png") is not None
    [result] = pipeline.run([_photo(tmp_path, "plain.png")])
    assert isinstance(result, Embedded)
    assert result.inner is None


def _decoded_inner(path: Path) -> np.ndarray | None:
    request = DecodeRequest(os.fsencode(path), 64, None, None, inner=True)
    return Decoder(max_megapixels=1).decode(request).inner
