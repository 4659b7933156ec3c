"""Walking a photo folder in the order in which the catalogue sorts paths."""

from __future__ import annotations

import os
from collections.abc import Iterator
from operator import itemgetter

from twinlens.media import is_photo_name, skip_folder
from twinlens_watcher.reading import SEPARATOR

Entry = tuple[bytes, "os.DirEntry[bytes] | None"]


class Walk:
    """One walk below ``top``, a folder as bytes. Symbolic links are not followed, nor reported.

    Photos come sorted by the bytes of their path below ``top``: within a folder, a subfolder sorts
    as its name with the separator behind it. That lets the catalogue be compared in one pass, with
    neither side held in memory.
    """

    def __init__(self, top: bytes, *, without: bytes | None = None) -> None:
        self._top = top
        self._without = without  # a folder to leave out, ending in a separator
        self.folders = 0
        self.unreadable: list[bytes] = []
        """Paths below ``top`` of which nothing can be said: what was known there stays known."""

    def photos(self, start: bytes = b"") -> Iterator[tuple[bytes, os.stat_result]]:
        """Yield ``(path, status)`` of each photo below ``start``, itself below ``top``."""
        stack = [iter(self._entries(start + SEPARATOR if start else b""))]
        while stack:
            for path, entry in stack[-1]:
                if entry is None:
                    stack.append(iter(self._entries(path)))
                    break
                try:
                    yield path, entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                except OSError:
                    self.unreadable.append(path)
            else:
                stack.pop()

    def _entries(self, prefix: bytes) -> list[Entry]:
        """List a folder; ``prefix`` is empty or ends in a separator."""
        entries: list[Entry] = []
        self.folders += 1
        try:
            with os.scandir(os.path.join(self._top, prefix)) as listing:  # noqa: PTH118  bytes
                for entry in listing:
                    name = entry.name
                    if entry.is_dir(follow_symlinks=False):
                        folder = prefix + name + SEPARATOR
                        if folder != self._without and not skip_folder(name):
                            entries.append((folder, None))
                    elif is_photo_name(name) and entry.is_file(follow_symlinks=False):
                        entries.append((prefix + name, entry))
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError:
            self.unreadable.append(prefix)
        entries.sort(key=itemgetter(0))
        return entries
