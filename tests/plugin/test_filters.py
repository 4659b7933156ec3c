"""Which groups twinlens duplicates lists: relations, filters, references and pages."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.plugin.conftest import Built, Cli
from tests.plugin.schemas import schema, strict
from twinlens.relations import Detail, Relation, store

Photos = dict[str, Path]

SCHEMA = strict(schema("duplicates.schema.json"))


def relate(built: Built, a: Path, b: Path, kind: str, probability: float = 0.99, **found: Any):
    """Store what a verification found, as the worker does."""
    low, high = sorted((built.content_id(a), built.content_id(b)))
    detail = Detail(**{"words": "", "score": 0.9, **found})
    with built.catalogue.write_tx() as tx:
        store(tx, Relation(low, high, kind, probability, detail, 1))


def names(groups: list[dict[str, Any]]) -> list[list[str]]:
    """Return the groups as names of their files, keeper first."""
    return [[Path(photo["path"]).name for photo in group["photos"]] for group in groups]


@pytest.fixture
def photos(built: Built) -> Photos:
    """A photo with one relation of each kind, in descending size."""
    made = {
        kind: built.photo(f"{kind}/{kind}.jpg", data=kind.encode() * size, pixels=(size * 10, 100))
        for size, kind in ((90, "best"), (70, "copy"), (60, "edit"), (50, "burst"), (40, "similar"))
    }
    for kind in ("copy", "burst", "similar"):
        relate(built, made["best"], made[kind], kind)
    done = {"rotated": 90, "crop": 0.42}
    relate(built, made["best"], made["edit"], "edit", 0.8, words="cropped to 42 %", done=done)
    return made


def test_duplicates_are_copies_and_edits_not_bursts_and_look_alikes(
    built: Built, photos: Photos, twinlens: Cli
):
    """Bursts and look-alikes only where they are asked for."""
    relate(built, photos["copy"], photos["edit"], "edit")
    assert names(twinlens.json("duplicates")) == [["best.jpg", "copy.jpg", "edit.jpg"]]
    assert names(twinlens.json("duplicates", "--kind", "burst")) == [["best.jpg", "burst.jpg"]]
    assert names(twinlens.json("duplicates", "--kind", "edit,similar")) == [
        ["best.jpg", "edit.jpg"]
    ]


def test_each_photo_says_what_it_is(photos: Photos, twinlens: Cli):
    """In words, with how sure that is."""
    (group,) = twinlens.json("duplicates", "--kind", "edit")
    edit = group["photos"][1]
    wanted = {"relation": "edit", "probability": 0.8, "score": 0.9, "words": "cropped to 42 %"}
    assert wanted.items() <= edit.items()
    assert edit["verified"] is True
    line = twinlens("duplicates", "--kind", "edit").stdout.splitlines()[2]
    assert line.split()[:2] == ["edit", "0.80"]
    assert line.endswith("edit.jpg  (cropped to 42 %)")


def test_a_pair_that_was_compared_is_what_was_found_whatever_its_score(
    built: Built, photos: Photos, twinlens: Cli
):
    """A burst that scores .99 is no copy; a pair that waits counts as one, and is marked."""
    built.pair(photos["best"], photos["burst"], 0.99)
    built.pair(photos["best"], photos["similar"], 0.95)
    waiting = built.photo("waiting.jpg", pixels=(10, 10))
    built.pair(photos["similar"], waiting, 0.95)
    built.pair(photos["burst"], waiting, 0.8)  # below the threshold: waits, and is not shown
    assert names(twinlens.json("duplicates", "--kind", "copy")) == [
        ["best.jpg", "copy.jpg"],
        ["similar.jpg", "waiting.jpg"],
    ]
    (_, group) = twinlens.json("duplicates", "--kind", "copy")
    assert group["photos"][1]["verified"] is False
    assert group["photos"][1]["probability"] is None
    assert "not verified" in twinlens("duplicates").stdout


def test_same_pixels_are_duplicates(built: Built, twinlens: Cli):
    """Other metadata, same picture."""
    a, b = built.photo("a.jpg"), built.photo("b.jpg")
    relate(built, a, b, "same-pixels", 1.0)
    assert [group["kind"] for group in twinlens.json("duplicates")] == ["same-pixels"]


@pytest.mark.parametrize(("words", "count"), [("0.9", 1), ("0.7", 2), ("1", 0)])
def test_improbable_relations_can_be_left_out(
    built: Built, photos: Photos, twinlens: Cli, words: str, count: int
):
    """A copy is left where its probability is high enough."""
    groups = twinlens.json("duplicates", "--min-score", words, "--ignore-same-folder")
    groups += twinlens.json("duplicates", "--min-score", words, "--kind", "edit")
    assert len(groups) == count


def test_rotated_photos_alone_or_none(photos: Photos, twinlens: Cli):
    """With --rotated whole groups in which one is turned; with --no-rotated no such relation."""
    assert names(twinlens.json("duplicates", "--rotated", "--kind", "edit")) == [
        ["best.jpg", "edit.jpg"]
    ]
    assert twinlens.json("duplicates", "--rotated", "--kind", "copy") == []
    assert twinlens.json("duplicates", "--no-rotated", "--kind", "edit") == []
    assert names(twinlens.json("duplicates", "--no-rotated")) == [["best.jpg", "copy.jpg"]]


def test_photos_of_one_folder_need_not_be_compared(built: Built, twinlens: Cli):
    """Identical ones neither."""
    for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg"):
        built.photo(name, data=b"same")
    (group,) = twinlens.json("duplicates", "--ignore-same-folder")
    assert [Path(photo["path"]).parent.name for photo in group["photos"]] == ["a", "b"]


def test_only_groups_with_something_new(built: Built, photos: Photos, twinlens: Cli):
    """Since a date or a time ago, by when photos came into the library."""
    recent = built.photo("recent.jpg", pixels=(20, 20))
    for kind in ("best", "copy"):
        relate(built, photos[kind], recent, "copy")
    with built.catalogue.write_tx() as tx:
        tx.execute("UPDATE files SET added_at = 1e9")
    assert twinlens.json("duplicates", "--since", "7d") == []
    assert len(twinlens.json("duplicates", "--since", "2001-09-01")) == 1
    assert twinlens.json("duplicates", "--since", "2001-09-20T12:00") == []
    with built.catalogue.write_tx() as tx:
        tx.execute(
            "UPDATE files SET added_at = unixepoch() - 3600 WHERE id = ?", (built.file_id(recent),)
        )
    assert len(twinlens.json("duplicates", "--since", "2h")) == 1
    assert twinlens.json("duplicates", "--since", "2h", "--kind", "edit") == []
    assert "no date" in twinlens("duplicates", "--since", "someday", code=2).stderr


def test_two_folders_are_compared_with_each_other(built: Built, twinlens: Cli):
    """Only across them, and nothing of the one compared against is proposed."""
    built.photo("library/1.jpg", data=b"one")
    built.photo("library/copy of 1.jpg", data=b"one")
    card = built.photo("card/1.jpg", data=b"one")
    for name in ("card/2.jpg", "card/twin of 2.jpg", "elsewhere/3.jpg"):
        built.photo(name, data=b"two")
    across = ("--under", built.photos / "card", "--against", built.photos / "library")
    (group,) = twinlens.json("duplicates", *across)
    assert {Path(p["path"]).parent.name for p in group["photos"]} == {"card", "library"}
    assert [p["path"] for p in group["photos"] if p["proposal"] == "remove"] == [str(card)]
    assert twinlens("duplicates", *across, "--paths").stdout == f"{card}\n"
    (alone,) = twinlens.json("duplicates", "--under", built.photos / "card")
    assert names([alone]) == [["2.jpg", "twin of 2.jpg"]]
    twinlens("duplicates", "--against", built.photos / "library", code=2)
    result = twinlens("duplicates", "--under", built.photos.parent / "library", code=1)
    assert "not watched" in result.stderr


def test_nothing_of_a_reference_folder_is_proposed(built: Built, photos: Photos, twinlens: Cli):
    """What stays says why; a group of references alone is not listed."""
    (group,) = twinlens.json("duplicates", "--kind", "copy", "--reference", built.photos / "copy")
    assert group["photos"][1]["kept"] == "in a reference folder"
    assert group["bytes_to_win"] == 0
    everything = ("--reference", built.photos)
    assert twinlens.json("duplicates", *everything) == []
    shown = twinlens("duplicates", "--kind", "copy", "--reference", built.photos / "copy").stdout
    assert "(stays: in a reference folder)" in shown
    assert "2 photos, nothing to spare, " in shown


def test_keepers_are_chosen_by_rules_and_settings(
    built: Built, twinlens: Cli, monkeypatch: pytest.MonkeyPatch
):
    """The option stands above the setting; a wrong one is one line."""
    a, b = built.photo("a.jpg", data=b"same"), built.photo("best/b.jpg", data=b"same")
    assert twinlens.json("duplicates")[0]["keeper"] == str(a)
    monkeypatch.setenv("TWINLENS_KEEP", "path:best")
    (group,) = twinlens.json("duplicates")
    assert (group["keeper"], group["reason"]) == (str(b), "in path:best")
    assert twinlens.json("duplicates", "--keep", "path:a.jpg")[0]["keeper"] == str(a)
    result = twinlens("duplicates", "--keep", "largest", code=1)
    assert result.stderr.startswith("twinlens: --keep: unknown rule 'largest'. Known: raw, ")


SIDECAR = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" %s>%s
</rdf:Description></rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("b.jpg.xmp", SIDECAR % ('xmp:Rating="4"', ""), "has rating 4"),
        ("b.xmp", SIDECAR % ("", "<xmp:Rating>4</xmp:Rating>"), "has rating 4"),
        (
            "b.xmp",
            SIDECAR % ("", "<dc:subject><rdf:Bag><rdf:li>cat</rdf:li></rdf:Bag></dc:subject>"),
            "is tagged",
        ),
        ("b.xmp", SIDECAR % ('xmp:Rating="nan"', ""), None),
        ("b.xmp", SIDECAR % ("", "<dc:subject><rdf:Bag/></dc:subject>"), None),
        ("b.xmp", "<broken", None),
        ("b.xmp", "", None),
    ],
)
def test_what_a_sidecar_says_counts(
    built: Built, twinlens: Cli, name: str, text: str, reason: str | None
):
    """Of the same photo twice, the one that somebody rated or tagged is kept."""
    a, b = built.photo("a.jpg", data=b"same"), built.photo("b.jpg", data=b"same")
    os.utime(b, ns=(9, b.stat().st_mtime_ns))
    (built.photos / name).write_text(text)
    (group,) = twinlens.json("duplicates")
    assert group["keeper"] == str(b if reason else a)
    assert reason is None or group["reason"].startswith(reason)


def test_the_rating_of_a_raw_file_is_not_that_of_its_export(built: Built, twinlens: Cli):
    """x.cr2.xmp is no sidecar of x.cr2.jpg, once x.cr2 is gone it is."""
    built.photo("a.jpg", data=b"same")
    export = built.photo("x.cr2.jpg", data=b"same")
    os.utime(export, ns=(9, export.stat().st_mtime_ns))
    raw = built.write("x.cr2", b"raw")
    (built.photos / "x.cr2.xmp").write_text(SIDECAR % ('xmp:Rating="4"', ""))
    assert "rating" not in twinlens.json("duplicates")[0]["reason"]
    raw.unlink()
    assert twinlens.json("duplicates")[0]["keeper"] == str(export)


def test_a_sidecar_that_cannot_be_read_says_nothing(built: Built, twinlens: Cli):
    """A folder of that name, a file of a hundred megabytes."""
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        built.photo(name, data=b"same")
    (built.photos / "b.xmp").mkdir()
    with (built.photos / "c.xmp").open("wb") as file:
        file.truncate(100_000_000)
    assert len(twinlens.json("duplicates")) == 1


def test_raw_and_jpeg_stay_and_go_together(built: Built, twinlens: Cli):
    """One photo in each of two folders: both files of the one are to spare."""
    for folder in ("trip", "backup of trip"):
        built.photo(f"{folder}/IMG_1.cr2", data=b"raw", pixels=(4000, 3000))
        built.photo(f"{folder}/IMG_1.JPG", data=b"jpeg", pixels=(4000, 3000))
    (group,) = twinlens.json("duplicates")
    assert names([group]) == [["IMG_1.cr2", "IMG_1.cr2"]]
    spare = built.photos / "backup of trip"
    assert [Path(c["path"]) for c in group["photos"][1]["companions"]] == [spare / "IMG_1.JPG"]
    assert twinlens("duplicates", "--paths").stdout.splitlines() == [
        str(spare / "IMG_1.cr2"),
        str(spare / "IMG_1.JPG"),
    ]
    assert "(with IMG_1.JPG)" in twinlens("duplicates").stdout


def test_files_of_one_name_taken_at_different_times_are_no_shot(built: Built, twinlens: Cli):
    """Two cameras may both have an IMG_1; then a copy of one does not take the other along."""
    built.photo("IMG_1.cr2", taken_at="2020-01-01T10:00:00")
    jpeg = built.photo("IMG_1.JPG", data=b"jpeg", taken_at="2021-05-05T10:00:00")
    twin = built.photo("elsewhere/long name.JPG", data=b"jpeg")
    (group,) = twinlens.json("duplicates")
    assert {photo["path"] for photo in group["photos"]} == {str(jpeg), str(twin)}
    assert group["photos"][0]["companions"] == []


def test_the_json_is_as_documented(built: Built, photos: Photos, twinlens: Cli):
    """docs/duplicates.schema.json knows every field, whatever the group is like."""
    built.photo(b"\xff.jpg", data=b"same")
    built.photo("x/y.jpg", data=b"same", pixels=None)
    built.photo(b"x/\xfe.cr2", data=b"same")
    waiting = built.photo("waiting.jpg")
    built.pair(photos["similar"], waiting, 0.97)
    twinlens("decide", photos["burst"], waiting, "--same")
    groups = twinlens.json("duplicates", "--kind", "identical,copy,edit,burst,similar")
    assert len(groups) >= 3
    for group in groups:
        jsonschema.validate(group, SCHEMA)


@pytest.fixture
def many(built: Built) -> list[list[str]]:
    """Twelve groups of various sizes, some hanging together without being one."""
    for number in range(9):
        for copy in range(2 + number % 2):
            built.photo(f"{number}/{copy}.jpg", data=bytes([number]) * (number * 7 % 9 + 1))
    chain = [built.photo(f"chain/{i}.jpg", pixels=(100 - i, 9)) for i in range(6)]
    for one, other in itertools.pairwise(chain):
        relate(built, one, other, "copy")
    built.pair(chain[5], built.photo("waiting.jpg", pixels=(1, 1)), 0.97)
    return []


@pytest.mark.parametrize("options", [[], ["--kind", "copy,burst"], ["--ignore-same-folder"]])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_pages_are_the_list_in_pieces(many: object, twinlens: Cli, limit: int, options: list[str]):
    """Whatever their length, they hold every group once, in the order of the whole list."""
    whole = twinlens.json("duplicates", *options)
    paged: list[dict[str, Any]] = []
    after: list[str] = []
    while page := twinlens("duplicates", "--limit", limit, *after, *options, "--json"):
        groups = [json.loads(line) for line in page.stdout.splitlines()]
        assert len(groups) <= limit
        paged += groups
        more = "there are more groups" in page.stderr
        assert not more or f"--after {groups[-1]['cursor']}" in page.stderr
        if not more:
            break
        after = ["--after", groups[-1]["cursor"]]
    assert paged == whole
    assert len(whole) >= 3 or options


def test_the_largest_groups_come_first(many: object, twinlens: Cli):
    """By what can be won back where a group is all that hangs together."""
    won = [group["bytes_to_win"] for group in twinlens.json("duplicates", "--kind", "identical")]
    assert won == sorted(won, reverse=True)


def test_a_page_goes_on_though_its_group_was_decided_on(many: object, built: Built, twinlens: Cli):
    """As one does who goes through them page by page."""
    first, second, *_ = twinlens.json("duplicates", "--kind", "identical")
    twinlens("decide", *[p["path"] for p in first["photos"]], "--not-duplicates")
    after = ("--limit", "1", "--after", first["cursor"])
    (page,) = twinlens.json("duplicates", "--kind", "identical", *after)
    assert page["group"] == second["group"]


def test_the_sum_is_said_where_everything_was_listed(many: object, twinlens: Cli):
    """A page does not know of the others."""
    assert "photos to spare" in twinlens("duplicates").stdout
    page = twinlens("duplicates", "--limit", "2")
    assert "to spare" not in page.stdout
    assert page.stderr.startswith("twinlens: there are more groups. Go on with: --after ")


@pytest.mark.parametrize("place", ["", "7", "1-2", "1-2-3-4", "-1-2-3", "a-b-c", "1-2-3\n"])
def test_a_place_that_is_none_is_refused(twinlens: Cli, place: str):
    """In one line."""
    assert "is no place in the list" in twinlens("duplicates", "--after", place, code=1).stderr


@pytest.mark.parametrize("kinds", ["", "copies", "copy,", "pair", "identical,pair"])
def test_unknown_kinds_are_refused(twinlens: Cli, kinds: str):
    """A pair of RAW and JPEG is one photo: no group is made of it."""
    code = 0 if kinds == "copy," else 2
    twinlens("duplicates", "--kind", kinds, code=code)
