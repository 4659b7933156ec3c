"""Search in the browser: by photo, by path, by what is dropped, by a box drawn on a photo."""

from __future__ import annotations

import io
import os
import re
import socket
import urllib.parse
from pathlib import Path

import httpx
import psutil
import pytest
from markupsafe import escape
from PIL import Image
from playwright.sync_api import Page as Window
from playwright.sync_api import expect

from tests.plugin.review.conftest import Client, Page, Read, Serve, scene
from tests.plugin.review.looking import PHONE, Eyes, grave
from twinlens.catalogue import Catalogue
from twinlens.media import printable
from twinlens_plugin.review.asked import Box, box, limits, typed_path
from twinlens_plugin.review.matches import alike, score_text
from twinlens_plugin.review.problems import Refused

FOUND = re.compile(r'aria-label="Look for ([^:"]+): ([^,"]+), ([-0-9.]+)(?:, ([^"]+))?"')


def found(answer: httpx.Response) -> list[tuple[str, ...]]:
    """Return (name, how alike, score, relation) of each match, in order."""
    text = answer.json()["html"] if "json" in answer.headers["content-type"] else answer.text
    assert answer.status_code == 200, text
    return FOUND.findall(text)


def jpeg(image: Image.Image) -> bytes:
    """Return an image as the bytes of a JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def drop(client: Client, data: bytes, name: str = "dropped.jpg", **fields: str) -> httpx.Response:
    """Send a photo as the page does."""
    own = {"Origin": str(client.base_url).rstrip("/"), "X-Twinlens": "1"}
    return client.post("/search", files={"photo": (name, data)}, data=fields, headers=own)


def processes_of(page: Page) -> list[psutil.Process]:
    """Return the page's assistants, without their decoders."""
    children = psutil.Process(page.process.pid).children()
    return [one for one in children if "assistant" in one.cmdline()]


@pytest.fixture
def scratch(page: Page, client: Client) -> Path:
    """The private folder of the page."""
    drop(client, jpeg(scene(0)), box="0,0,1,1")
    [assistant] = processes_of(page)
    words = assistant.cmdline()
    return Path(words[words.index("--scratch") + 1])


# Photos of the library


def test_a_photo_of_the_library_is_looked_for(client: Client, read: Read):
    """What is known of two photos stands beside how alike they are; the photo itself is left out."""
    answer = client.get(f"/search?photo={read.file_id('2024/photo-0.jpg')}")
    first = found(answer)[0]
    assert first[0] == "photo-0 small.jpg"
    assert first[1] == "very alike"
    assert first[3] == "copy"
    assert "photo-0.jpg" not in [name for name, *_ in found(answer)]
    assert "resized" in answer.text


def test_the_same_bytes_are_the_same_file(client: Client, read: Read):
    """With a score of 1.00, which no other match gets."""
    matches = found(client.get(f"/search?photo={read.file_id('2024/photo-1.jpg')}"))
    assert matches[0] == ("photo-1 again.jpg", "the same file", "1.00", "identical")
    assert all(score != "1.00" for _, _, score, _ in matches[1:])


def test_what_has_little_in_common_is_no_answer(client: Client):
    """Of a photo that nothing resembles the nearest are shown apart."""
    stripes = Image.new("RGB", (640, 480), "white")
    for x in range(0, 640, 8):
        stripes.paste("black", (x, 0, x + 4, 480))
    answer = drop(client, jpeg(stripes), k="5")
    assert 1 <= len(found(answer)) <= 5
    assert {how for _, how, *_ in found(answer)} == {"little in common"}
    assert answer.json()["words"] == "Nothing looks like dropped.jpg."
    assert "The nearest of all others" in answer.json()["html"]


def test_limits_are_kept(client: Client, read: Read):
    """Not more than k, none below the least score; the page keeps what was asked for."""
    photo = read.file_id("2024/photo-0.jpg")
    assert len(found(client.get(f"/search?photo={photo}&k=3"))) == 3
    assert len(found(client.get(f"/search?photo={photo}&min-score=0.9"))) == 1
    assert '<option value="100" selected>' in client.get(f"/search?photo={photo}&k=100").text


def test_a_box_finds_the_part(client: Client):
    """Of a photo of two scenes, each half finds what is in it."""
    both = Image.new("RGB", (1280, 480))
    both.paste(scene(4), (0, 0))
    both.paste(scene(5), (640, 0))
    answers = [drop(client, jpeg(both), box=side) for side in ("0,0,0.5,1", "0.5,0,0.5,1")]
    assert [found(answer)[0][0] for answer in answers] == ["photo-4.jpg", "photo-5.jpg"]
    assert answers[0].json()["words"].endswith(" like that part.")


def test_a_box_on_a_photo_of_the_library(client: Client, read: Read):
    """The crop is found by the part that it shows; what was drawn stands in the page."""
    photo = read.file_id("2024/photo-2.jpg")
    answer = client.get(f"/search?photo={photo}&box=0.09375,0.08333,0.84375,0.875")
    assert found(answer)[0][:2] == ("photo-2 cropped.jpg", "very alike")
    assert 'data-box="0.0938,0.0833,0.8438,0.875"' in answer.text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("photo=x", "no photo&#39;s number"),
        ("photo=-1", "no photo&#39;s number"),
        ("photo=999999", "no such photo"),
        ("photo=1&box=0,0,0,0", "too small"),
        ("photo=1&box=0.5,0.5,-0.2,0.2", "too small"),
        ("photo=1&box=2,2,1,1", "too small"),
        ("photo=1&box=nan,0,1,1", "four numbers"),
        ("photo=1&box=0,0,inf,1", "four numbers"),
        ("photo=1&box=1,2,3", "four numbers"),
        ("photo=1&box=a,b,c,d", "four numbers"),
        ("photo=1&k=0", "k=0: must be from 1 to 500"),
        ("photo=1&k=nan", "k=nan: must be from 1 to 500"),
        ("photo=1&min-score=2", "min-score=2: must be"),
    ],
)
def test_what_makes_no_sense_is_said_in_the_page(client: Client, query: str, words: str):
    """In one line above an empty form, and as an error to who asks for a piece of the page."""
    answer = client.get(f"/search?{query}")
    assert answer.status_code in (400, 404)
    [line] = re.findall(r'role="alert">([^<]*)</p>', answer.text)
    assert words in line
    assert "\n" not in line
    assert client.get(f"/search?{query}&fragment=1").status_code == answer.status_code


def test_a_photo_that_went_away(own: Read, serve: Serve):
    """It is looked for as it was; a part of it needs the photo."""
    photo = own.file_id("2024/photo-0.jpg")
    with Catalogue.open(own.library.catalogue) as catalogue, catalogue.write_tx() as tx:
        tx.execute("UPDATE files SET path = ? WHERE id = ?", (b"2024/was here.jpg", photo))
    with serve(own.library.folder).browser() as client:
        assert found(client.get(f"/search?photo={photo}"))[0][0] == "photo-0 small.jpg"
        part = client.get(f"/search?photo={photo}&box=0,0,0.5,0.5")
        assert part.status_code == 410
        assert "is gone" in part.text


# Paths


def ask_path(client: Client, path: bytes | Path) -> httpx.Response:
    """Type a path."""
    return client.get("/search?path=" + urllib.parse.quote(os.fsencode(path)))


def test_a_path_of_the_library_is_that_photo(client: Client, read: Read):
    """With all that can be done with it: the picture is shown, and a box can be drawn."""
    answer = ask_path(client, read.photos / "2024/photo-0.jpg")
    assert found(answer)[0][3] == "copy"
    assert f'data-photo="{read.file_id("2024/photo-0.jpg")}"' in answer.text


def test_a_path_outside_is_looked_for_and_not_shown(client: Client, tmp_path: Path):
    """Any photo that the user can read, by any name; its picture is not served."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 1.png"))
    scene(6).resize((500, 375)).save(path)
    answer = ask_path(client, path)
    assert found(answer)[0][:2] == ("photo-6.jpg", "very alike")
    assert "caf\\xe9 1.png" in answer.text
    assert "data-photo" not in answer.text
    assert 'id="whole" alt' in answer.text  # without an address


def test_a_path_as_file_managers_give_it(client: Client, tmp_path: Path):
    """file:///a%20b.jpg is /a b.jpg."""
    scene(6).save(tmp_path / "a b.jpg")
    answer = client.get("/search", params={"path": f"file://{tmp_path}/a%20b.jpg"})
    assert found(answer)[0][0] == "photo-6.jpg"


def test_a_link_is_what_it_points_to(client: Client, read: Read, tmp_path: Path):
    """As for the command line."""
    (tmp_path / "link.jpg").symlink_to(read.photos / "2024/photo-0.jpg")
    answer = ask_path(client, tmp_path / "link.jpg")
    assert f'data-photo="{read.file_id("2024/photo-0.jpg")}"' in answer.text


def test_paths_that_are_no_photos(client: Client, tmp_path: Path):
    """One line each, and nothing of what is in a file that is no photo."""
    (tmp_path / "text.jpg").write_text("secret words")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "closed.jpg").write_bytes(jpeg(scene(1)))
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    for path, words in (
        (b"/etc/passwd", "not called like a photo"),
        (b"photo.jpg", "name the whole path"),
        (b"/nul\0.jpg", "NUL"),
        (os.fsencode(tmp_path), "not called like a photo"),
        (os.fsencode(tmp_path / "away.jpg"), "no such file"),
        (os.fsencode(tmp_path / "folder.jpg"), "is a folder"),
        (os.fsencode(tmp_path / "pipe.jpg"), "a pipe"),
        (os.fsencode(tmp_path / "text.jpg"), "not an image"),
        (os.fsencode(tmp_path / "empty.jpg"), "empty"),
        (os.fsencode(tmp_path / "bomb.png"), "max_megapixels"),
    ):
        answer = ask_path(client, path)
        assert 400 <= answer.status_code < 500, path
        assert words in answer.text
        assert "secret" not in answer.text


# What is dropped


def test_a_dropped_photo_is_looked_for_and_forgotten(client: Client, scratch: Path):
    """By its looks, or by its bytes; nothing of it stays."""
    before = sorted(scratch.iterdir())
    answer = drop(client, jpeg(scene(3).resize((300, 225))), "a <b>.jpg")
    assert found(answer)[0][0] in ("photo-3.jpg", "photo-3 grey.jpg")
    assert answer.json()["name"] == "a <b>.jpg"
    assert "a &lt;b&gt;.jpg" in answer.json()["html"]
    assert sorted(scratch.iterdir()) == before


def test_a_dropped_photo_that_the_library_has(client: Client, read: Read):
    """Is found as the same file, all its places."""
    data = (read.photos / "2024/photo-1.jpg").read_bytes()
    same = [one for one in found(drop(client, data)) if one[1] == "the same file"]
    assert sorted(name for name, *_ in same) == ["photo-1 again.jpg", "photo-1.jpg"]


def test_what_is_dropped_may_be_anything(client: Client, scratch: Path):
    """One line with its name, not with where it was put; and nothing stays."""
    before = sorted(scratch.iterdir())
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")
    for name, data, words in (
        ("notes.jpg", b"some words", "not an image"),
        ("notes.txt", b"some words", "not an image"),
        ("empty.jpg", b"", "empty"),
        ("half.jpg", jpeg(scene(1))[:5000], "truncated"),
        ("bomb.png", bomb.getvalue(), "max_megapixels"),
        ("raw.nef", b"MM\0*" + bytes(4000), ""),
        ("../../etc/x.jpg", b"some words", "x.jpg: not an image"),
    ):
        answer = drop(client, data, name)
        assert 400 <= answer.status_code < 500, name
        line = answer.json()["error"]
        assert line.startswith(name.rpartition("/")[2] + ": ")
        assert words in line
        assert "\n" not in line
        assert str(scratch) not in line
    assert sorted(scratch.iterdir()) == before
    assert found(drop(client, jpeg(scene(4))))[0][0] == "photo-4.jpg"


def test_a_drop_without_a_photo(client: Client):
    """Is told that there was none."""
    own = {"Origin": str(client.base_url).rstrip("/"), "X-Twinlens": "1"}
    answer = client.post("/search", files={"other": ("a.jpg", b"x")}, headers=own)
    assert answer.status_code == 400
    assert "No photo came along" in answer.json()["error"]
    assert "too small" in drop(client, jpeg(scene(1)), box="0,0,0,0").json()["error"]


def test_too_large_a_drop_is_refused_before_it_is_read(client: Client, page: Page):
    """By what the request says of itself."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    lines = (
        f"POST /search HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\nOrigin: {page.origin}\r\n"
        f"X-Twinlens: 1\r\nCookie: {cookies}\r\nContent-Length: 5000000000\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", page.port), timeout=20) as connection:
        connection.sendall(lines.encode())
        assert b" 413 " in connection.recv(4096)


def test_a_killed_assistant_is_replaced(own: Read, serve: Serve):
    """Search and pictures go on; with the page ended, even killed, no assistant is left."""
    served = serve(own.library.folder)
    with served.browser() as client:
        assert found(drop(client, jpeg(scene(4)), box="0,0,1,1"))[0][0] == "photo-4.jpg"
        [first] = processes_of(served)
        first.kill()
        assert found(drop(client, jpeg(scene(5)), box="0,0,1,1"))[0][0] == "photo-5.jpg"
        [second] = processes_of(served)
    served.process.kill()
    psutil.wait_procs([second], timeout=30)
    assert not second.is_running()


def test_a_library_without_photos(tmp_path: Path, serve: Serve):
    """Says what to run."""
    from twinlens.catalogue import Catalogue
    from twinlens.library import Library

    library = Library(tmp_path / "empty")
    library.create()
    Catalogue.open(library.catalogue).close()
    with serve(library.folder).browser() as client:
        assert client.get("/search").status_code == 200
        assert "twinlens scan" in client.get("/search?photo=1").text
        assert "twinlens scan" in drop(client, b"x").json()["error"]


# What is asked, and words


def test_a_box_may_reach_over_the_edge_by_a_rounding():
    """It is cut to the photo."""
    assert box("0.5,0.5,0.5000001,0.6") == Box(0.5, 0.5, 0.5, 0.5)
    assert box("-0.1,0,0.5,1") == Box(0.0, 0.0, pytest.approx(0.4), 1.0)
    assert box("") is None
    assert Box(0.25, 0.5, 0.1, 0.125).text() == "0.25,0.5,0.1,0.125"
    assert limits({"k": "7", "min-score": "-0.5"}).k == 7


def test_paths_are_read_as_people_write_them(monkeypatch: pytest.MonkeyPatch):
    """The home folder by its sign; bytes that are no UTF-8 as they are."""
    monkeypatch.setenv("HOME", "/home/me")
    assert typed_path(" ~/a.jpg\n") == b"/home/me/a.jpg"
    assert typed_path(os.fsdecode(b"/caf\xe9.jpg")) == b"/caf\xe9.jpg"
    assert typed_path("file:///caf%E9.jpg") == b"/caf\xe9.jpg"
    with pytest.raises(Refused, match="whole path"):
        typed_path("file:a.jpg")


@pytest.mark.parametrize(
    "name", [b"caf\xe9.jpg", b"two\nlines.jpg", "\u202egpj.jpg".encode(), "a\u00a0b.jpg".encode()]
)
def test_names_are_read_as_the_page_shows_them(tmp_path: Path, name: bytes):
    """What cannot be typed, nor stand in a field, is found by how it is shown; a backslash is one."""
    path = os.fsencode(tmp_path) + b"/" + name
    text = printable(path)
    assert typed_path(text) == os.fsencode(text)  # no such file: as it was typed
    Path(os.fsdecode(path)).touch()
    assert "\\" in text
    assert typed_path(text) == path
    (tmp_path / Path(text).name).touch()  # one that is called so comes first
    assert typed_path(text) == os.fsencode(text)


def test_scores_in_words():
    """From the library's threshold on very alike; rounded down, so that 1.00 is the same bytes."""
    words = [alike(score, 0.9) for score in (0.95, 0.9, 0.6, 0.4, 0.2)]
    assert words == ["very alike", "very alike", "alike", "somewhat alike", "little in common"]
    assert alike(1.0, 0.9, "identical") == "the same file"
    assert [score_text(score) for score in (1.0, 0.9999, 0.126, -0.3)] == [
        "1.00",
        "0.99",
        "0.12",
        "-0.30",
    ]


# In a real browser


@pytest.fixture
def searching(eyes: Eyes, page: Page, read: Read) -> Window:
    """A photo of the library that is looked for."""
    return eyes.open(page, f"/search?photo={read.file_id('2024/photo-2.jpg')}")


def said(window: Window, words: str) -> None:
    """Check what a screen reader was told."""
    expect(window.locator("#said")).to_contain_text(words)


def test_a_match_is_looked_for_in_turn(searching: Window):
    """And the way back leads back."""
    searching.get_by_role("link", name="Look for photo-2 cropped.jpg").click()
    expect(searching.locator("#count")).to_contain_text("like photo-2 cropped.jpg.")
    searching.go_back()
    expect(searching.locator("#count")).to_contain_text("like photo-2.jpg.")


def test_a_box_is_drawn_by_the_pointer(searching: Window):
    """From corner to corner; a corner sizes it, its inside moves it, and the address has it."""
    stage = searching.locator("#stage").bounding_box()
    assert stage is not None

    def drag(*shares: tuple[float, float]) -> None:
        points = [(stage["x"] + stage["width"] * x, stage["y"] + stage["height"] * y) for x, y in shares]  # fmt: skip
        searching.mouse.move(*points[0])
        searching.mouse.down()
        for point in points[1:]:
            searching.mouse.move(*point, steps=4)
        searching.mouse.up()

    def drawn() -> list[float]:
        style = searching.evaluate("({...document.getElementById('part').style})")
        return [float(style[side].rstrip("%")) for side in ("left", "top", "width", "height")]

    drag((0.1, 0.1), (0.5, 0.5))
    assert drawn() == pytest.approx([10, 10, 40, 40], abs=1)
    said(searching, "40 % wide, 40 % high")
    drag((0.5, 0.5), (0.8, 0.9))
    assert drawn() == pytest.approx([10, 10, 70, 80], abs=1)
    drag((0.4, 0.4), (0.9, 0.4))
    assert drawn() == pytest.approx([30, 10, 70, 80], abs=1)
    drag((0.3, 0.9), (0.1, 0.95))
    assert drawn() == pytest.approx([10, 10, 90, 85], abs=1)
    searching.get_by_role("button", name="Look for this part").click()
    searching.wait_for_url("**box=**")
    expect(searching.locator("#count")).to_contain_text("like that part.")
    expect(searching.locator("#part")).to_be_visible()
    assert drawn() == pytest.approx([10, 10, 90, 85], abs=1)
    searching.get_by_role("link", name="Look for all of it").click()
    expect(searching.locator("#part")).to_be_hidden()


def test_a_box_is_drawn_by_keys(searching: Window):
    """B makes one, arrows move it, with Shift they size it; Escape takes it away, Enter looks for it."""
    searching.keyboard.press("b")
    box = searching.get_by_role("application", name="Part to look for")
    expect(box).to_be_focused()
    said(searching, "50 % wide, 50 % high, 25 % from the left, 25 % from the top")
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "Shift+ArrowLeft", "Shift+ArrowDown"):
        searching.keyboard.press(key)
    said(searching, "48 % wide, 52 % high, 27 % from the left, 29 % from the top")
    for _ in range(60):
        searching.keyboard.press("ArrowLeft")
        searching.keyboard.press("Shift+ArrowDown")
    said(searching, "48 % wide, 71 % high, 0 % from the left, 29 % from the top")
    searching.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(searching.get_by_role("button", name="Look for a part")).to_be_focused()
    searching.keyboard.press("Enter")
    expect(box).to_be_focused()
    searching.keyboard.press("Enter")
    searching.wait_for_url("**box=0.25%2C0.25%2C0.5%2C0.5**")


DROPPING = """
async ([name, bytes]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" }));
  for (const type of ["dragover", "drop"]) {
    document.body.dispatchEvent(
      new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}
"""


def test_a_photo_is_dropped(eyes: Eyes, page: Page):
    """It is shown from here, found, and a part of it can be looked for; axe has nothing to say."""
    window = eyes.open(page, "/search")
    assert grave(window) == []
    window.evaluate(DROPPING, ["holiday.jpg", list(jpeg(scene(2)))])
    expect(window.locator("#count")).to_contain_text("like holiday.jpg.")
    said(window, "like holiday.jpg.")
    expect(window.locator("#stage")).to_be_visible()
    assert window.evaluate("document.getElementById('whole').naturalWidth") == 640
    expect(window.locator("#dropping")).to_be_hidden()
    window.get_by_role("button", name="Look for a part").click()
    window.keyboard.press("Enter")
    expect(window.locator("#count")).to_contain_text("that part.")
    assert grave(window) == []


ODD_NAMES = [
    'say "cheese" 100%22.jpg',
    "a#b?c%41&d=e+f.jpg",
    "two\nlines.jpg",
    "back\\slash.jpg",
    "<b>bold &amp;.jpg",
    "\u05ea\u05de\u05d5\u05e0\u05d4 2 (1).jpg",
]


def test_names_of_what_is_dropped_and_pasted_are_shown_as_they_are(eyes: Eyes, page: Page):
    """The form that carries a file has its own ways with quotation marks, newlines and backslashes."""
    window = eyes.open(page, "/search")
    data = list(jpeg(scene(2)))
    for name in ODD_NAMES:
        shown = printable(name.encode())
        window.evaluate(DROPPING, [name, data])
        expect(window.locator(".named")).to_have_attribute("title", shown)
        assert window.locator(".named").text_content() == shown
        said(window, f"like {shown}.")
    assert window.locator(".named").evaluate("(e) => getComputedStyle(e).direction") == "rtl"


def test_odd_names_are_looked_for_by_path(client: Client, tmp_path: Path):
    """Whatever stands in the name, the page shows it and has it in its field, to be asked again."""
    for name in [*(odd.encode() for odd in ODD_NAMES), b"caf\xe9.jpg"]:
        path = os.fsencode(tmp_path) + b"/" + name
        Path(os.fsdecode(path)).write_bytes(jpeg(scene(2)))
        address = "/search?path=" + urllib.parse.quote_from_bytes(path)
        for again in (address, "/search?path=" + urllib.parse.quote(printable(path))):
            text = client.get(again).text
            assert f'value="{escape(printable(path))}"' in text
            assert 'id="count"' in text


def test_the_end_of_a_long_name_stays_in_sight(eyes: Eyes, page: Page, read: Read):
    """Names differ at their ends; the whole name is there for the pointer and for a screen reader."""
    photo = read.file_id("2024/photo-0.jpg")
    window = eyes.open(page, f"/search?photo={photo}", viewport=PHONE)
    match = window.locator(".match").first
    name = match.locator(".name")
    assert name.text_content() == "photo-0 small.jpg"
    assert (name.get_attribute("title") or "").endswith("/2024/photo-0 small.jpg")
    assert "photo-0 small.jpg" in (match.locator(".frame").get_attribute("aria-label") or "")
    start, end = name.locator(".start"), name.locator(".end")
    start.evaluate("(e) => { e.textContent = 'a-long-holiday-'.repeat(9) + e.textContent; }")
    is_cut = "(e) => e.scrollWidth > e.clientWidth"
    assert (start.evaluate(is_cut), end.evaluate(is_cut)) == (True, False)
    assert end.text_content() == "-0 small.jpg"
    assert name.evaluate("(e) => e.scrollWidth <= e.clientWidth")


def test_a_photo_is_chosen_and_pasted(eyes: Eyes, page: Page, tmp_path: Path):
    """By the button of files, and from the clipboard; what is no photo is a message that stays."""
    (tmp_path / "mine.jpg").write_bytes(jpeg(scene(4)))
    window = eyes.open(page, "/search")
    window.set_input_files("#file", tmp_path / "mine.jpg")
    expect(window.locator("#count")).to_contain_text("like mine.jpg.")
    pasting = DROPPING.replace('["dragover", "drop"]', '["paste"]').replace(
        "DragEvent(type, { dataTransfer", "ClipboardEvent(type, { clipboardData"
    )
    window.evaluate(pasting, ["image.png", list(jpeg(scene(5)))])
    expect(window.locator("#count")).to_contain_text("like image.png.")
    window.evaluate(DROPPING, ["notes.jpg", [1, 2, 3]])
    expect(window.get_by_role("alert")).to_contain_text("notes.jpg: not an image")
    assert len(eyes.complaints) == 1  # the browser's own line for the status
    eyes.complaints.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_grave_in_either_theme_nor_on_a_phone(
    eyes: Eyes, page: Page, read: Read, scheme: str
):
    """With matches and a box on the photo; nothing is wider than the screen."""
    photo = read.file_id("2024/photo-2.jpg")
    address = f"/search?photo={photo}&box=0.1,0.1,0.5,0.5"
    window = eyes.open(page, address, viewport=PHONE, color_scheme=scheme)
    expect(window.locator("#part")).to_be_visible()
    assert grave(window) == []
    assert window.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
