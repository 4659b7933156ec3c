"""The folders and photos that a command names or is given in a list, as the library has them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

from twinlens.catalogue import Catalogue
from twinlens_plugin import output
from twinlens_plugin.places import contents_of, part_of_library, real_paths
from twinlens_plugin.wanted import Wanted


def about(
    catalogue: Catalogue, wanted: Wanted, named: Sequence[bytes], listed: Sequence[bytes] | None
) -> Wanted:
    """Add which folders and photos it is about; ``listed``: None where no list was given.

    Photos that the library has not are counted. Raises RootError for folders that it has not.
    """
    photos = {path for path in named if os.path.isfile(path)}  # noqa: PTH113  bytes
    folders = tuple(part_of_library(catalogue, path) for path in named if path not in photos)
    wanted = dataclasses.replace(wanted, folders=folders)
    if not photos and listed is None:
        return wanted
    asked = real_paths([*photos, *(listed or ())])
    strange = len(asked) - len(contents_of(catalogue, asked))
    if strange:
        are = output.plural(strange, "photo is", "photos are")
        output.remark(f"{are} not in the library, or changed. Run: twinlens scan FOLDER")
    return dataclasses.replace(wanted, photos=asked)
