"""Carrying out a plan from the page: only what was shown, by the real command line, and back again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.plugin.acting import contents, state
from tests.plugin.conftest import Built, Cli, wait_until
from tests.plugin.review.acting import Desk
from tests.plugin.review.conftest import Page
from twinlens.roots import MARKER_NAME
from twinlens_plugin.acting.journal import read_runs


@pytest.fixture(autouse=True)
def home(own_home: Path) -> Path:
    """A home of the test's own: nothing may go to the real trash."""
    return own_home


def test_the_whole_way_there_and_back(built: Built, desk: Desk, trash: Path):
    """What was shown goes to the trash, the list knows it at once, and undo brings back every byte."""
    before = state(built.photos)
    url = desk.plan()
    job, said = desk.done(desk.apply(url))
    assert (said["done"], said["skipped"], said["failed"]) == (4, 0, 0)
    assert len(list(trash.iterdir())) == 4
    result = desk.get(job).text
    assert "4 photos in the trash" in result
    assert "Undo: bring back 4 photos" in result
    assert 'class="group"' not in desk.get("/").text
    assert desk.http.get(url).headers["location"] == job
    back, said = desk.done(desk.post("/plans/undo", {"plan": url.rpartition("/")[2]}))
    assert (said["done"], said["skipped"]) == (4, 0)
    assert "4 photos back where they were" in desk.get(back).text
    assert state(built.photos) == before
    assert not list(trash.iterdir())
    assert desk.get("/").text.count('class="group"') == 3  # known again, without a scan
    again = desk.post("/plans/undo", {"plan": url.rpartition("/")[2]})
    assert again.status_code == 409
    assert "nothing to undo" in again.json()["error"]


def test_what_was_left_out_stays(built: Built, desk: Desk, photos: dict[str, Path], trash: Path):
    """A group by its kind and one photo of another; the plan that is carried out has neither."""
    url = desk.plan()
    shown = desk.shown(url)
    said = desk.post(
        f"{url}/leave", {"revision": shown["revision"], "leave": True, "part": {"kind": "edit"}}
    ).json()
    page = desk.get(f"{url}?kind=identical").text
    number, shot = page.split('data-number="')[1].split('"')[0], page.split('data-shot="')[1][0]
    desk.post(
        f"{url}/leave",
        {"revision": said["revision"], "leave": True, "group": int(number), "photo": int(shot)},
    )
    _, said = desk.done(desk.apply(url))
    assert said["done"] == 2
    assert photos["crop"].exists()
    assert not photos["small"].exists()
    assert sum(photos[name].exists() for name in ("best", "twin", "third")) == 2
    assert len(list(trash.iterdir())) == 2


def test_nothing_goes_that_was_not_shown(built: Built, desk: Desk):
    """No revision, another one's, one that is behind, another number of photos: refused, untouched."""
    before = state(built.photos)
    url, other = desk.plan(), desk.plan()
    refused = desk.post(f"{url}/apply", {"photos": 4, "action": "trash"})
    assert refused.status_code == 428
    assert "before the overview of the plan was shown" in refused.json()["error"]
    shown = desk.shown(url)
    for body in (
        {**shown, "revision": "0" * 16},
        {**shown, "revision": desk.shown(other)["revision"]},
        {**shown, "photos": 3},
        {**shown, "photos": "4"},
        {**shown, "photos": None},
        {"revision": shown["revision"]},
    ):
        assert desk.post(f"{url}/apply", {**body, "action": "trash"}).status_code == 409, body
    desk.post(f"{url}/leave", {"revision": shown["revision"], "leave": True, "group": 0})
    stale = desk.post(f"{url}/apply", {**shown, "action": "trash"})
    assert stale.status_code == 409
    assert "changed since you saw it" in stale.json()["error"]
    assert desk.apply(url, "burn").status_code == 400
    assert state(built.photos) == before
    assert not read_runs(built.library)
    assert not list((built.library.folder / "plans").glob("job-*"))


def test_a_revision_stands_on_the_overview_alone(desk: Desk):
    """Who makes a plan does not know it yet, nor does who looks at the list of plans."""
    answer = desk.post("/plans")
    url = answer.json()["url"]
    revision = desk.shown(url)["revision"]
    assert revision not in answer.text
    assert revision not in desk.get("/plans").text


def test_what_changed_since_it_was_shown_is_left_alone_and_said(
    built: Built, desk: Desk, photos: dict[str, Path]
):
    """One photo was edited, the keeper of another is gone: a line each; the rest is done."""
    url = desk.plan()
    shown = desk.shown(url)
    photos["small"].write_bytes(b"edited meanwhile")
    photos["whole"].unlink()
    job, said = desk.done(desk.post(f"{url}/apply", {**shown, "action": "trash"}))
    assert (said["done"], said["skipped"]) == (2, 2)
    page = desk.get(job).text
    assert "small.jpg: changed since the plan was made" in page
    assert "whole.jpg: is gone since the plan was made" in page
    assert photos["small"].read_bytes() == b"edited meanwhile"
    assert photos["crop"].exists()


def test_moving_to_a_folder(built: Built, desk: Desk, photos: dict[str, Path], tmp_path: Path):
    """The folder is looked at before anything starts."""
    url = desk.plan(filters="kind=copy")
    for folder, words in (
        ("", "Name the folder"),
        ("spare", "write the whole path"),
        (str(built.photos / "2024"), "which is watched"),
        (str(photos["alone"]), "is no folder"),
    ):
        refused = desk.apply(url, "move", to=folder)
        assert refused.status_code == 400
        assert words in refused.json()["error"]
    _, said = desk.done(desk.apply(url, "move", to=str(tmp_path / "spare")))
    assert said["done"] == 1
    assert (tmp_path / "spare" / "web" / "small.jpg").read_bytes() == b"s" * 500
    assert not photos["small"].exists()


def test_links_are_made_of_the_very_same_files_alone(desk: Desk, photos: dict[str, Path]):
    """The others are left, and said; the list goes on without a scan."""
    url = desk.plan()
    assert "2 photos are</b> the very same file" in desk.get(url).text
    job, said = desk.done(desk.apply(url, "hardlink"))
    assert (said["done"], said["skipped"]) == (2, 2)
    assert photos["best"].stat().st_nlink == 3
    assert "no photo that stays has the same bytes" in desk.get(job).text
    assert desk.get("/").text.count('class="group"') == 3


@pytest.mark.skipif(not shutil.which("exiftool"), reason="needs exiftool")
def test_tagging_counts_the_photos_that_stay_too(desk: Desk, photos: dict[str, Path]):
    """No photo moves; the sidecars say it."""
    url = desk.plan(filters="kind=copy")
    _, said = desk.done(desk.apply(url, "tag"))
    assert said["done"] == said["total"] == 2
    assert photos["small"].exists()
    assert b"spare" in photos["small"].with_name("small.jpg.xmp").read_bytes()


def test_without_exiftool_that_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The choice is off on the page; asked for all the same, the result says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    url = desk.plan()
    assert "This needs exiftool, which is not installed" in desk.get(url).text
    job, said = desk.done(desk.apply(url, "tag"))
    assert said["done"] == 0
    assert "exiftool" in said["message"]
    page = desk.get(job).text
    assert "It did not get to its end" in page


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("chattr"), reason="root writes anywhere")
def test_a_folder_that_cannot_be_written_is_said(desk: Desk, photos: dict[str, Path]):
    """One line for the photo in it; the rest goes."""
    url = desk.plan()
    folder = photos["small"].parent
    with read_only(folder):
        job, said = desk.done(desk.apply(url))
    assert said["done"] == 2
    assert said["failed"] + said["skipped"] == 2
    page = desk.get(job).text
    assert "small.jpg" in page
    assert photos["small"].exists()


class read_only:  # noqa: N801  reads as what it is
    """A folder in which nothing can be changed, for root neither."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _set(self, flag: str, mode: int) -> None:
        self._folder.chmod(mode)
        if os.geteuid() == 0:
            done = subprocess.run(["chattr", flag, self._folder], capture_output=True, check=False)
            if done.returncode:
                pytest.skip("no immutable folders here")

    def __enter__(self) -> None:
        self._set("+i", 0o500)

    def __exit__(self, *_: object) -> None:
        if os.geteuid() == 0:
            subprocess.run(["chattr", "-i", self._folder], capture_output=True, check=False)
        self._folder.chmod(0o700)


def test_a_disk_that_is_away_is_on_the_overview_and_left_alone(
    built: Built, desk: Desk, photos: dict[str, Path]
):
    """Its marker is gone, as with an empty mount point."""
    url = desk.plan()
    (built.photos / MARKER_NAME).unlink()
    assert "is away: nothing there is touched" in desk.get(url).text
    job, said = desk.done(desk.apply(url))
    assert (said["done"], said["skipped"]) == (0, 4)
    assert desk.get(job).text.count("its disk is away") == 4


def test_one_at_a_time(built: Built, desk: Desk):
    """While another apply holds the lock, its line is shown, and no second one is started."""
    url = desk.plan()
    shown = desk.shown(url)
    with built.library.lock("apply"):
        refused = desk.post(f"{url}/apply", {**shown, "action": "trash"})
        assert refused.status_code in (400, 409)
        assert "another apply is running on this library" in refused.json()["error"]
        undo = desk.post("/plans/undo", {"plan": url.rpartition("/")[2]})
        assert undo.status_code == 409
    assert desk.shown(url) == shown  # as it was: the same confirmation is good
    desk.done(desk.post(f"{url}/apply", {**shown, "action": "trash"}))


def many(built: Built, count: int) -> None:
    """Add pairs of equal files, large enough to take a while."""
    for number in range(count):
        data = (b"%08d" % number) * 250_000
        for folder in "ab":
            built.photo(f"{folder}/{number:03}.jpg", data=data)


def test_stop_ends_it_between_two_photos_and_it_goes_on(built: Built, desk: Desk, trash: Path):
    """What was done stays done and can be undone; the rest is done by going on; undo takes all back."""
    many(built, 60)
    before = state(built.photos)
    url = desk.plan()
    answer = desk.apply(url)
    job = answer.json()["url"]
    wait_until(lambda: desk.http.get(f"{job}/progress").json()["seen"] > 0, "the first photo")
    assert desk.get(url).headers["location"] == job  # no second one beside it
    assert "Stopping" in desk.post(f"{job}/stop").json()["words"]
    said = desk.wait(job)
    assert 0 < said["done"] < said["total"] == 64
    page = desk.get(job).text
    assert "it was stopped" in page
    on = page.split('id="go-on"')[1].split(">")[0]
    revision = on.split('data-revision="')[1].split('"')[0]
    photos = int(on.split('data-photos="')[1].split('"')[0])
    left_out = desk.post(f"{url}/leave", {"revision": revision, "leave": True, "group": 0})
    assert left_out.status_code == 409  # it is being carried out: another plan for another wish
    _, more = desk.done(
        desk.post(f"{url}/apply", {"revision": revision, "photos": photos, "action": "trash"})
    )
    assert more["done"] + more["already"] == 64
    assert more["already"] == said["done"]
    assert len(list(trash.iterdir())) == 64
    desk.done(desk.post("/plans/undo", {"plan": url.rpartition("/")[2]}))
    assert state(built.photos) == before
    assert "It has ended already" in desk.post(f"{job}/stop").json()["words"]


def test_a_server_that_is_killed_takes_nothing_with_it(
    built: Built, photos: dict[str, Path], twinlens: Cli, home: Path
):
    """Kill -9 in mid-apply: the apply goes on to its end, another server finds it, undo knows it all."""
    many(built, 60)
    before, everything = state(built.photos), contents(built.photos)
    with Page(built.library.folder) as page:
        with page.browser() as client:
            url = client.send_json("/plans", {}).json()["url"]
            text = client.get(url, headers={"Accept": "text/html"}).text
            revision = text.split('data-revision="')[1].split('"')[0]
            body = {"revision": revision, "photos": 64, "action": "trash"}
            job = client.send_json(f"{url}/apply", body).json()["url"]
            wait_until(lambda: client.get(f"{job}/progress").json()["seen"] > 0, "the first photo")
        page.process.send_signal(signal.SIGKILL)
        page.process.wait(10)
    with Desk(built.library) as desk:
        said = desk.wait(job)
        assert said["done"] == said["total"] == 64
        assert "64 photos in the trash" in desk.get(job).text
        assert contents(built.photos, home) >= everything
        twinlens("undo")
        assert state(built.photos) == before


def test_an_apply_that_is_killed_itself_can_be_undone(built: Built, desk: Desk, home: Path):
    """Kill -9 of the child: the page says that it was cut short, and undo clears up and brings back."""
    many(built, 60)
    before, everything = state(built.photos), contents(built.photos)
    url = desk.plan()
    job = desk.apply(url).json()["url"]
    wait_until(lambda: desk.http.get(f"{job}/progress").json()["seen"] > 1, "the first photos")
    # Beside it there may be servers and browsers of other tests.
    (child,) = (one for one in psutil.Process().children() if "apply" in one.cmdline())
    child.kill()
    said = desk.wait(job)
    assert said["done"] < 64
    assert "cut short" in said["message"]
    assert contents(built.photos, home) >= everything
    assert "can come back" in desk.get("/plans").text
    _, back = desk.done(desk.post("/plans/undo", {"plan": url.rpartition("/")[2]}))
    assert back["skipped"] == 0
    assert state(built.photos) == before


def test_what_was_done_elsewhere_is_listed_and_undone(
    built: Built, desk: Desk, twinlens: Cli, tmp_path: Path
):
    """Runs of the command line are in the list; the last one that is not undone can be."""
    before = state(built.photos)
    twinlens("duplicates", "--plan", tmp_path / "own.json", "--kind", "copy")
    twinlens("apply", tmp_path / "own.json", "--yes")
    page = desk.get("/plans").text
    assert "1 photo in the trash" in page
    run = page.split('data-undo-run="')[1].split('"')[0]
    _, said = desk.done(desk.post("/plans/undo", {"run": run}))
    assert said["done"] == 1
    assert state(built.photos) == before
    page = desk.get("/plans").text
    assert "undone" in page
    assert "data-undo-run" not in page
    assert desk.post("/plans/undo", {"run": "../" + run}).status_code == 404
    assert desk.post("/plans/undo", {}).status_code == 400


def test_a_plan_that_was_carried_out_is_not_thrown_away(desk: Desk):
    """It is needed to be undone."""
    url = desk.plan()
    desk.done(desk.apply(url))
    assert desk.post(f"{url}/discard").status_code == 409


def test_where_the_job_cannot_be_written_down_nothing_begins(built: Built, desk: Desk):
    """A full disk is found out before the command line is started; later the same plan is good."""
    before = state(built.photos)
    url = desk.plan()
    shown = desk.shown(url)
    folder = built.library.folder / "plans"
    away = folder.rename(folder.with_name("away"))
    folder.write_bytes(b"")
    refused = desk.post("/plans/undo", {"run": "x"})
    assert refused.status_code == 404
    assert desk.post(f"{url}/apply", {**shown, "action": "trash"}).status_code == 404
    folder.unlink()
    away.rename(folder)
    with read_only(folder):
        refused = desk.post(f"{url}/apply", {**shown, "action": "trash"})
        assert refused.status_code == 507
        assert "cannot be written" in refused.json()["error"]
    assert state(built.photos) == before
    assert not read_runs(built.library)
    desk.done(desk.apply(url))


def test_a_job_whose_process_was_never_made_does_not_run_for_ever(built: Built, desk: Desk):
    """A server that died between writing the job down and starting it leaves nothing in the way."""
    url = desk.plan()
    job, _ = desk.done(desk.apply(url))
    file = built.library.folder / "plans" / f"job-{job.rpartition('/')[2]}.json"
    record = json.loads(file.read_text())
    name = "f" * 16
    file.with_name(f"job-{name}.json").write_text(
        json.dumps({**record, "id": name, "pid": 0, "born": 0.0, "at": record["at"] + 60})
    )
    assert desk.wait(f"/plans/jobs/{name}")["running"] is False
    desk.done(desk.post("/plans/undo", {"plan": url.rpartition("/")[2]}))
