"""Contact sheets: duplicates --html and similar --html."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright

from tests.plugin.conftest import Built, Cli
from twinlens.thumbnails import thumbnail_path
from twinlens_plugin.errors import SheetError
from twinlens_plugin.review import assistant
from twinlens_plugin.sheets import written
from twinlens_plugin.sheets.file import new_file
from twinlens_plugin.sheets.sheet import Sheet, Totals

CHROMIUM = shutil.which("chromium")

# A grey JPEG of 8 x 8 pixels, made once with Pillow: quality 30, no tables beside its own.
THUMBNAIL = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1"
    "tdhbWGkJ6jq62rZ4C8ybqmx5moq6T/wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAA"
    "AAAAAAAAAAAAAAD/2gAIAQEAAD8AP//Z"
)


class Parsed(HTMLParser):
    """What is in a sheet: tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all tags of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]


def thumbnail(built: Built, photo: Path) -> None:
    """Put a thumbnail into the cache, as the worker does."""
    sha256 = built.catalogue.value(
        "SELECT sha256 FROM contents WHERE id = ?", (built.content_id(photo),)
    )
    file = thumbnail_path(built.library.thumbnails, sha256)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(THUMBNAIL)


@pytest.fixture
def photos(built: Built) -> list[Path]:
    """A group of two with thumbnails, and one of two without."""
    made = [built.photo(f"{name}.jpg", data=b"x" * 3000) for name in ("a", "b")]
    thumbnail(built, made[0])
    return made + [built.photo(f"web/{name}.jpg", data=b"y" * 10) for name in ("c", "d")]


@pytest.fixture(autouse=True)
def nobody_decodes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's part is not installed, which saves the tests its start; but where it is asked for."""
    if "worker" not in request.fixturenames:
        monkeypatch.setattr(assistant, "python_module", lambda *_: ["false"])


@pytest.fixture
def worker() -> None:
    """The real worker makes pictures."""
    if importlib.util.find_spec("torch") is None:  # not imported here: that takes seconds
        pytest.skip("needs the worker's part")


def test_a_sheet_shows_groups_keeper_reason_sizes_and_totals(
    built: Built, photos: list[Path], twinlens: Cli, tmp_path: Path
):
    """And the filters, the date, the version; the sum is said on the terminal."""
    file = tmp_path / "sheet.html"
    text = twinlens("duplicates", "--under", built.photos, "--limit", 5, "--html", file).stdout
    assert text == f"{file}: 2 groups, 4 photos ({file.stat().st_size / 1e6:.2f} MB).\n"
    sheet = Parsed(file.read_text())
    said = " ".join(sheet.text.split())
    assert "2 groups of 4 photos; 2 photos to spare, 0.00 MB to win back." in said
    assert f"Photos in {built.photos}" in said
    assert "At most 5 groups" in said
    reason = twinlens.json("duplicates")[0]["reason"]
    assert f"Keep {reason} 400 \N{MULTIPLICATION SIGN} 300, 0.00 MB" in said
    assert "To spare · identical" in said
    assert f"{built.photos}/b.jpg" in said
    assert "twinlens 0.1.0" in said
    assert [image["alt"] for image in sheet.all("img")] == ["Preview of a.jpg", "Preview of b.jpg"]
    assert said.count("no preview") == 2


def test_a_sheet_needs_nothing_but_itself(photos: list[Path], twinlens: Cli, tmp_path: Path):
    """No script, no address but data:, and a policy that forbids both."""
    file = tmp_path / "sheet.html"
    twinlens("duplicates", "--html", file)
    html = file.read_text()
    sheet = Parsed(html)
    assert not {"script", "link", "iframe", "object", "form", "a"} & {tag for tag, _ in sheet.tags}
    assert all(
        str(image["src"]).startswith("data:image/jpeg;base64,") for image in sheet.all("img")
    )
    assert not re.search(r"https?:|url\(|@import|\son\w+=", html)
    assert "default-src 'none'" in html


def test_names_of_any_bytes_are_text_and_no_markup(built: Built, twinlens: Cli, tmp_path: Path):
    """Angle brackets, quotes, ampersands, newlines, no UTF-8, and folders called so too."""
    names = [
        b"<script>alert(1)</script>.jpg",
        b'"><img src=x onerror=y>.jpg',
        b"a\nb&lt;.jpg",
        b"\xff\xfe.jpg",
        "日本 ü.jpg".encode(),
    ]
    folder = b"<b>'x'</b>"
    for name in names:
        built.photo(folder.replace(b"/", b"")[:3] + b"/" + name.replace(b"/", b"_"), data=b"same")
    file = tmp_path / "sheet.html"
    twinlens("duplicates", "--html", file)
    sheet = Parsed(file.read_text())
    tags = {tag for tag, _ in sheet.tags}
    assert "script" not in tags
    assert not sheet.all("img")
    for shown in (
        "<script>alert(1)<_script>.jpg",
        '"><img src=x onerror=y>.jpg',
        "a\\nb&lt;.jpg",
        "\\xff\\xfe.jpg",
        "日本 ü.jpg",
        "<b>/",
    ):
        assert shown in sheet.text


def test_json_says_what_was_written(photos: list[Path], twinlens: Cli, tmp_path: Path):
    """For programs that send it on."""
    file = tmp_path / "sheet.html"
    (said,) = twinlens.json("duplicates", "--html", file)
    size = file.stat().st_size
    assert said == {"html": str(file), "groups": 2, "photos": 4, "bytes": size}
    (said,) = twinlens.json("duplicates", "--html", file, "--limit", 1)
    assert (said["groups"], said["photos"]) == (1, 2)
    assert "There are more groups" in file.read_text()


@pytest.mark.usefixtures("worker")
def test_missing_previews_are_made(built: Built, twinlens: Cli, tmp_path: Path):
    """Also of a photo that the library does not know; what no decoder reads has an empty box."""
    known = built.photo("a.jpg", data=THUMBNAIL)
    built.photo("b.jpg", data=THUMBNAIL)
    for name in ("c.jpg", "d.jpg"):
        built.photo(name, data=b"no picture")
    file = tmp_path / "sheet.html"
    assert "2 photos have no preview" in twinlens("duplicates", "--html", file).stderr
    assert len(Parsed(file.read_text()).all("img")) == 2
    sha256 = hashlib.sha256(THUMBNAIL).digest()
    assert thumbnail_path(built.library.thumbnails, sha256).exists()
    shutil.rmtree(built.library.thumbnails)
    twinlens("similar", known, "--html", file, "-k", 1)
    assert len(Parsed(file.read_text()).all("img")) == 2


def test_a_library_without_duplicates_makes_a_sheet_too(
    built: Built, twinlens: Cli, tmp_path: Path
):
    """A script that mails it need not look first."""
    built.photo("a.jpg")
    twinlens("duplicates", "--html", tmp_path / "sheet.html")
    assert "No duplicates." in (tmp_path / "sheet.html").read_text()


def test_similar_writes_a_sheet_of_what_looks_alike(built: Built, twinlens: Cli, tmp_path: Path):
    """The photo asked about first, then scores; a photo that cannot be asked about is said."""
    near = [built.photo(f"{n}.jpg", vector=[1, n / 10]) for n in range(3)]
    thumbnail(built, near[1])
    file = tmp_path / "alike.html"
    result = twinlens("similar", near[0], tmp_path / "none.jpg", "-k", 2, "--html", file, code=1)
    assert "1 photo asked about, 2 photos (" in result.stdout
    assert "none.jpg: no such file" in result.stderr
    said = " ".join(Parsed(file.read_text()).text.split())
    assert "1 photo asked about, 2 photos found." in said
    assert "Asked about" in said
    assert "0.995" in said
    assert said.count("no preview") == 2
    (found,) = twinlens.json("similar", near[0], "--html", file)
    assert (found["groups"], found["photos"]) == (1, 2)


def test_only_a_sheet_is_replaced(photos: list[Path], twinlens: Cli, tmp_path: Path):
    """What is there and is no sheet stays, a link and a folder too; one line says so."""
    mine, link, folder = (tmp_path / name for name in ("mine.html", "link.html", "folder"))
    mine.write_text("<p>my own page</p>")
    link.symlink_to(mine)
    folder.mkdir()
    for file in (mine, link):
        result = twinlens("duplicates", "--html", file, code=1)
        assert result.stderr.endswith(
            f"{file}: is there already, and is no contact sheet. Choose another name.\n"
        )
    twinlens("duplicates", "--html", folder, code=2)
    assert mine.read_text() == "<p>my own page</p>"
    sheet = tmp_path / "sheet.html"
    twinlens("duplicates", "--html", sheet)
    twinlens("duplicates", "--html", sheet, "--limit", 1)
    assert "There are more groups" in sheet.read_text()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "link.html",
        "mine.html",
        "sheet.html",
    ]


def test_a_place_that_cannot_be_written_to_is_said(
    photos: list[Path], twinlens: Cli, tmp_path: Path
):
    """A folder that is not there: the cause and the cure."""
    result = twinlens("duplicates", "--html", tmp_path / "none" / "x.html", code=1)
    assert "x.html: the sheet cannot be written: No such file or directory." in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_full_disk_leaves_no_half_sheet(photos: list[Path], built: Built, tmp_path: Path):
    """Said in one line; the older sheet stays."""
    import resource

    thumbnail(built, photos[2])  # none is missing, so that no worker is started to make it
    file = tmp_path / "sheet.html"
    twinlens = [sys.executable, "-m", "twinlens_plugin", "duplicates", "--html", file]
    environment = {**os.environ, "TWINLENS_LIBRARY": str(built.library.folder)}
    subprocess.run(twinlens, env=environment, check=True, capture_output=True)
    before = file.read_bytes()

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    done = subprocess.run(
        twinlens, env=environment, check=False, capture_output=True, text=True, preexec_fn=limited
    )
    assert done.returncode == 1
    assert "the sheet cannot be written: File too large. Make space" in done.stderr
    assert file.read_bytes() == before
    assert not [*tmp_path.glob(".twinlens*")]


def test_ctrl_c_leaves_nothing(tmp_path: Path):
    """Neither half a sheet nor a temporary file; the name is not taken."""
    file = tmp_path / "sheet.html"

    def write() -> None:
        with new_file(file) as stream:
            Sheet(stream, "duplicates", "Duplicates", ()).section(name="g", won=1, members=[])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert [*tmp_path.iterdir()] == []


def test_a_sheet_takes_no_place_that_was_taken_meanwhile(tmp_path: Path):
    """Another program wrote there while the sheet was made: its file stays."""
    file = tmp_path / "sheet.html"

    def write() -> None:
        with new_file(file) as stream:
            Sheet(stream, "duplicates", "Duplicates", ()).finish(Totals(0, 0))
            file.write_text("another's")

    with pytest.raises(SheetError, match="is no contact sheet"):
        write()
    assert file.read_text() == "another's"
    assert [*tmp_path.iterdir()] == [file]


def test_memory_is_that_of_a_group(tmp_path: Path):
    """A sheet of 60 MB costs a few: it is written as it is made."""
    import tracemalloc

    picture = "data:image/jpeg;base64," + "A" * 20_000
    photo = dict.fromkeys("folder name part badge relation why size".split(), "x")
    with new_file(tmp_path / "sheet.html") as stream:
        sheet = Sheet(stream, "duplicates", "Duplicates", ())
        tracemalloc.start()
        for number in range(1500):
            members = [{**photo, "picture": picture}] * 2
            sheet.section(name=str(number), won=1, members=members)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        size = sheet.finish(Totals(1500, 3000))
    assert size > 60_000_000
    assert peak < 5_000_000


def test_what_no_mail_takes_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Above 25 MB, with the cure."""
    for size, warned in ((24_000_000, False), (26_000_000, True)):
        written.say(
            written.Written(tmp_path / "x.html", 1, 2, size, 0), groups="group", as_json=False
        )
        said = capsys.readouterr().err
        assert ("larger than most mail takes (25.0 MB)" in said) is warned


def test_html_excludes_other_answers(twinlens: Cli, photos: list[Path], tmp_path: Path):
    """One answer at a time."""
    file = tmp_path / "x.html"
    for options in (("--paths",), ("--plan", tmp_path / "p.json")):
        assert (
            "exclude each other" in twinlens("duplicates", "--html", file, *options, code=2).stderr
        )
    assert "exclude" in twinlens("similar", photos[0], "--html", file, "--paths", code=2).stderr


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


def test_sheets_are_for_everybody_at_any_width(
    built: Built, photos: list[Path], twinlens: Cli, tmp_path: Path, browser: Browser
):
    """No finding of axe, light and dark; nothing to scroll sideways on a phone; all pictures show."""
    files = [tmp_path / "duplicates.html", tmp_path / "similar.html"]
    twinlens("duplicates", "--under", built.photos, "--html", files[0])
    twinlens("similar", photos[0], "--html", files[1])
    for file in files:
        page = browser.new_page()
        complaints: list[str] = []
        page.on("console", lambda message, found=complaints: found.append(message.text))
        page.goto(file.as_uri())
        for width in (1200, 360):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        broken = "[...document.images].filter(image => !image.naturalWidth).length"
        assert page.evaluate(broken) == 0
        assert complaints == []
        page.close()
        context = browser.new_context(bypass_csp=True)
        page = context.new_page()
        page.goto(file.as_uri())
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            assert Axe().run(page).response["violations"] == []
        context.close()


def test_groups_are_not_torn_between_pages(
    built: Built, twinlens: Cli, tmp_path: Path, browser: Browser
):
    """Printed on A4: as many pages as whole groups need, and none of a white sheet in the dark."""
    for number in range(12):
        for copy in range(3):
            built.photo(f"{number}/{copy}.jpg", data=b"%d" % number)
    file = tmp_path / "sheet.html"
    twinlens("duplicates", "--html", file)
    page = browser.new_context(color_scheme="dark").new_page()
    page.goto(file.as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(
        "[...document.querySelectorAll('.group')].every("
        "group => getComputedStyle(group).breakInside === 'avoid')"
    )
    pdf = page.pdf(prefer_css_page_size=True)
    assert re.search(rb"/MediaBox \[0 0 59[45][.\d]* 84[12]", pdf)
    assert 3 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 6
