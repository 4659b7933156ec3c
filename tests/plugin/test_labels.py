"""twinlens labels, and labels in twinlens similar: what a classifier named in the photos."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.conftest import Built, Cli
from twinlens import labels
from twinlens.labels import Label


@pytest.fixture
def named(built: Built) -> Built:
    """Three photos, labelled by the model in use: two chairs, of which one is surer."""
    built.use_model(labels=True)
    for name, found in (
        ("chair.jpg", [Label("folding_chair", 0.98), Label("sofa", 0.0512)]),
        ("maybe.jpg", [Label("folding_chair", 0.31)]),
        ("fog.jpg", []),
    ):
        path = built.photo(name, vector=[1, len(found) / 10])
        with built.catalogue.write_tx() as tx:
            labels.store(tx, built.model.id, built.content_id(path), found)
    return built


def test_labels_of_photos(named: Built, twinlens: Cli):
    """The surest first, each with its probability; a photo in which nothing was named says so."""
    chair, fog = named.photos / "chair.jpg", named.photos / "fog.jpg"
    assert twinlens("labels", chair).stdout == " 98 %  folding_chair\n  5 %  sofa\n"
    text = twinlens("labels", chair, fog).stdout.splitlines()
    assert text[0] == str(chair)
    assert text[3:] == [str(fog), "    nothing it could name"]
    assert twinlens.json("labels", chair, fog) == [
        {
            "path": str(chair),
            "labels": [
                {"label": "folding_chair", "probability": 0.98},
                {"label": "sofa", "probability": 0.0512},
            ],
        },
        {"path": str(fog), "labels": []},
    ]


def test_a_copy_elsewhere_has_the_labels_of_its_bytes(named: Built, twinlens: Cli, tmp_path: Path):
    """Labels hang on the content: a file outside the library with the same bytes has them too."""
    elsewhere = tmp_path / "mail.jpg"
    elsewhere.write_bytes((named.photos / "maybe.jpg").read_bytes())
    assert twinlens("labels", elsewhere).stdout == " 31 %  folding_chair\n"


def test_photos_that_cannot_be_answered_for(named: Built, twinlens: Cli, tmp_path: Path):
    """Each is said, the others are answered, and the exit code is 1."""
    new = tmp_path / "new.jpg"
    new.write_bytes(b"new")
    result = twinlens("labels", new, tmp_path / "gone.jpg", named.photos / "maybe.jpg", code=1)
    assert "new.jpg: not read yet. Run: twinlens scan" in result.stderr
    assert "gone.jpg: no such file" in result.stderr
    assert "folding_chair" in result.stdout


def test_photos_with_a_label(named: Built, twinlens: Cli):
    """The surest first; with spaces as people write it; from a probability on; as bare paths."""
    paths = [str(named.photos / name) for name in ("chair.jpg", "maybe.jpg")]
    assert [f["path"] for f in twinlens.json("labels", "--find", "folding chair")] == paths
    sure = twinlens("labels", "--find", "folding_chair", "--min-probability", 0.5).stdout
    assert sure == f" 98 %  {paths[0]}\n"
    assert twinlens("labels", "--find", "folding_chair", "-0").stdout == "".join(
        path + "\0" for path in paths
    )
    assert twinlens("labels", "--find", "dog").stdout == ""


def test_all_labels(named: Built, twinlens: Cli):
    """Every label with how many photos carry it."""
    assert twinlens("labels").stdout == "2  folding_chair\n1  sofa\n"
    assert twinlens.json("labels")[0] == {"label": "folding_chair", "photos": 2}


def test_similar_shows_the_surest_label(named: Built, twinlens: Cli):
    """In text the surest one, in JSON all."""
    chair, maybe = named.photos / "chair.jpg", named.photos / "maybe.jpg"
    lines = twinlens("similar", named.photos / "fog.jpg").stdout.splitlines()
    assert any(line.endswith(f"{chair}  (folding_chair 98 %)") for line in lines)
    found = {f["path"]: f["labels"] for f in twinlens.json("similar", named.photos / "fog.jpg")}
    assert found[str(maybe)] == [{"label": "folding_chair", "probability": 0.31}]


def test_a_model_that_names_nothing(built: Built, twinlens: Cli):
    """The message names one that does."""
    built.photo("a.jpg")
    result = twinlens("labels", built.photos / "a.jpg", code=1)
    assert "no labels are kept of pocket" in result.stderr
    assert "twinlens model use torchvision:" in result.stderr


@pytest.mark.parametrize(
    "words", [["a.jpg", "--find", "x"], ["--paths"], ["--find", "x", "--paths", "--json"]]
)
def test_questions_that_contradict_themselves(built: Built, twinlens: Cli, words: list[str]):
    """Wrong usage, exit code 2."""
    twinlens("labels", *words, code=2)


def test_an_empty_list_is_not_about_the_whole_library(named: Built, twinlens: Cli):
    """A script that found no photo is told nothing."""
    assert twinlens("labels", "--files-from", "-", stdin=b"").stdout == ""
    assert twinlens("labels").stdout != ""
