r"""Reading what photos say of themselves, and writing it to XMP sidecars, through exiftool.

Photos are never written to. A sidecar that exists is merged into: exiftool is given a copy of it in
a folder of its own and hands back the new content, which the caller puts in place, so that nothing
half written is ever seen.

One exiftool serves many files (``-stay_open``: 5 ms a file instead of 250). There is no shell, and
nothing to escape: a photo is shown to exiftool through a link with a plain name, and what is to be
written is handed over as a JSON file. (Its argument files take no newline, and the ``#[CSTR]`` form
that does makes ``\$`` of each ``$``, exiftool 12.57.)
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from twinlens_plugin.errors import ExiftoolError
from twinlens_plugin.keywords import HIERARCHY, is_ours, words

REJECTED = -1

_SEPARATOR = "\x1f"
"""ASCII's own unit separator: commas are part of keywords."""

_READ = (
    "-XMP-dc:Subject",
    "-IPTC:Keywords",
    "-XMP-lr:HierarchicalSubject",
    "-XMP-digiKam:TagsList",
    "-XMP-xmp:Rating",
    "-XMP-dc:Description",
    "-IPTC:Caption-Abstract",
    "-XMP-xmp:Label",
    "-XMP-digiKam:PickLabel",
    "-XMP-digiKam:ColorLabel",
)

Changes = dict[str, str | int | list[str] | None]
"""Tags of exiftool's and their new values; None removes one."""


@dataclass(frozen=True, slots=True)
class Notes:
    """What a photographer wrote about a photo."""

    keywords: tuple[str, ...] = ()
    hierarchical: tuple[str, ...] = ()
    """Keywords with their levels, ``places|Rome``."""
    rating: int | None = None
    """1 to 5, -1 rejected; None is unrated."""
    captions: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.keywords or self.hierarchical or self.rating or self.captions)

    def with_keyword(self, levels: str) -> Notes:
        """Return these notes with one more hierarchical keyword, and its last level as a flat one."""
        return self.union(Notes((levels.rpartition(HIERARCHY)[2],), (levels,)))

    def without_ours(self, root: str) -> Notes:
        """Return these notes without the keywords of twinlens: they are of one photo alone."""
        others = [word for word in self.hierarchical if not is_ours(word, root)]
        ours = words({*self.hierarchical} - {*others}) - words(others)
        flat = [word for word in self.keywords if word not in ours]
        return replace(self, keywords=tuple(flat), hierarchical=tuple(others))

    def union(self, other: Notes) -> Notes:
        """Return what both say: all keywords and captions, and the higher rating.

        A rejection says something of the other file alone, and is not taken over.
        """
        theirs = other.rating if other.rating != REJECTED else None
        ratings = [rating for rating in (self.rating, theirs) if rating]
        return Notes(
            _united(self.keywords, other.keywords),
            _united(self.hierarchical, other.hierarchical),
            max(ratings) if ratings else None,
            _united(self.captions, other.captions),
        )

    def without(self, other: Notes) -> Notes:
        """Return what these notes say beyond ``other``."""
        return Notes(
            tuple(word for word in self.keywords if word not in other.keywords),
            tuple(levels for levels in self.hierarchical if levels not in other.hierarchical),
            self.rating if (self.rating or 0) > (other.rating or 0) else None,
            tuple(text for text in self.captions if not any(text in o for o in other.captions)),
        )


@dataclass(frozen=True, slots=True)
class Marks:
    """What a sidecar says of a photo in the words of one program or another."""

    label: str | None = None
    """``xmp:Label``: Red, Green, or any word."""
    colour: int = 0
    """``digiKam:ColorLabel``: 0 none, 1 to 9."""
    pick: int = 0
    """``digiKam:PickLabel``: 0 none, 1 rejected, 2 pending, 3 accepted."""
    rated: bool = False
    """Whether there is a rating, be it 0."""
    levels: tuple[str, ...] | None = None
    """``lr:hierarchicalSubject``; None where there is none."""
    digikam: tuple[str, ...] | None = None
    """digiKam's own list of tags, beside which digiKam looks at no other; None where there is none."""


class Exiftool:
    """One exiftool process for many files. Use it in one thread."""

    def __init__(self, program: str = "exiftool") -> None:
        found = shutil.which(program)
        if found is None:
            raise ExiftoolError(
                "exiftool is not installed, which reads and writes keywords."
                " Install it: apt install libimage-exiftool-perl"
            )
        self._program = found
        self._process: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed in __exit__
        self._temporary = tempfile.TemporaryDirectory(prefix="twinlens-")
        self._folder = Path(self._temporary.name)
        self._calls = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()
        self._errors.close()
        self._temporary.cleanup()

    def read(self, path: bytes) -> Notes:
        """Return what a photo or a sidecar says; nothing where exiftool cannot read it."""
        return _notes(self._found(path))

    def read_sidecar(self, content: bytes) -> tuple[Notes, Marks]:
        """Return what the content of a sidecar says."""
        sidecar = self._folder / "sidecar.xmp"
        sidecar.write_bytes(content)
        found = self._found(bytes(sidecar))
        return _notes(found), _marks(found)

    def _found(self, path: bytes) -> dict[str, Any]:
        link = self._folder / f"photo{_plain_suffix(path)}"
        link.unlink(missing_ok=True)
        link.symlink_to(os.fsdecode(path))
        said = self._execute("-j", "-q", "-q", "-sep", _SEPARATOR, *_READ, str(link))
        try:
            # As they are written: 1.50 is a keyword, not a number.
            (found,) = json.loads(said, parse_float=str, parse_int=str)
        except ValueError:
            return {}
        return dict(found)

    def read_all(self, paths: Iterable[bytes]) -> Notes:
        """Return what sidecars and their photo say together; the first that has a rating decides it."""
        notes = Notes()
        for path in paths:
            read = self.read(path)
            rating = notes.rating or read.rating
            notes = replace(notes.union(read), rating=rating)
        return notes

    def merge(self, former: bytes | None, notes: Notes) -> bytes:
        """Return the content of a sidecar that says what ``former`` does, and ``notes`` too.

        ``former`` is returned as it is where it says all of that already; None: there is no sidecar.
        Raises ExiftoolError where exiftool refuses it.
        """
        known, marks = self.read_sidecar(former) if former is not None else (Notes(), Marks())
        changes = added(known, notes, digikam=marks.digikam is not None)
        return self.change(former, changes) if changes else former or b""

    def change(self, former: bytes | None, changes: Changes) -> bytes:
        """Return the content of a sidecar with some tags changed. Raises ExiftoolError."""
        sidecar = self._folder / "sidecar.xmp"
        sidecar.unlink(missing_ok=True)
        if former is not None:
            sidecar.write_bytes(former)
        values = self._folder / "values.json"
        kept = {tag: value for tag, value in changes.items() if value is not None}
        values.write_text(json.dumps([{"SourceFile": "*", **kept}]), encoding="ascii")
        removals = [f"-{tag}=" for tag, value in changes.items() if value is None]
        written = [f"-json={values}"] if kept else []
        self._execute("-overwrite_original", "-q", "-m", *removals, *written, str(sidecar))
        content = sidecar.read_bytes() if sidecar.exists() else None
        if content is None or content == former:
            raise ExiftoolError(f"exiftool wrote no sidecar: {self._last_complaint()}")
        return content

    def _execute(self, *arguments: str) -> bytes:
        """Run one command in the process and return what it printed. Raises ExiftoolError."""
        self._calls += 1
        ready = f"{{ready{self._calls}}}\n".encode()
        try:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            self._errors.seek(0)
            self._errors.truncate()
            lines = "\n".join([*arguments, f"-execute{self._calls}", ""])
            process.stdin.write(lines.encode())
            process.stdin.flush()
            said = bytearray()
            while not said.endswith(ready):
                line = process.stdout.readline()
                if not line:
                    raise BrokenPipeError
                said += line
        except OSError as error:
            self._stop()
            raise ExiftoolError(f"exiftool stopped: {self._last_complaint()}") from error
        return bytes(said[: -len(ready)])

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is not None:
            self._stop()
        if self._process is None:
            self._process = subprocess.Popen(
                # -config with no name: a user's .ExifTool_config is not for us to run.
                [*_dying_with_us(), self._program, "-config", "", "-stay_open", "True", "-@", "-"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,  # Ctrl-C is for us: we stop between two actions
            )
        return self._process

    def _stop(self) -> None:
        if self._process is None:
            return
        try:
            self._process.communicate(b"-stay_open\nFalse\n", timeout=5)
        except (OSError, ValueError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.communicate()
        self._process = None

    def _last_complaint(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1].partition(" - ")[0] if lines else "it gave no reason"


def _dying_with_us() -> list[str]:
    """Return what to put before a program that must not outlive us, not even our kill -9.

    A kept-open exiftool takes the end of its input for a pause and would poll it for ever.
    """
    setpriv = shutil.which("setpriv")  # util-linux, so on every Linux
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _plain_suffix(path: bytes) -> str:
    """Return a file's suffix, by which exiftool knows some formats, where it holds nothing odd."""
    suffix = os.path.splitext(path)[1]  # noqa: PTH122  bytes
    return suffix.decode("ascii") if suffix[1:].isalnum() and suffix.isascii() else ""


def _notes(found: dict[str, Any]) -> Notes:
    rating = str(found.get("Rating", "")).partition(".")[0]
    captions = (found.get("Description"), found.get("Caption-Abstract"))
    return Notes(
        _united(_list(found, "Subject"), _list(found, "Keywords")),
        _united(
            _list(found, "HierarchicalSubject"),
            [tag.replace("/", HIERARCHY) for tag in _list(found, "TagsList")],
        ),
        int(rating) if rating.lstrip("-").isdigit() and int(rating) else None,
        _united((str(text).strip() for text in captions if text), ()),
    )


def _marks(found: dict[str, Any]) -> Marks:
    return Marks(
        str(found["Label"]) if found.get("Label") else None,
        _number(found, "ColorLabel"),
        _number(found, "PickLabel"),
        "Rating" in found,
        tuple(_list(found, "HierarchicalSubject")) or None,
        tuple(_list(found, "TagsList")) if "TagsList" in found else None,
    )


def _number(found: dict[str, Any], key: str) -> int:
    said = str(found.get(key, ""))
    return int(said) if said.isdecimal() else 0


def _list(found: dict[str, Any], key: str) -> list[str]:
    value = found.get(key)
    if value is None:
        return []
    # exiftool takes the keyword "true" for JSON's.
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return [part for part in text.split(_SEPARATOR) if part]


def _united(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def added(known: Notes, wanted: Notes, *, digikam: bool) -> Changes:
    """Return the tags of a sidecar that change when it is to say ``wanted`` as well.

    Where there is a hierarchical keyword, darktable 4.2.1 looks at no flat one: the first of them
    takes the flat ones along.

    ``digikam``: it has digiKam's own list of tags, beside which digiKam looks at no other.
    """
    changes: Changes = {}
    more, all_of_it = wanted.without(known), known.union(wanted)
    if more.keywords:
        changes["XMP-dc:Subject"] = [*all_of_it.keywords]
    if more.hierarchical:
        there = words(all_of_it.hierarchical)
        flat = () if known.hierarchical else [w for w in all_of_it.keywords if w not in there]
        changes["XMP-lr:HierarchicalSubject"] = [*all_of_it.hierarchical, *flat]
    if more.hierarchical and digikam:
        slashed = [levels.replace(HIERARCHY, "/") for levels in all_of_it.hierarchical]
        changes["XMP-digiKam:TagsList"] = slashed
    if more.rating:
        changes["XMP-xmp:Rating"] = more.rating
    if more.captions:
        changes["XMP-dc:Description"] = "\n".join(_united(known.captions, more.captions))
    return changes
