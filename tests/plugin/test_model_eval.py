"""twinlens model eval: folders as labels, the real worker, and what is said of it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.plugin.conftest import Built, Cli, Program, wait_until
from tests.worker.conftest import write_photo
from twinlens_plugin.errors import LabelsError
from twinlens_plugin.labelled import read_labels
from twinlens_plugin.verdicts import as_text


def touch(*paths: Path) -> None:
    """Make empty files and the folders above them."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Two folders, one of them nested, of two photos each."""
    made = tmp_path / "top"
    touch(*(made / name for name in ("cat/1.jpg", "cat/2.jpg", "dog/pug/1.jpg", "dog/pug/2.jpg")))
    return made


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Real photos: three variants each of two pictures, in folders named in any bytes."""
    made = tmp_path / "sorted"
    for seed, folder in enumerate((b"beach", b"caf\xe9")):
        for size in ((64, 48), (80, 60), (96, 72)):
            write_photo(made / os.fsdecode(folder) / f"{size[0]}.jpg", seed, size)
    return made


def found(top: Path, depth: int | None = None) -> dict[str, list[str]]:
    """Return the photos of each folder."""
    groups: dict[str, list[str]] = {}
    for folder, path in read_labels(os.fsencode(top), depth).photos:
        groups.setdefault(os.fsdecode(folder), []).append(os.fsdecode(path))
    return groups


def test_the_folder_of_a_photo_is_its_group(top: Path):
    """However deep; paths are absolute."""
    assert found(top) == {
        "cat": [f"{top}/cat/1.jpg", f"{top}/cat/2.jpg"],
        "dog/pug": [f"{top}/dog/pug/1.jpg", f"{top}/dog/pug/2.jpg"],
    }


def test_a_depth_joins_the_folders_below(top: Path):
    """By year and month below a subject, say."""
    touch(top / "dog/collie/1.jpg", top / "dog/3.jpg")
    assert {folder: len(paths) for folder, paths in found(top, depth=1).items()} == {
        "cat": 2,
        "dog": 4,
    }
    assert set(found(top)) == {"cat", "dog", "dog/pug", "dog/collie"}


def test_what_a_scan_skips_is_skipped(top: Path):
    """Hidden, other programs', links, what is no photo; loose photos are counted."""
    touch(top / "cat/.hidden.jpg", top / "@eaDir/1.jpg", top / "cat/notes.txt", top / "loose.jpg")
    (top / "cat/link.jpg").symlink_to(top / "dog/pug/1.jpg")
    (top / "linked").symlink_to(top / "dog")
    os.mkfifo(top / "cat/pipe.jpg")
    assert {folder: len(paths) for folder, paths in found(top).items()} == {"cat": 2, "dog/pug": 2}
    assert read_labels(os.fsencode(top), None).loose == 1


def test_a_relative_path_and_a_link_to_the_top(top: Path, monkeypatch: pytest.MonkeyPatch):
    """Stand for the folder itself."""
    link = top.parent / "link"
    link.symlink_to(top)
    monkeypatch.chdir(top.parent)
    assert found(Path("top")) == found(link) == found(top)


@pytest.mark.parametrize(
    ("names", "there"),
    [
        ((), "0 photos in 0 subfolders and 0 beside them"),
        (("a.jpg", "b.jpg"), "0 photos in 0 subfolders and 2 beside them"),
        (("x/1.jpg", "x/2.jpg", "y/1.jpg"), "3 photos in 2 subfolders and 0 beside them"),
    ],
)
def test_a_folder_that_is_not_sorted(tmp_path: Path, names: tuple[str, ...], there: str):
    """Two folders of two photos are the least that can be right or wrong."""
    (tmp_path / "flat").mkdir()
    touch(*(tmp_path / "flat" / name for name in names))
    with pytest.raises(LabelsError, match=there) as caught:
        read_labels(os.fsencode(tmp_path / "flat"), None)
    assert "\n" not in str(caught.value)


def test_a_model_is_judged_without_a_library(photos: Path, tmp_path: Path):
    """With pocket, then; nothing is made where the library would be."""
    nowhere = tmp_path / "no-library"
    touch(photos / "loose.jpg")
    (photos / "beach" / "broken.jpg").write_bytes(b"no picture")
    result = Cli(nowhere)("model", "eval", photos)
    assert result.stdout.startswith("6 photos in 2 folders; 6 asked about. 1 is best.\n")
    assert "R@1      1.000   the photo most like it is of the same folder\n" in result.stdout
    assert "  caf\\xe9" in result.stdout
    left_out, unreadable, loose = sorted(result.stderr.splitlines(), key=len, reverse=True)[:3]
    assert "broken.jpg: not an image" in left_out
    assert f"{photos}: 1 photo in no folder of their own; left out." in result.stderr
    assert "1 photo: cannot be read; left out." in result.stderr
    assert unreadable != loose
    assert not nowhere.exists()


def test_models_side_by_side_as_json(photos: Path, built: Built, twinlens: Cli, tmp_path: Path):
    """The library's model need not be one of them; folders of any bytes come as such."""
    import twinlens_worker.models.pocket_file as bundled

    copy = tmp_path / "copy.safetensors"
    copy.write_bytes((Path(bundled.__file__).parent / "pocket.safetensors").read_bytes())
    first, second = twinlens.json(
        "model", "eval", photos, "--model", "pocket", "--weights", copy, "--model", "pocket"
    )
    assert (first.pop("weights"), second.pop("weights")) == (str(copy), None)
    assert first == second
    assert {"recall_at_1", "mean_average_precision", "map_at_r", "ndcg_at_10"} <= set(first)
    folders = {one["folder"]: one.get("folder_base64") for one in first["by_folder"]}
    assert folders == {"beach": None, "caf\udce9": "Y2Fm6Q=="}


def test_weights_need_a_model(photos: Path, twinlens: Cli):
    """There is no telling whose they are."""
    result = twinlens("model", "eval", photos, "--weights", photos / "beach/64.jpg", code=2)
    assert "each --weights needs a --model" in result.stderr


def test_a_model_that_is_none_is_refused(photos: Path, twinlens: Cli):
    """Before any photo is read; the worker's reason is the user's."""
    result = twinlens("model", "eval", photos, "--model", "pocket", "--model", "nonsense", code=1)
    assert result.stderr.startswith("twinlens: nonsense: no such model")
    assert result.stderr.count("\n") == 1
    assert not result.stdout


def test_a_folder_that_is_not_there(program: Program):
    """One line, and no worker is started."""
    done = program("model", "eval", "/nowhere")
    assert done.returncode == 1
    assert done.stderr == b"twinlens: /nowhere: no such folder. Check the path.\n"


def started(photos: Path, stderr: int) -> subprocess.Popen[bytes]:
    """Start the real program; return once its worker runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "twinlens_plugin", "model", "eval", os.fsencode(photos)],
        stdout=subprocess.DEVNULL,
        stderr=stderr,
    )
    wait_until(lambda: psutil.Process(process.pid).children(), "the worker")
    return process


def test_ctrl_c_leaves_nothing_running(photos: Path):
    """The exit code is the shells' for it; worker and decoders are gone."""
    process = started(photos, subprocess.DEVNULL)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert not psutil.wait_procs(children, timeout=10)[1]


def test_a_worker_that_dies_is_told_from_a_bad_model(photos: Path):
    """Killed by the system, say: one line and exit code 1."""
    process = started(photos, subprocess.PIPE)
    (child,) = psutil.Process(process.pid).children()
    child.kill()
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert said.startswith(b"twinlens: the worker stopped in the middle of it:")
    assert said.count(b"\n") == 1


def test_progress_is_drawn_on_a_terminal(photos: Path):
    """With photos a second and the time left, and wiped at the end."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))  # a terminal without a size gets no bar
    process = started(photos, theirs)
    os.close(theirs)
    drawn = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        try:
            while data := terminal.read(4096):
                drawn += data
        except OSError:  # how Linux ends a terminal
            pass
    assert process.wait(20) == 0
    assert b"Embedding (pocket)" in drawn
    assert b"photos/s" in drawn


def verdict(**changes: Any) -> dict[str, Any]:
    """Return what a worker might say of a model."""
    folder = {
        "folder": "Y2F0",
        "photos": 4,
        "recall_at_1": 0.75,
        "mean_average_precision": 0.5,
        "mistaken_for": "ZG9n",
        "times": 1,
    }
    pairs = {
        "same_folder": 1200,
        "other_folder": 3000,
        "micro_average_precision": 0.4,
        "at_precision": [
            {"precision": 0.99, "recall": 0.123, "threshold": 0.8731},
            {"precision": 0.999, "recall": 0.0, "threshold": None},
        ],
    }
    return {
        "model": "pocket",
        "weights": None,
        "photos": 1234,
        "folders": 2,
        "asked": 1233,
        "recall_at_1": 0.9,
        "mean_average_precision": 0.6,
        "map_at_r": 0.5,
        "ndcg_at_10": 0.7,
        "pairs": pairs,
        "by_folder": [folder],
        **changes,
    }


def test_the_threshold_is_said_in_words():
    """It is what a user sets; where there is none, that is said."""
    lines = list(as_text([verdict()], most=10))
    assert lines[0] == "1,234 photos in 2 folders; 1,233 asked about. 1 is best."
    assert (
        "From a score of 0.8731 on, 99 % of the pairs are of one folder:"
        " 12.3 % of all 1,200 such pairs."
    ) in lines
    assert "At no score are 99.9 % of the pairs of one folder." in lines
    assert lines[-1].split() == ["4", "0.750", "0.500", "cat", "dog", "(1", "of", "4)"]


def test_models_have_a_column_each():
    """Named with their weights, where some were given."""
    other = verdict(weights="/home/ada/own.safetensors", recall_at_1=0.8)
    lines = list(as_text([verdict(), other], most=0))
    assert lines[2].split() == ["pocket", "pocket", "(own.safetensors)"]
    assert lines[3].split()[:3] == ["R@1", "0.900", "0.800"]
    assert not any("Weakest" in line for line in lines)
    assert any(line.startswith("pocket (own.safetensors): From a score") for line in lines)
