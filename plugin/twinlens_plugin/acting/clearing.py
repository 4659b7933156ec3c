"""Finding the photos that carry tags of twinlens."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence

from twinlens.catalogue import Catalogue
from twinlens.settings import Settings
from twinlens_plugin import sidecars
from twinlens_plugin.acting.tagging import NO_GROUP, Former
from twinlens_plugin.current import CURRENT
from twinlens_plugin.keywords import KEEPER, SPARE, is_ours, role_keyword
from twinlens_plugin.plans import PlannedGroup, PlannedPhoto
from twinlens_plugin.wanted import Wanted
from twinlens_plugin.xmp import REJECTED


def tagged_photos(
    catalogue: Catalogue, settings: Settings, former: Former, wanted: Wanted
) -> Iterator[PlannedGroup]:
    """Yield the photos whose sidecars have tags of ours, each a group of its own.

    Only of photos that ``wanted`` names, where it names any. Sidecars of a disk that is away are not seen.
    """
    for photo in _photos(catalogue, wanted):
        if any(_tagged(sidecar, settings, former) for sidecar in _sidecars(photo.path)):
            yield _to_clear(photo)


def ungrouped_photos(
    catalogue: Catalogue,
    settings: Settings,
    former: Former,
    wanted: Wanted,
    groups: Sequence[PlannedGroup],
) -> Iterator[PlannedGroup]:
    """Yield photos that were tagged as keeper or spare, and are in no group any more.

    By the journals, which costs nothing: else each sidecar of the library would have to be read.
    """
    grouped = {photo.path for group in groups for photo in group.photos}
    for photo in _photos(catalogue, wanted, former.photos - grouped):
        if any(_has_part(sidecar, settings, former) for sidecar in _sidecars(photo.path)):
            yield _to_clear(photo)


def _photos(
    catalogue: Catalogue, wanted: Wanted, among: Collection[bytes] | None = None
) -> Iterator[PlannedPhoto]:
    rows = catalogue.iterate(
        "SELECT r.path, f.path, size, mtime_ns, sha256 FROM files f"  # noqa: S608
        " JOIN roots r ON r.id = root_id JOIN contents c ON c.id = content_id"
        f" LEFT JOIN jobs ON file_id = f.id WHERE {CURRENT} ORDER BY r.path, f.path"
    )
    for root, relative, size, mtime_ns, sha256 in rows if among is None or among else ():
        path = os.path.join(root, relative)
        if among is not None and path not in among:
            continue
        if wanted.is_about(path):
            yield PlannedPhoto(
                path, "keeper", remove=False, size=size, mtime_ns=mtime_ns, sha256=sha256.hex()
            )


def _to_clear(photo: PlannedPhoto) -> PlannedGroup:
    return PlannedGroup(photo.sha256[:12], NO_GROUP, "to clear", (photo,))


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


def _has_part(sidecar: bytes, settings: Settings, former: Former) -> bool:
    """Tell whether a sidecar calls its photo keeper or spare, or rejects it, by a word of ours."""
    said = sidecars.read(sidecar)
    if said is None:
        return False
    roles = {role_keyword(settings.keyword_root, role) for role in (KEEPER, SPARE)}
    rejected = said.rating == REJECTED and sidecar in former.rejected
    return rejected or not roles.isdisjoint(said.hierarchical)
