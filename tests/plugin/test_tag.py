"""twinlens tag: what XMP sidecars say of groups, and how it is taken back."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin.acting import state
from tests.plugin.conftest import Built, Cli
from tests.plugin.test_xmp import DARKTABLE, JPEG, tagged, tags
from twinlens import relations
from twinlens.relations import BURST, COPY, Detail, Relation

pytestmark = pytest.mark.skipif(not shutil.which("exiftool"), reason="needs exiftool")

ALL = ("--with", "keywords,rating,label")


@pytest.fixture(autouse=True)
def home(own_home: Path) -> Path:
    """A home of the test's own."""
    return own_home


@pytest.fixture
def pair(built: Built) -> tuple[Path, Path]:
    """A keeper and a copy of it that could go."""
    keeper = built.photo("2024/k.jpg", data=JPEG, pixels=(400, 300))
    spare = built.photo("web/s.jpg", data=JPEG + b"\0", pixels=(200, 150))
    relate(built, keeper, spare, COPY)
    return keeper, spare


def relate(built: Built, a: Path, b: Path, kind: str) -> None:
    """Store what a comparison of two photos found."""
    low, high = sorted((built.content_id(a), built.content_id(b)))
    with built.catalogue.write_tx() as tx:
        relations.store(tx, Relation(low, high, kind, 0.99, Detail(kind), 1))


def sidecar(photo: Path) -> Path:
    """Return the sidecar that is made for a photo."""
    return photo.with_name(photo.name + ".xmp")


def group(twinlens: Cli) -> str:
    """Return the name of the one group."""
    (found,) = twinlens.json("duplicates")
    return str(found["group"])


def test_without_yes_each_sidecar_is_listed_and_nothing_written(
    built: Built, pair: tuple[Path, Path], twinlens: Cli
):
    """The dry run names files, parts, and how to do it."""
    before = state(built.photos)
    text = twinlens("tag").stdout
    assert state(built.photos) == before
    assert text.splitlines() == [
        f"would tag  {sidecar(pair[0])}  (keeper)",
        f"would tag  {sidecar(pair[1])}  (spare)",
        "2 photos would be tagged.",
        "This was a dry run. To do it, add --yes.",
    ]


def test_groups_are_said_in_keywords_and_undone(
    built: Built, pair: tuple[Path, Path], twinlens: Cli
):
    """Photos are not written to; undo removes what was made; keywords are what is written by itself."""
    before = state(built.photos)
    name = group(twinlens)
    assert "2 photos tagged." in twinlens("tag", "--yes").stdout
    now = state(built.photos)
    assert {path: look for path, look in now.items() if path in before} == before
    for photo, role in zip(pair, ("keeper", "spare"), strict=True):
        found = tags(sidecar(photo))
        assert found["HierarchicalSubject"] == [f"twinlens|duplicates|{name}", f"twinlens|{role}"]
        assert found["Subject"] == [name, role]
        assert not {"Rating", "Label", "PickLabel"} & {*found}
    twinlens("undo")
    assert state(built.photos) == before


def test_a_second_run_has_nothing_to_do(built: Built, pair: tuple[Path, Path], twinlens: Cli):
    """Neither does it write, nor does a dry run say that it would."""
    twinlens("tag", *ALL, "--yes")
    before = state(built.photos)
    for options in ((), ("--yes",)):
        text = twinlens("tag", *ALL, *options).stdout
        assert "2 done already." in text
        assert "There is nothing to do." in text
    assert state(built.photos) == before


def test_what_could_go_is_rejected_and_a_keeper_is_not_lowered(
    built: Built, pair: tuple[Path, Path], twinlens: Cli
):
    """Also for digiKam, by its own tag; colours by both."""
    for photo in pair:
        sidecar(photo).write_bytes(DARKTABLE)
    tagged(sidecar(pair[1]), "-XMP-xmp:Rating=0")
    twinlens("tag", *ALL, "--yes")
    keeper, spare = (tags(sidecar(photo)) for photo in pair)
    assert (keeper["Rating"], keeper["Label"], keeper["ColorLabel"]) == (3, "Green", 4)
    assert (spare["Rating"], spare["Label"], spare["ColorLabel"]) == (-1, "Red", 1)
    assert spare["PickLabel"] == 1
    assert "PickLabel" not in keeper
    assert spare["HistoryParams"] == "0000803f"
    assert spare["TagsList"][0] == "places/sea"
    assert spare["TagsList"][-1] == "twinlens/spare"


def test_stars_that_somebody_gave_stay_unless_told_otherwise(
    pair: tuple[Path, Path], twinlens: Cli
):
    """Other tags are written; how many were not rejected and what would is said; undo as ever."""
    _, spare = pair
    sidecar(spare).write_bytes(DARKTABLE)  # 3 stars
    before = sidecar(spare).read_bytes()
    for _ in range(2):  # the second time nothing is left to do, and it is said again
        text = twinlens("tag", *ALL, "--overwrite-ratings", "2", "--yes").stdout
        assert "1 spare photo keeps its stars and is not rejected" in text
        assert "--overwrite-ratings N" in text
    found = tags(sidecar(spare))
    assert (found["Rating"], found["Label"]) == (3, "Red")
    assert "PickLabel" not in found
    *photos, sum_ = twinlens.json("tag", "--with", "rating")
    assert [one.get("starred") for one in photos] == [None, True]
    assert sum_["starred"] == 1
    text = twinlens("tag", *ALL, "--overwrite-ratings", "3", "--yes").stdout
    assert "not rejected" not in text
    assert tags(sidecar(spare))["Rating"] == -1
    twinlens("undo")
    twinlens("undo")
    assert sidecar(spare).read_bytes() == before
    wrong = twinlens("tag", "--overwrite-ratings", "3", code=2)
    assert "goes with --with rating" in wrong.stderr


def test_a_label_that_somebody_gave_stays(pair: tuple[Path, Path], twinlens: Cli):
    """Red of the photographer's own is not taken for ours either, when tags are cleared."""
    keeper, spare = pair
    for photo, label in ((keeper, "Blue"), (spare, "Red")):
        sidecar(photo).write_bytes(DARKTABLE)
        tagged(sidecar(photo), f"-XMP-xmp:Label={label}")
    twinlens("tag", *ALL, "--yes")
    assert tags(sidecar(keeper))["Label"] == "Blue"
    twinlens("tag", "--clear", "--yes")
    assert [tags(sidecar(photo))["Label"] for photo in pair] == ["Blue", "Red"]


def test_clear_takes_out_what_tag_wrote(built: Built, pair: tuple[Path, Path], twinlens: Cli):
    """Keywords, labels, and ratings, which become what they were; sidecars made for it go; undo works."""
    keeper, spare = pair
    sidecar(spare).write_bytes(DARKTABLE)
    before = state(built.photos)
    twinlens("tag", *ALL, "--yes")
    tagged_state = state(built.photos)
    text = twinlens("tag", "--clear").stdout
    assert f"would clear  {sidecar(keeper)}" in text
    assert state(built.photos) == tagged_state
    assert "2 photos cleared." in twinlens("tag", "--clear", "--yes").stdout
    assert not sidecar(keeper).exists()
    found = tags(sidecar(spare))
    assert (found["Subject"], found["Rating"], found["TagsList"]) == ("sea", 3, "places/sea")
    assert not {"Label", "ColorLabel", "PickLabel"} & {*found}
    assert "nothing to do" in twinlens("tag", "--clear").stdout
    twinlens("undo")
    assert state(built.photos) == tagged_state
    twinlens("undo")
    assert state(built.photos) == before


@pytest.mark.parametrize(
    "marks",
    [
        ("-XMP-dc:Subject=keeper", "-XMP-dc:Subject=spare"),
        ("-XMP-dc:Subject=sea", "-XMP-dc:Subject=sand"),
        ("-XMP-lr:HierarchicalSubject=music|AC/DC", "-XMP-dc:Subject=AC/DC"),
        ("-XMP-digiKam:PickLabel=1", "-XMP-xmp:Rating=4"),
        ("-XMP-digiKam:PickLabel=3", "-XMP-digiKam:ColorLabel=5"),
        ("-XMP-xmp:Rating=0",),
    ],
    ids=["words", "flat", "slash", "rejected", "picked", "unrated"],
)
def test_what_a_sidecar_said_before_is_what_it_says_when_cleared(
    pair: tuple[Path, Path], twinlens: Cli, marks: tuple[str, ...]
):
    """Marks and keywords that look like ours, and lists of one program that another has not."""
    for photo in pair:
        sidecar(photo).write_bytes(DARKTABLE)
        tagged(sidecar(photo), "-XMP-dc:Subject=", "-XMP-xmp:Rating=")
        tagged(sidecar(photo), *(() if "DC" in str(marks) else ("-XMP-digiKam:TagsList=",)), *marks)
    before = [tags(sidecar(photo)) for photo in pair]
    twinlens("tag", *ALL, "--yes")
    twinlens("decide", "--keep", pair[1], *pair)  # parts are exchanged
    twinlens("tag", *ALL, "--yes")
    twinlens("tag", "--clear", "--yes")
    assert [tags(sidecar(photo)) for photo in pair] == before


def test_a_list_that_is_made_hides_no_keyword(pair: tuple[Path, Path], twinlens: Cli):
    """Where there is a list of Lightroom's, darktable and digiKam look at no flat keyword (4.2.1)."""
    tagged(sidecar(pair[0]), "-XMP-dc:Subject=sea")
    twinlens("tag", "--yes")
    assert tags(sidecar(pair[0]))["HierarchicalSubject"][0] == "sea"
    tagged(sidecar(pair[0]), "-XMP-lr:HierarchicalSubject+=places|Rome")
    twinlens("tag", "--clear", "--yes")
    assert tags(sidecar(pair[0]))["HierarchicalSubject"] == ["sea", "places|Rome"]


def test_a_colour_that_somebody_gave_in_digikam_stays(pair: tuple[Path, Path], twinlens: Cli):
    """Though there is no label for other programs."""
    tagged(sidecar(pair[1]), "-XMP-digiKam:ColorLabel=5")
    twinlens("tag", *ALL, "--yes")
    found = tags(sidecar(pair[1]))
    assert found["ColorLabel"] == 5
    assert "Label" not in found


def test_tags_are_not_merged_into_the_keeper(built: Built, pair: tuple[Path, Path], twinlens: Cli):
    """That the other one is spare is said of the other one; its own keywords come over."""
    keeper, spare = pair
    sidecar(spare).write_bytes(DARKTABLE)
    twinlens("tag", *ALL, "--yes")
    plan = built.photos.parent / "plan.json"
    twinlens("duplicates", "--plan", plan)
    twinlens("apply", plan, "--merge-metadata", "--yes")
    assert not spare.exists()
    found = tags(sidecar(keeper))
    assert "sea" in found["Subject"]
    assert "spare" not in str(found)


def test_clear_is_for_a_folder_or_for_one_field(
    built: Built, pair: tuple[Path, Path], twinlens: Cli
):
    """With a FOLDER only what lies below it; with --with only that."""
    twinlens("tag", *ALL, "--yes")
    twinlens("tag", "--clear", built.photos / "web", "--with", "rating", "--yes")
    keeper, spare = (tags(sidecar(photo)) for photo in pair)
    assert "Rating" not in spare
    assert spare["Label"] == "Red"
    assert keeper["Label"] == "Green"
    assert (
        "--clear takes FOLDERs, PHOTOs and --with"
        in twinlens("tag", "--clear", "--limit", 3, code=2).stderr
    )


def test_a_photo_that_is_no_longer_to_spare_gets_its_rating_back(
    built: Built, pair: tuple[Path, Path], twinlens: Cli
):
    """Another keeper was chosen: parts are exchanged, and nothing of before is left."""
    keeper, spare = pair
    for photo in pair:
        sidecar(photo).write_bytes(DARKTABLE)
    twinlens("tag", *ALL, "--overwrite-ratings", "3", "--yes")
    twinlens("decide", "--keep", spare, keeper, spare)
    twinlens("tag", *ALL, "--overwrite-ratings", "3", "--yes")
    now = {photo: tags(sidecar(photo)) for photo in pair}
    assert (now[spare]["Rating"], now[spare]["Label"]) == (3, "Green")
    assert (now[keeper]["Rating"], now[keeper]["Label"]) == (-1, "Red")
    assert "twinlens|spare" not in now[spare]["HierarchicalSubject"]
    assert "spare" not in now[spare]["Subject"]


def test_a_photo_that_is_in_no_group_any_more_is_cleared(
    built: Built, pair: tuple[Path, Path], twinlens: Cli
):
    """Else a photo that somebody decided to keep is still spare and rejected in the photo manager."""
    keeper, spare = pair
    sidecar(spare).write_bytes(DARKTABLE)
    before = state(built.photos)
    twinlens("tag", *ALL, "--yes")
    twinlens("decide", "--not-duplicates", *pair)
    tagged_state = state(built.photos)
    twinlens("tag", "--kind", "burst", "--yes")
    twinlens("tag", "--limit", 1, "--yes")
    assert state(built.photos) == tagged_state  # not all groups were looked at
    assert f"would clear  {sidecar(spare)}" in twinlens("tag").stdout
    outcome, _, _ = twinlens.json("tag", "--yes")
    assert (outcome["keeper"], outcome["group"]) == (None, None)
    assert not sidecar(keeper).exists()
    assert tags(sidecar(spare))["Rating"] == 3
    assert "There is nothing to do." in twinlens("tag").stdout
    twinlens("undo")
    twinlens("undo")
    assert state(built.photos) == before


def test_tags_of_a_group_that_is_another_now_are_exchanged(
    built: Built, pair: tuple[Path, Path], twinlens: Cli
):
    """A photo more makes a group of another name; one's own keywords stay."""
    keeper, spare = pair
    first = group(twinlens)
    sidecar(spare).write_bytes(DARKTABLE)
    twinlens("tag", "--yes")
    more = built.photo("web/t.jpg", data=JPEG + b"\0\0", pixels=(100, 75))
    relate(built, keeper, more, COPY)
    relate(built, spare, more, COPY)
    twinlens("tag", "--yes")
    second = group(twinlens)
    assert tags(sidecar(spare))["Subject"] == ["sea", "spare", second]
    assert first not in str(tags(sidecar(keeper)))


def test_keywords_of_twinlens_choose_no_keeper(
    built: Built, twinlens: Cli, pair: tuple[Path, Path]
):
    """Else the second run would exchange the parts that the first one gave."""
    keeper, spare = (built.photo(f"{name}.jpg", data=JPEG + name.encode()) for name in ("l", "a"))
    relate(built, keeper, spare, COPY)
    os.utime(spare, ns=(1, 10**18))
    built.record(spare)
    built.commit(spare)
    sidecar(keeper).write_bytes(DARKTABLE.replace(b'xmp:Rating="3"', b""))
    twinlens("tag", "--yes")
    assert "twinlens|keeper" in tags(sidecar(keeper))["HierarchicalSubject"]
    assert "There is nothing to do." in twinlens("tag", "--yes").stdout


def test_bursts_are_tagged_as_groups_without_parts(built: Built, twinlens: Cli):
    """Nothing of them is to go: no spare, no keeper, no rating."""
    a, b = (built.photo(f"{name}.jpg", data=JPEG + name.encode()) for name in "ab")
    relate(built, a, b, BURST)
    assert "0 photos would be tagged." in twinlens("tag").stdout
    twinlens("tag", "--kind", "burst", *ALL, "--yes")
    found = tags(sidecar(a))
    assert found["HierarchicalSubject"].startswith("twinlens|bursts|")
    assert not {"Rating", "Label"} & {*found}
    twinlens("tag", "--clear", "--yes")
    assert not sidecar(a).exists()


def test_raw_and_jpeg_of_one_shot(built: Built, twinlens: Cli, monkeypatch: pytest.MonkeyPatch):
    """photo.xmp is the RAW file's, as Lightroom has it; the JPEG gets one of its own name."""
    monkeypatch.setenv("TWINLENS_SIDECAR_STYLE", "stem")
    names = ("1/x.cr2", "1/x.jpg", "2/x.cr2", "2/x.jpg")
    for name in names:
        built.photo(name, data=b"raw" if name.endswith("2") else JPEG)
    (built.photos / "1" / "x.xmp").write_bytes(DARKTABLE)
    before = state(built.photos)
    twinlens("tag", "--yes")
    made = sorted(str(path.relative_to(built.photos)) for path in built.photos.rglob("*.xmp"))
    assert made == ["1/x.jpg.xmp", "1/x.xmp", "2/x.jpg.xmp", "2/x.xmp"]
    assert "twinlens|keeper" in tags(built.photos / "1" / "x.xmp")["HierarchicalSubject"]
    assert "twinlens|spare" in tags(built.photos / "2" / "x.jpg.xmp")["HierarchicalSubject"]
    twinlens("undo")
    assert state(built.photos) == before


def test_the_sidecar_of_a_raw_file_is_not_tagged_for_its_export(built: Built, twinlens: Cli):
    """x.cr2.xmp says nothing of x.cr2.jpg, which gets a sidecar of its own."""
    keeper = built.photo("k.jpg", data=JPEG)
    export = built.photo("x.cr2.jpg", data=JPEG + b"\0", pixels=(200, 150))
    relate(built, keeper, export, COPY)
    built.write("x.cr2", b"raw")
    edits = built.photos / "x.cr2.xmp"
    edits.write_bytes(DARKTABLE)
    twinlens("tag", *ALL, "--yes")
    assert edits.read_bytes() == DARKTABLE
    assert tags(sidecar(export))["Rating"] == -1


def test_the_json_has_the_fields_of_apply(pair: tuple[Path, Path], twinlens: Cli):
    """And the sidecars; of what is cleared there is no group."""
    name = group(twinlens)
    first, second, total = twinlens.json("tag")
    assert first == {
        "path": str(pair[0]),
        "keeper": str(pair[0]),
        "group": name,
        "action": "tag",
        "outcome": "would",
        "reason": None,
        "sidecars": [{"path": str(sidecar(pair[0]))}],
    }
    assert second["sidecars"] == [{"path": str(sidecar(pair[1]))}]
    assert (total["would"], total["run"]) == (2, None)
    twinlens("tag", "--yes")
    cleared = twinlens.json("tag", "--clear")
    assert (cleared[0]["keeper"], cleared[0]["group"]) == (None, None)


def test_a_malformed_sidecar_stays_and_is_said(pair: tuple[Path, Path], twinlens: Cli):
    """The others are tagged."""
    sidecar(pair[1]).write_bytes(b"<x:xmpmeta><broken")
    for options in ((), ("--yes",)):
        result = twinlens("tag", *options, code=1)
        assert f"{sidecar(pair[1])}: stays as it is: exiftool wrote no sidecar" in result.stderr
    assert sidecar(pair[1]).read_bytes() == b"<x:xmpmeta><broken"
    assert sidecar(pair[0]).exists()


def test_a_field_that_is_none_is_wrong_usage(pair: tuple[Path, Path], twinlens: Cli):
    """Those that are known are named."""
    assert "'stars' cannot be written" in twinlens("tag", "--with", "stars", code=2).stderr


def test_without_exiftool_the_cure_is_named(
    pair: tuple[Path, Path], twinlens: Cli, monkeypatch: pytest.MonkeyPatch
):
    """Before anything is done."""
    monkeypatch.setenv("PATH", "/nowhere")
    for options in ((), ("--yes",), ("--clear",)):
        result = twinlens("tag", *options, code=1)
        assert "exiftool is not installed" in result.stderr
        assert "apt install libimage-exiftool-perl" in result.stderr
        assert len(result.stderr.splitlines()) == 1


@pytest.fixture
def disk(built: Built) -> Iterator[Path]:
    """A disk of 100 kB among the photos."""
    folder = built.photos / "disk"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "none", folder]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount")
    yield folder
    subprocess.run(["umount", folder], check=True)


def on_disk(built: Built) -> tuple[Path, Path]:
    """Put a group on the disk; return its keeper and its copy."""
    keeper = built.photo("disk/k.jpg", data=JPEG, pixels=(400, 300))
    spare = built.photo("disk/s.jpg", data=JPEG + b"\0", pixels=(200, 150))
    relate(built, keeper, spare, COPY)
    return keeper, spare


def test_a_full_disk_is_said_and_leaves_nothing_half(built: Built, disk: Path, twinlens: Cli):
    """One line for each sidecar; with space again the same command goes on."""
    keeper, spare = on_disk(built)
    sidecar(spare).write_bytes(DARKTABLE)
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as handle:
        while handle.write(b"x" * 4096):
            pass
    before = state(disk)
    result = twinlens("tag", "--yes", code=1)
    for photo in (keeper, spare):
        assert f"{sidecar(photo)}: No space left on device. Make space." in result.stderr
    assert state(disk) == before
    filler.unlink()
    assert "2 photos tagged." in twinlens("tag", "--yes").stdout


def test_a_read_only_folder_is_said_before_and_when_it_is_tried(
    built: Built, disk: Path, twinlens: Cli
):
    """A dry run looks, too."""
    keeper, spare = on_disk(built)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    dry = twinlens("tag", code=1).stderr
    real = twinlens("tag", "--yes", code=1).stderr
    for photo in (keeper, spare):
        assert f"{sidecar(photo)}: cannot be written, its folder is read-only." in dry
        assert f"{sidecar(photo)}: Read-only file system. Its disk is read-only." in real
