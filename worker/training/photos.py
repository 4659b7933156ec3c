"""Training photos, decoded once into memory as squashed squares."""

import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

STORED: Final = 160
"""Side in pixels that photos are kept at; a view of a part is cut from this."""
HELD_OUT: Final = 10
"""One photo in so many is for validation and calibration, never for training."""

_SPLIT: Final = re.compile(r"(?<=/)(train|val)_")
"""The grocery photos carry the name of the part of the dataset that they come from."""


@dataclass(frozen=True)
class PhotoSet:
    """Pictures of one side length; row i of each field belongs together."""

    pixels: Tensor
    """u8 (N, 3, STORED, STORED), RGB, squashed to the square."""
    aspects: Tensor
    """f32 (N,), width / height before squashing."""
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: list[int]) -> "PhotoSet":
        """Return the given rows as a set of their own."""
        return PhotoSet(self.pixels[rows], self.aspects[rows], tuple(self.names[r] for r in rows))

    def picture(self, row: int) -> Image.Image:
        """Return one photo in its own proportions, its longer side STORED pixels."""
        square = Image.fromarray(self.pixels[row].permute(1, 2, 0).numpy())
        aspect = float(self.aspects[row])
        width, height = (1.0, 1 / aspect) if aspect > 1 else (aspect, 1.0)
        return square.resize((round(STORED * width), round(STORED * height)))

    def classes(self) -> Tensor:
        """Return i64 (N,): photos whose names differ only in their last number are of one class."""
        stems = [_SPLIT.sub("", name).rpartition("_")[0] for name in self.names]
        numbers = {stem: number for number, stem in enumerate(dict.fromkeys(stems))}
        return torch.tensor([numbers[stem] for stem in stems])

    def split(self) -> tuple["PhotoSet", "PhotoSet"]:
        """Return (training, held out); a photo's side depends on its name alone."""
        held = [zlib.crc32(name.encode()) % HELD_OUT == 0 for name in self.names]
        return (
            self.take([row for row, out in enumerate(held) if not out]),
            self.take([row for row, out in enumerate(held) if out]),
        )


def load(folder: Path) -> PhotoSet:
    """Decode every JPEG below a folder, in the order of their names."""
    paths = sorted(folder.rglob("*.jpg"))
    pixels = np.empty((len(paths), STORED, STORED, 3), np.uint8)
    aspects = np.empty(len(paths), np.float32)
    for row, path in enumerate(paths):
        with Image.open(path) as image:
            aspects[row] = image.width / image.height
            pixels[row] = squash(image, STORED)
    names = tuple(path.relative_to(folder).as_posix() for path in paths)
    planes = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    return PhotoSet(planes, torch.from_numpy(aspects), names)


def squash(image: Image.Image, side: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return a picture as u8 (side, side, 3), its aspect given up, as the worker does it."""
    small = image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(small)
