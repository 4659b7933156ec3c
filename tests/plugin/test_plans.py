"""Plans: what duplicates writes, what the schema says, and what no plan may do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.plugin.acting import plan_of, planned_group
from tests.plugin.conftest import Built, Cli
from twinlens import relations
from twinlens.relations import SAME_PIXELS, Detail, Relation
from twinlens.roots import set_online
from twinlens_plugin.errors import PlanError
from twinlens_plugin.plans import Plan, PlannedGroup, PlannedPhoto, read_plan, write_plan

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "plan.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@pytest.fixture
def shots(built: Built) -> dict[str, Path]:
    """A shot and a second file with its bytes, a RAW file and its JPEG, once more elsewhere."""
    names = ("a.jpg", "b.jpg", "1/x.cr2", "1/x.jpg", "2/x.cr2", "2/x.jpg")
    data = (b"same", b"same", b"raw", b"jpeg", b"raw", b"jpeg")
    return {n: built.photo(n, data=d) for n, d in zip(names, data, strict=True)}


def proposals(file: Path) -> dict[str, str]:
    """Return what a plan proposes, by file name and folder."""
    found = {}
    for group in json.loads(file.read_text())["groups"]:
        for photo in group["photos"]:
            found["/".join(photo["path"].rsplit("/", 2)[-2:])] = photo["proposal"]
    return found


def test_duplicates_writes_a_plan_that_the_schema_describes(
    built: Built, shots: dict[str, Path], twinlens: Cli, tmp_path: Path
):
    """All files of a shot go or stay together; the sum is said."""
    file = tmp_path / "plan.json"
    text = twinlens("duplicates", "--plan", file).stdout
    VALIDATOR.validate(json.loads(file.read_text()))
    assert proposals(file) == {
        "photos/a.jpg": "keep",
        "photos/b.jpg": "remove",
        "1/x.cr2": "keep",
        "1/x.jpg": "keep",
        "2/x.cr2": "remove",
        "2/x.jpg": "remove",
    }
    assert text.splitlines() == [
        f"{file}: 2 groups, 3 photos to remove (0.00 MB).",
        f"See what would be done: twinlens apply {file}",
    ]
    (told,) = twinlens.json("duplicates", "--plan", file)
    assert told["plan"] == str(file)
    assert (told["groups"], told["photos"], told["bytes"]) == (2, 3, 11)
    plan = read_plan(file)
    assert plan.id == told["id"]
    assert {p.mtime_ns for g in plan.groups for p in g.photos} == {
        path.stat().st_mtime_ns for path in shots.values()
    }


def test_what_was_not_compared_is_not_proposed(built: Built, twinlens: Cli, tmp_path: Path):
    """A likeness alone may be a burst: such a photo is never proposed for removal."""
    a, b = built.photo("a.jpg", pixels=(4000, 3000)), built.photo("b.jpg")
    built.pair(a, b, 0.99)
    file = tmp_path / "plan.json"
    assert "0 groups" in twinlens("duplicates", "--plan", file).stdout
    assert proposals(file) == {}


def test_a_plan_that_proposes_nothing_says_what_stays(built: Built, twinlens: Cli, tmp_path: Path):
    """There is nothing to apply, and no hint to do so."""
    built.photo("a.jpg", data=b"same")
    said = twinlens("duplicates", "--kind", "burst", "--plan", tmp_path / "p.json").stdout
    assert said.splitlines() == [
        f"{tmp_path / 'p.json'}: 0 groups, 0 photos to remove (0.00 MB).",
        "Nothing is proposed: bursts, look-alikes and what was not compared yet stay.",
    ]


@pytest.mark.parametrize("both", [False, True])
def test_a_jpeg_goes_with_its_raw_file_where_the_keeper_has_one(
    built: Built, twinlens: Cli, tmp_path: Path, *, both: bool
):
    """The same RAW file, rated in one place: what was developed of it may be there alone."""
    best = built.photo("1/x.cr2", data=b"raw", pixels=(6000, 4000))
    twin = built.photo("2/x.cr2", data=b"raw, rated", pixels=(6000, 4000))
    built.photo("2/x.jpg", data=b"developed")
    if both:
        built.photo("1/x.jpg", data=b"by the camera")
    a, b = sorted(map(built.content_id, (best, twin)))
    with built.catalogue.write_tx() as tx:
        relations.store(tx, Relation(a, b, SAME_PIXELS, 1.0, Detail("same pixels"), 1))
    file = tmp_path / "plan.json"
    twinlens("duplicates", "--keep", "path:1", "--plan", file)
    gone = [name for name, proposal in proposals(file).items() if proposal == "remove"]
    assert gone == (["2/x.cr2", "2/x.jpg"] if both else [])


def test_reference_folders_are_in_the_plan(
    shots: dict[str, Path], built: Built, twinlens: Cli, tmp_path: Path
):
    """Nothing below them is proposed, and apply will check it once more."""
    file = tmp_path / "plan.json"
    twinlens("duplicates", "--reference", built.photos / "2", "--plan", file)
    assert proposals(file).get("2/x.jpg", "keep") == "keep"
    assert read_plan(file).references == (os.fsencode(built.photos / "2"),)


def test_a_disk_that_is_away_is_left_out(
    shots: dict[str, Path], built: Built, twinlens: Cli, tmp_path: Path
):
    """What cannot be reached is not planned."""
    set_online(built.catalogue, built.root, reason="unplugged", now=0)
    file = tmp_path / "plan.json"
    twinlens("duplicates", "--plan", file)
    assert proposals(file) == {}


def test_a_plan_replaces_a_plan_and_nothing_else(
    shots: dict[str, Path], twinlens: Cli, tmp_path: Path
):
    """A photo's name, given by mistake, costs no photo."""
    file = tmp_path / "plan.json"
    for _ in range(2):
        twinlens("duplicates", "--plan", file)
    result = twinlens("duplicates", "--plan", shots["a.jpg"], code=1)
    assert "is there already, and is no plan" in result.stderr
    assert shots["a.jpg"].read_bytes() == b"same"
    result = twinlens("duplicates", "--plan", tmp_path / "nowhere" / "p.json", code=1)
    assert "the plan cannot be written: No such file or directory" in result.stderr


paths = st.binary(min_size=1, max_size=40).filter(lambda b: b"\0" not in b).map(lambda b: b"/" + b)
texts = st.text(max_size=20)
whole = st.integers(-(2**62), 2**62)
photos = st.builds(
    PlannedPhoto,
    path=paths,
    relation=st.sampled_from(["keeper", "copy", "same-pixels"]),
    remove=st.booleans(),
    size=whole,
    mtime_ns=whole,
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    note=st.none() | texts,
    probability=st.none() | st.floats(0, 1),
)


@st.composite
def plans(draw: Any) -> Plan:
    """Make any plan that may be."""
    listed = draw(st.lists(photos, min_size=1, max_size=8, unique_by=lambda photo: photo.path))
    first, *rest = listed
    keeper = PlannedPhoto(first.path, "keeper", False, 1, 2, first.sha256, None, 1.0)
    group = PlannedGroup(draw(texts), "copy", draw(texts), (keeper, *rest))
    return Plan("ab" * 8, "cd" * 16, draw(texts), (), (group,))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(plan=plans())
def test_any_plan_survives_its_file(plan: Plan, tmp_path: Path):
    """Written and read it is the same, and the schema takes it."""
    file = tmp_path / "plan.json"
    write_plan(plan, file)
    assert read_plan(file) == plan
    VALIDATOR.validate(json.loads(file.read_text()))


Change = Callable[[dict[str, Any]], object]

WRONG: dict[str, tuple[Change, str]] = {
    "the keeper removed": (
        lambda plan: plan["groups"][0]["photos"][0].update(proposal="remove"),
        "would lose every photo",
    ),
    "no photos": (lambda plan: plan["groups"][0].update(photos=[]), "would lose every photo"),
    "another version": (lambda plan: plan.update(twinlens_plan=2), "a plan of version 2"),
    "no plan": (lambda plan: plan.pop("twinlens_plan"), "is no plan of twinlens"),
    "a field missing": (lambda plan: plan.pop("library"), "'library' is missing"),
    "an odd proposal": (
        lambda plan: plan["groups"][0]["photos"][1].update(proposal="burn"),
        "group 1: 'proposal' has value 'burn'",
    ),
    "a relative path": (
        lambda plan: plan["groups"][0]["photos"][1].update(path="b.jpg"),
        "group 1: 'path' is no absolute path",
    ),
    "no hash": (
        lambda plan: plan["groups"][0]["photos"][1].update(sha256="abc"),
        "group 1: 'sha256' has value 'abc'",
    ),
    "a size in words": (
        lambda plan: plan["groups"][0]["photos"][1].update(bytes="4"),
        "group 1: 'bytes' is no whole number",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_no_plan_may_say_is_refused(case: str, built: Built, shots: dict[str, Path]):
    """By the program with one line that says where, and by the schema."""
    change, said = WRONG[case]
    file, _ = plan_of(built, planned_group("g", shots["a.jpg"], shots["b.jpg"]))
    record = json.loads(file.read_text())
    change(record)
    file.write_text(json.dumps(record))
    with pytest.raises(PlanError, match=said):
        read_plan(file)
    assert not VALIDATOR.is_valid(record)


def test_a_keeper_is_removed_by_no_other_group(built: Built, shots: dict[str, Path]):
    """Two groups that each remove the other's keeper would lose both: the plan is refused whole."""
    a, b = shots["a.jpg"], shots["b.jpg"]
    with pytest.raises(PlanError, match="is named twice"):
        plan_of(built, planned_group("g", a, b), planned_group("h", b, a))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"twinlens_plan": "1"}'])
def test_what_is_no_plan_is_said(text: str, tmp_path: Path):
    """Any file may be given by mistake."""
    file = tmp_path / "plan.json"
    file.write_text(text)
    with pytest.raises(PlanError, match="is no "):
        read_plan(file)
