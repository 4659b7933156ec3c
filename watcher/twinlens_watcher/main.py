"""The command ``twinlens-watcher``."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from twinlens.catalogue import Catalogue
from twinlens.errors import AlreadyRunningError, CatalogueError, RootError, TwinlensError
from twinlens.library import Library
from twinlens.logs import start_logging
from twinlens.media import printable
from twinlens.roots import Root, list_roots
from twinlens.settings import Settings, load_settings
from twinlens_watcher.once import sweep_once
from twinlens_watcher.stopping import Bell, Stopping, stop_on_eof, stop_on_signals

log = logging.getLogger(__name__)

EXIT_FAILED = 1
EXIT_ALREADY_RUNNING = 75  # EX_TEMPFAIL of sysexits.h


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--library", type=click.Path(path_type=Path), help="Folder of the library.")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file with settings.")
@click.option("--once", is_flag=True, help="Compare disk and catalogue once, then exit.")
@click.option(
    "--accept-deletions",
    is_flag=True,
    help="Take photos for deleted that are gone, however many.",
)
@click.option("--stop-on-eof", "eof", is_flag=True, help="Stop when standard input ends.")
@click.option("-v", "--verbose", is_flag=True, help="Log more.")
@click.argument("roots", nargs=-1, metavar="[ROOT]...", type=click.Path(path_type=Path))
@click.version_option(package_name="twinlens")
def main(
    library: Path | None,
    config: Path | None,
    once: bool,  # noqa: FBT001  click passes flags so
    accept_deletions: bool,  # noqa: FBT001
    eof: bool,  # noqa: FBT001
    verbose: bool,  # noqa: FBT001
    roots: tuple[Path, ...],
) -> None:
    """Follow the photo folders of a library (all, or each ROOT): files that come, change and go."""
    start_logging(verbose=verbose)
    bell = Bell()
    stop_on_signals(bell)
    if eof:
        stop_on_eof(bell)
    try:
        settings = load_settings(os.environ, config=config, library=library)
        _run(settings, roots, bell, once=once, accept_deletions=accept_deletions)
    except Stopping:
        log.info("stopped")
    except AlreadyRunningError as error:
        click.echo(f"twinlens-watcher: {error}", err=True)
        sys.exit(EXIT_ALREADY_RUNNING)
    except TwinlensError as error:
        click.echo(f"twinlens-watcher: {error}", err=True)
        sys.exit(EXIT_FAILED)


def _run(
    settings: Settings, paths: Sequence[Path], bell: Bell, *, once: bool, accept_deletions: bool
) -> None:
    library = Library(settings.library)
    library.create()
    work = _sweep_once if once else _watch
    try:
        work(library, settings, paths, bell, accept_deletions)
    except sqlite3.Error as error:
        raise CatalogueError(
            f"{library.catalogue}: cannot be used: {error}."
            " Check that its disk is not full and that it can be written, then try again."
        ) from error


def _sweep_once(
    library: Library,
    settings: Settings,
    paths: Sequence[Path],
    bell: Bell,
    accept_deletions: bool,  # noqa: FBT001
) -> None:
    with Catalogue.open(library.catalogue) as catalogue:
        sweep_once(
            catalogue,
            choose_roots(list_roots(catalogue), paths),
            settings,
            accept_deletions=accept_deletions,
            pause=bell.check,
            sleep=bell.sleep,
        )


def _watch(
    library: Library,
    settings: Settings,
    paths: Sequence[Path],
    bell: Bell,
    accept_deletions: bool,  # noqa: FBT001
) -> None:
    from twinlens_watcher.service import Service

    with library.lock("watcher"), Catalogue.open(library.catalogue) as catalogue:
        chosen = choose_roots(list_roots(catalogue), paths) if paths else None
        service = Service(
            catalogue,
            settings,
            bell,
            only=None if chosen is None else [root.id for root in chosen],
            accept_deletions=accept_deletions,
        )
        service.run()


def choose_roots(known: Sequence[Root], paths: Sequence[Path]) -> list[Root]:
    """Return the roots that ``paths`` name; all for none. Raises RootError for a stranger."""
    by_folder = {root.folder: root for root in known}
    chosen = []
    for path in paths:
        real = Path(os.path.realpath(path))
        if real not in by_folder:
            name = printable(os.fsencode(path))
            raise RootError(f"{name}: not a folder of this library. Add it: twinlens scan {name}")
        chosen.append(by_folder[real])
    return chosen or list(known)
