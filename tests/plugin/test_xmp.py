"""XMP sidecars through exiftool: merged into, never replaced, and photos never written to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.plugin.acting import plan_of, planned_group, state
from tests.plugin.conftest import Built, Cli
from twinlens_plugin.errors import ExiftoolError
from twinlens_plugin.xmp import Exiftool, Notes

pytestmark = pytest.mark.skipif(not shutil.which("exiftool"), reason="needs exiftool")

# 1 x 1 pixel, the smallest JPEG that exiftool writes to.
JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300" + "01" * 64 + "ffc0000b080001000101011100"
    "ffc40014000100000000000000000000000000000009ffc40014100100000000000000000000000000000000"
    "ffda0008010100003f00d2cf20ffd9"
)

DARKTABLE = b"""<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:darktable="http://darktable.sf.net/" xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:digiKam="http://www.digikam.org/ns/1.0/"
    xmp:Rating="3" darktable:xmp_version="4" darktable:history_end="1">
   <dc:subject><rdf:Bag><rdf:li>sea</rdf:li></rdf:Bag></dc:subject>
   <digiKam:TagsList><rdf:Seq><rdf:li>places/sea</rdf:li></rdf:Seq></digiKam:TagsList>
   <darktable:history><rdf:Seq><rdf:li darktable:num="0" darktable:operation="exposure"
     darktable:params="0000803f"/></rdf:Seq></darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""


@pytest.fixture
def tool() -> Iterator[Exiftool]:
    """One exiftool."""
    with Exiftool() as exiftool:
        yield exiftool


@pytest.fixture(autouse=True)
def home(own_home: Path) -> Path:
    """A home of the test's own: nothing may go to the real trash."""
    return own_home


def tags(path: Path) -> dict[str, Any]:
    """Return what a fresh exiftool reads from a file."""
    said = subprocess.run(
        ["exiftool", "-j", "-XMP:all", path], capture_output=True, check=True
    ).stdout
    (found,) = json.loads(said)
    return dict(found)


def tagged(photo: Path, *options: str) -> Path:
    """Write tags into a photo."""
    subprocess.run(["exiftool", "-q", "-overwrite_original", *options, photo], check=True)
    return photo


def test_what_is_written_is_read_again(tool: Exiftool, tmp_path: Path):
    """Commas, quotes, dollars, numbers, newlines, any script: as they were given.

    Flat keywords are hierarchical ones too: with any of those, darktable looks at no flat one.
    """
    words = ("a,b", '"$x" @y \\', "1.50", "007", "true", "new\nline", "日本 ü", " <&> ")
    notes = Notes(words, ("places|Rome", "a b|c"), 4, ('First line\nand a "second"\\',))
    sidecar = tmp_path / "x.xmp"
    sidecar.write_bytes(tool.merge(None, notes))
    assert tool.read(bytes(sidecar)) == replace(notes, hierarchical=(*notes.hierarchical, *words))


def test_a_sidecar_is_merged_into(tool: Exiftool, tmp_path: Path):
    """Whatever other programs keep there stays: darktable's history, digiKam's list, a rating."""
    sidecar = tmp_path / "a.jpg.xmp"
    notes = Notes(("sun",), ("weather|sun",), 2, ("At the sea",))
    sidecar.write_bytes(tool.merge(DARKTABLE, notes))
    found = tags(sidecar)
    assert found["Subject"] == ["sea", "sun"]
    assert found["HierarchicalSubject"] == ["places|sea", "weather|sun"]
    assert found["TagsList"] == ["places/sea", "weather/sun"]
    assert found["Rating"] == 3  # the higher one
    assert found["Description"] == "At the sea"
    assert found["HistoryOperation"] == "exposure"
    assert found["HistoryParams"] == "0000803f"
    assert tool.merge(sidecar.read_bytes(), notes) == sidecar.read_bytes()


def test_a_sidecar_that_is_no_xmp_is_not_replaced(tool: Exiftool):
    """Refused, with exiftool's reason."""
    with pytest.raises(ExiftoolError, match="exiftool wrote no sidecar: "):
        tool.merge(b"not XML at all", Notes(("a",)))


def test_an_exiftool_that_died_is_started_again(tool: Exiftool, tmp_path: Path):
    """One bad file costs one file."""
    photo = tagged(_jpeg(tmp_path / "a.jpg"), "-XMP-dc:Subject=sea")
    assert tool.read(bytes(photo)).keywords == ("sea",)
    assert tool._process is not None
    tool._process.kill()
    tool._process.wait()
    assert tool.read(bytes(photo)).keywords == ("sea",)


def test_names_of_any_bytes_are_read(tool: Exiftool, tmp_path: Path):
    """A name never meets exiftool."""
    for name in (b"a\nb.jpg", b"\xff.jpg", b"-@x.jpg", b"$1 %d #.jpg", b"a.j\np"):
        photo = Path(os.fsdecode(bytes(tmp_path) + b"/" + name))
        shutil.copy(tagged(_jpeg(tmp_path / "plain.jpg"), "-XMP-dc:Subject=sea"), photo)
        assert tool.read(bytes(photo)).keywords == ("sea",)


def _jpeg(path: Path) -> Path:
    path.write_bytes(JPEG)
    return path


@pytest.fixture
def pair(built: Built) -> tuple[Path, Path]:
    """A keeper and a spare, real JPEGs with tags of their own."""
    keeper, spare = built.write("2024/k.jpg", JPEG), built.write("Rome 2019/s.jpg", JPEG)
    tagged(keeper, "-XMP-dc:Subject=sea", "-XMP-xmp:Rating=2", "-IPTC:Keywords=old")
    tagged(spare, "-XMP-dc:Subject=sun", "-XMP-xmp:Rating=4", "-XMP-dc:Description=At noon")
    for path in (keeper, spare):
        built.record(path)
        built.commit(path)
    return keeper, spare


def test_tag_says_in_sidecars_what_is_spare(built: Built, pair: tuple[Path, Path], twinlens: Cli):
    """Keeper and spare get keywords; photos are not written to; undo removes what was made."""
    keeper, spare = pair
    before = state(built.photos)
    file, _ = plan_of(built, planned_group("g123", *pair))
    assert "2 photos would be tagged." in twinlens("apply", file, "--action", "tag").stdout
    assert "2 photos tagged." in twinlens("apply", file, "--action", "tag", "--yes").stdout
    now = state(built.photos)
    assert {path: look for path, look in now.items() if path in before} == before
    found = tags(spare.with_name("s.jpg.xmp"))
    assert found["HierarchicalSubject"] == ["sun", "twinlens|duplicates|g123", "twinlens|spare"]
    assert found["Subject"] == ["sun", "g123", "spare"]
    assert found["Rating"] == 4  # of the photo: a new sidecar says all that the photo does
    assert tags(keeper.with_name("k.jpg.xmp"))["Subject"] == ["sea", "old", "g123", "keeper"]
    assert "2 done already" in twinlens("apply", file, "--action", "tag", "--yes").stdout
    twinlens("undo")
    twinlens("undo")
    assert state(built.photos) == before


def test_names_of_sidecars_and_keywords_are_settings(
    built: Built, pair: tuple[Path, Path], twinlens: Cli, monkeypatch: pytest.MonkeyPatch
):
    """photo.xmp, as Lightroom has it, and another word above the keywords."""
    monkeypatch.setenv("TWINLENS_SIDECAR_STYLE", "stem")
    monkeypatch.setenv("TWINLENS_KEYWORD_ROOT", "todo|twins")
    file, _ = plan_of(built, planned_group("g", *pair))
    twinlens("apply", file, "--action", "tag", "--yes")
    found = tags(pair[1].with_suffix(".xmp"))
    assert found["HierarchicalSubject"][1:] == ["todo|twins|duplicates|g", "todo|twins|spare"]


def test_the_sidecar_that_is_there_is_written_to(
    built: Built, pair: tuple[Path, Path], twinlens: Cli
):
    """Of either name; its mode stays, its time moves on, and undo brings back its very bytes."""
    sidecar = pair[1].with_suffix(".xmp")
    sidecar.write_bytes(DARKTABLE)
    sidecar.chmod(0o640)
    os.utime(sidecar, ns=(10**18, 10**18))
    before = state(built.photos)
    file, _ = plan_of(built, planned_group("g", *pair))
    twinlens("apply", file, "--action", "tag", "--yes")
    assert not pair[1].with_name("s.jpg.xmp").exists()
    assert tags(sidecar)["Subject"] == ["sea", "g", "spare"]
    assert sidecar.stat().st_mode & 0o777 == 0o640
    assert sidecar.stat().st_mtime_ns > 10**18
    twinlens("undo")
    assert state(built.photos) == before


def test_a_sidecar_that_was_edited_since_is_not_undone(
    built: Built, pair: tuple[Path, Path], twinlens: Cli
):
    """The photographer's own work comes first."""
    file, _ = plan_of(built, planned_group("g", *pair))
    twinlens("apply", file, "--action", "tag", "--yes")
    sidecar = tagged(pair[1].with_name("s.jpg.xmp"), "-XMP-dc:Subject+=mine")
    edited = sidecar.read_bytes()
    result = twinlens("undo", code=1)
    assert f"{sidecar}: changed since, and stays as it is now." in result.stderr
    assert sidecar.read_bytes() == edited
    assert not pair[0].with_name("k.jpg.xmp").exists()


def test_metadata_of_the_removed_goes_to_the_keeper(
    built: Built, pair: tuple[Path, Path], twinlens: Cli
):
    """Keywords, the higher rating, the caption, and the album it lay in; undo takes all of it back."""
    keeper, spare = pair
    spare.with_name("s.jpg.xmp").write_bytes(DARKTABLE)
    before = state(built.photos)
    file, _ = plan_of(built, planned_group("g", keeper, spare))
    twinlens("apply", file, "--merge-metadata", "--yes")
    found = tags(keeper.with_name("k.jpg.xmp"))
    assert set(found["Subject"]) == {"sea", "old", "sun", "Rome 2019"}
    assert "twinlens|folders|Rome 2019" in found["HierarchicalSubject"]
    assert found["Rating"] == 3  # what the spare's sidecar says, not what its file does
    assert found["Description"] == "At noon"
    assert not spare.exists()
    assert not spare.with_name("s.jpg.xmp").exists()
    twinlens("undo")
    assert state(built.photos) == before


def test_when_metadata_cannot_be_merged_the_photo_stays(
    built: Built, pair: tuple[Path, Path], twinlens: Cli
):
    """A keeper's sidecar that is no XMP: said, and nothing is removed."""
    pair[0].with_name("k.jpg.xmp").write_bytes(b"not XML")
    before = state(built.photos)
    file, _ = plan_of(built, planned_group("g", *pair))
    result = twinlens("apply", file, "--merge-metadata", "--yes", code=1)
    assert "exiftool wrote no sidecar" in result.stderr
    assert state(built.photos) == before


def test_without_exiftool_the_cure_is_named(
    built: Built, pair: tuple[Path, Path], twinlens: Cli, monkeypatch: pytest.MonkeyPatch
):
    """One line, before anything is done."""
    file, _ = plan_of(built, planned_group("g", *pair))
    monkeypatch.setenv("PATH", "/nowhere")
    for options in (("--action", "tag"), ("--merge-metadata", "--yes")):
        result = twinlens("apply", file, *options, code=1)
        assert "exiftool is not installed" in result.stderr
        assert "apt install libimage-exiftool-perl" in result.stderr
    assert pair[1].exists()


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
def test_exiftool_does_not_outlive_a_killed_program(tmp_path: Path):
    """It takes the end of its input for a pause, and would stay for ever."""
    program = (
        "import sys, time; from twinlens_plugin.xmp import Exiftool; tool = Exiftool();"
        "tool.read(b'/dev/null'); print(tool._process.pid, flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert child.stdout is not None
    exiftool = psutil.Process(int(child.stdout.readline()))
    child.kill()
    child.communicate()
    exiftool.wait(timeout=20)
