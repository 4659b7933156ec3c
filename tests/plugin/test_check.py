"""twinlens check: what the library has of a card, and what is new."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.plugin.acting import state
from tests.plugin.conftest import Built, Cli, Program, padded
from twinlens import ledger, vectors
from twinlens.errors import DecodeError
from twinlens.relations import KINDS
from twinlens.views import Views
from twinlens_plugin.comparing import Answer, Question
from twinlens_plugin.errors import ChildError

FAR = [0.0] * 15 + [1.0]


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A card with one photo."""
    folder = tmp_path / "card" / "DCIM" / "100CANON"
    folder.mkdir(parents=True)
    return tmp_path / "card"


def put(card: Path, name: str, data: bytes) -> Path:
    """Write a photo to the card."""
    path = card / "DCIM" / "100CANON" / name
    path.write_bytes(data)
    return path


@pytest.fixture(autouse=True)
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Stand in for the worker: a photo's bytes name its vector; return the paths that were embedded."""
    asked: list[bytes] = []

    def embed(_session: object, _model: object, paths: Sequence[bytes]) -> Iterator[object]:
        for path in paths:
            asked.append(path)
            data = Path(os.fsdecode(path)).read_bytes()
            if data == b"broken":
                yield DecodeError(f"{os.fsdecode(path)}: is no image")
            else:
                near = [1.0, 0.01] if data.startswith(b"near") else FAR
                yield Views(vectors.encode(padded(near, data)))

    monkeypatch.setattr("twinlens_plugin.unseen.embed", embed)
    return asked


@pytest.fixture(autouse=True)
def compared(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    """Stand in for the worker: a photo's bytes name its relation; return what was asked."""
    asked: list[Question] = []

    def relate(_session: object, questions: Sequence[Question]) -> Iterator[Answer | None]:
        for question in questions:
            asked.append(question)
            kind = Path(os.fsdecode(question.path)).read_bytes().decode().rpartition(" ")[2]
            yield Answer(kind, 0.99, "cropped") if kind in KINDS else None

    monkeypatch.setattr("twinlens_plugin.cards.relate", relate)
    return asked


@pytest.fixture
def library(built: Built) -> dict[str, Path]:
    """Two photos of which the index knows."""
    photos = {
        "a": built.photo("a.jpg", data=b"a", vector=[1.0]),
        "b": built.photo("b.jpg", data=b"b", vector=[0.0, 1.0]),
    }
    built.publish()
    return photos


def test_a_card_is_compared_with_the_library(
    library: dict[str, Path],
    card: Path,
    twinlens: Cli,
    embedded: list[bytes],
    compared: list[Question],
):
    """Only what is unknown is embedded, and compared with what comes nearest."""
    put(card, "notes.txt", b"no photo")
    photos = {
        "identical": put(card, "1.JPG", b"a"),
        "edit": put(card, "2.JPG", b"near edit"),
        "burst": put(card, "3.JPG", b"near burst"),
        "like": put(card, "4.JPG", b"near, cannot be compared"),
        "new": put(card, "5.CR2", b"n"),
    }
    found = twinlens.json("check", card, code=3)
    assert [(f["path"], f["status"]) for f in found] == [
        (str(path), status) for status, path in photos.items()
    ]
    # The library may have the edit, and the card the original: it counts as new.
    assert [f["new"] for f in found] == [False, True, True, True, True]
    assert [f["match"] for f in found] == [str(library["a"])] * 4 + [None]
    assert set(found[0]) == {
        *("path", "status", "new", "match", "score", "probability", "words", "deleted", "reason")
    }
    assert (found[0]["score"], found[0]["probability"]) == (1.0, 1.0)
    assert (found[1]["probability"], found[1]["words"]) == (0.99, "cropped")
    assert embedded == [os.fsencode(photos[name]) for name in ("edit", "burst", "like", "new")]
    assert list(dict.fromkeys(question.path for question in compared)) == embedded


def test_of_several_near_photos_the_closest_counts(
    built: Built,
    library: dict[str, Path],
    card: Path,
    twinlens: Cli,
    monkeypatch: pytest.MonkeyPatch,
):
    """A copy before a burst, whatever the scores say."""
    nearer = built.photo("nearer.jpg", vector=[1.0, 0.01])
    built.publish()
    kinds = {built.content_id(nearer): "burst", built.content_id(library["a"]): "copy"}
    monkeypatch.setattr(
        "twinlens_plugin.cards.relate",
        lambda _, asked: (
            Answer(kinds.get(question.content, "similar"), 0.9, "") for question in asked
        ),
    )
    put(card, "1.JPG", b"near")
    (found,) = twinlens.json("check", card)
    assert (found["status"], found["match"]) == ("copy", str(library["a"]))


@pytest.mark.parametrize(
    ("name", "pixels", "camera", "words"),
    [
        ("1.JPG", 800 * 600, False, "resized to 200 %, larger than the library's"),
        ("1.JPG", 400 * 300, True, "resized to 200 %, has the camera's data, which"),
        ("1.CR2", 400 * 300, False, "resized to 200 %, RAW, which the library's is not"),
    ],
)
def test_a_photo_that_is_more_than_what_the_library_has_is_new(
    library: dict[str, Path],
    card: Path,
    twinlens: Cli,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    pixels: int,
    camera: bool,
    words: str,
):
    """Where the library has the messenger's copy alone, the card is not to be erased."""
    answer = Answer("copy", 0.9, "resized to 200 %", pixels, camera)
    monkeypatch.setattr("twinlens_plugin.cards.relate", lambda _, asked: (answer for _ in asked))
    put(card, name, b"near")
    (found,) = twinlens.json("check", card, code=3)
    assert (found["status"], found["match"], found["new"]) == ("copy", str(library["a"]), True)
    assert found["words"].startswith(words)
    assert twinlens("check", card, code=3).stdout.endswith("1 photo: 0 in the library, 1 new.\n")


def test_a_photo_is_there_where_the_library_has_one_as_good(
    built: Built,
    library: dict[str, Path],
    card: Path,
    twinlens: Cli,
    monkeypatch: pytest.MonkeyPatch,
):
    """However much closer a smaller copy of it comes."""
    large = built.photo("large.jpg", vector=[1.0, 0.01], pixels=(800, 590))
    built.publish()
    surer = {built.content_id(library["a"]): 0.99}
    monkeypatch.setattr(
        "twinlens_plugin.cards.relate",
        lambda _, asked: (
            Answer("copy", surer.get(question.content, 0.9), "", 800 * 600) for question in asked
        ),
    )
    put(card, "1.JPG", b"near")
    (found,) = twinlens.json("check", card)
    assert (found["match"], found["new"]) == (str(large), False)


def test_a_photo_that_is_similar_no_more_is_new(
    library: dict[str, Path], card: Path, twinlens: Cli
):
    """It was compared, and is another photo."""
    put(card, "1.JPG", b"near similar")
    (found,) = twinlens.json("check", card, code=3)
    assert (found["status"], found["match"]) == ("new", None)


def test_people_read_a_line_for_each_and_the_sum(
    library: dict[str, Path], card: Path, twinlens: Cli
):
    """What is there, with where; then how many."""
    put(card, "1.JPG", b"a")
    put(card, "2.JPG", b"near copy")
    put(card, "3.JPG", b"near burst")
    lines = twinlens("check", card, code=3).stdout.splitlines()
    assert lines[0].split() == ["identical", f"{card}/DCIM/100CANON/1.JPG", str(library["a"])]
    assert lines[1].startswith("copy 0.99   ")
    assert lines[1].endswith("a.jpg  cropped")
    assert lines[3] == "3 photos: 2 in the library (1 identical, 1 copy), 1 new."


def test_a_card_that_is_all_there_may_be_erased(
    library: dict[str, Path], card: Path, twinlens: Cli, embedded: list[bytes]
):
    """Exit code 0, and no model is needed."""
    put(card, "1.JPG", b"a")
    put(card, "2.JPG", b"b")
    assert twinlens("check", card).stdout.endswith(
        "2 photos: 2 in the library (2 identical), 0 new.\n"
    )
    assert embedded == []


def test_new_photos_feed_xargs(library: dict[str, Path], card: Path, twinlens: Cli):
    """--new -0 prints what the library may lack, and nothing is wrong with that."""
    put(card, "1.JPG", b"a")
    new = [put(card, name, name.encode()) for name in ("2 x.JPG", "3\n.JPG")]
    listed = twinlens("check", "--new", "-0", card).stdout_bytes
    assert listed == b"".join(os.fsencode(path) + b"\0" for path in new)


def test_a_photo_that_was_deleted_is_new_and_says_so(
    built: Built, library: dict[str, Path], card: Path, twinlens: Cli
):
    """The library has its bytes no more; that it once had them may be of interest."""
    ledger.tombstone(built.catalogue, built.root.id, [b"a.jpg"], now=0)
    put(card, "1.JPG", b"a")
    (found,) = twinlens.json("check", card, code=3)
    assert (found["status"], found["deleted"]) == ("new", str(library["a"]))


@pytest.mark.parametrize("now", ["gone", "another picture"])
@pytest.mark.parametrize("data", [b"a", b"near copy"])
def test_a_photo_that_is_there_no_more_is_not_taken_for_one_that_is(
    library: dict[str, Path], card: Path, twinlens: Cli, data: bytes, now: str
):
    """Nobody has swept since: the catalogue knows it still, the disk does not; a card is at stake."""
    library["b"].unlink()
    if now == "gone":
        library["a"].unlink()
    else:
        library["a"].write_bytes(b"something else")
    put(card, "1.JPG", data)
    (found,) = twinlens.json("check", card, code=3)
    assert (found["status"], found["match"], found["new"]) == ("new", None, True)


def test_what_cannot_be_read_is_said_and_counts(
    library: dict[str, Path], card: Path, twinlens: Cli
):
    """A broken photo is neither new nor there: exit code 1, and a script stops."""
    put(card, "1.JPG", b"a")
    broken = put(card, "2.JPG", b"broken")
    result = twinlens("check", card, code=1)
    assert f"{broken}: is no image" in result.stderr
    assert "1 in the library (1 identical), 0 new, 1 unreadable." in result.stdout
    assert str(broken) not in twinlens("check", "--new", card, code=1).stdout


def test_where_nothing_can_embed_the_bytes_alone_speak(
    library: dict[str, Path], card: Path, twinlens: Cli, monkeypatch: pytest.MonkeyPatch
):
    """A card is imported all the same: what may be new counts as new, and the exit code stops a script."""

    def embed(_session: object, _model: object, paths: Sequence[bytes]) -> Iterator[Views]:
        yield Views(vectors.encode(padded([1.0, 0.01], b"")))
        raise ChildError(f"{os.fsdecode(paths[1])}: cannot be embedded: the worker is gone")

    monkeypatch.setattr("twinlens_plugin.unseen.embed", embed)
    put(card, "1.JPG", b"a")
    photos = [put(card, f"{n}.JPG", data) for n, data in enumerate([b"near copy", b"x", b"y"], 2)]
    found = twinlens.json("check", card, code=1)
    assert [f["status"] for f in found] == ["identical", "copy", "unknown", "unknown"]
    assert [f["new"] for f in found] == [False, False, True, True]
    assert found[3]["reason"] == f"{photos[1]}: cannot be embedded: the worker is gone"
    listed = twinlens("check", "--new", card, code=1)
    assert listed.stdout == f"{photos[1]}\n{photos[2]}\n"
    assert listed.stderr.count("the worker is gone") == 1
    assert "2 photos could be looked for by bytes alone" in listed.stderr
    assert twinlens("check", card, code=1).stdout.endswith(
        "4 photos: 2 in the library (1 identical, 1 copy), 2 new (2 unknown).\n"
    )


def test_a_photo_of_the_library_is_no_copy_of_itself(
    built: Built, library: dict[str, Path], twinlens: Cli
):
    """Asked about a watched folder, only other files count."""
    twin = built.photo("sub/twin.jpg", data=b"a")
    found = twinlens.json("check", library["a"], library["b"], code=3)
    assert [(f["status"], f["match"]) for f in found] == [("identical", str(twin)), ("new", None)]


def test_plain_surfaces_are_compared_with_nothing(
    built: Built,
    library: dict[str, Path],
    card: Path,
    twinlens: Cli,
    compared: list[Question],
):
    """A black picture looks like every black picture."""
    flat = built.content_id(library["a"])
    with built.catalogue.write_tx() as tx:
        tx.execute("UPDATE contents SET flat = 1 WHERE id = ?", (flat,))
    put(card, "1.JPG", b"near similar")
    twinlens("check", card, code=3)
    assert [question.content for question in compared] == [built.content_id(library["b"])]


def test_an_empty_library_lacks_everything(card: Path, twinlens: Cli):
    """Before the first scan all is new."""
    put(card, "1.JPG", b"a")
    assert twinlens.json("check", card, code=3)[0]["status"] == "new"


def test_nothing_is_written_to_the_card(
    built: Built, library: dict[str, Path], card: Path, twinlens: Cli
):
    """Nor is anything added to the library."""
    put(card, "1.JPG", b"a")
    put(card, "2.JPG", b"near burst")
    before = state(card), built.catalogue.value("SELECT count(*) FROM files")
    twinlens("check", card, code=3)
    assert (state(card), built.catalogue.value("SELECT count(*) FROM files")) == before


def test_links_and_hidden_files_are_not_photos_of_the_card(
    library: dict[str, Path], card: Path, twinlens: Cli
):
    """A scan would not read them either."""
    (card / "loop").symlink_to(card)
    put(card, "._1.JPG", b"x")
    (card / ".Trashes").mkdir()
    (card / ".Trashes" / "2.JPG").write_bytes(b"x")
    assert twinlens.json("check", card) == []


def test_names_of_any_bytes(library: dict[str, Path], card: Path, program: Program):
    """In by a list, out by JSON."""
    path = os.fsencode(card) + b"/\xff.jpg"
    Path(os.fsdecode(path)).write_bytes(b"a")
    done = program("check", "--files-from", "-", "-0", "--json", stdin=path + b"\0")
    assert done.returncode == 0, done.stderr
    assert b'"path_base64"' in done.stdout


def test_a_photo_that_is_not_there(library: dict[str, Path], twinlens: Cli):
    """One line, and the others are checked."""
    result = twinlens("check", "/nowhere.jpg", library["b"], code=1)
    assert "/nowhere.jpg: no such file" in result.stderr
