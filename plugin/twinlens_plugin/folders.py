"""Folders that ``scan`` and ``watch`` are to read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from twinlens.catalogue import Catalogue
from twinlens.roots import Root, add_root, find_root, list_roots
from twinlens_plugin.output import remark, shown


def register(catalogue: Catalogue, folders: Sequence[bytes], *, now: float) -> list[Root]:
    """Return the roots that hold ``folders``, added where they are new; all roots for none.

    Raises RootError; UsageError where there is nothing to read.
    """
    chosen = dict.fromkeys(_register(catalogue, folder, now) for folder in folders)
    roots = list(chosen) or list_roots(catalogue)
    if not roots:
        raise click.UsageError("Name a FOLDER: none is watched yet.")
    return roots


def _register(catalogue: Catalogue, folder: bytes, now: float) -> Root:
    path = Path(os.fsdecode(folder))
    root = find_root(catalogue, path) if path.is_dir() else None
    if root is None:
        return add_root(catalogue, path, now=now)
    if root.folder != Path(os.path.realpath(path)):
        remark(f"{shown(folder)} lies in {shown(root.path)}, which is watched: reading all of it")
    return root
