"""Child processes: started, kept running, stopped in good order, with real processes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Clock
from tests.plugin.conftest import wait_until
from twinlens.library import Library
from twinlens_plugin.children import Child
from twinlens_plugin.errors import ChildError
from twinlens_plugin.supervise import MOST_DEATHS, MOST_REFUSALS, Supervised

OBEDIENT = "import sys; sys.stdin.read()"
STUBBORN = (
    "import signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('x WARNING ready: now', file=sys.stderr, flush=True); time.sleep(60)"
)

Start = Callable[[str], Child]


@pytest.fixture
def said() -> list[str]:
    """What the child had to say to the user."""
    return []


@pytest.fixture
def start(said: list[str]) -> Iterator[Start]:
    """Start Python programs as children."""
    children: list[Child] = []

    def begin(program: str) -> Child:
        children.append(Child([sys.executable, "-c", program], said.append))
        return children[-1]

    yield begin
    for child in children:
        child.stop(0)


def test_a_child_stops_when_its_input_closes(start: Start):
    """That is the order to stop; no signal is needed."""
    child = start(OBEDIENT)
    child.stop(30)
    assert child.poll() == 0


def test_a_child_stops_when_its_parent_is_killed():
    """Nothing is left running after kill -9 of the command line."""
    parent_program = (
        "import sys, time\n"
        "from twinlens_plugin.children import Child\n"
        f"child = Child([sys.executable, '-c', {OBEDIENT!r}], print)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)"
    )
    import subprocess

    with subprocess.Popen([sys.executable, "-c", parent_program], stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: not _runs(pid), "the child ends")


def _runs(pid: int) -> bool:
    """Tell whether a process runs; a zombie that nobody collects does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_a_child_that_does_not_stop_is_killed(
    start: Start, said: list[str], monkeypatch: pytest.MonkeyPatch
):
    """Stopping is bounded, whatever the child does."""
    monkeypatch.setattr("twinlens_plugin.children.TERM_SECONDS", 0.1)
    child = start(STUBBORN)
    wait_until(lambda: said, "the child is ready")
    child.stop(0)
    assert child.poll() == -signal.SIGKILL


def test_warnings_are_said_and_chatter_is_not(start: Start, said: list[str]):
    """Users see what a child warns of, without times and names."""
    child = start(
        "import sys\n"
        "for level in ('INFO', 'WARNING', 'ERROR'):\n"
        "    print(f'12:00:00 {level} twinlens.watcher.loop: {level} at /a: b', file=sys.stderr)"
    )
    wait_until(lambda: child.poll() is not None, "the child ends")
    child.last_words()
    assert said == ["WARNING at /a: b", "ERROR at /a: b"]


def test_last_words_tell_how_it_ended(start: Start):
    """The last line, or the signal."""
    child = start("import sys; sys.exit('twinlens-worker: no such model')")
    wait_until(lambda: child.poll() is not None, "the child ends")
    assert child.last_words() == "no such model"
    child = start(OBEDIENT)
    os.kill(child.pid, signal.SIGSEGV)
    wait_until(lambda: child.poll() is not None, "the child ends")
    assert child.last_words() == "killed by SIGSEGV"


class Role:
    """A supervised child that runs one program, on a clock that is moved by hand."""

    def __init__(self, library: Library, program: str) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        command = [sys.executable, "-c", program]
        self.supervised = Supervised("worker", command, library, self.said.append, clock=self.clock)

    def run_until_it_ended(self, progress: object = None) -> None:
        """Start the child and see it end."""
        self.clock.advance(60)
        self.supervised.tick(progress)
        assert self.supervised.pid
        wait_until(lambda: self._tick(progress), "the child ends")

    def _tick(self, progress: object) -> bool:
        self.supervised.tick(progress)
        return self.supervised.pid is None


def test_a_dead_child_is_started_again(library: Library):
    """A crash is said, and mended."""
    role = Role(library, "import os; os.kill(os.getpid(), 9)")
    role.run_until_it_ended()
    assert role.said == ["the worker stopped (killed by SIGKILL); it is started again"]
    role.supervised.tick()
    assert role.supervised.pid
    role.supervised.stop(0)


def test_pauses_grow_between_deaths(library: Library):
    """A child that dies at once does not keep the computer busy."""
    role = Role(library, "import os; os.kill(os.getpid(), 9)")
    for _ in range(4):
        role.run_until_it_ended()
    role.clock.advance(1.9)
    role.supervised.tick()
    assert role.supervised.pid is None
    role.clock.advance(0.2)
    role.supervised.tick()
    assert role.supervised.pid
    role.supervised.stop(0)


def test_a_child_that_never_lives_is_given_up(library: Library):
    """Bounded, and the last words say why."""
    role = Role(library, "import os; os.kill(os.getpid(), 9)")
    for _ in range(MOST_DEATHS - 1):
        role.run_until_it_ended()
    with pytest.raises(ChildError, match=r"does not run.*killed by SIGKILL"):
        role.run_until_it_ended()


def test_progress_forgives_deaths(library: Library):
    """A worker that dies once in a thousand photos is never given up."""
    role = Role(library, "import os; os.kill(os.getpid(), 9)")
    for done in range(MOST_DEATHS + 2):
        role.run_until_it_ended(done)


def test_a_child_that_refuses_is_given_up_soon(library: Library):
    """Exit code 1 is a reason, not a crash: its line is what the user needs."""
    role = Role(library, "import sys; sys.exit('no model')")
    for _ in range(MOST_REFUSALS - 1):
        role.run_until_it_ended()
    with pytest.raises(ChildError, match="no model"):
        role.run_until_it_ended()


def test_a_role_that_is_taken_is_left_to_its_holder(library: Library):
    """No child is started while another process does the work; one is when it ends."""
    role = Role(library, OBEDIENT)
    with library.lock("worker"):
        role.supervised.tick()
        assert role.supervised.pid is None
    role.supervised.tick()
    assert role.supervised.pid
    role.supervised.stop(30)


def test_a_child_that_came_second_is_no_failure(library: Library):
    """Exit code 75: somebody else was faster."""
    role = Role(library, "raise SystemExit(75)")
    for _ in range(MOST_DEATHS + 1):
        role.run_until_it_ended()
    assert role.said == []
