"""Roots: the photo folders that a library watches, and whether they are really there.

A root has a name; each computer maps the name to its own mount point. The owner's path is in the
catalogue. A marker file in the folder tells the photo disk from the empty mount point that is left
when the disk is away.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from twinlens.catalogue import Catalogue
from twinlens.contents import drop_orphans
from twinlens.errors import RootError
from twinlens.events import add_event
from twinlens.library import Library
from twinlens.media import printable

MARKER_NAME = ".twinlens-root"

PART = 20_000
"""Rows forgotten in one transaction: about half a second."""


@dataclass(frozen=True, slots=True)
class Root:
    """One watched folder."""

    id: int
    name: str
    path: bytes
    marker: str | None
    online: bool
    reason: str | None

    @property
    def folder(self) -> Path:
        """The folder on the owner's computer."""
        return Path(os.fsdecode(self.path))


def list_roots(catalogue: Catalogue) -> list[Root]:
    """Return all roots, by name."""
    rows = catalogue.rows("SELECT id, name, path, marker, online, reason FROM roots ORDER BY name")
    return [Root(**{**row, "online": bool(row["online"])}) for row in rows]


def add_root(catalogue: Catalogue, folder: Path, *, now: float, name: str | None = None) -> Root:
    """Register ``folder`` and mark it; return the root, the existing one where it is known.

    A folder that bears the marker of a root that is away is that root, renamed or mounted elsewhere:
    it keeps what is known of its photos.

    Raises RootError where it is no readable folder, is the library, or overlaps another root.
    """
    real = Path(os.path.realpath(folder))
    if real.is_file():
        raise RootError(f"{_shown(folder)}: is a file. Name its folder.")
    if not real.is_dir():
        raise RootError(f"{_shown(folder)}: no such folder. Check the path.")
    _refuse_library(real, catalogue)
    if not os.access(real, os.R_OK | os.X_OK):
        raise RootError(f"{_shown(real)}: the folder cannot be read. Correct its permissions.")
    with catalogue.write_tx() as tx:  # of two processes that add it at once, one finds it added
        roots = list_roots(catalogue)
        if known := [root for root in roots if root.folder == real]:
            return known[0]
        if moved := _moved_root(real, roots):
            roots.remove(moved)
            _refuse_overlap(real, roots)
            tx.execute(
                "UPDATE roots SET path = ?, online = 1, reason = NULL WHERE id = ?",
                (os.fsencode(real), moved.id),
            )
            add_event(tx, now, "online", root_id=moved.id, path=os.fsencode(real))
            return next(root for root in list_roots(catalogue) if root.id == moved.id)
        _refuse_overlap(real, roots)
        if name in {root.name for root in roots}:
            raise RootError(f"{_shown(real)}: the name '{name}' is taken. Choose another.")
        tx.execute(
            "INSERT INTO roots (name, path, marker, online, added_at) VALUES (?, ?, ?, 1, ?)",
            (
                name or _free_name(real, roots),
                os.fsencode(real),
                _place_marker(real, uuid.uuid4().hex),
                now,
            ),
        )
    return next(root for root in list_roots(catalogue) if root.folder == real)


def find_root(catalogue: Catalogue, path: Path) -> Root | None:
    """Return the root that holds ``path``, or None. Symbolic links are followed."""
    real = Path(os.path.realpath(path))
    for root in list_roots(catalogue):
        if real == root.folder or root.folder in real.parents:
            return root
    return None


def remove_root(catalogue: Catalogue, root: Root) -> int:
    """Forget a root and all that was known of its photos; return how many. Photos stay as they are.

    Contents that no other root holds go too, with their vectors; the log tells the index.
    """
    count = catalogue.value(
        "SELECT count(*) FROM files WHERE root_id = ? AND missing_since IS NULL", (root.id,)
    )
    # In parts: 200,000 photos at once would hold the write lock for 6 s, and workers wait for it.
    # Killed in between, the root is still there, to be removed again.
    while _forget_some_files(catalogue, root):
        pass
    with catalogue.write_tx() as tx:
        tx.execute("DELETE FROM events WHERE root_id = ?", (root.id,))
        tx.execute("DELETE FROM roots WHERE id = ?", (root.id,))
    while _forget_some_contents(catalogue):
        pass
    _remove_marker(root)
    return int(count)


def _forget_some_files(catalogue: Catalogue, root: Root) -> int:
    some = "SELECT id FROM files WHERE root_id = ? ORDER BY path LIMIT ?"
    with catalogue.write_tx() as tx:
        tx.execute(f"DELETE FROM jobs WHERE file_id IN ({some})", (root.id, PART))  # noqa: S608
        return tx.execute(f"DELETE FROM files WHERE id IN ({some})", (root.id, PART)).rowcount  # noqa: S608


def _forget_some_contents(catalogue: Catalogue) -> int:
    with catalogue.write_tx() as tx:
        return drop_orphans(tx, most=PART)


def set_online(catalogue: Catalogue, root: Root, *, reason: str | None, now: float) -> None:
    """Record that a root is there (``reason`` None) or away, and why; an event tells of a change."""
    with catalogue.write_tx() as tx:
        changed = tx.execute(
            "UPDATE roots SET online = ? WHERE id = ? AND online != ?",
            (reason is None, root.id, reason is None),
        ).rowcount
        tx.execute(
            "UPDATE roots SET reason = ? WHERE id = ? AND reason IS NOT ?",
            (reason, root.id, reason),
        )
        if changed:
            kind = "online" if reason is None else "offline"
            add_event(tx, now, kind, root_id=root.id, path=root.path, detail=reason)


def set_swept(catalogue: Catalogue, root: Root, now: float) -> None:
    """Record when a root was last compared with the catalogue from end to end."""
    with catalogue.write_tx() as tx:
        tx.execute("UPDATE roots SET swept_at = ? WHERE id = ?", (now, root.id))


def mark_again(catalogue: Catalogue, root: Root) -> Root:
    """Accept the folder that is at the root's path now as the root; return the root as it is then.

    That is the way back after the folder was deleted and made again, or after its disk was
    replaced: the user says that it is the right one.
    """
    marker = _place_marker(root.folder, root.marker or uuid.uuid4().hex)
    with catalogue.write_tx() as tx:
        tx.execute("UPDATE roots SET marker = ? WHERE id = ?", (marker, root.id))
    return replace(root, marker=marker)


def why_offline(root: Root) -> str | None:
    """Return why the root's photos cannot be trusted to be there, or None when they can.

    1. The folder must be there. 2. Where it was marked, the marker must be there and be ours.
    3. Where it could not be marked (read-only), it must not be empty.
    """
    try:
        with os.scandir(root.path) as entries:
            empty = next(entries, None) is None
    except (FileNotFoundError, NotADirectoryError):
        return "the folder is not there"
    except OSError as error:  # a dead network mount: ESTALE, ENOTCONN, EIO
        return f"the folder cannot be read: {error.strerror}"
    if root.marker is None:
        return "the folder is empty" if empty else None
    found = _markers(root.folder)
    if not found:
        return f"its marker {MARKER_NAME} is missing: is the disk mounted?"
    return None if root.marker in found else "another folder is mounted in its place"


def resolve(mounts: Mapping[str, Path], name: str, owner_path: bytes, relative: bytes) -> bytes:
    """Return where this computer sees a photo: below its mount for ``name``, else the owner's."""
    base = os.fsencode(mounts[name]) if name in mounts else owner_path
    return os.path.join(base, relative)  # noqa: PTH118  bytes


def _refuse_library(real: Path, catalogue: Catalogue) -> None:
    """Each thumbnail would get a thumbnail of its own, and be the copy of a photo, for ever."""
    library = Path(os.path.realpath(catalogue.path.parent))
    thumbnails = Library(library).thumbnails
    if real in (library, thumbnails) or thumbnails in real.parents:
        raise RootError(
            f"{_shown(real)}: belongs to the library, whose thumbnails are not photos."
            " Name a folder of photos, or another --library."
        )


def _refuse_overlap(real: Path, roots: list[Root]) -> None:
    for root in roots:
        if _is_same_folder(real, root.folder):
            raise RootError(
                f"{_shown(real)}: is {_shown(root.folder)} once more, mounted twice, which is"
                " watched already."
            )
        if real in root.folder.parents:
            raise RootError(
                f"{_shown(real)}: holds {_shown(root.folder)}, which is watched already."
                f" Remove that first: twinlens remove-root {_shown(root.folder)}"
            )
        if root.folder in real.parents:
            raise RootError(
                f"{_shown(real)}: lies inside {_shown(root.folder)}, which is watched already."
            )


def _is_same_folder(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False  # the other one's disk is away


def _free_name(real: Path, roots: list[Root]) -> str:
    taken = {root.name for root in roots}
    base = printable(os.fsencode(real.name)) or "root"
    return next(
        name for name in (base, *(f"{base}-{i}" for i in range(2, 10_000))) if name not in taken
    )


def _moved_root(real: Path, roots: list[Root]) -> Root | None:
    markers = set(_markers(real))
    for root in roots:
        if root.marker in markers and why_offline(root) is not None:
            return root
    return None


def _place_marker(real: Path, marker: str) -> str | None:
    """Add our line to the marker file and return it; None where the folder is read-only.

    Each library that watches the folder has a line, so that one can leave and the others stay. On a
    read-only disk a line that is there already does as well.
    """
    found = _markers(real)
    try:
        with (real / MARKER_NAME).open("a", encoding="utf-8") as handle:
            handle.write(marker + "\n")
    except OSError:
        return found[0] if found else None
    return marker


def _remove_marker(root: Root) -> None:
    lines = _markers(root.folder)
    others = [line for line in lines if line != root.marker]
    path = root.folder / MARKER_NAME
    try:
        if not others:
            path.unlink(missing_ok=True)
        elif others != lines:
            rest = path.with_name(MARKER_NAME + ".new")
            rest.write_text("\n".join(others) + "\n", encoding="utf-8")
            rest.replace(path)
    except OSError:
        return  # the disk is away or read-only: a stray marker does no harm


def _markers(folder: Path) -> list[str]:
    """Return the lines of the marker file; none where there is no such file that can be read."""
    try:
        return (folder / MARKER_NAME).read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return []


def _shown(folder: Path) -> str:
    return printable(os.fsencode(folder))
