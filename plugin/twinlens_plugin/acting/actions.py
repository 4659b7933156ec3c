"""What each action is made of: the steps for one photo."""

from __future__ import annotations

import enum
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from twinlens.roots import Root
from twinlens_plugin.acting import files
from twinlens_plugin.acting.companions import companions, renamed, xmp_sidecars
from twinlens_plugin.acting.dressing import Dress
from twinlens_plugin.acting.files import Reading
from twinlens_plugin.acting.linking import Link
from twinlens_plugin.acting.step import Step
from twinlens_plugin.acting.steps import Move, Remove, Trash, Write, content_of
from twinlens_plugin.acting.tagging import Field, Former, Gave, Tagger, Tags, tags_of
from twinlens_plugin.acting.trash import Mark
from twinlens_plugin.errors import ExiftoolError, SkippedError
from twinlens_plugin.keywords import HIERARCHY
from twinlens_plugin.output import shown
from twinlens_plugin.plans import PlannedGroup, PlannedPhoto
from twinlens_plugin.xmp import Exiftool, Marks, Notes, added


class Action(enum.StrEnum):
    """What to do with the photos that a plan proposes for removal."""

    TAG = "tag"
    MOVE = "move"
    TRASH = "trash"
    HARDLINK = "hardlink"
    REFLINK = "reflink"

    @property
    def links(self) -> bool:
        """Whether the photo stays, as a link to the keeper's bytes."""
        return self in {Action.HARDLINK, Action.REFLINK}

    @property
    def removes(self) -> bool:
        """Whether the photo leaves its folder."""
        return self in {Action.MOVE, Action.TRASH}


@dataclass(frozen=True, slots=True)
class Order:
    """What the user asked for."""

    action: Action
    folder: bytes | None = None
    """Where to move to: absolute, real."""
    merge: bool = False
    """Whether keywords, rating and caption go to the keeper's sidecar first."""
    keyword_root: str = "twinlens"
    sidecar_style: str = "name"
    fields: frozenset[Field] = frozenset({Field.KEYWORDS})
    """What tagging writes."""
    whole_groups: bool = False
    """Whether groups are tagged too of which nothing is to go."""
    clear: bool = False
    """Whether tagging takes out what it wrote earlier, and writes nothing."""
    stars: int = 0
    """Up to how many stars a rejection may replace: those of more were given by somebody."""

    @property
    def needs_exiftool(self) -> bool:
        """Whether sidecars are written."""
        return self.merge or self.action is Action.TAG


class AlreadyError(SkippedError):
    """There is nothing left to do for this photo."""


class Maker:
    """Makes the steps for the photos of one run."""

    def __init__(
        self, order: Order, exiftool: Exiftool | None, run: str, former: Former | None = None
    ) -> None:
        self._order = order
        self._exiftool = exiftool
        former = former or Former()
        self._tagger = Tagger(order.fields, order.keyword_root, former, stars=order.stars)
        # Of a photo that is in no group any more nothing is true, whatever was asked for.
        fields = order.fields if order.clear else frozenset(Field)
        self._clearer = Tagger(fields, order.keyword_root, former)
        self._run = run
        self._steps = 0

    def removal(
        self,
        photo: PlannedPhoto,
        keeper: PlannedPhoto,
        twin: PlannedPhoto,
        reading: Reading,
        roots: tuple[Root, Root],
    ) -> list[Step]:
        """Return what removes a photo, or makes it a link, after its notes went to the keeper.

        ``twin`` has the same bytes, where any photo that stays has; else it is the keeper. Raises
        AlreadyError where that was done, SkippedError where it cannot be.
        """
        merged = self._merge(photo.path, keeper.path, roots) if self._order.merge else []
        if self._order.action.links:
            return [*merged, self._link(photo, twin, reading)]
        if self._order.action is Action.MOVE:
            return [*merged, *self._moves(photo.path, roots[0])]
        return [*merged, *map(self._trash, (*companions(photo.path), photo.path))]

    def tags(self, photo: PlannedPhoto, group: PlannedGroup) -> list[Write | Remove]:
        """Return what makes a photo's sidecars say of which group it is, and which part it has.

        Or, to clear, what takes that out again. Raises AlreadyError where there is nothing to do.
        """
        wanted = tags_of(photo, group, self._order.keyword_root)
        steps = [
            step
            for path in self._writable_sidecars(photo.path)
            for step in self._tag(path, photo.path, wanted)
        ]
        if steps:
            return steps
        state = "has no tags of twinlens" if self._order.clear else "is tagged already"
        raise AlreadyError(f"{shown(photo.path)}: {state}.")

    def keeps_stars(self, photo: bytes) -> bool:
        """Tell whether ``tags`` left a photo that could go as it was rated."""
        return not self._tagger.starred.isdisjoint(self._writable_sidecars(photo))

    def target(self, path: bytes, root: Root) -> bytes:
        """Return where a photo moves to: its path below its root, below the folder asked for.

        Where something is there, a number is added to the name, of its companions too.
        """
        assert self._order.folder is not None
        wanted = os.path.join(self._order.folder, os.path.relpath(path, root.path))
        stem, suffix = os.path.splitext(wanted)
        for number in range(1, 10_000):
            target = wanted if number == 1 else b"%s (%d)%s" % (stem, number, suffix)
            all_of_it = [target, *(renamed(c, path, target) for c in companions(path))]
            if not any(map(os.path.lexists, all_of_it)):
                return target
        raise SkippedError(f"{shown(wanted)}: is there 10,000 times. Choose another folder.")

    def refuse_to_link(self, photo: PlannedPhoto, keeper: PlannedPhoto) -> None:
        """Raise SkippedError where a photo cannot be a link to its keeper, AlreadyError where it is."""
        name = shown(photo.path)
        if photo.sha256 != keeper.sha256:
            raise SkippedError(
                f"{name}: no photo that stays has the same bytes, so that it is not linked."
            )
        found, kept = os.lstat(photo.path), os.lstat(keeper.path)
        if found.st_dev != kept.st_dev:
            raise SkippedError(f"{name}: is on another disk than its keeper. Use another action.")
        if found.st_ino == kept.st_ino:
            raise AlreadyError(f"{name}: is one file with its keeper already.")

    def _token(self) -> str:
        self._steps += 1
        return f"{self._run}-{self._steps}"

    def _trash(self, path: bytes) -> Trash:
        return Trash(path, files.read(path).sha256, Mark.of(path), self._token())

    def _moves(self, path: bytes, root: Root) -> list[Step]:
        target = self.target(path, root)
        made = tuple(files.missing_folders(os.path.dirname(target)))
        pairs = [(c, renamed(c, path, target)) for c in companions(path)]
        return [
            Move(source, to, files.read(source).sha256, self._token(), made)
            for source, to in (*pairs, (path, target))
        ]

    def _link(self, photo: PlannedPhoto, keeper: PlannedPhoto, reading: Reading) -> Link:
        self.refuse_to_link(photo, keeper)
        return Link(
            photo.path,
            keeper.path,
            photo.sha256,
            reading.inode,
            Dress.of(photo.path),
            self._token(),
            reflink=self._order.action is Action.REFLINK,
        )

    def _merge(self, photo: bytes, keeper: bytes, roots: tuple[Root, Root]) -> list[Step]:
        assert self._exiftool is not None
        own = self._exiftool.read_all([*self._sidecars(keeper), keeper])
        theirs = self._exiftool.read_all([*self._sidecars(photo), photo])
        notes = theirs.without_ours(self._order.keyword_root)
        mine, others = _folders(keeper, roots[1]), _folders(photo, roots[0])
        if others and others != mine:
            levels = (self._order.keyword_root, "folders", *others)
            notes = notes.with_keyword(HIERARCHY.join(levels))
        more = notes.without(own)
        return self._add(keeper, more, own) if more else []

    def _sidecars(self, photo: bytes) -> list[bytes]:
        found = xmp_sidecars(photo, self._order.sidecar_style)
        return [path for path in found if os.path.lexists(path)]

    def _writable_sidecars(self, photo: bytes) -> list[bytes]:
        """Return the sidecars that speak of a photo. Raises SkippedError where one is a link."""
        found = xmp_sidecars(photo, self._order.sidecar_style)
        for path in found:
            if os.path.islink(path):  # to replace it would cut it off from where it points to
                raise SkippedError(f"{shown(path)}: is a symbolic link, and is left alone.")
        return found

    def _tag(self, path: bytes, photo: bytes, wanted: Tags) -> Iterator[Write | Remove]:
        """Yield what makes one sidecar say what is wanted; nothing where it does."""
        assert self._exiftool is not None
        former = content_of(path)
        if former is None:
            known, marks = self._exiftool.read(photo), Marks()  # nothing: it is all made anew
        else:
            known, marks = self._exiftool.read_sidecar(former)
        tagger = self._tagger if wanted.keywords else self._clearer
        changes, gave = tagger.changes(path, known, marks, wanted)
        if not changes:
            return
        if former is None:  # it says as well what the photo does: see _add
            changes = {**added(Notes(), known, digikam=False), **changes}
        try:
            content = self._exiftool.change(former, changes)
        except ExiftoolError as error:
            raise SkippedError(f"{shown(path)}: stays as it is: {error}") from error
        if former is not None and _says_nothing(content):
            yield Remove(path, former, Dress.of(path), self._token(), gave)
        else:
            yield self._write_step(path, former, content, gave)

    def _add(self, photo: bytes, notes: Notes, own: Notes) -> list[Step]:
        """Return steps that add notes to the sidecars of a photo, which says ``own`` so far.

        A sidecar that is made anew says as well what the photo says in itself: photo managers look at
        the sidecar first, and some at nothing else.
        """
        assert self._exiftool is not None
        steps: list[Step] = []
        for path in self._writable_sidecars(photo):
            former = content_of(path)
            content = self._exiftool.merge(former, own.union(notes) if former is None else notes)
            if content != former:
                steps.append(self._write_step(path, former, content))
        return steps

    def _write_step(
        self, path: bytes, former: bytes | None, content: bytes, gave: Gave | None = None
    ) -> Write:
        dressed = None if former is None else Dress.of(path)
        sha256 = hashlib.sha256(content).hexdigest()
        return Write(path, former, dressed, sha256, self._token(), content, gave or {})


def _says_nothing(sidecar: bytes) -> bool:
    """Tell whether exiftool left nothing in a sidecar but its frame."""
    return b"<rdf:Description" not in sidecar


_CAMERA_FOLDER = re.compile(r"DCIM|\d{3}\w{5}", re.ASCII)
"""Names that cameras give (JEITA CP-3461, DCF: ``DCIM``, ``100CANON``): no albums."""


def _folders(photo: bytes, root: Root) -> list[str]:
    """Return the names of the folders between a root and a photo that people gave."""
    parts = os.path.dirname(os.path.relpath(photo, root.path)).split(b"/")
    names = [part.decode("utf-8", "replace").replace(HIERARCHY, "/") for part in parts if part]
    return [name for name in names if not _CAMERA_FOLDER.fullmatch(name)]
