"""Check the installed wheel with the sources out of the way; run by .ci/run, not by pytest.

What it catches: a package or data file left out of the wheel, a module of ours that only works
beside the sources, an entry point that does not start.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sysconfig
import tempfile
import urllib.request
from pathlib import Path

PACKAGES = ("twinlens", "twinlens_watcher", "twinlens_worker", "twinlens_plugin")
PROGRAMS = ("twinlens", "twinlens-watcher", "twinlens-worker")


def main() -> None:
    """Run all checks; an AssertionError says what is wrong."""
    check_contents()
    with tempfile.TemporaryDirectory() as folder:
        check_main_job(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        check_plugins(Path(folder))
    print("the wheel is good")


def check_contents() -> None:
    """Our packages come from site-packages, typed, with the weights, and nothing else of ours."""
    installed = Path(sysconfig.get_paths()["purelib"])
    for name in PACKAGES:
        module = importlib.import_module(name)
        assert Path(str(module.__file__)).is_relative_to(installed), module.__file__
        assert (installed / name / "py.typed").is_file(), name
    weights = installed / "twinlens_worker/models/pocket.safetensors"
    assert 100_000 < weights.stat().st_size < 4_000_000
    assert weights.stat().st_mode & 0o044 == 0o044, "other users must be able to read the weights"
    manual = Path(sysconfig.get_path("data")) / "share" / "man" / "man1"
    assert "NAME" in (manual / "twinlens.1").read_text(encoding="utf-8"), manual
    assert (manual / "twinlens-model-use.1").is_file(), manual
    for name in ("training", "tests", "benchmarks", "worker", "watcher", "plugin"):
        spec = importlib.util.find_spec(name)
        assert spec is None or not str(spec.origin or "").startswith(str(installed)), name


def check_main_job(folder: Path) -> None:
    """The README's main job works from the wheel: scan, duplicates, similar, doctor."""
    make_photos(folder / "photos")
    environ = {**os.environ, "TWINLENS_LIBRARY": str(folder / "library")}

    def run(*command: str) -> str:
        done = subprocess.run(
            command, env=environ, cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    version = importlib.metadata.version("twinlens")
    for program in PROGRAMS:
        assert version in run(program, "--version")
    scanned = json.loads(run("twinlens", "scan", "photos", "--json"))
    assert scanned["photos"] == 7, scanned
    groups = [json.loads(line) for line in run("twinlens", "duplicates", "--json").splitlines()]
    pairs = [{Path(photo["path"]).name for photo in group["photos"]} for group in groups]
    assert {"0.jpg", "copy.jpg"} in pairs, pairs
    assert "copy.jpg" in run("twinlens", "similar", "photos/0.jpg", "-k", "1")
    assert "consistent" in run("twinlens", "doctor")
    check_review(environ)
    run("twinlens", "remove-root", "photos")


def check_plugins(home: Path) -> None:
    """What goes into photo managers travels in the wheel, is installed and removed."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}

    def run(*command: str) -> list[dict[str, str]]:
        done = subprocess.run(
            ["twinlens", "plugin", *command, "--json"],
            env={**environ, "HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    plugins = {one["name"] for one in run("list")}
    written = run("install", "--anyway")
    assert {one["plugin"] for one in written} == plugins, written
    assert all(Path(one["path"]).is_file() for one in written)
    assert {one["state"] for one in run("list")} == {"current"}
    run("remove")
    left = [path for path in home.rglob("*") if path.is_file()]
    assert not left, left


def check_review(environ: dict[str, str]) -> None:
    """The page comes with its templates, styles and scripts, and shows a photo."""
    command = ["twinlens", "review", "--no-browser", "--json"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = json.loads(process.stdout.readline())["url"]
            browser = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor()
            )
            page = browser.open(address).read().decode()
            assert "copy.jpg" in page, page
            parts = set(re.findall(r'(?:src|href)="(/(?:static|photos)/[^"]+)"', page))
            assert any("/thumb" in part for part in parts), parts
            assert any(part.endswith(".js") for part in parts), parts
            for part in parts:
                browser.open(address.partition("/?")[0] + part.replace("&amp;", "&")).read()
        finally:
            process.terminate()
    assert process.returncode == 0, process.returncode


def make_photos(folder: Path) -> None:
    """Write six photos of coloured texture and a recompressed copy of the first."""
    import numpy as np
    from PIL import Image

    folder.mkdir()
    for number in range(6):
        coarse = np.random.default_rng(number).integers(0, 256, (9, 12, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC)
        image.save(folder / f"{number}.jpg", quality=92)
        if number == 0:
            image.resize((480, 360)).save(folder / "copy.jpg", quality=70)
    for path in folder.iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))


if __name__ == "__main__":
    main()
