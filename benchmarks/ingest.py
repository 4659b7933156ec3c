"""Photos per CPU-second: `python -m benchmarks.ingest` prints two markdown tables.

`twinlens scan` (command line, watcher, worker and decoders together) against the textbook way to
embed photos: Pillow decodes them in full, bicubic to 256, the middle 224, ResNet-50 in eager mode.
Then where the time of `twinlens scan` goes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import photos, stages
from benchmarks.programs import Cost, run, workspace
from benchmarks.tables import Table, milliseconds, show

TARGET = 10.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    distinct: int
    pixels: tuple[int, int]
    few: int
    many: int
    repeats: int


@dataclass(frozen=True, slots=True)
class Measured:
    """What one photo costs both pipelines."""

    megabytes: float
    textbook: float
    """CPU seconds."""
    scan: Cost


FULL = Size(distinct=12, pixels=photos.TWELVE_MEGAPIXELS, few=12, many=132, repeats=2)
QUICK = Size(distinct=2, pixels=(1600, 1200), few=2, many=8, repeats=1)


def main() -> None:
    """Measure both and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few small photos: a smoke test")
    size = QUICK if parser.parse_args().quick else FULL
    qualities = (photos.QUALITY,) if size is QUICK else (photos.QUALITY, photos.PHONE_QUALITY)
    sources = [photos.camera_photos(size.distinct, size.pixels, quality) for quality in qualities]
    measured = [_measure(some, size) for some in sources]
    show(_comparison(measured, size))
    show(stages.profile(sources[0], marginal=measured[0].scan.cpu))


def _measure(sources: Sequence[Path], size: Size) -> Measured:
    megabytes = sum(path.stat().st_size for path in sources) / len(sources) / 1e6
    scan = _scan(sources, size)
    return Measured(megabytes, _textbook(sources), scan)


def _scan(sources: Sequence[Path], size: Size) -> Cost:
    """Return what one photo more costs `twinlens scan`: start-up cancels out."""
    few = min((_scan_once(sources, size.few) for _ in range(size.repeats)), key=lambda c: c.cpu)
    many = min((_scan_once(sources, size.many) for _ in range(size.repeats)), key=lambda c: c.cpu)
    more = size.many - size.few
    return Cost((many.cpu - few.cpu) / more, (many.wall - few.wall) / more)


def _scan_once(sources: Sequence[Path], count: int) -> Cost:
    with workspace() as folder:
        photos.copies_that_differ(sources, folder / "photos", count)
        return run(folder / "library", "twinlens_plugin", "scan", folder / "photos")


def _textbook(sources: Sequence[Path]) -> float:
    """Return the CPU seconds that a photo takes as image-retrieval tutorials do it, one thread."""
    import torch
    from PIL import Image
    from torchvision import models, transforms

    torch.set_num_threads(1)
    network = models.resnet50(weights=None).eval()  # random weights take as long as trained ones
    prepare = transforms.Compose(
        [
            transforms.Resize(256, interpolation=transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )

    def embed(path: Path) -> None:
        with Image.open(path) as image:
            batch = prepare(image.convert("RGB")).unsqueeze(0)
        with torch.inference_mode():
            network(batch)

    embed(sources[0])  # the first pass allocates
    start = time.process_time()
    for path in sources:
        embed(path)
    return (time.process_time() - start) / len(sources)


def _verdict(measured: Sequence[Measured]) -> str:
    missed = [one for one in measured if one.textbook < TARGET * one.scan.cpu]
    return (
        "**missed** at " + ", ".join(f"{one.megabytes:.1f} MB" for one in missed)
        if missed
        else "met"
    )


def _comparison(measured: Sequence[Measured], size: Size) -> Table:
    megapixels = size.pixels[0] * size.pixels[1] / 1e6
    return Table(
        title=f"Ingest: JPEGs of {megapixels:.0f} MP",
        columns=[
            "bytes a photo",
            "textbook, CPU",
            "`twinlens scan`, CPU",
            "photos per CPU-second",
            "ratio",
            "`twinlens scan`, on the wall",
        ],
        rows=[
            [
                f"{one.megabytes:.1f} MB",
                milliseconds(one.textbook),
                milliseconds(one.scan.cpu),
                f"{1 / one.textbook:.1f}, {1 / one.scan.cpu:.1f}",
                f"**{one.textbook / one.scan.cpu:.1f}**",
                milliseconds(one.scan.wall),
            ]
            for one in measured
        ],
        notes=[
            (
                "Textbook: Pillow full decode, bicubic 256, centre 224, torchvision ResNet-50, f32,"
                " eager, batch 1, one thread, one process, without start-up."
            ),
            (
                f"`twinlens scan`: all processes; what {size.many} photos cost more than {size.few},"
                f" divided by {size.many - size.few}."
                f" Target: at least 10 times the textbook: {_verdict(measured)}."
            ),
            "Quality 92, as cameras save at their best; quality 80, the bytes a pixel of phones.",
        ],
    )


if __name__ == "__main__":
    main()
