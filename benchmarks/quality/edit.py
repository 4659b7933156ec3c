"""What an edit of the benchmark is: a kind, in three strengths, made by one function."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from numpy.random import Generator
from PIL import Image

STRENGTHS: Final = ("mild", "medium", "strong")
Make = Callable[[Image.Image, Generator, Any], Image.Image]


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to edit a photo."""

    name: str
    make: Make
    """Takes an RGB picture, a source of chance, and one of `amounts`."""
    amounts: tuple[Any, Any, Any]
    """What the function is given for mild, medium and strong."""
    says: str
    """What the amounts are, for people; `{}` stands for the amount itself."""
    resaved: bool = True
    """Whether the copy is saved as a JPEG of quality 60 to 90 afterwards."""

    def described(self) -> tuple[str, str, str]:
        """Return what each strength does, in words."""
        first, second, third = (_filled(self.says, amount) for amount in self.amounts)
        return first, second, third


def reencode(image: Image.Image, quality: int) -> Image.Image:
    """Return what a JPEG of this quality leaves of the picture."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return Image.open(stream).convert("RGB")


def _filled(says: str, amount: object) -> str:
    return says.format(*amount) if isinstance(amount, tuple) else says.format(amount)
