"""twinlens similar: what it lists, in which order and form."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from tests.plugin.conftest import Built, Cli, Program


@pytest.fixture
def near(built: Built) -> dict[str, Path]:
    """Four photos at known angles, one of them twice."""
    photos = {
        "a": built.photo("a.jpg", data=b"a", vector=[1, 0]),
        "b": built.photo("b.jpg", vector=[0.8, 0.6]),
        "c": built.photo("c.jpg", vector=[0, 1]),
        "twin": built.photo("sub/twin.jpg", data=b"a"),
    }
    built.publish()
    return photos


def test_lists_the_closest_first_with_scores(near: dict[str, Path], twinlens: Cli):
    """The best match comes first; scores are cosines; the same bytes score 1."""
    found = twinlens.json("similar", near["a"])
    assert [Path(f["path"]).name for f in found] == ["twin.jpg", "b.jpg", "c.jpg"]
    assert [f["score"] for f in found] == [
        1.0,
        pytest.approx(0.8, abs=1e-3),
        pytest.approx(0, abs=1e-3),
    ]


def test_json_has_the_fields_that_are_promised(near: dict[str, Path], twinlens: Cli):
    """Each line has the query as it was given, the match, and what the two are to each other."""
    found = twinlens.json("similar", near["b"], "-k", 2)
    fields = {"query", "path", "score", "rank", "relation", "probability", "words", "labels"}
    assert [set(f) for f in found] == [fields] * 2
    nothing = {"relation": None, "probability": None, "words": ""}
    assert [{name: f[name] for name in nothing} for f in found] == [nothing] * 2
    assert [f["labels"] for f in found] == [[], []]
    assert [f["rank"] for f in found] == [1, 2]
    assert {f["query"] for f in found} == {str(near["b"])}


def test_the_query_itself_is_left_out(near: dict[str, Path], twinlens: Cli):
    """A photo is not its own match."""
    assert str(near["c"]) not in twinlens("similar", near["c"]).stdout


def test_k_bounds_the_list(near: dict[str, Path], twinlens: Cli):
    """-k is the most photos listed."""
    assert len(twinlens("similar", "-k", 1, near["a"]).stdout.splitlines()) == 1


def test_min_score_leaves_out_the_rest(near: dict[str, Path], twinlens: Cli):
    """--min-score drops what is less alike."""
    found = twinlens.json("similar", "--min-score", 0.5, near["a"])
    assert [Path(f["path"]).name for f in found] == ["twin.jpg", "b.jpg"]


def test_deleted_photos_take_no_places(built: Built, near: dict[str, Path], twinlens: Cli):
    """A photo that was deleted is not listed, and the next one comes instead."""
    from twinlens import ledger

    gone = [built.relative(near[name]) for name in ("b", "twin")]
    ledger.tombstone(built.catalogue, built.root.id, gone, now=0)
    assert twinlens("similar", "-k", 1, "--paths", near["a"]).stdout == f"{near['c']}\n"


def test_a_photo_that_waits_to_be_read_again_is_not_listed(
    built: Built, near: dict[str, Path], twinlens: Cli
):
    """What changed since is no answer: its old picture is gone."""
    near["b"].write_bytes(b"another picture")
    built.record(near["b"])
    assert str(near["b"]) not in twinlens("similar", near["a"]).stdout


def test_answers_without_a_snapshot(built: Built, twinlens: Cli):
    """Before the worker has written a snapshot, the log's tail answers."""
    a, b = built.photo("a.jpg", vector=[1, 0]), built.photo("b.jpg", vector=[1, 0.1])
    assert twinlens("similar", "--paths", a).stdout == f"{b}\n"


def test_a_copy_outside_the_library_is_known_by_its_bytes(
    near: dict[str, Path], twinlens: Cli, tmp_path: Path
):
    """No model is needed for a file whose bytes are known; both holders are listed, score 1."""
    outside = tmp_path / "elsewhere.bin"
    outside.write_bytes(b"a")
    found = twinlens.json("similar", outside, "-k", 2)
    assert [f["score"] for f in found] == [1.0, 1.0]
    assert {f["path"] for f in found} == {str(near["a"]), str(near["twin"])}


def test_a_symbolic_link_is_the_photo_it_points_to(
    near: dict[str, Path], twinlens: Cli, tmp_path: Path
):
    """Links are followed; the photo behind one is left out as the query itself."""
    link = tmp_path / "link.jpg"
    link.symlink_to(near["c"])
    listed = twinlens("similar", "--paths", link).stdout.splitlines()
    assert str(near["b"]) in listed
    assert str(near["c"]) not in listed


def test_many_queries_come_titled_in_the_order_asked(near: dict[str, Path], twinlens: Cli):
    """With several photos, each list stands below its photo."""
    lines = twinlens("similar", "-k", 1, near["b"], near["a"]).stdout.splitlines()
    assert lines[0] == str(near["b"])
    assert lines[2] == str(near["a"])
    assert lines[1].startswith("   0.800  ")


@pytest.mark.parametrize(("null", "end"), [((), b"\n"), (("-0",), b"\0"), ((), b"\r\n")])
def test_files_from_standard_input(
    near: dict[str, Path], twinlens: Cli, null: tuple[str, ...], end: bytes
):
    """A list of photos is read from standard input, by line or by NUL."""
    stdin = b"".join(os.fsencode(near[name]) + end for name in "abc")
    found = twinlens.json("similar", "--files-from", "-", *null, stdin=stdin)
    assert {f["query"] for f in found} == {str(near[name]) for name in "abc"}


def test_files_from_a_file(near: dict[str, Path], twinlens: Cli, tmp_path: Path):
    """A list of photos is read from a file."""
    listed = tmp_path / "list"
    listed.write_bytes(os.fsencode(near["b"]))
    assert twinlens.json("similar", "--files-from", listed)


def test_an_empty_list_is_no_error(near: dict[str, Path], twinlens: Cli):
    """Nothing asked, nothing answered."""
    assert twinlens("similar", "--files-from", "-", stdin=b"").stdout == ""


def test_names_that_are_not_utf8_go_in_and_out(built: Built, program: Program):
    """Paths are bytes: printed as they are, and with base64 beside them in JSON."""
    odd = built.photo(b"\xff\xfe.jpg", vector=[1, 0])
    line = built.photo("new\nline.jpg", vector=[1, 0.1])
    done = program("similar", "-0", "-k", "1", os.fsencode(odd))
    assert done.stdout == os.fsencode(line) + b"\0"
    done = program("similar", "-0", "-k", "1", os.fsencode(line))
    assert done.stdout == os.fsencode(odd) + b"\0"
    done = program("similar", "--json", "-k", "1", os.fsencode(line))
    answer = json.loads(done.stdout)
    assert base64.b64decode(answer["path_base64"]) == os.fsencode(odd)
    assert os.fsencode(answer["path"]) == os.fsencode(odd)
    done = program("similar", "-k", "1", os.fsencode(line))
    assert done.stdout.rstrip().endswith(rb"\xff\xfe.jpg")


def test_one_bad_query_does_not_spoil_the_others(
    near: dict[str, Path], twinlens: Cli, tmp_path: Path
):
    """What cannot be read is named on standard error; the rest is answered; exit code 1."""
    missing = tmp_path / "missing.jpg"
    result = twinlens("similar", "--paths", missing, near["c"], code=1)
    assert str(near["b"]) in result.stdout
    assert result.stderr == f"twinlens: {missing}: no such file. Check the path.\n"


def test_a_photo_of_a_disk_that_is_away_is_answered(
    built: Built, near: dict[str, Path], twinlens: Cli
):
    """The catalogue remembers what the disk held."""
    from twinlens.roots import set_online

    set_online(built.catalogue, built.root, reason="unplugged", now=0)
    hidden = built.photos.with_name("hidden")
    built.photos.rename(hidden)
    assert str(near["b"]) in twinlens("similar", "--paths", near["c"]).stdout
