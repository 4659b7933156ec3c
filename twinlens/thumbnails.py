"""Where thumbnails lie: small JPEGs named by content, which can be thrown away at any time."""

from __future__ import annotations

from pathlib import Path


def thumbnail_path(folder: Path, sha256: bytes) -> Path:
    """Return where the thumbnail of a content lies."""
    name = sha256.hex()
    return folder / name[:2] / f"{name}.jpg"
