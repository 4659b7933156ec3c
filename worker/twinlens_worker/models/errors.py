"""What can be wrong with a model, by name; every message names the file and the cure."""

from typing import TYPE_CHECKING

from twinlens.errors import ModelError
from twinlens.labels import Label

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class UnknownModelError(ModelError):
    """No descriptor has this name."""


class WeightsMissingError(ModelError):
    """The file with the weights is not there and could not be fetched."""


class WeightsDamagedError(ModelError):
    """The file is truncated, changed, or not a file of weights at all."""


class WeightsMismatchError(ModelError):
    """The weights are sound, but of another network."""


class WeightsRefusedError(ModelError):
    """The file is a program, or not the one that was agreed to, and was not opened."""


class BadOutputError(ModelError):
    """The network gave NaN, infinity or nothing but zeros for some photos.

    ``rows`` says for which photos of the batch; the other rows of ``vectors`` (N, dimension) can
    be used, and with them those of ``labels`` where they were asked for.
    """

    def __init__(
        self,
        message: str,
        *,
        rows: list[int],
        vectors: "NDArray[np.float32]",
        labels: "list[tuple[Label, ...]] | None" = None,
    ) -> None:
        super().__init__(message)
        self.rows = rows
        self.vectors = vectors
        self.labels = labels
