"""The worker's command line."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import click

from twinlens import __version__
from twinlens.errors import AlreadyRunningError, ModelError, TwinlensError, WorkerError
from twinlens.logs import start_logging
from twinlens.settings import Settings, load_settings
from twinlens.signals import set_from_handler

EXIT_FAILED = 1
EXIT_ALREADY_RUNNING = 75
EXIT_STOPPED = 143
"""128 + SIGTERM, as shells have it."""


@click.group(invoke_without_command=True)
@click.option("--library", type=click.Path(path_type=Path), help="Library folder.")
@click.option("--config", type=click.Path(path_type=Path), help="TOML settings file.")
@click.option("--queues", help="Celery queues to work on: embed, commit, query.")
@click.option("--stop-on-eof", is_flag=True, help="Stop when standard input closes.")
@click.option("-v", "--verbose", is_flag=True, help="Say more.")
@click.version_option(__version__)
@click.pass_context
def cli(
    context: click.Context,
    library: Path | None,
    config: Path | None,
    queues: str | None,
    stop_on_eof: bool,  # noqa: FBT001  click passes it by name
    verbose: bool,  # noqa: FBT001
) -> None:
    """Read photos, embed them and keep the index.

    Without --queues it works alone on one library; with them it is one of many over Redis:

    \b
        twinlens-worker --library ~/photos-library
        TWINLENS_BROKER=redis://nas:6379/0 twinlens-worker --queues embed
    """  # noqa: D301  click wants the backspace itself
    settings = load_settings(os.environ, config=config, library=library)
    # Before torch is imported. Its OpenMP threads would spin while they wait for each other, on the
    # cores that the decoders need: 2.5 ms of CPU a photo instead of 16 (2 cores, both decoding).
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    context.obj = settings
    if context.invoked_subcommand is not None:
        return
    start_logging(verbose=verbose)
    if queues:
        _run_queues(settings, queues.split(","), stop_on_eof=stop_on_eof)
    else:
        _run_embedded(settings, stop_on_eof=stop_on_eof)


def _run_embedded(settings: Settings, *, stop_on_eof: bool) -> None:
    from twinlens_worker.embedded import run_embedded

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: set_from_handler(stop))
    if stop_on_eof:
        _at_eof(stop.set)
    run_embedded(settings, stop)


def _run_queues(settings: Settings, queues: list[str], *, stop_on_eof: bool) -> None:
    _need_celery()
    from twinlens_worker.celery_app import run_celery

    if stop_on_eof:
        _at_eof(lambda: os.kill(os.getpid(), signal.SIGTERM))
    run_celery(settings, [queue.strip() for queue in queues if queue.strip()])


def _need_celery() -> None:
    if importlib.util.find_spec("celery") is None:
        raise WorkerError("Celery is not installed. Run: pip install 'twinlens[redis]'")


def _at_eof(action: Callable[[], object]) -> None:
    """Call ``action`` when standard input closes: whoever started this process is gone."""

    def wait() -> None:
        with contextlib.suppress(OSError):  # closed before we started: that is an end too
            while os.read(0, 4096):
                pass
        action()

    threading.Thread(target=wait, name="stdin", daemon=True).start()


@cli.command()
@click.argument("name")
@click.option("--weights", type=click.Path(path_type=Path), help="Local weights file.")
@click.option("--trust", metavar="SHA256", multiple=True, help="TorchScript that may run.")
def describe(name: str, weights: Path | None, trust: tuple[str, ...]) -> None:
    """Describe a model as one JSON object, once it has been loaded.

    Loading fetches official weights that are not here yet, and finds weights that do not fit before
    a library is promised to them. What is wrong comes as JSON too, {"error": "..."}: standard error
    is left to the progress of a download.
    """
    from twinlens_worker.models.descriptor import load

    _exit_when_told()
    try:
        info = load(name, weights=weights, device="cpu", trusted=trust).info
    except ModelError as error:
        click.echo(json.dumps({"error": str(error)}))
        sys.exit(EXIT_FAILED)
    fields = ("name", "digest", "dimension", "input_size", "copy_threshold", "named")
    answer = {field: getattr(info, field) for field in fields}
    click.echo(json.dumps({**answer, "categories": len(info.categories)}))


def _exit_when_told() -> None:
    """A download that is told to stop removes what it has; the default action would not."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(EXIT_STOPPED))


@cli.command()
def models() -> None:
    """List the models that can be used, one JSON object a line."""
    from dataclasses import asdict

    from twinlens_worker.models.listing import list_models

    for model in list_models():
        click.echo(json.dumps(asdict(model)))


@cli.command()
@click.option("--model", "name", help="Model; default: the one that answers for the library.")
@click.option("--digest", help="sha256 of its weights.")
@click.option("--weights", type=click.Path(path_type=Path), help="Local weights file.")
@click.pass_obj
def embed(settings: Settings, name: str | None, digest: str | None, weights: Path | None) -> None:
    """Embed the photos whose NUL-separated paths stand on standard input; one JSON line each."""
    from twinlens_worker.one_shot import embed_paths

    paths = [path for path in sys.stdin.buffer.read().split(b"\0") if path]
    for answer in embed_paths(settings, paths, name=name, digest=digest, weights=weights):
        click.echo(json.dumps(answer))


@cli.command()
@click.pass_obj
def relate(settings: Settings) -> None:
    """Say what unseen photos are to contents of the library: JSON lines in, JSON lines out."""
    from twinlens_worker.relating import relate as relate_all

    questions = [json.loads(line) for line in sys.stdin.buffer if line.strip()]
    for answer in relate_all(settings, questions):
        click.echo(json.dumps(answer))


@cli.command()
@click.option(
    "--scratch", type=click.Path(path_type=Path), help="Folder that is removed at the end."
)
@click.pass_obj
def assistant(settings: Settings, scratch: Path | None) -> None:
    """Embed, compare, render and make thumbnails: JSON lines in, JSON lines out, until the input ends.

    Torch is imported with the first embed: the first picture is there in half a second.
    """
    from twinlens_worker.assistant import answers_alone, assist

    with answers_alone() as answers:
        assist(settings, sys.stdin.buffer, answers, scratch)


@cli.command()
@click.option(
    "--model",
    "models",
    type=(str, str),
    multiple=True,
    metavar="NAME FILE",
    help="Model and its weights, '' for its own; default: the one that answers for the library.",
)
@click.pass_obj
def evaluate(settings: Settings, models: tuple[tuple[str, str], ...]) -> None:
    r"""Judge models on the photos given as folder\0path\0 on standard input.

    Photos of one folder belong together. Prints JSON, a line for each step, for each photo left out
    and for each model; what is wrong as {"error": "..."}.
    """
    from twinlens_worker import evaluation

    _exit_when_told()
    # What cannot be read is said on standard output.
    logging.getLogger("twinlens").addHandler(logging.NullHandler())
    named = [(name, Path(file) if file else None) for name, file in models]
    try:
        photos = evaluation.read_labelled(sys.stdin.buffer.read())
        candidates = evaluation.load_candidates(settings, named)
        evaluation.evaluate(settings, photos, candidates, lambda one: click.echo(json.dumps(one)))
    except TwinlensError as error:
        click.echo(json.dumps({"error": str(error)}))
        sys.exit(EXIT_FAILED)


@cli.command()
@click.pass_obj
def ping(settings: Settings) -> None:
    """Exit with 0 when a Celery worker of this computer answers: a health check."""
    _need_celery()
    from twinlens_worker.celery_app import answers_here

    if not answers_here(settings):
        raise WorkerError("no worker of this computer answers. See its log.")


def main() -> None:
    """Run the worker and turn errors into exit codes."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except AlreadyRunningError as error:
        click.echo(f"twinlens-worker: {error}", err=True)
        sys.exit(EXIT_ALREADY_RUNNING)
    except TwinlensError as error:
        click.echo(f"twinlens-worker: {error}", err=True)
        sys.exit(EXIT_FAILED)
