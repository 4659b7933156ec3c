"""Answers in the browser: twinlens plugin show, the scripts of Nautilus and the Open With entries."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.plugin.conftest import Built
from tests.plugin.dam.conftest import Home
from tests.plugin.dam.screen import system_program
from twinlens_plugin.main import cli

PAGE_SECONDS = 30


@pytest.fixture
def built(tmp_path: Path, home: Home) -> Iterator[Built]:
    """Two photos with the same bytes, and one that resembles them."""
    made = Built(tmp_path / "library", tmp_path / "photos")
    made.photo("a.jpg", data=b"a", vector=[1.0])
    made.photo("b <i>.jpg", data=b"a", vector=[1.0])
    made.photo("c.jpg", data=b"c", vector=[0.9, 0.1])
    made.publish()
    yield made
    made.catalogue.close()


@pytest.fixture
def shown(home: Home) -> Path:
    """Stand in for the desktop: the file to which xdg-open writes what it is to open."""
    out = home.folder / "shown"
    mv = shutil.which("mv", path=os.defpath)
    home.program("xdg-open", f'printf "%s" "$1" > "{out}.new"; {mv} "{out}.new" "{out}"')
    return out


def show(built: Built, *args: str | bytes | Path, code: int = 0) -> str:
    """Ask, and return the text of the page."""
    words = ["plugin", "show", *map(os.fsdecode, args), "--no-browser"]
    done = CliRunner().invoke(cli, [*words, "--library", str(built.library.folder)])
    assert done.exit_code == code, done.output
    return Path(os.fsdecode(done.stdout_bytes.rstrip(b"\n"))).read_text()


def opened(shown: Path) -> str:
    """Return the text of the page that the browser was shown."""
    deadline = time.monotonic() + PAGE_SECONDS
    while not shown.exists():
        assert time.monotonic() < deadline, "no page was opened"
        time.sleep(0.02)
    return Path(shown.read_text()).read_text()


def test_similar_is_a_contact_sheet(built: Built):
    """The page names what looks like the photo."""
    page = show(built, "similar", built.photos / "a.jpg")
    assert "Photos that look alike" in page
    assert "c.jpg" in page


def test_duplicates_are_those_of_the_photos_chosen(built: Built):
    """A photo that the library has not is said above the answer."""
    page = show(built, "duplicates", built.photos / "a.jpg", "strange.jpg")
    assert "b &lt;i&gt;.jpg" in page
    assert "<li>1 photo is not in the library" in page
    assert page.index("<main>") < page.index("1 photo is not in the library")
    assert "No duplicates" in show(built, "duplicates", built.photos / "c.jpg")


def test_a_folder_stands_for_its_photos(built: Built):
    """Nautilus lets people choose folders as well."""
    page = show(built, "duplicates", built.photos)
    assert "b &lt;i&gt;.jpg" in page
    assert "not in the library" not in page


def test_check_says_of_photos_in_the_library_that_they_are(built: Built, tmp_path: Path):
    """From a file manager people ask about any photo; "check" itself would look for another one."""
    other = tmp_path / "card" / "other.jpg"
    other.parent.mkdir()
    other.write_bytes(b"a")
    page = show(built, "check", built.photos / "c.jpg", other)
    assert "<strong>2 in the library," in page
    assert "this very file" in page
    assert "a.jpg" in page


def test_what_goes_wrong_is_a_page_too(built: Built, tmp_path: Path):
    """Nobody sees the standard error of a program without a terminal."""
    assert "No photo was chosen" in show(built, "similar", code=2)
    page = show(built, "similar", tmp_path / "gone <b>.jpg", code=1)
    assert "gone &lt;b&gt;.jpg: no such file" in page
    built.catalogue.close()
    built.library.catalogue.write_bytes(b"no catalogue")
    assert "That did not work" in show(built, "duplicates", built.photos / "a.jpg", code=1)


def test_the_last_twenty_pages_are_kept(built: Built, home: Home):
    """They hold pictures, and nobody would remove them."""
    folder = home.folder / ".cache/twinlens/answers"
    folder.mkdir(parents=True)
    for number in range(25):
        (folder / f"old-{number:02}.html").touch()
        os.utime(folder / f"old-{number:02}.html", (number, number))
    show(built, "duplicates", built.photos / "a.jpg")
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) == 20
    assert names[1] == "old-06.html"


@pytest.fixture
def scripts(built: Built, home: Home) -> Path:
    """The installed scripts of Nautilus; return their folder."""
    from tests.plugin.dam.test_plugin_command import run

    run("install", "nautilus", "--anyway", "--library", built.library.folder)
    return home.folder / ".local/share/nautilus/scripts/twinlens"


def as_nautilus(script: Path, *photos: Path | bytes) -> None:
    """Run a script as Nautilus does: the names as arguments and, one a line, in a variable."""
    listed = b"".join(os.fsencode(photo) + b"\n" for photo in photos)
    environ = {**os.environb, b"NAUTILUS_SCRIPT_SELECTED_FILE_PATHS": listed}
    names = [Path(os.fsdecode(photo)).name for photo in photos]
    subprocess.run([script, *names], env=environ, cwd="/", check=True, timeout=60)


def test_a_script_of_nautilus_asks_about_what_is_chosen(built: Built, scripts: Path, shown: Path):
    """Names with spaces, quotes and $ come through whole."""
    odd = built.photo('it\'s $HOME "b".jpg', data=b"a", vector=[1.0])
    as_nautilus(scripts / "Find duplicates of these", odd, built.photos / "c.jpg")
    page = opened(shown)
    assert "it&#39;s $HOME &#34;b&#34;.jpg" in page
    assert "not in the library" not in page


def test_each_script_asks_its_question(built: Built, scripts: Path, shown: Path):
    """There are three, and they can be run."""
    titles = {
        "Find similar": "Photos that look alike",
        "Find duplicates of these": "Duplicates",
        "Are these in the library?": "Are these in the library?",
    }
    assert {path.name for path in scripts.iterdir()} == set(titles)
    for name, title in titles.items():
        shown.unlink(missing_ok=True)
        as_nautilus(scripts / name, built.photos / "a.jpg")
        assert f"<h1>{title}</h1>" in opened(shown)


def test_a_script_takes_as_many_photos_as_nautilus_can_name(
    built: Built, scripts: Path, shown: Path
):
    """128 KiB of names: Linux starts no program with a longer variable."""
    length = len(os.fsencode(built.photos)) + 66
    photos = [
        built.photos / f"{'x' * 60}{number}" for number in range(100, 120_000 // length + 100)
    ]
    as_nautilus(scripts / "Find duplicates of these", *photos)
    assert f"{len(photos):,} photos are not in the library" in opened(shown)


def test_scripts_are_clean(scripts: Path):
    """The program shellcheck has nothing to say."""
    done = subprocess.run(
        [system_program("shellcheck"), *scripts.iterdir()], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"")
