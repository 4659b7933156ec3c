"""The groups of a library, a page at a time.

What groups there are depends on rules, decisions and what is on disk now, so that they are made
when they are asked for: but only those that are read. The order is that of ``twinlens.to_win``,
largest first, roughly: 1. the next contents in that order are taken; 2. all that hangs together with
them is gathered; 3. it is grouped. What hangs together is listed where its first content comes;
met later, it is passed over. So nothing needs to be remembered from page to page, and the page
after a cursor costs what the first one does.

Relations that are no duplicates (bursts, look-alikes) have nothing to win: with them, groups come
in the order in which their first photos came into the library.
"""

from __future__ import annotations

import contextlib
import gc
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple, Self

from twinlens import pairs
from twinlens.catalogue import Catalogue
from twinlens.errors import ConfigError
from twinlens.models import get_model
from twinlens.settings import Settings
from twinlens_plugin.current import present, without_aliases
from twinlens_plugin.gather import Gathered, Gatherer
from twinlens_plugin.groups import Group, make_groups
from twinlens_plugin.listing import START, Few, Order, Place
from twinlens_plugin.places import contents_of
from twinlens_plugin.shots import Photo, make_shots
from twinlens_plugin.sidecars import with_sidecars
from twinlens_plugin.wanted import Wanted

_FIRST_BATCH, _LARGEST_BATCH = 32, 4096
"""Contents looked at in one go. A first page needs few; to list all, reading in bulk is faster."""


class Cursor(NamedTuple):
    """Up to where groups were listed. It stays valid whatever is decided or deleted meanwhile."""

    place: Place
    """Of the first of the contents that hang together with the group."""
    groups: int
    """How many of the groups there have been listed."""

    def __str__(self) -> str:
        return f"{-self.place[0]}-{self.place[1]}-{self.groups}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a cursor. Raises ConfigError."""
        found = re.fullmatch(r"(\d{1,18})-(\d{1,18})-(\d{1,9})", text)
        if found is None:
            raise ConfigError(
                f"--after: '{text}' is no place in the list. Take the one that the last page gave."
            )
        won, content, count = map(int, found.groups())
        return cls((-won, content), count)


class Found(NamedTuple):
    """A group, and how to go on after it."""

    group: Group
    cursor: Cursor


class _Batch(NamedTuple):
    found: list[Found]
    last: Place
    """Of the contents that were looked at."""


class Duplicates:
    """The groups that are wanted, made while they are iterated over. Iterate once."""

    def __init__(
        self,
        catalogue: Catalogue,
        settings: Settings,
        wanted: Wanted | None = None,
        after: Cursor | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._settings = settings
        self._wanted = wanted or Wanted()
        self._after = after
        self._order = Order(catalogue, self._wanted.kinds)
        self.stale = 0
        """Photos left out so far because they changed or went away since they were read."""

    @property
    def sought_from(self) -> float | None:
        """The score below which not all copies were looked for, where the threshold is lower."""
        model = get_model(self._catalogue, "serving")
        kept = pairs.kept_threshold(self._catalogue, model) if model else None
        if model is None or kept is None:
            return None
        return kept if pairs.copy_threshold(self._settings, model) < kept else None

    def __iter__(self) -> Iterator[Found]:
        if self._wanted.photos is not None and not self._wanted.folders:
            self._order = self._of(self._wanted.photos)
        start, listed = START, None
        if self._after is not None:
            listed = self._after
            won, content = listed.place
            start = (won, content - 1)  # the contents that the cursor names once more
        size = _FIRST_BATCH
        while (batch := self._batch(start, size)) is not None:
            for found in batch.found:
                if listed is None or listed < found.cursor:
                    yield found
            start, size = batch.last, min(size * 2, _LARGEST_BATCH)

    def _of(self, photos: frozenset[bytes]) -> Order:
        """Return the order of what hangs together with these photos, and nothing else."""
        with self._catalogue.read_tx():
            asked = set(contents_of(self._catalogue, photos).values())
            gatherer = Gatherer(self._catalogue, self._settings, self._wanted)
            contents = gatherer.gather(asked).contents
            return Few(self._catalogue, self._wanted.kinds, contents)

    def around(self, contents: Iterable[int]) -> list[Found]:
        """Return the groups that hold one of these contents, in their order.

        After a decision: what became of a group, of which its photos are known.
        """
        seeds = set(contents)
        with self._catalogue.read_tx():
            gathered = self._gatherer().gather(seeds)
            first = _firsts(gathered, self._order.places(gathered.contents))
        groups = self._groups(gathered, first.keys())
        return [
            found
            for found in _with_cursors(groups, first)
            if not seeds.isdisjoint(photo.content_id for photo in found.group.photos)
        ]

    def _gatherer(self) -> Gatherer:
        return Gatherer(self._catalogue, self._settings, self._wanted)

    def _batch(self, start: Place, size: int) -> _Batch | None:
        """Make the groups of the next contents; None where there are no more.

        One read transaction for each batch: a reader of minutes would keep the log growing.
        """
        with _without_collection():
            return self._make_batch(start, size)

    def _make_batch(self, start: Place, size: int) -> _Batch | None:
        with self._catalogue.read_tx():
            places = self._order.after(start, size)
            if not places:
                return None
            gathered = self._gatherer().gather([content for _, content in places])
            first = _firsts(gathered, self._order.places(gathered.contents))
        ours = {content for content, place in first.items() if place > start}
        # Asking the disk takes its time where it is far away: not within the transaction.
        groups = self._groups(gathered, ours)
        return _Batch(list(_with_cursors(groups, first)), places[-1])

    def _groups(self, gathered: Gathered, contents: AbstractSet[int]) -> list[Group]:
        recorded = [p for p in gathered.photos.values() if p.content_id in contents]
        photos = present(recorded)
        self.stale += len(recorded) - len(photos)
        taking_part = [photo for photo in without_aliases(photos) if self._wanted.takes(photo)]
        shots = make_shots(
            map(self._marked, with_sidecars(taking_part, self._settings.keyword_root))
        )
        if gathered.chosen:
            shots = [shot._replace(chosen=gathered.choice(shot.contents)) for shot in shots]
        rules = self._wanted.grouping(frozenset(gathered.apart))
        return [
            group
            for group in make_groups(shots, gathered.links, rules)
            if self._wanted.lists(group)
        ]

    def _marked(self, photo: Photo) -> Photo:
        return photo._replace(reference=True) if self._wanted.is_reference(photo) else photo


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Hold Python back from looking for cycles: groups make none, and it takes a fifth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _firsts(gathered: Gathered, places: Mapping[int, Place]) -> dict[int, Place]:
    """Return for each content the first place of all that hang together with it."""
    up = {content: content for content in gathered.contents}

    def top(content: int) -> int:
        while up[content] != content:
            up[content] = content = up[up[content]]
        return content

    for a, b in gathered.ties:
        up[top(a)] = top(b)
    first: dict[int, Place] = {}
    for content, place in places.items():
        root = top(content)
        first[root] = min(place, first.get(root, place))
    return {content: first[top(content)] for content in gathered.contents}


def _with_cursors(groups: Iterable[Group], first: Mapping[int, Place]) -> Iterator[Found]:
    """Yield groups in the order of what they hang together with, then by what they win."""
    together: dict[Place, list[Group]] = defaultdict(list)
    for group in groups:  # in their own order
        together[first[group.keeper.photo.content_id]].append(group)
    for place in sorted(together):
        for count, group in enumerate(together[place], start=1):
            yield Found(group, Cursor(place, count))


def find_groups(
    catalogue: Catalogue, settings: Settings, wanted: Wanted | None = None
) -> list[Group]:
    """Return all groups that are wanted."""
    return [found.group for found in Duplicates(catalogue, settings, wanted)]
