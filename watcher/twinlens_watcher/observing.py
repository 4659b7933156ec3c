"""File events of one root, by watchdog.

What can go wrong with them, and how it shows (watchdog 7.1.0, from its source):
1. The kernel's queue overflows: an event with wd -1, which watchdog handles by setting its watches
   anew and a log line, but no event. ``_Inotify.handle_event`` tells.
2. The watch limit is reached: adding a watch below the root raises ENOSPC, which watchdog swallows.
   ``_Inotify.add_callback`` tells. At the limit of instances, its constructor raises.
3. The root is deleted: the emitter stops, the observer stays alive.
4. The root is renamed and another takes its name: no event at all. The folder's device and inode
   tell.
5. A folder that could not be read gets no watch, also when its permissions are corrected: then
   there are fewer watches than folders.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from watchdog.events import (
    DirAttribEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import BaseObserver

from twinlens_watcher.hints import Hints
from twinlens_watcher.reading import SEPARATOR

FOLDER_EVENTS = (DirAttribEvent, DirCreatedEvent, DirDeletedEvent, DirMovedEvent)
FILE_EVENTS = (
    FileAttribEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
)
"""All but opened and closed_no_write, which every reading of a photo makes."""

PAIRING_SECONDS = 0.1
"""How long watchdog waits for the other end of a rename. It holds back all later events meanwhile,
by default for 0.5 s; the kernel writes both ends side by side."""


class Observation:
    """Turns the events below one folder into hints, until closed.

    Raises OSError where the system has no more watches, or the folder is not there.
    """

    def __init__(self, top: bytes, hints: Hints) -> None:
        self._top = top
        self._folder = _identity(top)
        self._observer, self._inotify = _make_observer(hints)
        self._observer.schedule(_Handler(top, hints), os.fsdecode(top), recursive=True)
        try:
            self._observer.start()
        except OSError:
            self.close()
            raise

    @property
    def at_limit(self) -> bool:
        """Whether some folders could not be watched for want of watches."""
        return self._inotify is not None and self._inotify.at_limit

    def is_alive(self) -> bool:
        """Tell whether events still come, and from the folder that bears the name now."""
        threads = [self._observer, *self._observer.emitters, self._inotify]
        return self._is_same_folder() and all(it is None or it.is_alive() for it in threads)

    def covers(self, folders: int) -> bool:
        """Tell whether as many folders are watched as a sweep has read."""
        return self._inotify is None or self._inotify.count >= folders

    def close(self) -> None:
        """Stop the events."""
        self._observer.stop()
        if self._observer.is_alive():
            self._observer.join()

    def _is_same_folder(self) -> bool:
        try:
            return _identity(self._top) == self._folder
        except OSError:
            return False


def _identity(folder: bytes) -> tuple[int, int]:
    status = os.stat(folder)  # noqa: PTH116  bytes
    return status.st_dev, status.st_ino


class _Handler(FileSystemEventHandler):
    """Runs in watchdog's thread."""

    def __init__(self, top: bytes, hints: Hints) -> None:
        self._prefix = top.rstrip(SEPARATOR) + SEPARATOR
        self._hints = hints

    def on_any_event(self, event: FileSystemEvent) -> None:
        if isinstance(event, FOLDER_EVENTS):
            self._hints.add(folders=self._paths(event))
        elif isinstance(event, FILE_EVENTS) and not event.is_synthetic:
            self._hints.add(paths=self._paths(event))  # synthetic ones repeat a folder's

    def _paths(self, event: FileSystemEvent) -> list[bytes]:
        ends = (os.fsencode(end) + SEPARATOR for end in (event.src_path, event.dest_path) if end)
        return [
            end.removeprefix(self._prefix).rstrip(SEPARATOR)
            for end in ends
            if end.startswith(self._prefix)
        ]


if sys.platform == "linux":
    from watchdog.observers.inotify import InotifyEmitter
    from watchdog.observers.inotify_c import (
        CallbackId,
        InotifyConstants,
        InotifyEvent,
        InotifyFD,
        Mask,
        WatchCallback,
        WatchDescriptor,
    )
    from watchdog.observers.inotify_move_event_grouper import InotifyMoveEventGrouper

    class _Inotify(InotifyFD):
        """The kernel's queue, with the two things told that watchdog keeps to itself."""

        def __init__(self, hints: Hints) -> None:
            super().__init__()
            self._hints = hints
            self.at_limit = False

        @property
        def count(self) -> int:
            """How many folders are watched."""
            return len(self._watch_for_wd)

        def add_callback(
            self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
        ) -> WatchDescriptor:
            try:
                return super().add_callback(path, mask, callback, id_)
            except OSError as error:
                if error.errno == errno.ENOSPC:
                    self.at_limit = True
                    self._hints.add_everything()
                raise

        def handle_event(self, event: InotifyEvent) -> None:
            super().handle_event(event)
            if event.is_queue_overflow:
                self._hints.add_everything()

    class _Emitter(InotifyEmitter):
        """Asks the kernel only for the events that are used.

        IN_MODIFY is not: a write ends in IN_CLOSE_WRITE, and a copy of a large file makes thousands.
        """

        def get_event_mask_from_filter(self) -> Mask:
            return Mask(
                InotifyConstants.IN_ATTRIB
                | InotifyConstants.IN_CLOSE_WRITE
                | InotifyConstants.IN_CREATE
                | InotifyConstants.IN_DELETE
                | InotifyConstants.IN_DELETE_SELF
                | InotifyConstants.IN_MOVE
            )

    class _Observer(BaseObserver):
        """As watchdog's, but with the two classes above."""

        def __init__(self, inotify: _Inotify) -> None:
            super().__init__(_Emitter, inotify_fd=inotify)
            self._inotify = inotify

        def on_thread_start(self) -> None:
            self._inotify.start()
            super().on_thread_start()

        def on_thread_stop(self) -> None:
            super().on_thread_stop()
            self._inotify.stop()
            if self._inotify.is_alive():
                self._inotify.join()

    def _make_observer(hints: Hints) -> tuple[BaseObserver, _Inotify | None]:
        InotifyMoveEventGrouper.delay = PAIRING_SECONDS
        inotify = _Inotify(hints)
        return _Observer(inotify), inotify

else:

    def _make_observer(_hints: Hints) -> tuple[BaseObserver, None]:
        from watchdog.observers import Observer

        return Observer(), None


def watch_limit() -> str:
    """Return how many folders this user may watch, for people."""
    try:
        return Path("/proc/sys/fs/inotify/max_user_watches").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
