"""twinlens decide and decisions: what was said once is never asked again."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plugin.conftest import Built, Cli, Program
from twinlens import models
from twinlens.catalogue import Catalogue
from twinlens.roots import set_online
from twinlens_plugin import decisions
from twinlens_plugin.decision_file import dump, load, merge
from twinlens_plugin.decisions import KEEP, NOT_DUPLICATES, SAME, Decision
from twinlens_plugin.errors import DecisionError

Shots = dict[str, Path]

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "decisions.schema.json").read_text())


@pytest.fixture
def shots(built: Built) -> Shots:
    """A large photo and a smaller one that the model calls copies, and one that it does not."""
    photos = {
        "large": built.photo("large.jpg", pixels=(4000, 3000)),
        "small": built.photo("small.jpg", pixels=(400, 300)),
        "other": built.photo("other.jpg", pixels=(40, 30)),
    }
    built.pair(photos["large"], photos["small"], 0.97)
    return photos


def listed(twinlens: Cli, *options: str) -> list[list[str]]:
    """Return the groups as names of their files, keeper first."""
    groups = twinlens.json("duplicates", *options)
    return [[Path(photo["path"]).name for photo in group["photos"]] for group in groups]


def test_what_was_told_apart_is_not_proposed_again(shots: Shots, twinlens: Cli):
    """And comes back when that is undone."""
    assert listed(twinlens) == [["large.jpg", "small.jpg"]]
    said = twinlens("decide", shots["large"], shots["small"], "--not-duplicates").stdout
    assert said == "Remembered: no duplicates (1 pair).\n"
    assert listed(twinlens) == []
    assert twinlens("decide", shots["small"], shots["large"], "--undo").stdout == (
        "Forgotten: 1 decision.\n"
    )
    assert listed(twinlens) == [["large.jpg", "small.jpg"]]


def test_a_pair_told_apart_is_in_no_group_around_others(built: Built, shots: Shots, twinlens: Cli):
    """Two copies of a third one, told apart, do not meet in its group."""
    built.pair(shots["large"], shots["other"], 0.97)
    built.pair(shots["small"], shots["other"], 0.97)
    assert listed(twinlens) == [["large.jpg", "small.jpg", "other.jpg"]]
    twinlens("decide", shots["small"], shots["other"], "--not-duplicates")
    assert all(not {"small.jpg", "other.jpg"} <= set(group) for group in listed(twinlens))


def test_photos_can_be_said_to_be_the_same(shots: Shots, twinlens: Cli):
    """Though the model has never seen a likeness."""
    twinlens("decide", shots["large"], shots["small"], shots["other"], "--same")
    (group,) = twinlens.json("duplicates")
    assert [photo["decided"] for photo in group["photos"]] == [False, True, True]
    assert [photo["relation"] for photo in group["photos"]] == ["keeper", "copy", "copy"]
    assert {photo["probability"] for photo in group["photos"]} == {1.0}
    assert "you decided" in twinlens("duplicates").stdout


def test_the_photo_to_keep_can_be_chosen(built: Built, shots: Shots, twinlens: Cli):
    """Whatever the rules say; and a better one that comes later does not change that."""
    twinlens("decide", shots["large"], "--keep", shots["small"])
    (group,) = twinlens.json("duplicates", "--keep", "pixels")
    assert Path(group["keeper"]).name == "small.jpg"
    assert group["reason"] == "you chose it"
    later = built.photo("later.jpg", pixels=(8000, 6000))
    for name in ("large", "small"):
        built.pair(shots[name], later, 0.97)
    assert listed(twinlens)[0][0] == "small.jpg"


def test_a_later_decision_replaces_an_earlier_one(shots: Shots, twinlens: Cli):
    """One may change one's mind."""
    twinlens("decide", shots["large"], shots["small"], "--keep", shots["small"])
    twinlens("decide", shots["large"], shots["small"], "--not-duplicates")
    assert listed(twinlens) == []
    twinlens("decide", shots["large"], shots["small"], "--same")
    assert listed(twinlens) == [["large.jpg", "small.jpg"]]


def test_a_decision_survives_renames_moves_and_other_models(
    built: Built, shots: Shots, twinlens: Cli
):
    """It hangs on the bytes, not on path, row or vector."""
    twinlens("decide", shots["large"], shots["small"], "--not-duplicates")
    moved = built.photos / "elsewhere/renamed.jpg"
    moved.parent.mkdir()
    shots["small"].rename(moved)
    with built.catalogue.write_tx() as tx:
        tx.execute("DELETE FROM files WHERE path = ?", (b"small.jpg",))
    built.record(moved)
    built.commit(moved)
    other, _ = models.set_target(
        built.catalogue,
        name="other",
        digest="cd" * 32,
        dimension=16,
        input_size=96,
        copy_threshold=0.5,
    )
    with built.catalogue.write_tx() as tx:
        tx.execute("UPDATE meta SET value = ? WHERE key = 'model_serving'", (other.id,))
        tx.execute("INSERT INTO pairs SELECT ?, a, b, .9 FROM pairs", (other.id,))
    assert listed(twinlens) == []
    twinlens("decide", shots["large"], moved, "--undo")
    assert listed(twinlens) == [["large.jpg", "renamed.jpg"]]


def test_a_decision_survives_that_its_photo_is_forgotten(built: Built, shots: Shots, twinlens: Cli):
    """The same bytes that come back, as another content, were decided on."""
    twinlens("decide", shots["large"], shots["small"], "--same")
    data = shots["small"].read_bytes()
    with built.catalogue.write_tx() as tx:
        content = built.content_id(shots["small"])
        tx.execute("DELETE FROM pairs")
        tx.execute("DELETE FROM unverified")
        tx.execute("DELETE FROM files WHERE content_id = ?", (content,))
        tx.execute("DELETE FROM vectors WHERE content_id = ?", (content,))
        tx.execute("DELETE FROM contents WHERE id = ?", (content,))
    assert listed(twinlens) == []
    built.photo("back.jpg", data=data)
    assert listed(twinlens) == [["large.jpg", "back.jpg"]]


def test_an_edited_photo_is_another_one(built: Built, shots: Shots, twinlens: Cli):
    """Of which nothing was said."""
    twinlens("decide", shots["large"], shots["small"], "--not-duplicates")
    shots["small"].write_bytes(b"edited")
    built.record(shots["small"])
    built.commit(shots["small"])
    built.pair(shots["large"], shots["small"], 0.97)
    assert len(listed(twinlens)) == 1


def test_all_files_with_the_same_bytes_can_be_wanted(built: Built, twinlens: Cli):
    """A photo that lies in two albums on purpose is not proposed again, in a third one neither."""
    a, b = (built.photo(f"{name}/1.jpg", data=b"same") for name in ("album", "best"))
    assert len(listed(twinlens)) == 1
    said = twinlens("decide", a, b, "--not-duplicates").stdout
    assert said == "Remembered: every file with these bytes is wanted.\n"
    built.photo("third/1.jpg", data=b"same")
    assert listed(twinlens) == []
    twinlens("decide", a, b, "--undo")
    assert len(listed(twinlens)[0]) == 3


@pytest.mark.parametrize("option", [["--same"], ["--keep", "{a}"]])
def test_that_identical_files_are_the_same_needs_no_decision(
    built: Built, twinlens: Cli, option: list[str]
):
    """Which of them stays is said with a rule."""
    a, b = (built.photo(name, data=b"same") for name in ("a.jpg", "b.jpg"))
    result = twinlens("decide", a, b, *[word.format(a=a) for word in option], code=1)
    assert "have the same bytes" in result.stderr
    assert result.stderr.count("\n") == 1
    assert "--keep path:GLOB" in result.stderr


def test_a_photo_that_is_not_in_the_library_is_said_and_nothing_is_remembered(
    built: Built, shots: Shots, twinlens: Cli
):
    """All or nothing."""
    stranger = built.write("new.jpg")
    result = twinlens(
        "decide", shots["large"], shots["small"], stranger, "--not-duplicates", code=1
    )
    assert result.stderr == (
        f"twinlens: {stranger}: not in the library, or changed since it was read."
        " Run: twinlens scan FOLDER\n"
    )
    assert twinlens.json("decisions", "list") == []
    missing = twinlens("decide", shots["large"], stranger / "x", "--same", code=1)
    assert "no such file" in missing.stderr


def test_a_file_that_changed_since_it_was_read_is_not_decided_on(
    built: Built, shots: Shots, twinlens: Cli
):
    """What was read is not what is seen now."""
    shots["small"].write_bytes(b"changed")
    assert "changed since" in (
        twinlens("decide", shots["large"], shots["small"], "--same", code=1).stderr
    )


def test_photos_of_a_disk_that_is_away_can_be_decided_on(built: Built, shots: Shots, twinlens: Cli):
    """They are what was recorded."""
    set_online(built.catalogue, built.root, reason="unplugged", now=0)
    built.photos.rename(built.photos.with_name("hidden"))
    twinlens("decide", shots["large"], shots["small"], "--not-duplicates")
    assert listed(twinlens) == []


def test_a_copy_elsewhere_stands_for_the_photo(
    built: Built, shots: Shots, twinlens: Cli, tmp_path: Path
):
    """A photo manager may hand over its own file with the same bytes."""
    elsewhere = shutil.copy(shots["small"], tmp_path / "copy.jpg")
    twinlens("decide", shots["large"], elsewhere, "--not-duplicates")
    assert listed(twinlens) == []


def test_paths_of_any_bytes_come_in_by_list(built: Built, program: Program, twinlens: Cli):
    """Separated by NUL, from a photo manager's selection."""
    names = [b"a\nb.jpg", b"\xff.jpg", b"c.jpg"]
    photos = [built.photo(name) for name in names]
    for one, other in itertools.pairwise(photos):
        built.pair(one, other, 0.97)
    given = b"".join(bytes(path) + b"\0" for path in photos)
    done = program("decide", "--not-duplicates", "--files-from", "-", "-0", "--json", stdin=given)
    assert json.loads(done.stdout) == {"verdict": "not-duplicates", "remembered": 3}
    assert listed(twinlens) == []
    (first, *_) = twinlens.json("decisions", "list")
    assert {"sha256", "keep", "paths"} == set(first["photos"][0])


@pytest.mark.parametrize(
    "words",
    [
        ["--same"],
        ["{large}", "--same"],
        ["{large}", "{large}", "--same"],
        ["{large}", "{small}"],
        ["{large}", "{small}", "--same", "--undo"],
        ["{large}", "--keep", "{large}"],
    ],
)
def test_wrong_usage_is_said(shots: Shots, twinlens: Cli, words: list[str]):
    """Two photos, one verdict."""
    twinlens("decide", *[word.format(**shots) for word in words], code=2)


def test_no_library_is_made_to_decide_in_it(twinlens: Cli, tmp_path: Path):
    """It would hold no photo."""
    elsewhere = tmp_path / "nothing"
    result = Cli(elsewhere)("decide", "a.jpg", "b.jpg", "--same", code=1)
    assert "no library here yet" in result.stderr
    assert not elsewhere.exists()


def test_decisions_go_to_a_library_made_anew(shots: Shots, twinlens: Cli, tmp_path: Path):
    """Also before its photos are read."""
    twinlens("decide", shots["large"], shots["small"], "--not-duplicates")
    twinlens("decide", shots["large"], shots["other"], "--keep", shots["other"])
    file = tmp_path / "decisions.json"
    assert twinlens("decisions", "export", file).stdout == "Exported 2 decisions.\n"
    anew = Cli(tmp_path / "anew")
    imported = anew("decisions", "import", file).stdout
    assert imported == "Imported 2 decisions, 2 of them new.\n"
    imported = anew("decisions", "import", file).stdout
    assert imported == "Imported 2 decisions, 0 of them new.\n"
    assert anew("decisions", "export").stdout == file.read_text()


def test_decisions_are_listed_by_the_photos_as_they_are_called_now(shots: Shots, twinlens: Cli):
    """With what is to be kept."""
    twinlens("decide", shots["large"], shots["small"], "--keep", shots["small"])
    lines = twinlens("decisions", "list").stdout.splitlines()
    assert lines[0].startswith("keep, ")
    assert {lines[1].strip(), lines[2].strip()} == {
        str(shots["large"]),
        f"{shots['small']}  (keep)",
    }


hashes = st.sampled_from([bytes([i]) * 32 for i in range(4)])


@st.composite
def decided(draw: st.DrawFn) -> Decision:
    """One decision on photos among four."""
    a, b = sorted(draw(st.lists(hashes, min_size=2, max_size=2)))
    verdict = NOT_DUPLICATES if a == b else draw(st.sampled_from([NOT_DUPLICATES, SAME, KEEP]))
    keeper = draw(st.sampled_from([a, b])) if verdict == KEEP else None
    return Decision(a, b, verdict, keeper, float(draw(st.integers(0, 2_000_000_000))))


@settings(max_examples=40, deadline=None)
@given(st.lists(decided(), max_size=8))
def test_what_is_written_is_read(made: list[Decision]):
    """Decision, JSON, decision; the JSON is as docs/decisions.schema.json says."""
    jsonschema.validate(json.loads(dump(made)), SCHEMA)
    assert load(dump(made).encode(), "x") == made


@settings(max_examples=20, deadline=None)
@given(st.lists(decided(), max_size=8, unique_by=lambda decision: decision.at), st.randoms())
def test_files_read_in_any_order_and_any_number_of_times_come_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, made: list[Decision], random: Any
):
    """Of two on the same photos the later one counts."""
    results = []
    for _ in range(2):
        random.shuffle(made)
        with Catalogue.open(tmp_path_factory.mktemp("x") / "catalogue.sqlite3") as catalogue:
            for some in (made[:3], made, made[2:]):
                merge(catalogue, some)
            results.append(list(decisions.every(catalogue)))
    assert results[0] == results[1]
    latest = {(d.a, d.b): d for d in sorted(made, key=lambda d: d.at)}
    assert results[0] == sorted(latest.values(), key=lambda d: (d.a, d.b))


GOOD: dict[str, Any] = {
    "a": "ab" * 32,
    "b": "cd" * 32,
    "verdict": "same",
    "at": "2026-05-01T12:00:00+00:00",
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"a": "AB" * 32}, "decision 2: 'a' is no SHA-256"),
        ({"b": None}, "decision 2: 'b' is no SHA-256"),
        ({"verdict": "maybe"}, "decision 2: 'verdict' has value 'maybe'. Must be one of"),
        ({"verdict": "keep"}, "decision 2: 'keep' is no SHA-256"),
        ({"verdict": "keep", "keep": "ef" * 32}, "'keep' is neither 'a' nor 'b'"),
        ({"b": "ab" * 32}, "decision 2: a photo is always the same as itself"),
        ({"at": "yesterday"}, "decision 2: 'at' is no time"),
        ({"at": "2026-05-01T12:00:00"}, "decision 2: 'at' is no time"),
    ],
)
def test_a_file_with_one_wrong_decision_is_refused_whole(
    twinlens: Cli, tmp_path: Path, change: dict[str, Any], said: str
):
    """In one line that says which, and nothing of it is taken."""
    file = tmp_path / "decisions.json"
    file.write_text(json.dumps({"twinlens_decisions": 1, "decisions": [GOOD, {**GOOD, **change}]}))
    result = twinlens("decisions", "import", file, code=1)
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert twinlens.json("decisions", "list") == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"twinlens_decisions": true}',
        b'{"twinlens_decisions": 2, "decisions": []}',
        b'{"twinlens_decisions": 1}',
        b'{"twinlens_decisions": 1, "decisions": [1]}',
        b"[" * 100_000,
    ],
)
def test_a_file_that_holds_no_decisions_is_refused(data: bytes):
    """Whatever it is."""
    with pytest.raises(DecisionError, match=r"^name"):
        load(data, "name")


def test_a_file_that_cannot_be_read_or_written_is_said(twinlens: Cli, tmp_path: Path):
    """One line each."""
    assert "Check the path" in twinlens("decisions", "import", tmp_path / "no", code=1).stderr
    result = twinlens("decisions", "export", tmp_path / "no" / "way.json", code=1)
    assert "cannot be written" in result.stderr
