"""Index snapshots: a USearch file and a manifest that says what is in it.

The index is a cache of the catalogue. A snapshot is published so that a reader never sees half of
one: 1. write under a temporary name; 2. fsync; 3. rename to a name never used before; 4. fsync the
folder; 5. the same for the manifest, which names the file. Readers map the file (``view``) and keep
their mapping when a newer one takes its place. USearch checks nothing and can crash on flipped
bytes (faults.md), so the sha256 is verified before USearch sees the file: always by who writes it
on, by readers once and then again when the file's status changed or after a week (``verified``).
"""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twinlens.errors import SnapshotError
from twinlens.models import Model
from twinlens.spaces import Space
from twinlens.verified import verify

if TYPE_CHECKING:
    from usearch.index import Index

FORMAT = 1
DTYPE = "f16"
CONNECTIVITY = 16
EXPANSION_ADD = 128
EXPANSION_SEARCH = 96
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot holds."""

    format: int
    file: str
    sha256: str
    seq: int
    """The log is contained up to and with this number."""
    count: int
    removed: int
    """Entries removed since the index was built: too many, and it is built anew."""
    catalogue: str | None
    """Mark of the catalogue: its numbers mean nothing in another one."""
    model: str
    digest: str
    dimension: int
    metric: str
    dtype: str
    tuning: str
    """Digest of the tuning that the entries were made with; empty where there is none."""
    seal: str = ""
    """sha256 of the other fields, hex."""


def model_folder(index: Path, model: Model) -> Path:
    """Return the folder of all that is indexed of a model: one for each name and digest."""
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in model.name)
    return index / f"{safe}-{model.digest[:12]}"


def snapshot_folder(index: Path, space: Space) -> Path:
    """Return the folder of a space's snapshots: the model's, or one in it for a tuning.

    So that the index of one space answers while that of the next is made.
    """
    folder = model_folder(index, space.model)
    return folder / f"tuned-{space.tuning.digest[:12]}" if space.tuning else folder


def new_index(space: Space) -> Index:
    """Return an empty index, f16: cosine distance, or the inner product's in a tuned space."""
    from usearch.index import Index

    return Index(
        ndim=space.dimension,
        metric=space.metric,
        dtype=DTYPE,
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )


def publish(index: Index, folder: Path, space: Space, *, seq: int, removed: int = 0) -> Manifest:
    """Write a snapshot that contains the log up to ``seq``; return its manifest.

    On any error (a full disk) the snapshot before it stays current. Raises OSError or
    SnapshotError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".writing-{os.getpid()}"
    final = folder / f"snapshot-{seq}-{os.urandom(4).hex()}.usearch"
    try:
        _save(index, temporary)
        manifest = Manifest(
            format=FORMAT,
            file=final.name,
            sha256=_sha256(temporary),
            seq=seq,
            count=len(index),
            removed=removed,
            catalogue=space.model.catalogue,
            model=space.model.name,
            digest=space.model.digest,
            dimension=space.dimension,
            metric=space.metric,
            dtype=DTYPE,
            tuning=space.mark,
        )
        manifest = dataclasses.replace(manifest, seal=_seal(manifest))
        temporary.rename(final)
        _sync_folder(folder)
        _write_manifest(folder, manifest)
    except BaseException:
        temporary.unlink(missing_ok=True)
        final.unlink(missing_ok=True)
        raise
    _sync_folder(folder)
    _remove_others(folder, keep=final.name)
    return manifest


def read_manifest(folder: Path, space: Space) -> Manifest:
    """Return the manifest of the current snapshot.

    Raises SnapshotError where it is missing, damaged, or of another model or tuning.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise SnapshotError(f"{path}: no snapshot yet. The worker writes one.") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise SnapshotError(f"{path}: damaged ({error}). The worker rebuilds it.") from error
    if not _is_whole(manifest):
        raise SnapshotError(f"{path}: damaged. The worker rebuilds it.")
    expected = (
        FORMAT,
        space.model.catalogue,
        space.model.name,
        space.model.digest,
        space.dimension,
        space.metric,
        DTYPE,
        space.mark,
    )
    found = (
        manifest.format,
        manifest.catalogue,
        manifest.model,
        manifest.digest,
        manifest.dimension,
        manifest.metric,
        manifest.dtype,
        manifest.tuning,
    )
    if found != expected:
        raise SnapshotError(
            f"{path}: of another model, catalogue, tuning or format. The worker rebuilds it."
        )
    return manifest


def _is_whole(manifest: Manifest) -> bool:
    """Tell whether a manifest is as it was written: its fields carry their own checksum.

    A number of the log that is too high would hide commits from every search, without a word.
    """
    return manifest.seal == _seal(manifest) and Path(manifest.file).name == manifest.file


def _seal(manifest: Manifest) -> str:
    fields = dataclasses.asdict(manifest) | {"seal": ""}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def open_snapshot(
    folder: Path, space: Space, *, view: bool, thorough: bool = False
) -> tuple[Manifest, Index]:
    """Verify and open the current snapshot, mapped (``view``) or loaded to be written to.

    Who maps it trusts an earlier verification, unless ``thorough``. A file that was replaced in between is looked up again. Raises SnapshotError.
    """
    missing = ""
    while True:
        manifest = read_manifest(folder, space)
        path = folder / manifest.file
        try:
            trust = view and not thorough
            return manifest, _open(path, manifest, space, view=view, trust_note=trust)
        except FileNotFoundError as error:
            if manifest.file == missing:
                raise SnapshotError(f"{path}: missing. The worker rebuilds it.") from error
            missing = manifest.file


def _open(path: Path, manifest: Manifest, space: Space, *, view: bool, trust_note: bool) -> Index:
    if not verify(path, manifest.sha256, trust_note=trust_note):
        raise SnapshotError(f"{path}: its checksum is wrong. The worker rebuilds it.")
    index = new_index(space)
    try:
        kept = _kept(path)
        (index.view if view else index.load)(str(path))
    except (RuntimeError, ValueError, OSError) as error:
        if not path.exists():
            raise FileNotFoundError(errno.ENOENT, "replaced", str(path)) from error
        raise SnapshotError(
            f"{path}: cannot be opened: {error}. The worker rebuilds it."
        ) from error
    if kept != (manifest.metric, DTYPE, manifest.dimension, manifest.count):
        raise SnapshotError(
            f"{path}: does not hold what its manifest says. The worker rebuilds it."
        )
    return index


def _kept(path: Path) -> tuple[str, str, int, int]:
    """Return metric, number type, dimension and count from the header of an index file.

    A file keeps its own metric, whatever was asked for, and the opened index names the one that was
    asked for (usearch 2.26.6).
    """
    from usearch.index import Index

    header: dict[str, Any] = Index.metadata(str(path)) or {}
    if not header:
        raise FileNotFoundError(errno.ENOENT, "replaced", str(path))
    return (
        header["kind_metric"].name.lower(),
        header["kind_scalar"].name.lower(),
        int(header["dimensions"]),
        int(header["count_present"]),
    )


def _save(index: Index, path: Path) -> None:
    try:
        index.save(str(path))
    except RuntimeError as error:
        raise SnapshotError(f"{path}: cannot write the index: {error}. Free disk space?") from error
    if path.stat().st_size < index.serialized_length:
        raise SnapshotError(f"{path}: the index was cut short. Free disk space?")
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def _write_manifest(folder: Path, manifest: Manifest) -> None:
    temporary = folder / f".{MANIFEST}-{os.getpid()}"
    try:
        with temporary.open("w", encoding="utf-8") as handle:
            json.dump(dataclasses.asdict(manifest), handle, indent=1)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(folder / MANIFEST)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _remove_others(folder: Path, keep: str) -> None:
    """Remove older snapshots and what a killed writer left. Readers keep what they mapped."""
    for path in folder.iterdir():
        if path.name not in (keep, MANIFEST) and not path.is_dir():
            path.unlink(missing_ok=True)


def remove_other_spaces(index: Path, space: Space) -> None:
    """Remove the snapshots of all spaces of the model but this one. Readers keep what they mapped."""
    folder, kept = model_folder(index, space.model), snapshot_folder(index, space)
    if not kept.exists():
        return
    for path in folder.iterdir():
        if path.is_dir() and path != kept:
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_file() and folder != kept:
            path.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
