"""The import recipes of docs/recipes.md, run as they are printed there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.plugin.dam.screen import needed

PAGE = Path(__file__).parents[3] / "docs/recipes.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


class Photographer:
    """Somebody with photos, a card, a library and the scripts of the page."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.photos = home / "Pictures"
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("XDG_")},
            "HOME": str(home),
            "PATH": f"{home / 'bin'}:{Path(sys.executable).parent}:{os.defpath}",
            "TWINLENS_LIBRARY": str(home / "library"),
            "OMP_NUM_THREADS": "1",
        }
        (home / "bin").mkdir()
        for block in BLOCKS:
            if named := re.search(r"^# ([\w-]+)[ :]", block, re.MULTILINE):
                script = home / "bin" / named[1]
                script.write_text(block)
                script.chmod(0o755)

    def run(self, *command: str | Path, at: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command."""
        return subprocess.run(
            command,
            cwd=at or self.home,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=140,
        )

    def card(self, name: str, seed: int) -> Path:
        """Return a card: a photo that is in the library, and two new ones of the same name."""
        card = self.home / "media" / name
        write_photo(card / "DCIM/100CANON/IMG_0001.JPG", 0)
        write_photo(card / "DCIM/100CANON/IMG_0002.JPG", seed)
        write_photo(card / "DCIM/101CANON/IMG_0002.JPG", seed + 1)
        (card / "DCIM/101CANON/MVI_0003.MOV").write_bytes(b"video")
        return card

    def imports(self) -> dict[Path, set[str]]:
        """Return the new folders, and what is in each."""
        return {
            folder: {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
            for folder in self.photos.glob("20*")
        }


def write_photo(path: Path, seed: int, size: tuple[int, int] = (640, 480)) -> None:
    """Write a photo of coloured texture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).save(path, "jpeg", quality=92)
    os.utime(path, (1_700_000_000, 1_700_000_000))


@pytest.fixture(scope="module")
def ada(tmp_path_factory: pytest.TempPathFactory) -> Photographer:
    """One photo is in the library."""
    made = Photographer(tmp_path_factory.mktemp("ada"))
    write_photo(made.photos / "old.jpg", 0)
    scanned = made.run("twinlens", "scan", made.photos)
    assert scanned.returncode == 0, scanned.stderr
    return made


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return all files of a folder, with their times and bytes."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


NEW = {"DCIM/100CANON/IMG_0002.JPG", "DCIM/101CANON/IMG_0002.JPG"}


@pytest.mark.timeout(300)  # the real worker is started, on computers that are busy
def test_import_card_copies_what_is_new_and_leaves_the_card(ada: Photographer):
    """Two photos of one name both arrive, with their times; a second import finds nothing new."""
    card = ada.card("a card", seed=1)
    before = state(card)
    for _ in range(2):
        done = ada.run("import-card", card)
        assert (done.returncode, done.stderr.count("twinlens:")) == (0, 0), done.stderr
        assert "3 photos: 3 in the library (3 identical), 0 new." in done.stdout
        [(folder, files)] = ada.imports().items()
        assert files == NEW
    assert (folder / "DCIM/101CANON/IMG_0002.JPG").stat().st_mtime == 1_700_000_000
    assert state(card) == before


def test_import_videos_copies_the_videos(ada: Photographer):
    """And nothing else."""
    done = ada.run("import-videos", ada.card("videos", seed=1))
    assert done.returncode == 0, done.stderr
    [files] = [files for folder, files in ada.imports().items() if "videos" in folder.name]
    assert files == {"DCIM/101CANON/MVI_0003.MOV"}


@pytest.mark.timeout(300)
def test_gphoto2_calls_the_hook(ada: Photographer):
    """The real gphoto2, with the card as its camera: what is new is imported."""
    needed("gphoto2")
    card = ada.card("camera", seed=3)
    before, there = state(card), set(ada.imports())
    download = ada.home / "download"
    download.mkdir()
    camera = ["--camera", "Mass Storage Camera", "--port", f"disk:{card}"]
    [console] = re.findall(r"^\$ gphoto2 (.*)$", PAGE.read_text(), re.MULTILINE)
    command = ["sh", "-c", f'exec gphoto2 "$@" {console}', "sh", *camera]
    done = ada.run(*command, at=download)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 photos: 3 in the library (3 identical), 0 new." in done.stdout
    [folder] = set(ada.imports()) - there
    assert ada.imports()[folder] == NEW
    assert state(card) == before


def test_the_script_for_digikam_as_digikam_runs_it(ada: Photographer):
    """It puts the paths in quotes in the place of $INPUT and $OUTPUT, and calls /bin/sh -c."""
    [script] = [block for block in BLOCKS if "$INPUT" in block]
    photo, copy = ada.photos / "a new one.jpg", ada.home / "out put.jpg"
    shutil.copy2(ada.photos / "old.jpg", photo)
    script = script.replace("$INPUT", f'"{photo}"').replace("$OUTPUT", f'"{copy}"')
    done = ada.run("/bin/sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert copy.read_bytes() == photo.read_bytes()
    [line] = (ada.home / "checked.jsonl").read_text().splitlines()
    assert json.loads(line)["status"] == "identical"


def test_scripts_of_the_page_are_clean(ada: Photographer):
    """The program shellcheck has nothing to say of them."""
    needed("shellcheck")
    scripts = sorted((ada.home / "bin").iterdir())
    assert [script.name for script in scripts] == ["gphoto2-hook", "import-card", "import-videos"]
    done = ada.run("shellcheck", *scripts)
    assert (done.returncode, done.stdout) == (0, "")
