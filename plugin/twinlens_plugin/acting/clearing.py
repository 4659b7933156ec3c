"""Finding the photos that carry tags of twinlens."""

from __future__ import annotations

import os
from collections.abc import Iterator

from twinlens.catalogue import Catalogue
from twinlens.settings import Settings
from twinlens_plugin import sidecars
from twinlens_plugin.acting.tagging import Former
from twinlens_plugin.current import CURRENT
from twinlens_plugin.keywords import is_ours
from twinlens_plugin.plans import PlannedGroup, PlannedPhoto
from twinlens_plugin.wanted import Wanted


def tagged_photos(
    catalogue: Catalogue, settings: Settings, former: Former, wanted: Wanted
) -> Iterator[PlannedGroup]:
    """Yield the photos whose sidecars have tags of ours, each a group of its own.

    Only of photos that ``wanted`` names, where it names any. Sidecars of a disk that is away are not seen.
    """
    rows = catalogue.iterate(
        "SELECT r.path, f.path, size, mtime_ns, sha256 FROM files f"  # noqa: S608
        " JOIN roots r ON r.id = root_id JOIN contents c ON c.id = content_id"
        f" LEFT JOIN jobs ON file_id = f.id WHERE {CURRENT} ORDER BY r.path, f.path"
    )
    for root, relative, size, mtime_ns, sha256 in rows:
        path = os.path.join(root, relative)
        if not wanted.is_about(path):
            continue
        if any(_tagged(sidecar, settings, former) for sidecar in _sidecars(path)):
            photo = PlannedPhoto(
                path, "keeper", remove=False, size=size, mtime_ns=mtime_ns, sha256=sha256.hex()
            )
            yield PlannedGroup(sha256.hex()[:12], "identical", "to clear", (photo,))


def _sidecars(photo: bytes) -> Iterator[bytes]:
    for front in (photo, os.path.splitext(photo)[0]):
        yield from (front + b".xmp", front + b".XMP")


def _tagged(sidecar: bytes, settings: Settings, former: Former) -> bool:
    said = sidecars.read(sidecar)
    if said is None:
        return False
    if sidecar in former.rejected or sidecar in former.labelled:
        return True
    return any(is_ours(keyword, settings.keyword_root) for keyword in said.hierarchical)
