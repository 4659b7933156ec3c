"""The quality benchmark from end to end, on a few made photos."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from benchmarks.photos import picture, small_photos
from benchmarks.quality.__main__ import main
from benchmarks.quality.generator import KINDS
from benchmarks.quality.lineup import TEACHER, WHOLE
from benchmarks.quality.run import PARTS


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out like the one that TWINLENS_DATA names, with an untrained teacher."""
    folder = tmp_path_factory.mktemp("data")
    small_photos(folder / "copies" / "originals", 34, (96, 72))
    pairs = folder / "copies" / "crop_pairs"
    pairs.mkdir()
    for number in range(3):
        whole = picture(200 + number, (120, 90))
        whole.save(pairs / f"Faces_image_{number:04}.jpg")
        whole.crop((30, 20, 90, 80)).save(pairs / f"Faces_easy_image_{number:04}.jpg")
    for number, name in enumerate(("Fruit/Apple", "Fruit/Pear")):
        small_photos(folder / "similar" / name, 2 + number, (96, 72))
    for burst in range(2):
        frames = folder / "bursts" / str(burst)
        frames.mkdir(parents=True)
        scene = picture(300 + burst, (160, 90))
        for frame in range(3):
            scene.crop((frame * 8, 0, 120 + frame * 8, 90)).save(frames / f"{frame:05}.jpg")
    weights = folder / TEACHER
    weights.parent.mkdir()
    torch.manual_seed(1)
    save_file(torchvision.models.mobilenet_v2(weights=None).state_dict(), weights)
    return folder


@pytest.mark.timeout(580)
def test_everyone_is_measured_and_shown(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Every part prints a table with a row for each peer; JSON holds the same and more."""
    figures = tmp_path / "figures.json"
    _run(monkeypatch, "--quick", "--processes", "1", "--data", data, "--json", figures)
    output = capsys.readouterr().out
    _check_tables(output)
    for title in (
        "Copies: all",
        "Copies by edit: pocket",
        "Real crops",
        "Similar",
        "Bursts",
        "Cost",
    ):
        assert f"**{title}" in output, title
    assert "**Targets of the bundled descriptor**" in output
    found = json.loads(figures.read_text())
    assert set(found) == set(PARTS)
    for part in ("copies", "crops"):
        alone = f"pocket{WHOLE}"
        assert {"pocket", alone, f"{alone}, with turns", f"{alone}, whitened", "PDQ"} <= set(
            found[part]
        )
    assert "pocket, re-ranked" in found["crops"]
    assert "pocket, re-ranked, the best 5" in found["copies"]
    assert any(name.startswith("pocket, re-ranked: comparing") for name in found["cost"])
    assert "real crops, R@1, re-ranked" in output
    assert {"MobileNetV2 (ImageNet, GeM)", "imagededup AHash"} <= set(found["similar"])
    assert set(found["bursts"]["pocket"]) == set(found["bursts"]["8x8 colour thumbnail"])
    ours, chance = found["copies"]["pocket"], found["copies"]["pocket, random weights"]
    assert ours["overall"]["u_ap"] > chance["overall"]["u_ap"]
    assert set(found["copies"]["pocket"]["by_kind"]) <= set(KINDS)
    assert found["cost"]["decode"] > 0


@pytest.mark.timeout(200)
def test_one_part_of_some_models(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """`--only` and `--models` leave everything else out."""
    figures = tmp_path / "figures.json"
    _run(
        monkeypatch, "--only", "similar", "--models", "pocket", "--quick", "--processes", "1",
        "--data", data, "--json", figures,
    )  # fmt: skip
    output = capsys.readouterr().out
    _check_tables(output)
    assert "Similar photos" in output
    assert "Copies" not in output
    assert list(json.loads(figures.read_text())) == ["similar"]
    assert "MobileNetV2" not in output


@pytest.mark.parametrize("part", ["copies/originals", "similar", "bursts"])
def test_a_folder_that_is_not_there_is_one_line(
    tmp_path: Path, part: str, data: Path, monkeypatch: pytest.MonkeyPatch
):
    """What is missing and what to do, before anything is measured."""
    incomplete = tmp_path / "data"
    incomplete.mkdir()
    for name in ("copies", "similar", "bursts", "teacher"):
        if not part.startswith(name):
            (incomplete / name).symlink_to(data / name)
    with pytest.raises(SystemExit) as stopped:
        _run(monkeypatch, "--quick", "--models", "pocket", "--data", incomplete)
    message = str(stopped.value)
    assert part in message
    assert "TWINLENS_DATA" in message
    assert "\n" not in message


def test_without_a_folder_nothing_is_measured(monkeypatch: pytest.MonkeyPatch):
    """No data, no tables, exit code 1 and a word why."""
    monkeypatch.delenv("TWINLENS_DATA", raising=False)
    with pytest.raises(SystemExit, match="TWINLENS_DATA names no folder"):
        _run(monkeypatch, "--quick")


def test_weights_that_are_not_there_are_one_line(data: Path, monkeypatch: pytest.MonkeyPatch):
    """A mistyped file of weights is named before anything is measured."""
    with pytest.raises(SystemExit, match=r"nowhere\.safetensors: .*check the path"):
        _run(monkeypatch, "--quick", "--models", "pocket=nowhere.safetensors", "--data", data)


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks.quality", *map(str, arguments)])
    main()


def _check_tables(output: str) -> None:
    """Every row is as wide as its heading."""
    blocks = [block.splitlines() for block in output.split("\n\n") if block.startswith("|")]
    assert blocks
    for heading, _line, *rows in blocks:
        assert rows
        assert {row.count(" | ") for row in rows} == {heading.count(" | ")}
