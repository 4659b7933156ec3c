"""What the journal writes down, as JSON values and back: paths and contents of any bytes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from twinlens_plugin.acting.dressing import Dress
from twinlens_plugin.output import json_path

Record = dict[str, Any]


def path_of(record: Mapping[str, Any], key: str = "path") -> bytes:
    """Return the path that ``output.json_path`` wrote. Raises KeyError, ValueError."""
    if (encoded := record.get(f"{key}_base64")) is not None:
        return base64.b64decode(encoded, validate=True)
    path = str(record[key]).encode("utf-8", "surrogateescape")
    if b"\0" in path or not path.startswith(b"/"):
        raise ValueError(f"'{key}' is no absolute path")
    return path


def paths_as_json(paths: list[bytes]) -> list[Record]:
    """Return paths as a list of objects."""
    return [json_path(path) for path in paths]


def paths_of(records: list[Mapping[str, Any]]) -> list[bytes]:
    """Return what ``paths_as_json`` wrote."""
    return [path_of(record) for record in records]


def bytes_as_json(content: bytes | None) -> str | None:
    """Return a file's bytes, None for no file."""
    return None if content is None else base64.b64encode(content).decode("ascii")


def bytes_of(text: str | None) -> bytes | None:
    """Return what ``bytes_as_json`` wrote."""
    return None if text is None else base64.b64decode(text, validate=True)


def dress_as_json(dress: Dress | None) -> Record | None:
    """Return what a file has beside its bytes."""
    if dress is None:
        return None
    return {
        "mode": dress.mode,
        "owner": dress.owner,
        "group": dress.group,
        "atime_ns": dress.atime_ns,
        "mtime_ns": dress.mtime_ns,
        "attributes": {name: bytes_as_json(value) for name, value in dress.attributes.items()},
    }


def dress_of(record: Mapping[str, Any] | None) -> Dress | None:
    """Return what ``dress_as_json`` wrote."""
    if record is None:
        return None
    attributes = {name: bytes_of(value) or b"" for name, value in record["attributes"].items()}
    return Dress(**{**record, "attributes": attributes})
