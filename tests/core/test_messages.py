"""Messages: they survive the way through JSON, and junk from the broker is refused as such."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlens import messages
from twinlens.errors import MessageError
from twinlens.labels import LONGEST, MOST, Label
from twinlens.messages import Embedded, Failed, ModelRef, Photo

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBER = st.integers(0, 2**63 - 1)
MODEL = st.builds(
    ModelRef, name=TEXT, digest=TEXT, catalogue=st.none() | TEXT, with_labels=st.booleans()
)
LABEL = st.builds(
    Label,
    name=st.from_regex(r"\w{1,20}", fullmatch=True).filter(str.isprintable),
    probability=st.floats(0, 1),
)
PHOTO = st.builds(
    Photo,
    file_id=NUMBER,
    generation=NUMBER,
    root=TEXT,
    root_path=st.binary(),
    path=st.binary(),
    size=NUMBER,
)
EMBEDDED = st.builds(
    Embedded,
    file_id=NUMBER,
    generation=NUMBER,
    sha256=st.binary(min_size=32, max_size=32),
    size=NUMBER,
    vector=st.none() | st.binary(max_size=64),
    width=st.none() | NUMBER,
    height=st.none() | NUMBER,
    format=st.none() | TEXT,
    taken_at=st.none() | TEXT,
    camera=st.none() | TEXT,
    burst=st.none() | TEXT,
    document=st.none() | TEXT,
    derived_from=st.none() | TEXT,
    sharpness=st.none() | st.floats(0, 2.0**62),
    labels=st.none() | st.lists(LABEL, max_size=MOST).map(tuple),
    inner=st.none() | st.binary(max_size=64),
)
FAILED = st.builds(
    Failed, file_id=NUMBER, generation=NUMBER, kind=TEXT, reason=TEXT, permanent=st.booleans()
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["None", "AAAA", "\ud800", "é", 2**63, -1, 10**30, 1.0]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)

REF = ModelRef("pocket", "ab" * 32, "cd" * 16)
SAMPLES: dict[str, tuple[Any, Any]] = {
    "embed": (
        messages.read_embed,
        messages.embed_message(REF, [Photo(1, 2, "photos", b"/p", b"\xff.jpg", 10)]),
    ),
    "commit": (
        messages.read_commit,
        messages.commit_message(
            REF,
            [
                Embedded(
                    *(1, 2, b"s" * 32, 10, b"\x00\x3c", 40, 30, "JPEG", "2024-01-01", "Canon"),
                    labels=(Label("folding_chair", 0.98), Label("sofa", 0.01)),
                ),
                Failed(3, 4, "damaged", "no image", permanent=True),
            ],
        ),
    ),
    "query": (messages.read_query, messages.query_message(REF, b"/p/\xff.jpg")),
    "relate": (messages.read_relate, messages.relate_message(b"/p/\xff.jpg", [(7, 0.5), (8, 1)])),
}


def through_json(body: object) -> Any:
    """Return a body as it arrives."""
    return json.loads(json.dumps(body))


@given(model=MODEL, photos=st.lists(PHOTO, max_size=4))
def test_embed_round_trip(model: ModelRef, photos: list[Photo]):
    """An embed message comes through JSON as it was, paths byte for byte."""
    body = through_json(messages.embed_message(model, photos))
    assert messages.read_embed(body) == (model, photos)
    assert dataclasses.astuple(messages.read_embed(body)[0]) == dataclasses.astuple(model)


@given(model=MODEL, embedded=st.lists(EMBEDDED, max_size=3), failed=st.lists(FAILED, max_size=3))
def test_commit_round_trip(model: ModelRef, embedded: list[Embedded], failed: list[Failed]):
    """A commit message comes through JSON as it was, vectors byte for byte."""
    body = through_json(messages.commit_message(model, [*failed, *embedded]))
    assert messages.read_commit(body) == (model, [*embedded, *failed])
    assert messages.read_commit(body)[0].catalogue == model.catalogue


@given(path=st.binary(), candidates=st.lists(st.tuples(st.integers(0, 2**62), st.floats(-1, 1))))
def test_relate_round_trip(path: bytes, candidates: list[tuple[int, float]]):
    """A request to compare comes through JSON as it was."""
    body = through_json(messages.relate_message(path, candidates))
    assert messages.read_relate(body) == (path, candidates)


@given(model=MODEL, path=st.binary())
def test_query_round_trip(model: ModelRef, path: bytes):
    """A query comes through JSON as it was."""
    assert messages.read_query(through_json(messages.query_message(model, path))) == (model, path)


def test_batch_is_small():
    """A photo costs less than 300 bytes on the way out and 1.2 KB back: 256 numbers, five labels."""
    photo = Photo(200_000, 3, "Pictures", b"/home/someone/Pictures", b"2024/05/IMG_1041.JPG", 10**7)
    labels = tuple(Label(f"folding_chair_{number}", 0.1234) for number in range(MOST))
    done = Embedded(
        *(200_000, 3, b"s" * 32, 10**7, bytes(512), 6000, 4000, "JPEG", None, None), labels=labels
    )
    out = json.dumps(messages.embed_message(REF, [photo] * 32))
    back = json.dumps(messages.commit_message(REF, [done] * 32))
    assert len(out) / 32 < 300
    assert len(back) / 32 < 1200


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every value inside a JSON value, itself first."""
    found = [path]
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            found += places(inner, (*path, key))
    return found


def replaced(body: Any, path: tuple[Any, ...], junk: object) -> Any:
    """Return a copy of a body with one value replaced."""
    if not path:
        return junk
    copy = through_json(body)
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = junk
    return copy


@given(data=st.data(), junk=JSON, kind=st.sampled_from(sorted(SAMPLES)))
def test_junk_in_any_place(data: st.DataObject, junk: object, kind: str):
    """Junk in any place of a message is refused as a bad message, or is read as what it says.

    It never raises anything else, and what is read can be stored.
    """
    read, body = SAMPLES[kind]
    path = data.draw(st.sampled_from(places(body)))
    try:
        content = read(replaced(body, path, junk))
    except MessageError:
        return
    storable(content)


def storable(value: Any) -> None:
    """Fail unless SQLite could hold every value."""
    if dataclasses.is_dataclass(value):
        value = dataclasses.astuple(value)  # type: ignore[arg-type]
    if isinstance(value, tuple | list):
        for inner in value:
            storable(inner)
    elif isinstance(value, str):
        value.encode()
    elif isinstance(value, int):
        assert -(2**63) <= value < 2**63
    else:
        assert value is None or isinstance(value, bytes | float)


TEXTS = {"catalogue", "name", "digest", "root", "kind", "reason", "format", "taken_at", "camera"}
TEXTS |= {"burst", "document", "derived_from"}
OPTIONAL = {"catalogue", "vector", "width", "height", "format", "taken_at", "camera", "labels"}
OPTIONAL |= {"sharpness", "burst", "document", "derived_from", "inner"}
HAS_DEFAULT = OPTIONAL - {"vector"} | {"flat", "with_labels"}
LISTS = {"photos", "embedded", "failed", "labels", "candidates"}


def may_stand(junk: object, path: tuple[Any, ...]) -> bool:
    """Tell whether a value is a good one for a place."""
    name = path[-1] if path else None
    if path[-3:-2] == ("labels",):  # [name, probability]
        return junk == "%%%" and name == 0
    if path[-3:-2] == ("candidates",):  # [content, score]
        return junk == 1.5 and name == 1
    return (
        (junk is None and name in OPTIONAL)
        or (junk == "%%%" and name in TEXTS)
        or (junk == [] and name in LISTS)
        or (junk == 1.5 and name == "sharpness")
        or (junk is True and name in {"permanent", "flat", "with_labels", "v"})
    )


@pytest.mark.parametrize("kind", sorted(SAMPLES))
@pytest.mark.parametrize("junk", [None, True, 1.5, -1, 2**63, "%%%", "\ud800", [], {}, [[]]])
def test_wrong_type_in_each_place(kind: str, junk: object):
    """A value of the wrong type, or that cannot be stored, is refused wherever it stands."""
    read, body = SAMPLES[kind]
    for path in places(body):
        if not may_stand(junk, path):
            with pytest.raises(MessageError):
                read(replaced(body, path, junk))


@pytest.mark.parametrize(
    "label",
    [["", 0.5], ["two words", 0.5], ["bell\x07", 0.5], ["x" * (LONGEST + 1), 0.5], ["dog", 1.5],
     ["dog", -0.1], ["dog", float("nan")], ["dog", True], ["dog"], ["dog", 0.5, 1], "dog", 7],
)  # fmt: skip
def test_label_that_cannot_be_kept(label: object):
    """A label is one printable word with a probability; nothing else reaches a terminal or a table."""
    read, body = SAMPLES["commit"]
    with pytest.raises(MessageError):
        read(replaced(body, ("embedded", 0, "labels", 0), label))


def test_more_labels_than_are_ever_sent():
    """A worker sends a few labels for each photo; a thousand are junk."""
    read, body = SAMPLES["commit"]
    with pytest.raises(MessageError):
        read(replaced(body, ("embedded", 0, "labels"), [["dog", 0.1]] * (MOST + 1)))


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_missing_field(kind: str):
    """A message without one of its fields is refused, unless the field has a default."""
    read, body = SAMPLES[kind]
    for path in places(body):
        if not path or isinstance(path[-1], int) or path[-1] in HAS_DEFAULT:
            continue
        copy = through_json(body)
        inner = copy
        for key in path[:-1]:
            inner = inner[key]
        del inner[path[-1]]
        with pytest.raises(MessageError):
            read(copy)


@pytest.mark.parametrize("kind", sorted(SAMPLES))
@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_other_version(kind: str, version: object):
    """A message of another version is refused with the cure, before anything else is read."""
    read, _ = SAMPLES[kind]
    with pytest.raises(MessageError, match="Run the same twinlens on all computers"):
        read({"v": version, "something": "new"})


@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_field_of_a_later_version_is_ignored(kind: str):
    """A field that is not known is ignored: versions that speak to each other may add some."""
    read, body = SAMPLES[kind]
    assert read(body | {"extra": 1}) == read(body)


def test_reason_with_a_name_that_is_not_utf8():
    """#45: a reason or camera that quotes undecodable bytes goes through, printable."""
    odd = os.fsdecode(b"caf\xe9")
    result = Failed(1, 1, "unreadable", f"cannot open {odd}", permanent=False)
    done = Embedded(2, 1, b"s" * 32, 1, None, camera=odd)
    body = through_json(messages.commit_message(REF, [result, done]))
    _, (read_done, read_failed) = messages.read_commit(body)
    assert read_failed.reason == "cannot open caf\\udce9"
    assert read_done.camera == "caf\\udce9"


@pytest.mark.parametrize("value", [None, 5, [], "a", "a===", "é", "AA AA", b"AAAA"])
def test_bad_base64(value: object):
    """What is no base64 text is refused."""
    with pytest.raises(MessageError):
        messages.decode_bytes(value)


def test_a_worker_from_before_inner_vectors_is_understood():
    """Its results lack the field: the photos have no inner vector, and nothing else is amiss."""
    result = Embedded(1, 1, b"\0" * 32, 10, b"ab", inner=b"cd")
    body = json.loads(json.dumps(messages.commit_message(REF, [result])))
    del body["embedded"][0]["inner"]
    assert messages.read_commit(body) == (REF, [dataclasses.replace(result, inner=None)])


def test_what_a_newer_worker_adds_is_passed_over():
    """So an owner from before inner vectors reads what workers of today send."""
    result = Embedded(1, 1, b"\0" * 32, 10, b"ab", inner=b"cd")
    body = json.loads(json.dumps(messages.commit_message(REF, [result])))
    body["embedded"][0]["of tomorrow"] = "AAAA"
    assert messages.read_commit(body) == (REF, [result])
