"""Random draws for a whole batch from one generator, so that a step can be repeated exactly."""

import torch
from torch import Tensor


class Draw:
    """Draws that depend only on the seed and on the order of the calls."""

    def __init__(self, *seed: int) -> None:
        mixed = 0
        for part in seed:
            mixed = (mixed * 1_000_003 + part + 1) % 2**62
        self._generator = torch.Generator().manual_seed(mixed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform numbers in low..high."""
        return torch.rand(*shape, generator=self._generator) * (high - low) + low

    def normal(self, spread: float, *shape: int) -> Tensor:
        """Normal numbers around 0."""
        return torch.randn(*shape, generator=self._generator) * spread

    def chance(self, probability: float, count: int) -> Tensor:
        """`count` booleans."""
        return torch.rand(count, generator=self._generator) < probability

    def rows(self, probability: float, count: int) -> Tensor:
        """The numbers of the rows, out of `count`, that something happens to."""
        return self.chance(probability, count).nonzero().flatten()

    def integers(self, high: int, *shape: int) -> Tensor:
        """Whole numbers in 0..high-1."""
        return torch.randint(high, shape, generator=self._generator)

    def some(self, count: int, out_of: int) -> Tensor:
        """`count` different numbers below `out_of`."""
        return torch.randperm(out_of, generator=self._generator)[:count]
