"""The map: how the library's duplicates spread by folder and by year.

``GET /map[?folder=PATH]``. What is counted is an estimate: see ``clusters``. It is kept until
something changed that matters.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twinlens.catalogue import Catalogue
from twinlens.media import printable
from twinlens.roots import list_roots
from twinlens_plugin.current import below
from twinlens_plugin.output import megabytes, shown
from twinlens_plugin.review.clusters import Cluster, Clusters
from twinlens_plugin.review.groups import query_of
from twinlens_plugin.review.problems import Refused
from twinlens_plugin.review.progress import changed
from twinlens_plugin.review.state import State

MOST_ROWS: Final = 40
"""Folders listed one by one; the rest is summed up."""

MOST_PAIRS: Final = 20

MOST_FOLDERS: Final = 24
"""Folders of one cluster that are compared with each other: 300 pairs."""

REST_FACTOR: Final = 10.0
"""While a scan goes on all changes all the time: count again after ten times what counting took."""

Pair = tuple[int, int]


@dataclass(slots=True)
class Tally:
    """Spare photos and what they take."""

    photos: int = 0
    bytes: int = 0

    def add(self, photos: int, size: int) -> None:
        """Add some."""
        self.photos += photos
        self.bytes += size


def _tallies() -> defaultdict[Any, Tally]:
    return defaultdict(Tally)


@dataclass(slots=True)
class Spread:
    """Spare photos by folder and by year, and what folders share."""

    folders: list[bytes] = field(default_factory=list)
    by_folder: defaultdict[int, Tally] = field(default_factory=_tallies)
    by_year: defaultdict[str, Tally] = field(default_factory=_tallies)
    shared: defaultdict[Pair, Tally] = field(default_factory=_tallies)
    """By two folders: photos that both hold, and the bytes of the smaller ones; of a folder and itself:
    photos that it holds twice."""
    groups: int = 0

    def add(self, cluster: Cluster) -> None:
        """Add the files of a cluster."""
        self.groups += 1
        sizes: dict[int, list[int]] = {}
        for folder, size, _ in cluster.kept:
            sizes.setdefault(folder, []).append(size)
        for folder, size, year in cluster.spare:
            sizes.setdefault(folder, []).append(size)
            self.by_folder[folder].add(1, size)
            self.by_year[year].add(1, size)
        if len(sizes) > 1:
            self._add_shared(sizes)
        for folder, found in sizes.items():
            if len(found) > 1:
                self.shared[folder, folder].add(1, sum(found) - max(found))

    def _add_shared(self, sizes: dict[int, list[int]]) -> None:
        for a, b in combinations(sorted(sizes)[:MOST_FOLDERS], 2):
            self.shared[a, b].add(1, min(max(sizes[a]), max(sizes[b])))


@dataclass(frozen=True, slots=True)
class Row:
    """A folder, a year, or two folders, as the page shows them."""

    name: str
    photos: int
    size: str
    bytes: int
    share: float
    """Of the largest row, 0 to 100: the length of its bar."""
    percent: str = ""
    """Of all that is shown."""
    other: str = ""
    """The second of two folders."""
    open: str = ""
    """Address of the map of it."""
    groups: str = ""
    """Address of its groups."""


class Spreads:
    """Keeps the spread of one library until it changes. Safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # guards all below; one counts, the others wait for it
        self._known: object = None
        self._spread = Spread()
        self._not_before = float("-inf")

    def get(self, catalogue: Catalogue) -> Spread:
        """Return the spread as it is now, or was moments ago."""
        with self._lock:
            start = self._clock()
            now = _version(catalogue)
            if now != self._known and (self._known is None or start >= self._not_before):
                self._spread, self._known = measure(catalogue), now
                end = self._clock()
                self._not_before = end + REST_FACTOR * (end - start)
            return self._spread


def measure(catalogue: Catalogue) -> Spread:
    """Count all that is spare."""
    clusters = Clusters(catalogue)
    spread = Spread(clusters.folders)
    for cluster in clusters:
        spread.add(cluster)
    return spread


def _version(catalogue: Catalogue) -> object:
    """Return what is another when the spread may be: 10 ms where 200,000 contents are duplicated."""
    won = tuple(catalogue.row("SELECT count(*), sum(bytes) FROM to_win"))
    decided = tuple(catalogue.row("SELECT count(*), max(at) FROM decisions"))
    return changed(catalogue), won, decided, catalogue.meta("catalogue_id")


def routes(state: State) -> list[Route]:
    """Return the address of the map."""
    spreads = Spreads()

    def page(request: Request) -> Response:
        asked = os.fsencode(dict(query_of(request)).get("folder", ""))
        with state.catalogue() as catalogue:
            spread = spreads.get(catalogue)
            roots = [root.path for root in list_roots(catalogue)]
        context = {"page": "map", **_context(spread, roots, asked.rstrip(b"/"))}
        return state.templates.TemplateResponse(request, "map.html", context)

    return [Route("/map", page, name="map")]


def _context(spread: Spread, roots: list[bytes], asked: bytes) -> dict[str, Any]:
    """Return what the template shows. Raises Refused for a folder that is in no watched one."""
    top = asked or _only(spread, roots)
    if top and not any(below(top, root) for root in roots):
        raise Refused(f"{shown(top)}: is not watched. See the map of all folders.", 404)
    children = _children(spread, roots, top)
    here = Tally()
    for number in children:
        here.add(spread.by_folder[number].photos, spread.by_folder[number].bytes)
    return {
        "groups": spread.groups,
        "photos": here.photos,
        "size": megabytes(here.bytes),
        "trail": _trail(roots, top),
        "here": shown(top) if top else "",
        "folders": _folder_rows(spread, children, top, here.bytes),
        "pairs": _pair_rows(spread, children, top),
        "years": [] if asked else _year_rows(spread),
    }


def _only(spread: Spread, roots: list[bytes]) -> bytes:
    """Return the folder to begin with: where one root alone holds duplicates, what is in it."""
    holding = {root for root in roots for folder in spread.folders if below(folder, root)}
    return holding.pop() if len(holding) == 1 else b""


def _children(spread: Spread, roots: list[bytes], top: bytes) -> dict[int, bytes]:
    """Return for each folder below ``top`` the folder right below it that holds it, or ``top``."""
    if not top:
        found = {n: [r for r in roots if below(f, r)] for n, f in enumerate(spread.folders)}
        return {number: max(holders, key=len) for number, holders in found.items() if holders}
    start = len(top) + 1
    return {
        number: top if folder == top else top + b"/" + folder[start:].partition(b"/")[0]
        for number, folder in enumerate(spread.folders)
        if below(folder, top)
    }


def _folder_rows(spread: Spread, children: dict[int, bytes], top: bytes, all_: int) -> list[Row]:
    tallies: defaultdict[bytes, Tally] = defaultdict(Tally)
    deeper: set[bytes] = set()
    for number, child in children.items():
        tally = spread.by_folder[number]
        tallies[child].add(tally.photos, tally.bytes)
        if spread.folders[number] != child:
            deeper.add(child)
    ordered = _largest(tallies)
    most = ordered[0][1].bytes if ordered else 1
    rows = [
        Row(
            name=_name(child, top),
            photos=tally.photos,
            size=megabytes(tally.bytes),
            bytes=tally.bytes,
            share=_share(tally.bytes, most),
            percent=_percent(tally.bytes, all_),
            open=_address("/map", folder=child) if child in deeper and child != top else "",
            groups=_address("/", folder=child),
        )
        for child, tally in ordered[:MOST_ROWS]
    ]
    rest = ordered[MOST_ROWS:]
    if rest:
        photos, size = (sum(getattr(t, name) for _, t in rest) for name in ("photos", "bytes"))
        rows.append(
            Row(
                f"{len(rest):,} more folders",
                photos,
                megabytes(size),
                size,
                _share(size, most),
                _percent(size, all_),
            )
        )
    return rows


def _pair_rows(spread: Spread, children: dict[int, bytes], top: bytes) -> list[Row]:
    """Return which two folders of those shown share most."""
    tallies: defaultdict[tuple[bytes, bytes], Tally] = defaultdict(Tally)
    for (a, b), tally in spread.shared.items():
        if a in children and b in children:
            first, second = sorted((children[a], children[b]))
            tallies[first, second].add(tally.photos, tally.bytes)
    ordered = _largest(tallies)[:MOST_PAIRS]
    most = ordered[0][1].bytes if ordered else 1
    return [
        Row(
            name=_name(a, top),
            other="" if a == b else _name(b, top),
            photos=tally.photos,
            size=megabytes(tally.bytes),
            bytes=tally.bytes,
            share=_share(tally.bytes, most),
            groups=_address("/", under=a) if a == b else _address("/", under=a, against=b),
        )
        for (a, b), tally in ordered
    ]


def _year_rows(spread: Spread) -> list[Row]:
    most = max((tally.bytes for tally in spread.by_year.values()), default=0)
    return [
        Row(
            year or "unknown",
            tally.photos,
            megabytes(tally.bytes),
            tally.bytes,
            _share(tally.bytes, most),
        )
        for year, tally in sorted(spread.by_year.items(), reverse=True)
    ]


def _trail(roots: list[bytes], top: bytes) -> list[tuple[str, str]]:
    """Return the folders above ``top``, itself last, as names and addresses."""
    trail = [("All folders", "/map?folder=")] if len(roots) > 1 else []
    root = next((root for root in roots if below(top, root)), None) if top else None
    if root is None:
        return trail if top else []
    parts = [part for part in top[len(root) :].split(b"/") if part]
    for count in range(len(parts) + 1):
        folder = b"/".join((root, *parts[:count]))
        name = shown(root) if count == 0 else printable(parts[count - 1])
        trail.append((name, _address("/map", folder=folder)))
    return trail


def _largest(tallies: dict[Any, Tally]) -> list[tuple[Any, Tally]]:
    found: Iterable[tuple[Any, Tally]] = (item for item in tallies.items() if item[1].photos)
    return sorted(found, key=lambda item: (-item[1].bytes, item[0]))


def _name(folder: bytes, top: bytes) -> str:
    if not top:
        return shown(folder)
    return printable(folder[len(top) + 1 :]) if folder != top else "right in this folder"


def _share(size: int, most: int) -> float:
    return round(100 * size / max(1, most), 2)


def _percent(size: int, all_: int) -> str:
    share = 100 * size / max(1, all_)
    return f"{share:.0f} %" if share >= 1 else "< 1 %"


def _address(page: str, **folders: bytes) -> str:
    return f"{page}?{urlencode(folders)}"
