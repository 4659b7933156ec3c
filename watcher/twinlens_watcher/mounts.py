"""What kind of file system a photo folder is on."""

from __future__ import annotations

from pathlib import Path

from twinlens.library import filesystem_type, is_network


def is_local(folder: Path) -> bool:
    """Tell whether the folder's files change under this computer's hands and clock alone."""
    return not is_network(filesystem_type(folder))
