"""Hints: what file events say may have changed. They are never more than hints."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple

from twinlens.media import is_photo_path, skip_folder
from twinlens_watcher.reading import SEPARATOR

MOST = 20_000
"""Hints kept; a sweep of everything is cheaper than more of them, and bounded in memory."""


class Dirty(NamedTuple):
    """What is to be looked at, below the root."""

    paths: list[bytes]
    folders: list[bytes]
    """No folder lies below another."""
    everything: bool


class Hints:
    """Collects hints from the threads that read events. ``ring`` is called at the first of them."""

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._lock = threading.Lock()
        self._paths: dict[bytes, None] = {}
        self._folders: dict[bytes, None] = {}
        self._everything = False

    def add(self, paths: Iterable[bytes] = (), folders: Iterable[bytes] = ()) -> None:
        """Mark photos and whole folders. What can be no photo is left out.

        Both ends of a rename are marked in one call, so that they are looked at together.
        """
        photos = dict.fromkeys(path for path in paths if is_photo_path(path))
        trees = dict.fromkeys(folder for folder in folders if not _is_skipped(folder))
        with self._lock:
            was_empty = self._is_empty()
            self._paths |= photos
            self._folders |= trees
            if b"" in trees or len(self._paths) + len(self._folders) > MOST:
                self._mark_everything()
            must_ring = was_empty and not self._is_empty()
        if must_ring:
            self._ring()

    def add_everything(self) -> None:
        """Mark the whole root: events were lost."""
        self.add(folders=[b""])

    def take_paths(self) -> list[bytes]:
        """Return the marked photos and unmark them."""
        with self._lock:
            paths = list(self._paths)
            self._paths.clear()
        return paths

    def take(self) -> Dirty:
        """Return all that is marked and unmark it."""
        with self._lock:
            dirty = Dirty(list(self._paths), _topmost(self._folders), self._everything)
            self._paths.clear()
            self._folders.clear()
            self._everything = False
        return dirty

    def _is_empty(self) -> bool:
        return not (self._paths or self._folders or self._everything)

    def _mark_everything(self) -> None:
        self._everything = True
        self._paths.clear()
        self._folders.clear()


def _is_skipped(folder: bytes) -> bool:
    return bool(folder) and any(skip_folder(name) for name in folder.split(SEPARATOR))


def _topmost(folders: Iterable[bytes]) -> list[bytes]:
    """Drop folders that lie below another."""
    kept: list[bytes] = []
    for folder in sorted(folders, key=lambda folder: folder + SEPARATOR):
        if not (kept and (folder + SEPARATOR).startswith(kept[-1] + SEPARATOR)):
            kept.append(folder)
    return kept
