"""Geeqie: collections, and the menu entries in the real program."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from tests.plugin.conftest import Built
from tests.plugin.dam.conftest import Home
from tests.plugin.dam.screen import Screen, needed, screen
from twinlens_plugin.dam.geeqie.collection import KEPT
from twinlens_plugin.main import cli

HEAD = [b"#Geeqie collection", b"#twinlens: an answer; the oldest are removed"]

KEYS = """\
(gtk_accel_path "<Actions>/MenuActionsExternal/twinlens-geeqie-similar.desktop" "<Primary>F8")
(gtk_accel_path "<Actions>/MenuActionsExternal/twinlens-geeqie-duplicates.desktop" "<Primary>F9")
"""
"""Keys for the two menu entries, as Geeqie's Preferences > Keyboard writes them."""


def picture(seed: int) -> bytes:
    """Return a JPEG of coloured texture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(coarse).resize((480, 360), Image.Resampling.BICUBIC).save(out, "jpeg")
    return out.getvalue()


@pytest.fixture
def built(tmp_path: Path, home: Home) -> Iterator[Built]:
    """A photo twice, and one that resembles it; the library has an awkward name."""
    made = Built(tmp_path / "my 'lib' 100% $x", tmp_path / "photos")
    made.photo("a.jpg", data=picture(1), vector=[1.0])
    made.photo("b c.jpg", data=picture(1), vector=[1.0])
    made.photo("d.jpg", data=picture(2), vector=[0.9, 0.2])
    made.publish()
    yield made
    made.catalogue.close()


@pytest.fixture
def geeqie(home: Home) -> Path:
    """Stand in for Geeqie: it writes down what it is told."""
    out = home.folder / "told"
    home.program("geeqie", f'printf "%s\\n" "$@" >> "{out}"')
    return out


def run(built: Built, *args: object, code: int = 0, stdin: bytes | None = None) -> Result:
    """Run a command in this process."""
    words = [os.fsdecode(a) if isinstance(a, bytes) else str(a) for a in args]
    environ = {"TWINLENS_LIBRARY": str(built.library.folder)}
    result = CliRunner().invoke(cli, words, input=stdin, env=environ)
    assert result.exit_code == code, result.output
    return result


def collections(home: Home) -> list[Path]:
    """Return the collections that were written."""
    return sorted((home.folder / ".local/share/geeqie/collections").glob("*.gqv"))


def test_similar_is_a_collection_with_the_photo_first(built: Built, home: Home, geeqie: Path):
    """Then what looks like it, best first; Geeqie is told to open it."""
    said = run(built, "similar", "--geeqie", built.photos / "a.jpg").stdout
    assert said == "Geeqie shows 3 photos: Similar to a.jpg\n"
    [path] = collections(home)
    names = [os.fsencode(built.photos / name) for name in ("a.jpg", "b c.jpg", "d.jpg")]
    assert path.read_bytes().splitlines() == [
        *HEAD,
        *(b'"%s"' % name for name in names),
        b"#end",
    ]
    assert geeqie.read_text().splitlines() == ["--remote", f"file:{path}"]


def test_duplicates_are_groups_with_the_keeper_first(built: Built, home: Home, geeqie: Path):
    """Those of the photos chosen, or all."""
    said = run(built, "duplicates", "--geeqie", built.photos / "b c.jpg", built.photos / "d.jpg")
    assert said.stdout == "Geeqie shows 2 photos: Duplicates of b c.jpg and 1 more\n"
    assert run(built, "duplicates", "--geeqie").stdout == "Geeqie shows 2 photos: Duplicates\n"
    assert len(collections(home)) == 2


def test_nothing_found_opens_nothing(built: Built, home: Home, geeqie: Path):
    """An empty window would say less than a line."""
    said = run(built, "duplicates", "--geeqie", built.photos / "d.jpg").stdout
    assert said == "Nothing found: nothing to show.\n"
    assert not geeqie.exists()
    assert (
        '"collection": null'
        in run(built, "duplicates", "--geeqie", built.photos / "d.jpg", "--json").stdout
    )
    run(built, "similar", "--geeqie", "gone.jpg", code=1)


def test_each_answer_has_a_name_of_its_own(built: Built, home: Home, geeqie: Path):
    """Geeqie does not read a collection again that it has open."""
    for _ in range(2):
        run(built, "similar", "--geeqie", built.photos / "a.jpg")
    names = [path.stem for path in collections(home)]
    assert names == ["Similar to a.jpg (2)", "Similar to a.jpg"]


def test_old_answers_go_and_other_collections_stay(built: Built, home: Home, geeqie: Path):
    """What Geeqie saved has lost our mark, and is the user's."""
    folder = home.folder / ".local/share/geeqie/collections"
    folder.mkdir(parents=True)
    (folder / "mine.gqv").write_bytes(b"#Geeqie collection\n#end\n")
    os.utime(folder / "mine.gqv", (0, 0))
    for number in range(KEPT + 3):
        path = folder / f"old {number}.gqv"
        path.write_bytes(b"\n".join([*HEAD, b"#end\n"]))
        os.utime(path, (number, number))
    run(built, "similar", "--geeqie", built.photos / "a.jpg")
    names = {path.name for path in collections(home)}
    assert len(names) == KEPT + 1
    assert {"mine.gqv", "Similar to a.jpg.gqv", "old 4.gqv"} <= names
    assert "old 3.gqv" not in names


def test_names_that_would_break_the_file_are_left_out_and_said(
    built: Built, home: Home, geeqie: Path
):
    """A quote ends a name for Geeqie; bytes that are no UTF-8 are no harm."""
    built.photo('quo"te.jpg', data=picture(1), vector=[1.0])
    built.photo(b"\xff.jpg", data=picture(1), vector=[1.0])
    result = run(built, "duplicates", "--geeqie")
    assert 'quo"te.jpg: left out' in result.stderr
    text = collections(home)[0].read_bytes()
    assert b"quo" not in text
    assert b"/\xff.jpg" in text


def test_without_geeqie_the_cure_is_said(built: Built, home: Home):
    """Nothing is written then."""
    said = run(built, "similar", "--geeqie", built.photos / "a.jpg", code=1).stderr
    assert said == "twinlens: geeqie is not on this computer. Install it: apt install geeqie\n"
    assert collections(home) == []


@pytest.fixture
def real(
    built: Built, home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Screen]:
    """The real Geeqie on a screen, with twinlens installed in it, showing a.jpg."""
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.delenv("XDG_DATA_DIRS")
    needed("geeqie", "Xvfb", "xdotool")
    run(built, "plugin", "install", "geeqie", "--library", built.library.folder)
    keys = home.folder / ".config/geeqie/accels"
    keys.parent.mkdir(parents=True)
    keys.write_text(KEYS)
    environ = {**os.environ, "NO_AT_BRIDGE": "1", "GDK_BACKEND": "x11"}
    with screen(environ) as shown:
        process = subprocess.Popen(
            ["geeqie", built.photos / "a.jpg"],
            env=shown.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield shown
        finally:
            shown.picture(tmp_path / "screen.png")  # pytest keeps it
            process.kill()
            process.wait(timeout=20)


def test_the_real_geeqie_opens_the_answers_of_its_menu_entries(
    built: Built, home: Home, real: Screen, tmp_path: Path
):
    """Both entries, by the keys a user may give them; what Geeqie holds is the answer."""
    window = real.wait_for(r"^a\.jpg - Geeqie$")
    real.press(window, "ctrl+F8")
    real.wait_for(r"^Similar to a\.jpg - Collection")
    real.press(window, "ctrl+F9")
    duplicates = real.wait_for(r"^Duplicates of a\.jpg - Collection")
    real.picture(tmp_path / "collection.png", duplicates)
    told = subprocess.run(
        ["geeqie", "--remote", "--get-collection:Similar to a.jpg"],
        env=real.environ,
        capture_output=True,
        check=True,
        timeout=20,
    ).stdout.decode()
    assert [Path(line).name for line in told.split("\n") if line] == ["a.jpg", "b c.jpg", "d.jpg"]
