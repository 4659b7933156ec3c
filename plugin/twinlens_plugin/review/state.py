"""What every request works with: the session, the templates, connections to the catalogue."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.templating import Jinja2Templates

from twinlens.catalogue import Catalogue
from twinlens.migrations import VERSION
from twinlens_plugin.options import Session
from twinlens_plugin.review import words
from twinlens_plugin.review.tokens import Tokens

if TYPE_CHECKING:
    from twinlens_plugin.review.assistant import Assistant

HERE = Path(__file__).parent


def _templates() -> Jinja2Templates:
    templates = Jinja2Templates(directory=HERE / "templates")
    words.add_to(templates.env)
    return templates


@dataclass(frozen=True)
class State:
    """One running page. Shared by all threads."""

    session: Session
    port: int
    tokens: Tokens = field(default_factory=Tokens)
    """Who may come in."""
    clock: Callable[[], float] = time.time
    templates: Jinja2Templates = field(default_factory=_templates)
    _held: threading.local = field(default_factory=threading.local)
    _assistants: list[Assistant] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def catalogue(self) -> Iterator[Catalogue]:
        """Give this thread's connection for reading. Raises CatalogueError, NewerCatalogueError.

        It stays open for the next request of the thread: to open one takes ten times as long as to
        find a photo.
        """
        held: _Held | None = getattr(self._held, "one", None)
        if held is None or not held.current():
            held = self._held.one = _Held(self.session)
        yield held.catalogue

    @contextlib.contextmanager
    def catalogue_to_write(self) -> Iterator[Catalogue]:
        """Open a connection for writing, for one request. Raises LibraryError too."""
        with self.catalogue():
            pass  # so that a library is not made anew just because it went away
        with self.session.open_to_write() as catalogue:
            yield catalogue

    @property
    def assistant(self) -> Assistant:
        """The child process that embeds and renders photos, started when it is first asked for."""
        from twinlens_plugin.review.assistant import Assistant

        with self._lock:
            if not self._assistants:
                self._assistants.append(Assistant(self.session))
            return self._assistants[0]

    def close(self) -> None:
        """End the child, if there is one. Connections end with their threads."""
        with self._lock:
            for assistant in self._assistants:
                assistant.close()
            self._assistants.clear()


class _Held:
    """A connection that one thread holds, closed with it."""

    def __init__(self, session: Session) -> None:
        self._path = session.library.catalogue
        self.catalogue = session.open_to_read()
        self._file = self._identity()

    def current(self) -> bool:
        """Tell whether it is still the library's catalogue, with the tables that we know."""
        return self._identity() == self._file and self.catalogue.version() == VERSION

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, sqlite3.Error):
            self.catalogue.close()
