"""Photos as the browser gets them: the recorded file or none."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from tests.plugin.conftest import Built
from tests.plugin.review.conftest import Client, Read, Serve
from twinlens.catalogue import Catalogue
from twinlens.roots import list_roots, set_online
from twinlens.settings import Settings
from twinlens.thumbnails import thumbnail_path
from twinlens_plugin.options import Session
from twinlens_plugin.review.app import create_app
from twinlens_plugin.review.state import State

PORT = 8765
JPEG = b"\xff\xd8\xff\xe0 the bytes of a photo \xff\xd9"


class Hostile:
    """A library whose files are changed under the page's hands, and the page within this process."""

    def __init__(self, built: Built) -> None:
        self.built = built
        session = Session(Settings(library=built.library.folder), None, as_json=False)
        state = State(session, PORT)
        self._app: ASGIApp = create_app(state)
        self._cookies = {f"twinlens-{PORT}": state.tokens.cookie}
        self.photo = self.add("2024/a.jpg")

    def add(self, name: str | bytes, form: str = "JPEG") -> Path:
        """Add a photo, with its thumbnail."""
        path = self.built.photo(name, data=JPEG + os.fsencode(name))
        with self.built.catalogue.write_tx() as tx:
            tx.execute(
                "UPDATE contents SET format = ? WHERE id = ?", (form, self.built.content_id(path))
            )
        return path

    def full(self, path: Path, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        """Ask for a photo; return status, body and headers."""
        address = f"http://127.0.0.1:{PORT}/photos/{self.built.file_id(path)}/full"

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, cookies=self._cookies) as browser:
                return await browser.get(address, headers=headers)

        answer = asyncio.run(ask())
        return answer.status_code, answer.content, dict(answer.headers)

    def refusal(self, path: Path, status: int) -> str:
        """Ask for a photo that is not given out; return the line that says why."""
        got, body, headers = self.full(path)
        assert got == status, body
        assert headers["content-type"] == "application/json"
        assert JPEG not in body
        return body.decode()


@pytest.fixture
def hostile(built: Built) -> Hostile:
    """A library to play tricks on."""
    return Hostile(built)


def test_a_photo_is_sent_as_it_is(hostile: Hostile):
    """Its own bytes, with the type that the catalogue knows."""
    status, body, headers = hostile.full(hostile.photo)
    assert (status, body) == (200, hostile.photo.read_bytes())
    assert headers["content-type"] == "image/jpeg"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "name", ["ä ö.jpg", b"\xff\xfe.jpg", "a%2e%2e%2fb.jpg", "<script>.jpg", "-r.jpg"]
)
def test_any_name_is_sent(hostile: Hostile, name: str | bytes):
    """Names never meet an address."""
    path = hostile.add(name)
    assert hostile.full(path)[:2] == (200, path.read_bytes())


def test_a_part_of_a_photo(hostile: Hostile):
    """Ranges, as browsers ask for them; what lies behind the end is refused."""
    whole = hostile.photo.read_bytes()
    status, body, headers = hostile.full(hostile.photo, Range="bytes=4-9")
    assert (status, body) == (206, whole[4:10])
    assert headers["content-range"] == f"bytes 4-9/{len(whole)}"
    assert hostile.full(hostile.photo, Range="bytes=-3")[:2] == (206, whole[-3:])
    assert hostile.full(hostile.photo, Range="bytes=9999-")[0] == 416
    assert hostile.full(hostile.photo, Range="bytes=x")[0] == 400


def test_what_the_browser_has_is_not_sent_again(hostile: Hostile):
    """Tagged by content: the same bytes under another name have another photo's tag."""
    tag = hostile.full(hostile.photo)[2]["etag"]
    status, body, headers = hostile.full(hostile.photo, **{"If-None-Match": f'"other", W/{tag}'})
    assert (status, body, headers["etag"]) == (304, b"", tag)
    assert hostile.full(hostile.photo, **{"If-None-Match": '"other"'})[0] == 200
    assert hostile.full(hostile.add("b.jpg"))[2]["etag"] != tag


def link_file(hostile: Hostile, secret: Path) -> None:
    """Put a link in the photo's place."""
    hostile.photo.unlink()
    hostile.photo.symlink_to(secret)


def link_folder(hostile: Hostile, secret: Path) -> None:
    """Put a link in its folder's place, to a folder with a file of that name."""
    hostile.photo.parent.rename(hostile.built.photos / "moved")
    hostile.photo.parent.symlink_to(secret.parent)


def link_within(hostile: Hostile, secret: Path) -> None:
    """Put a link in its folder's place that stays within the library, to the photo itself."""
    hostile.photo.parent.rename(hostile.built.photos / "moved")
    hostile.photo.parent.symlink_to(hostile.built.photos / "moved")


def link_itself(hostile: Hostile, secret: Path) -> None:
    """Put the photo elsewhere, and a link to it in its place: the very file that was recorded."""
    hostile.photo.rename(secret.parent / "elsewhere.jpg")
    hostile.photo.symlink_to(secret.parent / "elsewhere.jpg")


@pytest.mark.parametrize("trick", [link_file, link_folder, link_within, link_itself])
def test_no_link_is_followed(
    hostile: Hostile, tmp_path: Path, trick: Callable[[Hostile, Path], None]
):
    """Neither a file nor a folder that was replaced by one, wherever it leads."""
    secret = tmp_path / "secret" / "a.jpg"
    secret.parent.mkdir()
    secret.write_bytes(JPEG + b"secret")
    trick(hostile, secret)
    assert "cannot be opened" in hostile.refusal(hostile.photo, 404)


def test_a_pipe_in_place_of_a_photo(hostile: Hostile):
    """Refused at once: nobody waits for what may come out of it."""
    hostile.photo.unlink()
    os.mkfifo(hostile.photo)
    assert "changed since it was read" in hostile.refusal(hostile.photo, 409)


def test_a_device_in_place_of_a_photo(hostile: Hostile):
    """Refused, whatever its size says."""
    hostile.photo.unlink()
    try:
        os.mknod(hostile.photo, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero
    except PermissionError:
        pytest.skip("only root makes devices")
    refused = hostile.full(hostile.photo)
    assert refused[0] in (404, 409)  # 404 where the file system opens no devices


def test_a_folder_in_place_of_a_photo(hostile: Hostile):
    """Refused."""
    hostile.photo.unlink()
    hostile.photo.mkdir()
    assert "changed since it was read" in hostile.refusal(hostile.photo, 409)


def test_a_photo_that_changed(hostile: Hostile):
    """What was decided by its old picture must not be seen with the new one."""
    hostile.photo.write_bytes(b"other bytes")
    assert "Run: twinlens scan" in hostile.refusal(hostile.photo, 409)


def test_a_photo_that_is_gone(hostile: Hostile):
    """As far as the disk says, and as far as the catalogue does."""
    hostile.photo.unlink()
    assert "is gone" in hostile.refusal(hostile.photo, 410)
    with hostile.built.catalogue.write_tx() as tx:
        tx.execute("UPDATE files SET missing_since = 1")
    assert "is gone" in hostile.refusal(hostile.photo, 410)


def test_a_photo_that_waits_to_be_read(hostile: Hostile):
    """The catalogue knows already that it is another one."""
    path = hostile.built.write("2024/a.jpg", b"new bytes")
    hostile.built.record(path)
    assert "waits to be read" in hostile.refusal(path, 409)


def test_a_disk_that_is_away(hostile: Hostile):
    """Said, with what to do; the thumbnail is the library's own, and is still there."""
    root = list_roots(hostile.built.catalogue)[0]
    set_online(hostile.built.catalogue, root, reason="unplugged", now=1.0)
    assert "its disk is away. Connect it." in hostile.refusal(hostile.photo, 409)


def test_a_photo_that_may_not_be_read(hostile: Hostile):
    """Said; root may read everything."""
    hostile.photo.chmod(0)
    if os.access(hostile.photo, os.R_OK):
        pytest.skip("this user may read everything")
    assert "Permission denied" in hostile.refusal(hostile.photo, 404)


def test_files_are_closed(hostile: Hostile):
    """Whatever came of it: 50 requests of each kind leave no file open."""
    tag = hostile.full(hostile.photo)[2]["etag"]
    missing = hostile.add("b.jpg")
    missing.write_bytes(b"changed")
    for _ in range(50):
        hostile.full(hostile.photo)
        hostile.full(hostile.photo, Range="bytes=9999-")
        hostile.full(hostile.photo, **{"If-None-Match": tag})
        hostile.full(missing)
    opened = [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]  # noqa: PTH208  those that close meanwhile are no error
    assert not [name for name in opened if name.startswith(str(hostile.built.photos))]


def test_thumbnails(client: Client, read: Read):
    """The library's, small; for good where the address says which content's."""
    number = read.file_id("2024/photo-4.jpg")
    with Catalogue.open_to_read(read.library.catalogue) as catalogue:
        sha256 = catalogue.value(
            "SELECT sha256 FROM contents c JOIN files f ON content_id = c.id WHERE f.id = ?",
            (number,),
        )
    answer = client.get(f"/photos/{number}/thumb")
    assert answer.content == thumbnail_path(read.library.thumbnails, sha256).read_bytes()
    assert answer.headers["cache-control"] == "private, no-cache"
    again = client.get(f"/photos/{number}/thumb", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    version = client.get(f"/photos/{number}/thumb?v={sha256.hex()[:16]}")
    assert "immutable" in version.headers["cache-control"]
    other = client.get(f"/photos/{number}/thumb?v=0123456789abcdef")
    assert other.headers["cache-control"] == "private, no-cache"


def test_a_thumbnail_that_is_missing_is_made(own: Read, serve: Serve):
    """The cache can be thrown away at any time."""
    shutil.rmtree(own.library.thumbnails)
    with serve(own.library.folder).browser() as browser:
        answer = browser.get(f"/photos/{own.file_id('2024/photo-5.jpg')}/thumb")
    assert answer.status_code == 200, answer.text
    assert answer.content.startswith(b"\xff\xd8\xff")
