"""Which photos and edited copies are described, and the folder that they come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError

from benchmarks.quality.generator import edited
from twinlens.errors import TwinlensError

SUFFIXES: Final = (".jpg", ".jpeg", ".png")


class BadDataError(TwinlensError):
    """The folder of photos to measure with is missing, incomplete or damaged."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A photo as it lies on disk, or an edited copy of it."""

    path: Path
    kind: str = ""
    """Name of the edit; empty for the photo itself."""
    strength: str = ""

    def open(self, seed: int) -> Image.Image:
        """Return the picture in RGB; BadDataError where the file is no photo."""
        image = open_photo(self.path)
        if not self.kind:
            return image
        return edited(image, self.kind, self.strength, seed=seed, name=self.path.name)


def open_photo(path: Path) -> Image.Image:
    """Return a photo in RGB; BadDataError where the file is none."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise BadDataError(f"{path}: no readable photo ({error}); restore it") from error


def photos_in(folder: Path, least: int = 1) -> list[Path]:
    """Return the photos below a folder by name; BadDataError where there are too few."""
    if not folder.is_dir():
        raise BadDataError(f"{folder}: no such folder; set TWINLENS_DATA to the one that holds it")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if len(found) < least:
        raise BadDataError(
            f"{folder}: {len(found)} photos, at least {least} are needed; "
            "set TWINLENS_DATA to a complete folder"
        )
    return found
