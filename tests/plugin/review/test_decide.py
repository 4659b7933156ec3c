"""Decisions made on the page, and taken back."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.plugin.review.conftest import Client, Read, Serve
from twinlens.catalogue import Catalogue
from twinlens_plugin import decisions
from twinlens_plugin.decisions import Decision
from twinlens_plugin.review.decide import MOST_PAIRS, Change, Undos
from twinlens_plugin.review.problems import Refused


@pytest.fixture
def own_client(own: Read, serve: Serve) -> Iterator[Client]:
    """A browser on the test's own library."""
    with serve(own.library.folder).browser() as opened:
        yield opened


def stored(read: Read) -> list[Decision]:
    """Return what is decided in a library."""
    with Catalogue.open_to_read(read.library.catalogue) as catalogue:
        return list(decisions.every(catalogue))


def decide(client: Client, verdict: str, *photos: int, keep: int | None = None) -> dict[str, Any]:
    """Decide; return the answer."""
    answer = client.send_json("/decisions", {"verdict": verdict, "photos": photos, "keep": keep})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_decision_is_that_of_the_command_line(own: Read, own_client: Client):
    """It takes the group apart, here and for ``twinlens duplicates``, and back."""
    keeper, copy = own.file_id("2024/photo-0.jpg"), own.file_id("2024/photo-0 small.jpg")
    assert f'data-keeper="{keeper}"' in own_client.get("/").text
    done = decide(own_client, "not-duplicates", keeper, copy)
    assert done["words"] == "Not duplicates: 2 photos."
    assert [one.verdict for one in stored(own)] == ["not-duplicates"]
    assert f'data-keeper="{keeper}"' not in own_client.get("/").text
    undone = own_client.send_json("/decisions/undo", {"undo": done["undo"]})
    assert undone.json() == {"words": "Taken back."}
    assert stored(own) == []
    assert f'data-keeper="{keeper}"' in own_client.get("/").text


def test_another_keeper(own: Read, own_client: Client):
    """The photo that a person chose comes first, and says so."""
    keeper, copy = own.file_id("2024/photo-0.jpg"), own.file_id("2024/photo-0 small.jpg")
    decide(own_client, "keep", keeper, copy, keep=copy)
    assert f'data-keeper="{copy}"' in own_client.get("/").text
    assert "you chose it" in own_client.get("/").text


def test_undo_brings_back_what_stood_before(own: Read, own_client: Client):
    """To the second, also what another decision had said; the last one first."""
    one, other = own.file_id("2024/photo-6.jpg"), own.file_id("2024/photo-7.jpg")
    first = decide(own_client, "same", one, other)
    before = stored(own)
    second = decide(own_client, "keep", one, other, keep=other)
    assert stored(own) != before
    refused = own_client.send_json("/decisions/undo", {"undo": first["undo"]})
    assert (refused.status_code, refused.json()) == (
        409,
        {"error": "Decided anew since. Take that back first."},
    )
    assert own_client.send_json("/decisions/undo", {"undo": second["undo"]}).status_code == 200
    assert stored(own) == before
    assert own_client.send_json("/decisions/undo", {"undo": first["undo"]}).status_code == 200
    assert stored(own) == []
    again = own_client.send_json("/decisions/undo", {"undo": first["undo"]})
    assert again.status_code == 410
    assert "twinlens decide PHOTO PHOTO --undo" in again.json()["error"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ([], "is no JSON object"),
        ({}, "verdict: must be one of: not-duplicates, same, keep"),
        ({"verdict": "delete", "photos": [1, 2]}, "verdict: must be one of"),
        ({"verdict": "same", "photos": [1]}, "2 to 5000 photos"),
        ({"verdict": "same", "photos": [1, 1]}, "2 to 5000 photos"),
        ({"verdict": "same", "photos": list(range(1, 6000))}, "2 to 5000 photos"),
        (
            {"verdict": "same", "photos": list(range(1, 201))},
            "200 photos are 19,900 pairs to remember, more than this page takes at once.",
        ),
        ({"verdict": "same", "photos": "12"}, "a list of numbers"),
        ({"verdict": "same", "photos": [1, "2"]}, "a list of numbers"),
        ({"verdict": "same", "photos": [1, True]}, "a list of numbers"),
        ({"verdict": "same", "photos": [1, -2]}, "a list of numbers"),
        ({"verdict": "same", "photos": [1, 10**40]}, "a list of numbers"),
        ({"verdict": "same", "photos": ["/etc/passwd", 1]}, "a list of numbers"),
        ({"verdict": "same", "photos": [1, 999999]}, "no such photo"),
        ({"verdict": "same", "photos": [1, 2], "keep": 1}, "keep: must be"),
        ({"verdict": "keep", "photos": [1, 2], "keep": 3}, "keep: must be"),
        ({"verdict": "keep", "photos": [1, 2]}, "keep: must be"),
    ],
)
def test_what_is_no_decision_is_refused(client: Client, read: Read, body: Any, said: str):
    """In one line, and nothing is stored."""
    answer = client.send_json("/decisions", body)
    assert answer.status_code in (400, 404)
    assert said in answer.json()["error"]
    assert stored(read) == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_refused(client: Client, body: bytes):
    """Also what is nested too deeply to be read."""
    headers = {**client.own, "Content-Type": "application/json"}
    answer = client.post("/decisions", content=body, headers=headers)
    assert answer.status_code == 400
    assert "is no JSON" in answer.json()["error"]


def test_photos_of_the_same_bytes(own: Read, own_client: Client):
    """There is nothing to decide, but that every one of them is wanted."""
    one, twin = own.file_id("2024/photo-1.jpg"), own.file_id("2025/photo-1 again.jpg")
    body = {"verdict": "same", "photos": [one, twin], "keep": None}
    assert own_client.send_json("/decisions", body).status_code == 409
    decide(own_client, "not-duplicates", one, twin)
    assert f'data-keeper="{one}"' not in own_client.get("/").text


def test_what_changed_is_not_decided_on(own: Read, own_client: Client):
    """The picture that was seen is not there any more."""
    with Catalogue.open(own.library.catalogue) as catalogue, catalogue.write_tx() as tx:
        tx.execute("UPDATE files SET size = size + 1 WHERE path = ?", (b"2024/photo-8.jpg",))
    photos = [own.file_id("2024/photo-8.jpg"), own.file_id("2024/photo-9.jpg")]
    answer = own_client.send_json("/decisions", {"verdict": "same", "photos": photos})
    assert answer.status_code == 409
    assert "changed since it was read" in answer.json()["error"]
    assert stored(own) == []


def test_a_photo_that_was_read_anew_is_not_decided_on(own: Read, own_client: Client):
    """A page that was drawn before shows another picture under the same number."""
    photos = [own.file_id("2024/photo-0.jpg"), own.file_id("2024/photo-0 small.jpg")]
    text = own_client.get("/").text
    shown = dict(re.findall(r'data-photo="(\d+)" data-version="([0-9a-f]{16})"', text))
    seen = {str(photo): shown[str(photo)] for photo in photos}
    body = {"verdict": "not-duplicates", "photos": photos}
    answer = own_client.send_json(
        "/decisions", {**body, "seen": {**seen, str(photos[1]): "0" * 16}}
    )
    assert answer.status_code == 409
    assert "small.jpg: changed since this page was drawn. Load" in answer.json()["error"]
    assert own_client.send_json("/decisions", {**body, "seen": [1]}).status_code == 400
    assert stored(own) == []
    assert own_client.send_json("/decisions", {**body, "seen": seen}).status_code == 200


def test_another_writer_is_waited_for(own: Read, own_client: Client):
    """A scan that writes meanwhile costs a moment, not the decision."""
    script = (
        "import sys, time; from pathlib import Path; from twinlens.catalogue import Catalogue\n"
        "with Catalogue.open(Path(sys.argv[1])) as c, c.write_tx():\n"
        "    print('holding', flush=True); time.sleep(1)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, own.library.catalogue], stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        decide(own_client, "same", own.file_id("2024/photo-6.jpg"), own.file_id("2024/photo-7.jpg"))
    assert len(stored(own)) == 1


def test_what_can_be_taken_back_is_bounded():
    """The oldest goes first, and never the last one."""
    undos = Undos()
    large = Change([], [Decision(b"a", b"b", "same", None, 1.0)] * (MOST_PAIRS - 1))
    first, second, third = undos.keep(large), undos.keep(large), undos.keep(Change([], []))
    with pytest.raises(Refused):
        undos.get(first)
    assert undos.get(second) is large
    undos.forget(second)
    undos.forget(second)
    fourth = undos.keep(large)
    assert (undos.get(third).after, undos.get(fourth)) == ([], large)
