"""What is said of a sheet that was written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from twinlens_plugin import output
from twinlens_plugin.sheets.sheet import MOST_TO_MAIL


@dataclass(frozen=True, slots=True)
class Written:
    """A sheet on disk."""

    file: Path
    groups: int
    """For ``similar``: the photos asked about."""
    photos: int
    size: int
    """Bytes of the file."""
    missing: int
    """Photos that have no preview in it."""


def say(written: Written, *, groups: str, plural: str | None = None, as_json: bool) -> None:
    """Print what was written, and remark on what is odd about it; ``groups``: what one is called."""
    name = os.fsencode(written.file)
    if as_json:
        output.write_json(
            {
                **output.json_path(name, "html"),
                "groups": written.groups,
                "photos": written.photos,
                "bytes": written.size,
            }
        )
    else:
        count = output.plural(written.groups, groups, plural)
        photos = output.plural(written.photos, "photo")
        size = output.megabytes(written.size)
        output.write_lines([f"{output.shown(name)}: {count}, {photos} ({size})."])
    if written.size > MOST_TO_MAIL:
        output.remark(
            f"{output.shown(name)}: is larger than most mail takes"
            f" ({output.megabytes(MOST_TO_MAIL)}). For less of it: --limit"
        )
    if written.missing:
        photos = output.plural(written.missing, "photo has", "photos have")
        output.remark(f"{photos} no preview that could be made, and an empty box in the sheet.")
