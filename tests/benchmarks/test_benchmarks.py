"""Every benchmark can be asked for help, runs at a tiny size, and prints a table."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import photos, stages
from benchmarks.__main__ import BENCHMARKS, PAGE

TOP = Path(__file__).parents[2]
MEASURED = ("ingest", "latency", "memory", "growth", "index", "scale", "queue_cost", "review")


def run(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a benchmark as its documentation says."""
    return subprocess.run(
        [sys.executable, "-m", name, *map(str, arguments)],
        cwd=TOP,
        env=os.environ | {"PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["benchmarks", *(f"benchmarks.{name}" for name in MEASURED)])
def test_help(name: str):
    """`--help` says what is measured, without measuring."""
    result = run(name, "--help")
    assert result.returncode == 0, result.stderr
    assert f"python -m {name}" in result.stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", [name for name in MEASURED if name not in {"queue_cost", "review"}]
)
def test_quick_run_prints_a_table(name: str):
    """`--quick` runs the real programs on a few small photos and prints a table with figures."""
    check_table(run(f"benchmarks.{name}", "--quick"))


@pytest.mark.redis
@pytest.mark.timeout(120)
def test_quick_queue_run_prints_a_table():
    """The same for the queue, which needs a real Redis server."""
    if shutil.which("redis-server") is None:
        if os.environ.get("CI"):
            pytest.fail("redis-server is not installed, and CI must not skip")
        pytest.skip("the program redis-server is not installed")
    check_table(run("benchmarks.queue_cost", "--quick"))


@pytest.mark.timeout(300)
def test_quick_run_of_the_review_page_prints_a_table():
    """The same for the review page, which needs Chromium."""
    if shutil.which("chromium") is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed, and CI must not skip")
        pytest.skip("the program chromium is not installed")
    check_table(run("benchmarks.review", "--quick"))


@pytest.mark.timeout(120)
def test_the_finder_of_pictures_within_is_a_stage_of_its_own(tmp_path: Path):
    """A screenshot is read as a worker reads it: looked through, and embedded with what it shows."""
    page = Image.new("RGB", (600, 900), "white")
    page.paste(photos.picture(1, (480, 360)), (60, 200))
    page.save(tmp_path / "page.png")
    table = stages.profile([tmp_path / "page.png"], marginal=1.0)
    [found] = [row for row in table.rows if row[0] == stages.FINDER]
    assert float(str(found[1]).split()[0]) > 0


def check_table(result: subprocess.CompletedProcess[str]) -> None:
    """Check that a benchmark printed markdown tables, every row as wide as its heading."""
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    blocks = [block.splitlines() for block in result.stdout.split("\n\n") if block.startswith("|")]
    assert blocks
    for heading, line, *rows in blocks:
        assert set(line) <= set("|- ")
        assert rows
        assert {row.count(" | ") for row in rows} == {heading.count(" | ")}
        assert any(character.isdigit() for character in rows[0])


def test_page_keeps_the_sections_of_others(tmp_path: Path):
    """`--only` replaces the section of one benchmark and leaves the others as they were."""
    page = tmp_path / "benchmarks.md"
    growth = next(one for one in BENCHMARKS if one.name == "growth")
    latency = next(one for one in BENCHMARKS if one.name == "latency")
    page.write_text(
        f"# Old\n\n## {growth.heading}\n\nold growth\n\n## {latency.heading}\n\nold latency\n\n- a note\n"
    )
    result = run("benchmarks", "--quick", "--only", "growth", "--page", page)
    assert result.returncode == 0, result.stderr
    text = page.read_text()
    assert "old growth" not in text
    assert "python -m benchmarks.growth" in text
    assert text.index("old latency") < text.index(f"## {growth.heading}")
    assert "old latency\n\n- a note\n" in text


def test_every_benchmark_is_a_script():
    """What `python -m benchmarks` runs is there, and every section of the page is one of them."""
    for one in BENCHMARKS:
        script = TOP / "benchmarks" / f"{one.name}.py"
        assert script.is_file() or (script.with_suffix("") / "__main__.py").is_file()
    if PAGE.exists():
        headings = {line[3:] for line in PAGE.read_text().splitlines() if line.startswith("## ")}
        assert headings <= {one.heading for one in BENCHMARKS}
