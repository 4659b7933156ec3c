"""A scan: the watcher sweeps, the worker embeds, and we wait until the library is caught up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from twinlens import dispatch, parts, tunings
from twinlens.broker import make_app
from twinlens.catalogue import Catalogue
from twinlens.errors import SnapshotError, TuningError
from twinlens.models import get_model
from twinlens.roots import Root, list_roots
from twinlens.snapshot import read_manifest, snapshot_folder
from twinlens_plugin import shipped
from twinlens_plugin.children import Child, python_module
from twinlens_plugin.errors import ChildError
from twinlens_plugin.handover import Handover, is_outgrown
from twinlens_plugin.interrupts import Interrupt
from twinlens_plugin.options import Session
from twinlens_plugin.progress import Bar, Counter, Progress, caught_up
from twinlens_plugin.supervise import Supervised

TICK_SECONDS = 0.2
SWEEP_TRIES = 3
REBUILD_SECONDS = 600.0
"""How long a scan waits for a missing index: enough for 500,000 photos. What takes longer goes on in
the next scan or watch; without an index answers are as right, only slower."""

RENEWAL_SECONDS = 60.0
"""How long a scan waits for a worker to take up the model of an upgrade: it does before anything else,
unless it is one from before the upgrade that still runs."""

STALL_SECONDS = 20.0
"""With a broker: no photo done for so long, and we say that perhaps no worker is there."""


def worker(session: Session, say: Callable[[str], None]) -> Supervised:
    """Return the embedded worker of a library, not started yet."""
    command = python_module("twinlens_worker", *session.child_arguments(), "--stop-on-eof")
    return Supervised("worker", command, session.library, say)


def watcher(session: Session, say: Callable[[str], None]) -> Supervised:
    """Return the watcher of a library, not started yet."""
    command = python_module("twinlens_watcher", *session.child_arguments(), "--stop-on-eof")
    return Supervised("watcher", command, session.library, say)


class Sweep:
    """One comparison of folders and catalogue, by the watcher's program."""

    def __init__(
        self,
        session: Session,
        catalogue: Catalogue,
        roots: Sequence[Root],
        say: Callable[[str], None],
        *,
        accept_deletions: bool,
    ) -> None:
        self._catalogue = catalogue
        self._roots = roots
        self._say_rest = say
        more = ["--accept-deletions"] if accept_deletions else []
        folders = [os.fsdecode(root.path) for root in roots]
        arguments = [*session.child_arguments(), "--once", *more, "--stop-on-eof", "--", *folders]
        self._command = python_module("twinlens_watcher", *arguments)
        self._tries = 1
        self._child: Child | None = Child(self._command, self._say)

    def running(self) -> bool:
        """Tell whether it goes on; a sweep that died is started again. Raises ChildError."""
        if self._child is None:
            return False
        code = self._child.poll()
        if code is None:
            return True
        words = self._child.last_words()
        self._child.stop(0)
        self._child = None
        if code == 0 or self._some_away():
            return False
        if code in (1, 2) or self._tries == SWEEP_TRIES:
            raise ChildError(words)
        self._tries += 1
        self._child = Child(self._command, self._say)
        return True

    def _some_away(self) -> bool:
        """Tell whether it failed for folders that are away: the others were compared."""
        known = {root.id: root.online for root in list_roots(self._catalogue)}
        return not all(known.get(root.id, True) for root in self._roots)

    def _say(self, text: str) -> None:
        if ": offline: " not in text:  # said at the end, with the cure
            self._say_rest(text)

    def stop(self) -> None:
        """Stop it in good order."""
        if self._child is not None:
            self._child.stop(10)
            self._child = None


class Problems:
    """Says what stands in the way, once for each time that it comes up."""

    def __init__(self, catalogue: Catalogue, say: Callable[[str], None]) -> None:
        self._catalogue = catalogue
        self._say = say
        self._said = ""

    def tick(self) -> None:
        """Say what is new."""
        problem = self._catalogue.meta(dispatch.PROBLEM) or ""
        if problem and problem != self._said:
            self._say(problem)
        self._said = problem


class Hands:
    """Whoever embeds: a worker of ours, the one that runs already, or the broker's."""

    def __init__(
        self,
        session: Session,
        catalogue: Catalogue,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._library = session.library
        self._say = say
        self._worker: Supervised | None = None
        self._dispatcher: dispatch.Dispatcher | None = None
        self._stalled_since = clock()
        self._seen: Progress | None = None
        if session.settings.broker:
            app = make_app(session.settings.broker)
            self._dispatcher = dispatch.Dispatcher(catalogue, session.settings, app)
        else:
            self._worker = worker(session, say)

    def tick(self, progress: Progress) -> None:
        """See that the work is taken. Raises ChildError where the worker does not stay alive."""
        if self._worker:
            self._worker.tick(progress.done)
            return
        assert self._dispatcher is not None
        if not self._library.locked("watcher"):  # it would send the same
            self._dispatcher.tick()
        self._notice_stall(progress)

    def stop(self) -> None:
        """Stop a worker of ours in good order."""
        if self._worker:
            self._worker.stop()

    def _notice_stall(self, progress: Progress) -> None:
        now = self._clock()
        if progress != self._seen:
            self._seen, self._stalled_since = progress, now
        elif now - self._stalled_since > STALL_SECONDS:
            self._stalled_since = float("inf")  # once is enough
            known = get_model(self._catalogue, "target") is not None
            queues = "embed" if known else "embed,commit,query"
            self._say(
                f"no worker takes the work. Start one: twinlens-worker --queues {queues}"
                " (Ctrl-C here loses nothing)"
            )


class Awaited:
    """Something that a scan has a worker do though no photo waits, and waits for; not for ever."""

    def __init__(
        self,
        is_wanted: Callable[[], bool],
        seconds: float,
        *,
        in_vain: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``in_vain`` is called once where it is still wanted after so many seconds."""
        self._is_wanted = is_wanted
        self._in_vain = in_vain
        self._clock = clock
        self._until = clock() + seconds
        self._is_due = is_wanted()

    def is_due(self) -> bool:
        """Tell whether to wait."""
        if self._is_due and not self._is_wanted():
            self._is_due = False
        elif self._is_due and self._clock() > self._until:
            self._is_due = False
            self._in_vain()
        return self._is_due


def rebuild(session: Session, catalogue: Catalogue) -> Awaited:
    """Return the wait for what is missing: the index, after ``doctor --repair`` say, a model's part."""

    def is_missing() -> bool:
        model = get_model(catalogue, "target")
        if model is None or not catalogue.value("SELECT 1 FROM vectors LIMIT 1"):
            return False  # there will be one, or nothing to put in it
        try:
            space = tunings.serving(catalogue, model)
            read_manifest(snapshot_folder(session.library.index, space), space)
        except (SnapshotError, TuningError):
            return True
        return bool(parts.damaged(catalogue, model))

    return Awaited(
        is_missing, REBUILD_SECONDS
    )  # in vain where the disk is full, which the worker says


def renewal(
    session: Session,
    catalogue: Catalogue,
    say: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> Awaited:
    """Return the wait for the worker to make our bundled model the target, after an upgrade."""

    def is_old() -> bool:
        model = get_model(catalogue, "target")
        return model is not None and is_outgrown(model, session.settings, catalogue)

    def in_vain() -> None:
        say(
            "a twinlens from before the upgrade still runs on this library, with its old model."
            " Stop that watch or worker, then: twinlens scan"
        )

    return Awaited(is_old, RENEWAL_SECONDS, in_vain=in_vain, clock=clock)


def run_scan(
    session: Session,
    catalogue: Catalogue,
    roots: Sequence[Root],
    interrupt: Interrupt,
    *,
    accept_deletions: bool,
) -> bool:
    """Read the photos of ``roots``; return whether all was done, or a signal came before.

    Children are stopped in good order in any case. Raises ChildError.
    """
    shipped.note(catalogue)
    bar = Bar("Reading photos")
    counter = Counter(catalogue)
    problems = Problems(catalogue, bar.say)
    handover = Handover(catalogue, session.settings, bar.say)
    hands = Hands(session, catalogue, bar.say)
    sweep = Sweep(session, catalogue, roots, bar.say, accept_deletions=accept_deletions)
    # A first scan will need the worker: it loads its model while the watcher looks around.
    awaited = [rebuild(session, catalogue), renewal(session, catalogue, bar.say)]
    if session.settings.broker:  # the commit worker does both when it starts
        awaited = []
    needed = get_model(catalogue, "target") is None
    try:
        while True:
            sweeping = sweep.running()
            idle = caught_up(catalogue, session.settings)
            making = any(one.is_due() for one in awaited)
            handover.tick()
            if idle and not sweeping and not making:
                return True
            needed = needed or not idle or making
            progress = counter.read()
            bar.show(progress)
            problems.tick()
            if needed:
                hands.tick(progress)
            if interrupt.wait(TICK_SECONDS):
                return False
    finally:
        bar.close()
        sweep.stop()
        hands.stop()
