"""After an upgrade: the index is of another version of pocket, answers on, and every command says so."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.machinery
import importlib.util
import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import Clock
from tests.plugin.conftest import DIMENSION, Built, Cli, Scanned
from twinlens import models
from twinlens.catalogue import Catalogue
from twinlens.library import Library
from twinlens.models import get_model
from twinlens.settings import load_settings
from twinlens_plugin import handover, shipped
from twinlens_plugin.handover import Handover
from twinlens_plugin.options import Session
from twinlens_plugin.scanning import RENEWAL_SECONDS, renewal
from twinlens_worker.models import pocket_file

SAYS = "the index is of another version of pocket than this twinlens has; it goes on answering"
CURE = "Make it: twinlens scan"


@pytest.fixture
def upgraded(built: Built) -> Built:
    """A library of another twinlens: its pocket has a sha256 that this one's has not."""
    with built.catalogue.write_tx() as tx:
        tx.execute("UPDATE models SET weights = NULL")
    built.model = dataclasses.replace(built.model, weights=None)
    for name in ("a.jpg", "b.jpg"):
        built.photo(name)
    built.publish()
    return built


def session(built: Built) -> Session:
    """Return a session on a library."""
    return Session(load_settings(os.environ, library=built.library.folder), None, as_json=False)


def test_the_bundled_weights_are_known_without_the_worker():
    """The file that is read is the one that the worker loads."""
    assert shipped.digest() == hashlib.sha256(pocket_file.BUNDLED.read_bytes()).hexdigest()


def test_what_was_noted_of_the_weights_is_not_read_again(
    upgraded: Built, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Reading them takes 4 ms, and each cold query asks. Another file, however alike, is read."""
    folder = tmp_path / "package"
    weights = folder / shipped.WEIGHTS
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"one")
    os.utime(weights, (1, 1))
    spec = importlib.machinery.ModuleSpec("twinlens_worker", None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    read: list[Path] = []
    monkeypatch.setattr(shipped, "_read", lambda path, _: read.append(path) or f"{len(read):064x}")
    assert shipped.digest(upgraded.catalogue) == f"{1:064x}"
    shipped.note(upgraded.catalogue)
    assert shipped.digest(upgraded.catalogue) == f"{2:064x}"
    assert len(read) == 2
    weights.unlink()
    weights.write_bytes(b"two")
    os.utime(weights, (1, 1))  # of one size and, as packages have it, of one date
    assert shipped.digest(upgraded.catalogue) == f"{3:064x}"


@pytest.mark.parametrize("command", ["similar", "duplicates", "check"])
def test_the_old_index_answers_and_that_is_said(upgraded: Built, twinlens: Cli, command: str):
    """The answer stands alone on standard output; beside it is what makes the new index."""
    photo = upgraded.photos / "a.jpg"
    copy = upgraded.photos.parent / "card.jpg"
    shutil.copy(photo, copy)
    result = twinlens(command, copy if command == "check" else photo)
    assert SAYS in result.stderr
    assert CURE in result.stderr
    assert "version" not in result.stdout
    assert result.stdout


@pytest.mark.timeout(240)
def test_a_card_is_known_by_its_bytes(upgraded: Built, twinlens: Cli, tmp_path: Path):
    """The weights went with the old twinlens: the real worker refuses, and the import goes on."""
    shutil.copy(upgraded.photos / "a.jpg", tmp_path / "copy.jpg")
    (tmp_path / "other.jpg").write_bytes(b"other")
    found = twinlens.json("check", tmp_path / "other.jpg", tmp_path / "copy.jpg", code=1)
    assert [f["status"] for f in found] == ["unknown", "identical"]
    assert found[0]["new"]
    assert CURE in found[0]["reason"]


def test_status_and_doctor_say_it_and_see_nothing_wrong(upgraded: Built, twinlens: Cli):
    """An upgrade breaks nothing: doctor notes it, and the library is consistent."""
    assert f"Note        {SAYS}" in twinlens("status").stdout
    [status] = twinlens.json("status")
    assert status["handover"].startswith(SAYS)
    doctor = twinlens("doctor").stdout
    assert doctor.startswith(f"note: {SAYS}")
    assert doctor.endswith("consistent\n")


def test_a_model_that_cannot_be_loaded_is_not_judged(
    upgraded: Built, twinlens: Cli, tmp_path: Path
):
    """Its weights went with the old twinlens; which ones can be judged is said."""
    for name in ("x/1.jpg", "x/2.jpg", "y/1.jpg", "y/2.jpg"):
        (tmp_path / "kinds" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "kinds" / name).write_bytes(name.encode())
    result = twinlens("model", "eval", tmp_path / "kinds", code=1)
    assert "add --model pocket" in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_old_model_is_not_tuned_but_can_be_untuned(upgraded: Built, twinlens: Cli):
    """What would be fitted is not used any more; the cure is the scan, not more photos."""
    assert CURE in twinlens("model", "tune", code=1).stderr
    assert "untuned" in twinlens("model", "tune", "--off").stdout


@pytest.mark.timeout(240)
def test_the_list_tells_the_two_versions_apart(upgraded: Built, twinlens: Cli):
    """The one in use has no weights here; the bundled one is not used yet."""
    result = twinlens("model", "list")
    first, second, *_ = result.stdout.splitlines()
    assert first.split()[:5] == ["in", "use", "pocket", "other", "version"]
    assert "2 vectors" in first
    assert second.split()[:2] == ["pocket", "bundled"]
    assert SAYS in result.stderr
    here, *_ = twinlens.json("model", "list", "--here")
    assert (here["bundled"], here["used"]) == (True, None)


def test_choosing_the_new_version_says_that_the_old_one_answers(upgraded: Built, twinlens: Cli):
    """And from then on both are in the library, and told apart."""
    said = twinlens("model", "use", "pocket").stdout
    assert said.endswith("twinlens scan. Until then the old index goes on answering.\n")
    assert SAYS in twinlens("doctor").stdout


def test_weights_of_ones_own_are_never_outgrown(upgraded: Built, twinlens: Cli):
    """Neither those that were chosen, nor those of the settings."""
    settings = session(upgraded).settings
    assert handover.is_outgrown(upgraded.model, settings)
    chosen = dataclasses.replace(upgraded.model, weights="/mine")
    assert not handover.is_outgrown(chosen, settings)
    by_setting = dataclasses.replace(settings, weights=Path("/mine"))
    assert not handover.is_outgrown(upgraded.model, by_setting)


def test_another_model_is_named_and_a_running_worker_too(upgraded: Built):
    """Not every change is an upgrade, and who works on it already need not be started."""
    models.set_target(
        upgraded.catalogue,
        name="torchvision:resnet50",
        digest="cd" * 32,
        dimension=DIMENSION,
        input_size=224,
        copy_threshold=0.9,
    )
    assert handover.now(session(upgraded), upgraded.catalogue).startswith(
        "the index is of pocket, not of torchvision:resnet50 yet"
    )
    with upgraded.library.lock("worker"):
        assert handover.now(session(upgraded), upgraded.catalogue).endswith("twinlens status")
    with upgraded.catalogue.write_tx() as tx:
        tx.execute("UPDATE roots SET online = 0")
    assert "2 photos for it are on disks" in handover.now(session(upgraded), upgraded.catalogue)


def test_watch_says_it_once_and_when_the_new_index_answers(upgraded: Built):
    """The worker changes the target first, and has it serve when it has read all."""
    said: list[str] = []
    over = Handover(upgraded.catalogue, session(upgraded).settings, said.append)

    def use(*, at_once: bool) -> None:
        models.set_target(
            upgraded.catalogue,
            name="pocket",
            digest=shipped.digest() or "",
            dimension=DIMENSION,
            input_size=96,
            copy_threshold=0.9,
            at_once=at_once,
        )

    over.tick()
    use(at_once=False)
    over.tick()
    [first] = said
    assert first.startswith("2 photos are read again for another version of pocket.")
    assert first.endswith("the old index goes on answering")
    use(at_once=True)
    over.tick()
    over.tick()
    assert said[1:] == ["the new index answers from now on"]


def test_a_scan_does_not_wait_for_a_worker_from_before_the_upgrade(upgraded: Built, clock: Clock):
    """It never takes up the new model: what to do is said, once, and the scan goes on."""
    said: list[str] = []
    awaited = renewal(session(upgraded), upgraded.catalogue, said.append, clock)
    assert awaited.is_due()
    clock.advance(RENEWAL_SECONDS + 1)
    assert not awaited.is_due()
    assert not awaited.is_due()
    assert len(said) == 1
    assert "from before the upgrade" in said[0]


@pytest.mark.timeout(120)
def test_a_scan_with_nothing_new_makes_the_new_index(scanned: Scanned, tmp_path: Path):
    """It is the cure that every command names: it must start the worker though no photo waits."""
    library = Library(tmp_path / "library")
    shutil.copytree(scanned.library, library.folder, ignore=shutil.ignore_patterns("*.sock"))
    with Catalogue.open(library.catalogue) as catalogue, catalogue.write_tx() as tx:
        tx.execute("UPDATE models SET digest = ?", ("ab" * 32,))
    own = dataclasses.replace(scanned, library=library.folder)
    done = own("scan", TWINLENS_DECODE_PROCESSES="1", OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    assert b"read again for another version of pocket" in done.stderr
    assert done.stderr.endswith(b"the new index answers from now on\n")
    with Catalogue.open_to_read(library.catalogue) as catalogue:
        for role in ("serving", "target"):
            model = get_model(catalogue, role)
            assert model is not None
            assert model.digest == shipped.digest()
