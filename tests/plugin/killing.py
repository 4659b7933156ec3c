"""Kill -9 at every step: a program that test_undo.py runs, once for each action.

``python killing.py ACTION [FOLDER]`` makes a library below the folder, and then, for n = 1, 2, ...
until an apply gets through: starts an apply that kills itself before its n-th change of the disk,
and checks that nothing is lost, that undo (killed at its own steps, too) brings everything back, and
that to apply again instead ends where an apply without a crash does.

The plug is pulled by an audit hook: Python reports each change of the disk just before it is made.
``fsync`` has no such report, and is wrapped: there, what was written is there, and not yet synced.
Children are forks of this process, which has one thread and has imported what they need: nothing is
imported anew 500 times, which took two thirds of the time.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.plugin.acting import contents, plan_of, planned_group, state
from tests.plugin.conftest import Built
from twinlens_plugin.main import cli

CHANGES = frozenset(
    "os.rename os.link os.remove os.mkdir os.rmdir os.truncate os.utime os.chmod os.setxattr"
    " os.symlink shutil.move".split()
)
NEEDED = (*(f"twinlens_plugin.commands.{name}" for name in ("apply", "tag", "undo")), "send2trash")
"""What commands import once they run. send2trash reads the environment then: not before it is set."""
MOST = 400
ORIGINAL_FSYNC = os.fsync


class Case:
    """One action on one library."""

    def __init__(self, folder: Path, action: str) -> None:
        self.folder = folder
        self.action = action
        self.world = folder / "world"
        self.pristine = folder / "pristine"
        self._make()
        self.before = state(self.world / "photos")
        self.lost_if_missing = contents(self.world / "photos")

    def _make(self) -> None:
        """Make a library with a keeper, two of its bytes, a copy, and sidecars of both kinds."""
        built = Built(self.world / "library", self.world / "photos")
        same = b"x" * 3000
        best = built.photo("2024/best.jpg", data=same)
        twins = [built.photo(f"backup/{name}.jpg", data=same) for name in "ab"]
        small = built.photo("old web/small.jpg", data=b"y" * 500)
        (built.photos / "backup" / "a.jpg.xmp").write_bytes(SIDECAR % b"sea")
        (built.photos / "old web" / "small.xmp").write_bytes(SIDECAR % b"sand")
        twins[0].chmod(0o640)
        os.utime(twins[0], ns=(10**18, 10**18 + 7))
        spare = twins if self.action.startswith(("hard", "ref")) else [*twins, small]
        self.plan, _ = plan_of(built, planned_group("g", best, *spare))
        with built.catalogue.write_tx() as tx:  # each reset makes other inodes
            tx.execute("UPDATE files SET inode = 0")
            row = (twins[0].stat().st_mtime_ns, built.file_id(twins[0]))
            tx.execute("UPDATE files SET mtime_ns = ? WHERE id = ?", row)
        built.catalogue.close()
        if self.action == "clear":
            expect(run(["tag", "--yes"], 0) == 0, "tags to clear")
            shutil.rmtree(self.world / "library" / "journal")  # undo is to find one run
        shutil.copytree(self.world, self.pristine, symlinks=True)

    def reset(self) -> None:
        """Put everything back as it was, times and all, beneath the same paths."""
        shutil.rmtree(self.world)
        shutil.copytree(self.pristine, self.world, symlinks=True)
        for folder in (self.folder / "home", self.folder / "spare"):
            shutil.rmtree(folder, ignore_errors=True)
        (self.folder / "home").mkdir()

    def apply(self, kill_at: int = 0) -> int:
        """Apply the plan in a child; return its exit status, -9 where it was killed."""
        if self.action == "tag":
            return run(["tag", "--with", "keywords,rating,label", "--yes"], kill_at)
        if self.action == "clear":
            return run(["tag", "--clear", "--yes"], kill_at)
        name, _, more = self.action.partition("+")
        words = ["apply", str(self.plan), "--yes", "--action", name]
        words += ["--to", str(self.folder / "spare")] if name == "move" else []
        words += ["--merge-metadata"] if more else []
        return run(words, kill_at)

    def undo(self, kill_at: int = 0) -> int:
        """Undo in a child, as ``apply`` does."""
        return run(["undo"], kill_at)

    def check_nothing_lost(self, when: str) -> None:
        """Every content is somewhere: in place, in the trash, in the folder of spares."""
        everywhere = contents(*(self.folder / name for name in ("world/photos", "home", "spare")))
        missing = self.lost_if_missing - everywhere
        expect(not missing or self._is_a_sidecar(missing), f"{when}: lost {missing}")

    def _is_a_sidecar(self, missing: set[str]) -> bool:
        """The former bytes of a sidecar that is written to are in the journal."""
        sidecars = {look[2] for path, look in self.before.items() if path.endswith(".xmp")}
        return missing <= sidecars

    def check_as_before(self, when: str) -> None:
        """All files are where and what they were; nothing is left over."""
        now = state(self.world / "photos")
        expect(now == self.before, f"{when}: {difference(self.before, now)}")
        for name in ("home/data/Trash/files", "home/data/Trash/info", "spare"):
            left = state(self.folder / name) if (self.folder / name).exists() else {}
            expect(not left, f"{when}: left over in {name}: {list(left)}")


SIDECAR = b"""<x:xmpmeta xmlns:x='adobe:ns:meta/'>
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>
<rdf:Description rdf:about='' xmlns:dc='http://purl.org/dc/elements/1.1/'>
<dc:subject><rdf:Bag><rdf:li>%s</rdf:li></rdf:Bag></dc:subject>
</rdf:Description></rdf:RDF></x:xmpmeta>
"""


def expect(holds: bool, what: str) -> None:
    """Stop with a message that the test shows."""
    if not holds:
        raise SystemExit(f"FAILED {what}")


def difference(before: object, now: object) -> str:
    """Say what differs between two states."""
    a, b = dict(before), dict(now)  # type: ignore[call-overload]
    return str(
        {path: (a.get(path), b.get(path)) for path in {*a, *b} if a.get(path) != b.get(path)}
    )


def run(words: list[str], kill_at: int) -> int:
    """Run the command line in a fork, which kills itself before its n-th change of the disk."""
    child = os.fork()
    if child == 0:
        try:
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            if kill_at:
                pull_the_plug_at(kill_at)
            cli(words)
        except SystemExit as end:
            os._exit(end.code if isinstance(end.code, int) else 1)
        except BaseException:  # noqa: BLE001  the child must not go on as its parent
            traceback.print_exc()
        os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def pull_the_plug_at(number: int) -> None:
    """Kill this process before its n-th change of the disk."""
    left = number

    def change() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    ours = os.fsencode(os.environ["TWINLENS_LIBRARY"]).removesuffix(b"/world/library")

    def hook(event: str, args: tuple[object, ...]) -> None:
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_CREAT | os.O_RDWR)
        if not (writes or event in CHANGES) or not isinstance(args[0], str | bytes | Path):
            return
        if os.fsencode(args[0]).startswith(ours):  # not what exiftool has in a folder of its own
            change()

    def fsync(descriptor: int) -> None:
        change()
        ORIGINAL_FSYNC(descriptor)

    os.fsync = fsync  # type: ignore[assignment]
    sys.addaudithook(hook)


def loop(what: str, step: Callable[[int], int], stride: int) -> int:
    """Call ``step(n)`` for n = 1, 2, ... until it is not killed; return how often it was."""
    for kills, number in enumerate(range(1, MOST, stride)):
        code = step(number)
        if code != -signal.SIGKILL:
            expect(code == 0, f"{what}: exit code {code} at step {number}")
            return kills
    raise SystemExit(f"FAILED {what}: no end after {MOST} steps")


def main(action: str, folder: Path) -> None:
    """Run all of it and say how many kills there were."""
    os.environ["HOME"] = str(folder / "home")
    os.environ["XDG_DATA_HOME"] = str(folder / "home" / "data")
    os.environ["TWINLENS_LIBRARY"] = str(folder / "world" / "library")
    for module in NEEDED:
        importlib.import_module(module)
    case = Case(folder, action)
    case.reset()
    expect(case.apply() == 0, f"{action}: an apply without a crash")
    done = {path: look[2] for path, look in state(case.world / "photos").items()}

    def then_undo(number: int) -> int:
        case.reset()
        code = case.apply(kill_at=number)
        case.check_nothing_lost(f"{action} killed at {number}")
        expect(case.undo() == 0, f"{action} killed at {number}: undo")
        case.check_as_before(f"{action} killed at {number}, undone")
        return code

    def then_again(number: int) -> int:
        case.reset()
        code = case.apply(kill_at=number)
        expect(case.apply() == 0, f"{action} killed at {number}: apply again")
        now = {path: look[2] for path, look in state(case.world / "photos").items()}
        expect(now == done, f"{action} killed at {number}, again: {difference(done, now)}")
        for _ in range(2):  # what the first one did, and what the second
            expect(case.undo() == 0, f"{action} killed at {number}, again: undo")
        case.check_as_before(f"{action} killed at {number}, applied again, undone")
        return code

    def undo_killed(number: int) -> int:
        case.reset()
        case.apply()
        code = case.undo(kill_at=number)
        case.check_nothing_lost(f"undo of {action} killed at {number}")
        expect(case.undo() == 0, f"undo of {action} killed at {number}: undo again")
        case.check_as_before(f"undo of {action} killed at {number}, undone")
        return code

    # exiftool takes 0.3 s CPU to start, four times for each kill: every third one is enough there.
    stride = 3 if "+" in action or action in {"tag", "clear"} else 1
    kills = [
        loop(f"{action}, then undo", then_undo, 1),
        loop(f"{action}, then again", then_again, stride),
        loop(f"undo of {action}", undo_killed, 1),
    ]
    print(f"{action}: killed {kills[0]} + {kills[1]} times in apply, {kills[2]} in undo")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
