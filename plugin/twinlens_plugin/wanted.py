"""What ``duplicates`` is asked for: filters, and how to choose keepers.

Three kinds of filters, which all must agree:
1. Which photos take part: ``under`` and ``against``.
2. Which relations make a group of them: ``kinds``, ``min_score``, ``turned`` = False,
   ``one_a_folder``.
3. Which of these groups are listed, whole: ``folders`` or ``photos``, ``since``, ``turned`` = True.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from twinlens.relations import DUPLICATES, PAIR
from twinlens_plugin.current import below
from twinlens_plugin.groups import Group, Rules
from twinlens_plugin.keeper import Keep
from twinlens_plugin.links import Link
from twinlens_plugin.shots import Photo


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters and rules. Folders are real paths."""

    kinds: frozenset[str] = DUPLICATES
    """Relations to the keeper that make a member."""
    min_score: float = 0.0
    """Least probability of a relation; of pairs not yet compared, their score."""
    turned: bool | None = None
    """True: only groups with a rotated or mirrored member; False: no such relations."""
    one_a_folder: bool = False
    """Whether photos of one folder are not compared with one another."""
    under: tuple[bytes, ...] = ()
    """Only photos below these folders take part, and those below ``against``."""
    against: tuple[bytes, ...] = ()
    """Each group has a photo below these folders, which are references, and another one."""
    folders: tuple[bytes, ...] = ()
    """Only groups with a photo below one of these, or one of ``photos``."""
    photos: frozenset[bytes] | None = None
    """Real paths of photos, see ``folders``; None where no photo was named."""
    min_win: int = 0
    """Only groups that win back as many bytes or more."""
    since: float | None = None
    """Only groups with a photo that came or changed since then, seconds since 1970."""
    references: tuple[bytes, ...] = ()
    """Folders whose photos are never proposed for removal."""
    keep: Keep = field(default_factory=Keep)

    def takes(self, photo: Photo) -> bool:
        """Tell whether a photo takes part."""
        return not self.under or _below(photo, (*self.under, *self.against))

    def is_reference(self, photo: Photo) -> bool:
        """Tell whether a photo is never proposed for removal."""
        folders = (*self.references, *self.against)
        return bool(folders) and _below(photo, folders)

    def relates(self, link: Link) -> bool:
        """Tell whether a relation makes a group."""
        if link.decided or link.kind == PAIR:
            return True
        return link.strength >= self.min_score and not (self.turned is False and link.turned)

    def lists(self, group: Group) -> bool:
        """Tell whether a group is listed."""
        if group.bytes_to_win < self.min_win:
            return False
        photos = list(group.photos)
        if all(photo.reference for photo in photos):
            return False
        return (
            any(self.is_about(photo.path) for photo in photos)
            and (self.since is None or any(photo.added_at >= self.since for photo in photos))
            and (self.turned is not True or any(m.link and m.link.turned for m in group.others))
            and (not self.against or self._across(photos))
        )

    def is_about(self, path: bytes) -> bool:
        """Tell whether a photo was asked about: named, or below a folder that was, or all are."""
        if self.photos is None and not self.folders:
            return True
        return path in (self.photos or ()) or any(below(path, folder) for folder in self.folders)

    def grouping(self, apart: frozenset[int]) -> Rules:
        """Return the rules of grouping; ``apart`` are contents of which every file is wanted."""
        return Rules(self.kinds, apart, self.one_a_folder, self.keep)

    def _across(self, photos: Iterable[Photo]) -> bool:
        return len({_below(photo, self.against) for photo in photos}) > 1


def _below(photo: Photo, folders: Iterable[bytes]) -> bool:
    return any(below(photo.path, folder) for folder in folders)
