"""What the processes tell each other through the broker: JSON, versioned, small.

A message is checked in full when it is read: the broker may hold anything. Paths and vectors are
base64, since both are bytes.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from twinlens import labels
from twinlens.errors import MessageError
from twinlens.labels import Label

VERSION = 1
T = TypeVar("T")

TASK_EMBED = "twinlens.embed"
TASK_COMMIT = "twinlens.commit"
TASK_QUERY = "twinlens.query"
QUEUE_EMBED = "embed"
QUEUE_COMMIT = "commit"
QUEUE_QUERY = "query"


@dataclass(frozen=True, slots=True)
class ModelRef:
    """The model that a batch is for, by name and weights."""

    name: str
    digest: str
    catalogue: str | None = dataclasses.field(default=None, compare=False)
    """Mark of the catalogue that the photos' numbers are of. Results carry it back: those of another
    library over the same Redis, or of one that was begun anew, are for other photos."""
    with_labels: bool = dataclasses.field(default=False, compare=False)
    """Whether what the model names in the photos is wanted too."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo to embed: which row, which version of it, and where."""

    file_id: int
    generation: int
    root: str
    root_path: bytes
    """The owner's folder; a computer with a mount of its own for ``root`` uses that."""
    path: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Embedded:
    """A photo that was read, and its vectors."""

    file_id: int
    generation: int
    sha256: bytes
    size: int
    vector: bytes | None
    """f16; None where the owner knows this content's vector already."""
    width: int | None = None
    height: int | None = None
    format: str | None = None
    taken_at: str | None = None
    camera: str | None = None
    burst: str | None = None
    """Number of the burst that it is a frame of, by Apple or Google."""
    document: str | None = None
    """XMP's name of the document that it is or was first saved from."""
    derived_from: str | None = None
    flat: bool = False
    """Whether the picture has no structure: never a copy by content."""
    sharpness: float | None = None
    """Higher is sharper, comparable between frames of one motif; see the decoder."""
    labels: tuple[Label, ...] | None = None
    """What the model names in it, the surest first; None where that was not asked."""
    inner: bytes | None = None
    """f16; of the picture within the picture. None where it holds none, and from workers that do not
    look for one."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A photo that could not be read, and why."""

    file_id: int
    generation: int
    kind: str
    reason: str
    permanent: bool


Result = Embedded | Failed


def embed_message(model: ModelRef, photos: Sequence[Photo]) -> dict[str, Any]:
    """Return the body of an ``embed`` task."""
    return {
        "v": VERSION,
        "model": dataclasses.asdict(model),
        "photos": [_as_json(Photo, photo) for photo in photos],
    }


def read_embed(body: object) -> tuple[ModelRef, list[Photo]]:
    """Read the body of an ``embed`` task. Raises MessageError."""
    table = _versioned(body)
    return (
        _build(ModelRef, table.get("model")),
        [_build(Photo, item) for item in _items(table, "photos")],
    )


def commit_message(model: ModelRef, results: Sequence[Result]) -> dict[str, Any]:
    """Return the body of a ``commit`` task."""
    return {
        "v": VERSION,
        "model": dataclasses.asdict(model),
        "embedded": [_as_json(Embedded, item) for item in results if isinstance(item, Embedded)],
        "failed": [_as_json(Failed, item) for item in results if isinstance(item, Failed)],
    }


def read_commit(body: object) -> tuple[ModelRef, list[Result]]:
    """Read the body of a ``commit`` task. Raises MessageError."""
    table = _versioned(body)
    results: list[Result] = [_build(Embedded, item) for item in _items(table, "embedded")]
    results += [_build(Failed, item) for item in _items(table, "failed")]
    return _build(ModelRef, table.get("model")), results


def query_message(model: ModelRef, path: bytes) -> dict[str, Any]:
    """Return the request to embed one unseen photo now, through the broker or the local socket."""
    return {"v": VERSION, "model": dataclasses.asdict(model), "path": encode_bytes(path)}


def read_query(body: object) -> tuple[ModelRef, bytes]:
    """Read the body of a query. Raises MessageError."""
    table = _versioned(body)
    return _build(ModelRef, table.get("model")), decode_bytes(table.get("path"))


def relate_message(path: bytes, candidates: Sequence[tuple[int, float]]) -> dict[str, Any]:
    """Return the request to say what one unseen photo is to contents, through the local socket.

    A candidate is a content's number, and the cosine similarity of the descriptors.
    """
    return {
        "v": VERSION,
        "path": encode_bytes(path),
        "candidates": [[one, float(score)] for one, score in candidates],
    }


def read_relate(body: object) -> tuple[bytes, list[tuple[int, float]]]:
    """Read such a request. Raises MessageError."""
    table = _versioned(body)
    return decode_bytes(table.get("path")), [*map(_read_candidate, _items(table, "candidates"))]


def _read_candidate(item: object) -> tuple[int, float]:
    match item:
        case [content, float() as score] if type(content) is int and _storable(content):
            return content, score
    raise MessageError("a message has a candidate that is no number with a score. It was dropped.")


def encode_bytes(value: bytes) -> str:
    """Return bytes as base64 text."""
    return base64.b64encode(value).decode("ascii")


def decode_bytes(value: object) -> bytes:
    """Return the bytes of a base64 text. Raises MessageError."""
    if not isinstance(value, str):
        raise MessageError("a message has no text where base64 belongs. It was dropped.")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:
        raise MessageError(f"a message holds bad base64: {error}. It was dropped.") from error


def writable(text: str) -> str:
    r"""Return ``text`` with what UTF-8 cannot hold as ``\udcNN``: SQLite refuses it otherwise.

    Names of files that are not UTF-8 come up in the reasons that the system gives.
    """
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def _as_json(kind: type[T], item: T) -> dict[str, Any]:
    """Return the fields that ``kind`` has: what an item knows beyond them is not sent."""
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]
    return {field.name: _as_value(getattr(item, field.name)) for field in fields}


def _as_value(value: object) -> object:
    if isinstance(value, bytes):
        return encode_bytes(value)
    if isinstance(value, tuple):
        return [[writable(label.name), float(label.probability)] for label in value]
    return writable(value) if isinstance(value, str) else value


def _versioned(body: object) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise MessageError("a message is no JSON object. It was dropped.")
    if body.get("v") != VERSION:
        raise MessageError(
            f"a message has version {body.get('v')!r}, this program speaks {VERSION}."
            " Run the same twinlens on all computers."
        )
    return body


def _items(table: Mapping[str, Any], name: str) -> list[object]:
    items = table.get(name)
    if not isinstance(items, list):
        raise MessageError(f"a message has no list '{name}'. It was dropped.")
    return items


def _build(kind: type[T], item: object) -> T:
    """Build a dataclass from a JSON object, each field checked against its annotation."""
    if not isinstance(item, Mapping):
        raise MessageError(f"a message has a {kind.__name__} that is no object. It was dropped.")
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        if field.name in item:
            values[field.name] = _checked(kind, field, item[field.name])
        elif field.default is dataclasses.MISSING:
            raise MessageError(f"a message has a {kind.__name__} without '{field.name}'.")
    return kind(**values)


_TYPES: Mapping[str, type] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "bytes": str,
}


def _storable(value: object) -> bool:
    """Tell whether SQLite can hold a value: no number above 63 bits or NaN, no lone surrogate."""
    if isinstance(value, int | float):
        return 0 <= value < 2**63
    return not isinstance(value, str) or value == writable(value)


def _checked(kind: type, field: dataclasses.Field[Any], value: object) -> object:
    wanted, _, optional = str(field.type).partition(" | ")
    if value is None and optional:
        return None
    if field.name == "labels" and kind is Embedded:
        return _read_labels(value)
    if type(value) is not _TYPES[wanted] or not _storable(value):
        raise MessageError(
            f"a message has a {kind.__name__} whose '{field.name}' is no {wanted}. It was dropped."
        )
    return decode_bytes(value) if wanted == "bytes" else value


def _read_labels(value: object) -> tuple[Label, ...]:
    """Read ``[[name, probability], ...]``; no more of them, and no longer, than are ever sent."""
    if not isinstance(value, list) or len(value) > labels.MOST:
        raise MessageError("a message has labels that are no short list. It was dropped.")
    return tuple(_read_label(item) for item in value)


def _read_label(item: object) -> Label:
    match item:
        case [str() as name, float() as probability]:
            if labels.is_label(name) and 0 <= probability <= 1:
                return Label(name, probability)
    raise MessageError("a message has a label that is no name with a probability. It was dropped.")
