"""The script as it is installed, in Lua 5.4, in a darktable of the test's own (lua/darktable.lua)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lupa.lua54

from tests.plugin.dam.lightroom import lua_text, plain
from twinlens_plugin.dam import darktable
from twinlens_plugin.dam.integration import Call, File
from twinlens_plugin.dam.machine import Machine

API = Path(__file__).with_name("lua") / "darktable.lua"

Facts = dict[str, Any]


@dataclass
class World:
    """What darktable has, and how its user behaves."""

    folder: Path
    library: Path
    photos: Sequence[tuple[Path, Facts]] = ()
    """Each with what its image is otherwise; a path twice: two versions of a photo."""
    prefs: dict[str, Any] = field(default_factory=dict)
    program: tuple[str, ...] = (sys.executable, "-P", "-m", "twinlens_plugin")
    view: str = "lighttable"
    api: int = 9


class Darktable:
    """A darktable with our script."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._programs: list[Program] = []
        self._install()
        self.lua = lupa.lua54.LuaRuntime(encoding="latin-1", unpack_returned_tuples=True)
        table = self.lua.table_from
        films: dict[Path, list[Any]] = {}
        for path, facts in world.photos:
            image = table({**facts, "filename": lua_text(path.name)})
            films.setdefault(path.parent, []).append(image)
        self.given = table(
            {
                "films": table(
                    [
                        table({"path": lua_text(folder), "images": table(images)})
                        for folder, images in films.items()
                    ]
                ),
                "prefs": table(world.prefs),
                "start": self._start,
                "status": self._status,
                "asking": self._asking,
                "view": world.view,
                "api": world.api,
            }
        )
        self.api = self.lua.execute(API.read_text())(self.given)
        self.lua.globals().package.path = lua_text(world.folder / "darktable/lua/?.lua")
        luarc = (world.folder / "darktable/luarc").read_text()
        self.lua.execute(luarc)

    def image(self, name: str, version: int = 0) -> Any:
        """Return an image by the name of its file."""
        for image in self.api.images.values():
            if plain(image.filename) == name and image.duplicate_index == version:
                return image
        raise KeyError(name)

    def select(self, *names: str) -> None:
        """Select images."""
        self.api.select(self.lua.table_from([self.image(name) for name in names]))

    def press(self, label: str) -> None:
        """Press the keys of a shortcut."""
        self.api.start(self.api.seen.shortcuts[f"twinlens: {label}"])
        self.api.run_all()

    def click_select(self) -> list[str]:
        """Click "select duplicates" in the module select; return what it selects."""
        click = self.lua.execute(
            "local api, done = ... api.start(function()"
            " done(api.seen.select_button('twinlens_select', api.shown())) end)"
            " api.run_all()",
            self.api,
            answer := Answer(),
        )
        assert click is None
        return self.names(answer.given)

    @property
    def said(self) -> list[str]:
        """What was printed on the screen."""
        return list(self.api.seen.printed.values())

    def names(self, images: Any) -> list[str]:
        """Return the names of the files of images, sorted."""
        return sorted(plain(image.filename) for image in images.values())

    def groups(self) -> dict[str, list[str]]:
        """Return the groups of more than one image: the leader's name, and all names."""
        found: dict[int, list[Any]] = {}
        for image in self.api.images.values():
            found.setdefault(image.group_leader.id, []).append(image)
        return {
            plain(members[0].group_leader.filename): sorted(plain(m.filename) for m in members)
            for members in found.values()
            if len(members) > 1
        }

    def rejected(self) -> list[str]:
        """Return the names of rejected images."""
        images = self.api.images.values()
        return sorted(plain(image.filename) for image in images if image.rating == -1)

    def _install(self) -> None:
        machine = Machine({"XDG_CONFIG_HOME": str(self.world.folder)})
        call = Call(self.world.program, ("--library", str(self.world.library)))
        for piece in darktable.integration.pieces(machine, call):
            piece.path.parent.mkdir(parents=True, exist_ok=True)
            assert isinstance(piece, File) or not piece.path.exists()
            piece.path.write_bytes(piece.content)

    def _start(self, line: str) -> int:
        environ = {**os.environ, "TMPDIR": str(self.world.folder)}
        self._programs.append(Program(line, environ))
        return len(self._programs) - 1

    def _status(self, number: int) -> int | None:
        time.sleep(0.002)  # not to ask all the time
        code = self._programs[number].process.poll()
        return None if code is None else code * 256  # as wait(2) has it

    def _asking(self) -> bool:
        return any(p.asks_twinlens and p.process.poll() is None for p in self._programs)


class Program:
    """A program that darktable has started."""

    def __init__(self, line: str, environ: dict[str, str]) -> None:
        self.asks_twinlens = "wait $!" in line
        self.process = subprocess.Popen(["sh", "-c", line.encode("latin-1")], env=environ)


class Answer:
    """What Lua answered."""

    def __init__(self) -> None:
        self.given: Any = None

    def __call__(self, given: Any) -> None:
        """Keep it."""
        self.given = given
