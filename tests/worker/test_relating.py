"""twinlens-worker relate: what unseen photos are to those of the library, and nothing is stored."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.worker.conftest import Recorder
from tests.worker.verify.conftest import draw_scene
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.messages import encode_bytes, relate_message
from twinlens.roots import Root
from twinlens.settings import Settings
from twinlens_worker.decode.process import DecoderProcess
from twinlens_worker.relating import answer_relate, relate


@pytest.fixture
def known(catalogue: Catalogue, root: Root, record: Recorder) -> int:
    """A photo of the library; its content's number."""
    draw_scene(1).save(root.folder / "a.jpg", quality=95)
    file_id = record(b"a.jpg")
    with catalogue.write_tx() as tx:
        number = tx.execute(
            "INSERT INTO contents (sha256, bytes, width, height, format)"
            " VALUES (?, 1, 640, 480, 'JPEG')",
            (sha256((root.folder / "a.jpg").read_bytes()).digest(),),
        ).lastrowid
        tx.execute("UPDATE files SET content_id = ? WHERE id = ?", (number, file_id))
    assert number is not None
    return number


def question(path: Path, content: int) -> dict[str, Any]:
    """Return what is asked about a photo."""
    return {"path": encode_bytes(os.fsencode(path)), "content": content, "score": 0.9}


def test_an_unseen_photo_is_compared(library: Library, known: int, tmp_path: Path):
    """A smaller copy, another picture, and what cannot be read, in the order asked."""
    copy, other, broken = (tmp_path / name for name in ("copy.jpg", "other.jpg", "broken.jpg"))
    draw_scene(1).resize((320, 240)).save(copy, quality=80)
    draw_scene(2).save(other)
    broken.write_bytes(b"no image")
    before = sorted(path.name for path in library.folder.rglob("*"))
    asked = [question(path, known) for path in (copy, other, broken)]
    asked.append(question(copy, known + 1))
    answers = list(relate(Settings(library=library.folder), asked))
    assert answers[0]["kind"] == "copy"
    assert answers[0]["probability"] > 0.9
    assert "resized" in answers[0]["words"]
    assert (answers[0]["pixels"], answers[0]["camera"]) == (320 * 240, False)
    assert answers[1]["kind"] == "similar"
    assert "error" in answers[2]
    assert answers[3] == {"error": "its picture cannot be had now"}
    assert sorted(path.name for path in library.folder.rglob("*")) == before


def test_the_program_takes_lines_and_gives_lines(library: Library, known: int, tmp_path: Path):
    """JSON in, JSON out, one line each."""
    copy = tmp_path / "copy.jpg"
    draw_scene(1).rotate(90, expand=True).save(copy, quality=80)
    done = subprocess.run(
        [sys.executable, "-m", "twinlens_worker", "--library", library.folder, "relate"],
        input=json.dumps(question(copy, known)).encode() + b"\n",
        capture_output=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert (answer["kind"], answer["words"].partition(",")[0]) == ("edit", "rotated 270")


def test_a_message_is_answered_with_words_for_both(library: Library, known: int, tmp_path: Path):
    """What was done to the unseen photo against the library's, and the other way round."""
    crop = tmp_path / "crop.jpg"
    draw_scene(1).crop((100, 100, 500, 400)).save(crop, quality=80)
    settings = Settings(library=library.folder)
    decoder = DecoderProcess(settings)
    try:
        body = relate_message(os.fsencode(crop), [(known, 0.4), (known + 1, 0.3)])
        answer = answer_relate(settings, decoder.decode, body)
        nonsense = answer_relate(settings, decoder.decode, {"v": 1, "candidates": [7]})
    finally:
        decoder.close()
    first, second = answer["relations"]
    assert (first["kind"], first["words_there"]) == ("edit", "not cropped")
    assert first["words"].startswith("crop to")
    assert second == {"error": "its picture cannot be had now"}
    assert nonsense["photo"] is False
