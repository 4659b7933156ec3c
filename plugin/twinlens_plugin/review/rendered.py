"""Pictures that were rendered, in a private folder of bounded size, thrown away oldest first."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final

GRACE_SECONDS: Final = 10.0
"""What was handed out just now stays, even beyond the bound: it is on its way to the browser."""


@dataclass(slots=True)
class _Entry:
    size: int
    used_at: float


class Rendered:
    """Files by name. Safe to use from many threads; two that want the same one make it once."""

    def __init__(
        self, folder: Path, most_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._most = most_bytes
        self._clock = clock
        self._lock = threading.Lock()  # guards all below
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._making: dict[str, Future[None]] = {}
        self._bytes = 0

    def get(self, name: str, make: Callable[[Path], object]) -> Path:
        """Return the file of that name, written by ``make`` where it is not there; raises what that does."""
        path = self._folder / name
        with self._lock:
            if self._known(name, path):
                return path
            making = self._making.get(name)
            ours = making is None
            if making is None:
                making = self._making[name] = Future()
        if ours:
            self._make(name, path, make, making)
        making.result()
        return path

    def _known(self, name: str, path: Path) -> bool:
        entry = self._entries.get(name)
        if entry is None:
            return False
        if not path.exists():  # someone tidied up the temporary folder
            self._bytes -= self._entries.pop(name).size
            return False
        entry.used_at = self._clock()
        self._entries.move_to_end(name)
        return True

    def _make(
        self, name: str, path: Path, make: Callable[[Path], object], making: Future[None]
    ) -> None:
        try:
            make(path)
            self._add(name, path.stat().st_size)
        except BaseException as error:  # noqa: BLE001  who waits must learn of it
            with self._lock:
                del self._making[name]
            making.set_exception(error)
            return
        making.set_result(None)

    def _add(self, name: str, size: int) -> None:
        with self._lock:
            del self._making[name]
            now = self._clock()
            self._entries[name] = _Entry(size, now)
            self._bytes += size
            while self._bytes > self._most:
                oldest, entry = next(iter(self._entries.items()))
                if now - entry.used_at < GRACE_SECONDS:
                    break
                del self._entries[oldest]
                self._bytes -= entry.size
                (self._folder / oldest).unlink(missing_ok=True)
