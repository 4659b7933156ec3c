"""Contents that have a vector are hashed, not decoded."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from PIL import Image

from twinlens.catalogue import Catalogue
from twinlens.models import Model
from twinlens_worker.decode import DecodeRequest, KnownVectors
from twinlens_worker.decode.decoder import Decoder


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A file that cannot be decoded."""
    path = tmp_path / "photo.png"
    path.write_bytes(b"whatever: a known content is not decoded")
    return path


@pytest.fixture
def known(catalogue: Catalogue, model: Model, photo: Path) -> KnownVectors:
    """The photo's content with a vector of the model."""
    sha256 = hashlib.sha256(photo.read_bytes()).digest()
    with catalogue.write_tx() as tx:
        tx.execute("INSERT INTO contents (id, sha256, bytes) VALUES (1, ?, 1)", (sha256,))
        tx.execute(
            "INSERT INTO vectors (content_id, model_id, vector) VALUES (1, ?, x'00')", (model.id,)
        )
    return KnownVectors(catalogue.path, model.id)


def test_a_known_content_is_not_decoded(decoder: Decoder, photo: Path, known: KnownVectors):
    """Its hash and size are all that is needed to point to it."""
    answer = decoder.decode(DecodeRequest(os.fsencode(photo), 32, None, known))
    assert answer.sha256 == hashlib.sha256(photo.read_bytes()).digest()
    assert answer.size == photo.stat().st_size
    assert answer.pixels is None


def test_a_content_known_to_another_model_is_decoded(
    decoder: Decoder, photo: Path, known: KnownVectors, quarters: Image.Image
):
    """Vectors of two models never mix."""
    from twinlens.errors import DecodeError

    other = KnownVectors(known.catalogue, known.model_id + 1)
    with pytest.raises(DecodeError):
        decoder.decode(DecodeRequest(os.fsencode(photo), 32, None, other))


def test_a_vector_added_later_is_seen(
    decoder: Decoder, tmp_path: Path, catalogue: Catalogue, model: Model, quarters: Image.Image
):
    """The catalogue stays open between photos, but not its view of them."""
    path = tmp_path / "new.png"
    quarters.save(path)
    request = DecodeRequest(os.fsencode(path), 32, None, KnownVectors(catalogue.path, model.id))
    first = decoder.decode(request)
    assert first.pixels is not None
    with catalogue.write_tx() as tx:
        tx.execute("INSERT INTO contents (id, sha256, bytes) VALUES (7, ?, 1)", (first.sha256,))
        tx.execute(
            "INSERT INTO vectors (content_id, model_id, vector) VALUES (7, ?, x'00')", (model.id,)
        )
    assert decoder.decode(request).pixels is None


def test_without_a_catalogue_photos_are_decoded(
    decoder: Decoder, tmp_path: Path, quarters: Image.Image
):
    """The lookup only saves work."""
    quarters.save(tmp_path / "photo.png")
    known = KnownVectors(tmp_path / "missing.sqlite3", 1)
    request = DecodeRequest(os.fsencode(tmp_path / "photo.png"), 32, None, known)
    assert decoder.decode(request).pixels is not None
