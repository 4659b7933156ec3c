"""Keeping the watcher and the worker running while a command needs them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from twinlens.library import Library
from twinlens_plugin.children import ALREADY_RUNNING, Child
from twinlens_plugin.errors import ChildError

MOST_DEATHS = 12
"""Deaths in a row, with no photo done in between, after which we give up. A photo that kills its
worker is given up by the ledger after 5; two such photos may come one after the other."""

MOST_REFUSALS = 2
"""The same for a child that gives up by itself (exit code 1 or 2), which trying seldom cures."""

LONGEST_PAUSE = 30.0


class Supervised:
    """One role on a library (``worker``, ``watcher``), filled by a child of ours if by nobody else.

    Call ``tick`` often. A child that dies is started again: at once, then after growing pauses.
    """

    def __init__(
        self,
        role: str,
        command: Sequence[str],
        library: Library,
        say: Callable[[str], None],
        *,
        start: Callable[[Sequence[str], Callable[[str], None]], Child] = Child,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.role = role
        self._command = command
        self._library = library
        self._say = say
        self._start = start
        self._clock = clock
        self._child: Child | None = None
        self._deaths = 0
        self._refusals = 0
        self._progress: object = None
        self._not_before = 0.0

    @property
    def pid(self) -> int | None:
        """The child's process number, if we have one."""
        return self._child.pid if self._child else None

    def tick(self, progress: object = None) -> None:
        """Start the child where nobody fills the role; a new ``progress`` forgives its deaths.

        Raises ChildError when it does not stay alive.
        """
        if progress != self._progress:
            self._progress = progress
            self._deaths = self._refusals = 0
        if self._child is None:
            if self._clock() >= self._not_before and not self._library.locked(self.role):
                self._child = self._start(self._command, self._say)
            return
        code = self._child.poll()
        if code is not None:
            words = self._child.last_words()
            self._child.stop(0)
            self._child = None
            self._ended(code, words)

    def stop(self, seconds: float = 30.0) -> None:
        """Stop our child, if any, in good order."""
        if self._child is not None:
            self._child.stop(seconds)
            self._child = None

    def ask_to_stop(self) -> None:
        """Tell our child to stop, without waiting."""
        if self._child is not None:
            self._child.ask_to_stop()

    def _ended(self, code: int, words: str) -> None:
        if code == ALREADY_RUNNING:  # somebody else's came first: use that one
            self._not_before = self._clock() + 1.0
            return
        self._deaths += 1
        self._refusals += code in (1, 2)
        if self._deaths >= MOST_DEATHS or self._refusals >= MOST_REFUSALS:
            raise ChildError(f"the {self.role} does not run (tried {self._deaths} times): {words}")
        pause = min(LONGEST_PAUSE, 0.25 * 2 ** (self._deaths - 1)) if self._deaths > 1 else 0.0
        self._not_before = self._clock() + pause
        self._say(f"the {self.role} stopped ({words}); it is started again")
