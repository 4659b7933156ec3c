"""What a classification head says: the names of its outputs, and the few most probable ones."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from twinlens.labels import FLOOR, MOST, Label, is_label, one_word
from twinlens_worker.models.errors import WeightsMismatchError
from twinlens_worker.models.weights import safetensors_metadata

if TYPE_CHECKING:
    from torch import Tensor

SUFFIX: Final = ".categories.txt"
"""A file beside the weights, `NAME.safetensors` -> `NAME.categories.txt`: one category a line."""


def categories(path: Path, outputs: int, official: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """Name the outputs of a head; say whether the names are more than numbers.

    Looked for in this order:
    1. `NAME.categories.txt` beside the weights, one a line;
    2. `categories` in the metadata of a safetensors file, a JSON list of strings;
    3. the official names of the same network, where the head has as many outputs;
    4. else `class_0`, `class_1`, and so on.

    Raises WeightsMismatchError where 1 or 2 has another number of names than the head has outputs.
    """
    source, own = _own_names(path)
    names: Sequence[str] | None = own
    if names is None and len(official) == outputs:
        names = official
    if names is None:
        return tuple(f"class_{number}" for number in range(outputs)), False
    words = tuple(one_word(name) for name in names)
    if len(words) != outputs:
        raise WeightsMismatchError(
            f"{source}: {len(words)} categories for a head of {outputs} outputs; "
            "give one for each, in the order of the outputs"
        )
    if odd := next((word for word in words if not is_label(word)), None):
        raise WeightsMismatchError(
            f"{source}: {odd[:40]!r} is no name for a category; give each a short printable one"
        )
    return words, True


def top_labels(logits: "Tensor", names: Sequence[str]) -> list[tuple[Label, ...]]:
    """Return for each row of logits (N, K) its most probable names, the surest first.

    At most `MOST`, none below `FLOOR`. A row with NaN has none.
    """
    probabilities, outputs = logits.softmax(1).topk(min(MOST, len(names)), dim=1)
    rows = zip(probabilities.tolist(), outputs.tolist(), strict=True)
    return [
        tuple(
            Label(names[output], round(min(1.0, probability), 4))
            for probability, output in zip(*row, strict=True)
            if probability >= FLOOR
        )
        for row in rows
    ]


def _own_names(path: Path) -> tuple[Path, list[str] | None]:
    beside = path.with_name(path.stem + SUFFIX)
    try:
        return beside, beside.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsMismatchError(
            f"{beside}: cannot be read as text ({error}); correct it"
        ) from error
    if path.suffix != ".safetensors":
        return path, None
    text = safetensors_metadata(path).get("categories")
    return path, None if text is None else _listed(path, text)


def _listed(path: Path, text: str) -> list[str]:
    try:
        names = json.loads(text)
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise WeightsMismatchError(
            f"{path}: its metadata 'categories' is no JSON list of texts; write it anew"
        )
    return names
