"""The plug-in as it is installed, in Lua 5.1, in a Lightroom of the test's own (lua/lightroom.lua)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lupa.lua51

from twinlens_plugin.dam import lightroom
from twinlens_plugin.dam.integration import Call
from twinlens_plugin.dam.machine import Machine

SDK = Path(__file__).with_name("lua") / "lightroom.lua"


def lua_text(path: str | Path) -> str:
    """Return a path as Lua has it: a character for each byte (the interpreter's encoding here)."""
    return os.fsencode(path).decode("latin-1")


def plain(text: str) -> str:
    """Return bytes that Lua gave as a path."""
    return os.fsdecode(text.encode("latin-1"))


@dataclass
class World:
    """What Lightroom has, and how its user behaves."""

    folder: Path
    library: Path
    photos: Sequence[dict[str, Any]] = ()
    selected: Sequence[int] = ()
    """Numbers of photos, from 1 on."""
    answer: str = "ok"
    prefs: dict[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = (sys.executable, "-P", "-m", "twinlens_plugin")
    busy: int = 0
    cancel_after: int | None = None
    times: int = 1
    """What an exit code is multiplied with: 256 on some systems."""
    missing: frozenset[str] = frozenset()
    chosen: str | None = None


class Lightroom:
    """A Lightroom with our plug-in."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.lines: list[str] = []
        self.temp = world.folder / "temporary files"
        self.temp.mkdir(exist_ok=True)
        self.plugin = self._install()
        self.lua = lupa.lua51.LuaRuntime(encoding="latin-1", unpack_returned_tuples=True)
        self.given = self._as_lua()
        self.sdk = self.lua.execute(SDK.read_text())(self.given)
        scope = self.lua.globals()
        scope["import"] = self.sdk["import"]
        scope.WIN_ENV = False
        scope.package.path = lua_text(self.plugin / "?.lua")

    def select(self, *numbers: int) -> None:
        """Select other photos."""
        self.given.selected = self.lua.table_from(numbers)

    def choose(self, entry: str) -> None:
        """Choose a menu entry by its file, and wait until all is done."""
        # Lightroom runs it anew each time; modules too, but they keep nothing.
        self.lua.execute(f"dofile({str(self.plugin / entry)!r})")
        self.sdk.run_all()

    @property
    def messages(self) -> list[str]:
        """Everything that was shown in dialogs, with what stood below it."""
        return [
            "\n".join(filter(None, (shown.message, shown.info)))
            for shown in self.sdk.seen.messages.values()
        ]

    @property
    def errors(self) -> list[str]:
        """What the dialog for errors showed."""
        return list(self.sdk.seen.errors.values())

    @property
    def collections(self) -> dict[str, set[str]]:
        """Collections below the set twinlens, with the names of their photos."""
        top = self.sdk.top.children["twinlens"]
        return dict(self._collections(top, "")) if top else {}

    def _collections(self, above: Any, path: str) -> Any:
        for name, child in above.children.items():
            if child.is_set:
                yield from self._collections(child, f"{path}{name}/")
            else:
                yield path + name, {Path(plain(p.facts.path)).name for p in child.photos}

    def flags(self) -> dict[str, int]:
        """Return the flag of each photo that has one."""
        facts = [photo.facts for photo in self.sdk.photos.values()]
        return {Path(plain(f.path)).name: f.pickStatus for f in facts if f.pickStatus}

    def keywords(self) -> dict[str, set[str]]:
        """Return the keywords of photos that have any."""
        photos = self.sdk.photos.values()
        return {
            Path(plain(photo.facts.path)).name: {keyword.path for keyword in photo.keywords}
            for photo in photos
            if list(photo.keywords)
        }

    def _install(self) -> Path:
        call = Call(self.world.program, ("--library", str(self.world.library)), self.world.folder)
        for piece in lightroom.integration.pieces(Machine({}), call):
            piece.path.parent.mkdir(exist_ok=True)
            piece.path.write_bytes(piece.content)
        return self.world.folder / lightroom.PLUGIN

    def _as_lua(self) -> Any:
        world, table = self.world, self.lua.table_from
        photos = [
            table({"pickStatus": 0, **facts, "path": lua_text(facts["path"])})
            for facts in world.photos
        ]
        return table(
            {
                "photos": table(photos),
                "selected": table(list(world.selected)),
                "answer": world.answer,
                "prefs": table(world.prefs),
                "busy": world.busy,
                "cancel_after": world.cancel_after,
                "chosen": table([world.chosen]) if world.chosen else None,
                "temp": lua_text(self.temp),
                "run": self._run,
                "exists": self._exists,
                "read": _with_path(lambda path: path.read_bytes().decode("latin-1")),
                "delete": _with_path(_delete),
                "make_folder": _with_path(lambda path: path.mkdir()),
            }
        )

    def _run(self, line: str) -> int:
        self.lines.append(line)
        done = subprocess.run(["sh", "-c", line.encode("latin-1")], timeout=60, check=False)
        return done.returncode * self.world.times

    def _exists(self, path: str) -> str | bool:
        found = Path(plain(path))
        if found.name in self.world.missing or not found.exists():
            return False
        return "directory" if found.is_dir() else "file"


def _with_path(act: Callable[[Path], Any]) -> Callable[[str], Any]:
    return lambda path: act(Path(plain(path)))


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
