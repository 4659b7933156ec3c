"""Where the CPU time of ingesting a photo goes, by stopwatches around the worker's own functions."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from benchmarks import photos
from benchmarks.programs import cpu_seconds, workspace
from benchmarks.tables import Table, milliseconds
from twinlens import ledger, settings, vectors
from twinlens.catalogue import Catalogue
from twinlens.filestat import FileStat
from twinlens.library import Library
from twinlens.messages import Embedded, ModelRef, Photo
from twinlens.roots import add_root
from twinlens_worker.commit import commit
from twinlens_worker.decode import Decoded, DecodeRequest, DecoderPool, decoder, picture
from twinlens_worker.indexer import open_indexer
from twinlens_worker.models.descriptor import Descriptor, load
from twinlens_worker.target import make_target

OTHER = "decoder, what remains"
FINDER = "find the picture within"
ROUND_TRIPS = 200


class Stopwatch:
    """CPU time of each stage, exclusive: a stage's clock stands still while another runs in it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._running: list[str] = []
        self._since = time.process_time()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count what happens inside as ``name``."""
        self._switch()
        self._running.append(name)
        try:
            yield
        finally:
            self._switch()
            self._running.pop()

    def _switch(self) -> None:
        now = time.process_time()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``function`` with its time counted as ``name``."""

        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  whatever it takes
            with self.stage(name):
                return function(*args, **kwargs)

        return call


def profile(sources: Sequence[Path], *, marginal: float) -> Table:
    """Return the table of stages; ``marginal`` is what a photo costs `twinlens scan`, in seconds."""
    watch = Stopwatch()
    with workspace() as folder, Catalogue.open(folder / "catalogue.sqlite3") as catalogue:
        descriptor = load("pocket")
        decoded = _decode(watch, sources, folder, descriptor)
        _embed_and_commit(watch, catalogue, folder, descriptor, decoded)
        watch.seconds["between processes"] = _round_trip(folder) * len(sources)
    stages = {name: seconds / len(sources) for name, seconds in watch.seconds.items()}
    stages["the rest: command line, watcher, ledger, waiting"] = marginal - sum(stages.values())
    rows = [
        [name, milliseconds(seconds), f"{seconds / marginal:.0%}"]
        for name, seconds in stages.items()
    ]
    return Table(
        title="Ingest: where the CPU time of `twinlens scan` goes",
        columns=["stage", "a photo", "share"],
        rows=[*rows, ["sum", milliseconds(marginal), "100%"]],
        notes=["The rest is the difference to the measured whole, and carries its noise."],
    )


@contextlib.contextmanager
def _instrumented(watch: Stopwatch) -> Iterator[None]:
    """Put stopwatches around the functions that a decoder calls."""
    timed: list[tuple[Any, str, str]] = [
        (decoder, "read_photo", "read the file"),
        (hashlib, "sha256", "sha256"),
        (picture, "facts", "EXIF"),
        (picture, "shrunk", "decode at reduced scale"),
        (picture, "upright", "turn upright"),
        (decoder, "innermost", FINDER),
        (decoder, "keep_thumbnail", "thumbnail, encode and write"),
        (Image.Image, "resize", "resize, to square and thumbnail"),
    ]
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in timed]
    for owner, name, stage in timed:
        setattr(owner, name, watch.timed(stage, getattr(owner, name)))
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def _decode(
    watch: Stopwatch, sources: Sequence[Path], folder: Path, descriptor: Descriptor
) -> list[Decoded]:
    working = decoder.Decoder(max_megapixels=250)
    side = descriptor.info.input_size
    working.decode(_request(sources[0], side, folder / "warm"))
    with _instrumented(watch):
        decode = watch.timed(OTHER, working.decode)
        return [decode(_request(path, side, folder / "thumbnails")) for path in sources]


def _request(path: Path, side: int, thumbnails: Path | None) -> DecodeRequest:
    return DecodeRequest(bytes(path), side, thumbnails, None, inner=True)


def _embed_and_commit(
    watch: Stopwatch,
    catalogue: Catalogue,
    folder: Path,
    descriptor: Descriptor,
    decoded: Sequence[Decoded],
) -> None:
    """Run what follows decoding, in one batch as the worker does, on a catalogue of its own."""
    import numpy as np

    info = descriptor.info
    target = make_target(catalogue, info)
    files = _recorded(watch, catalogue, folder, len(decoded))
    whole = [item.pixels for item in decoded if item.pixels is not None]
    within = {n: item.inner for n, item in enumerate(decoded) if item.inner is not None}
    pixels = np.stack([*whole, *within.values()])
    descriptor.embed(pixels)
    with watch.stage("embed"):
        rows = [vectors.encode(row) for row in descriptor.embed(pixels)]
    inner = dict(zip(within, rows[len(whole) :], strict=True))
    results = [
        Embedded(
            photo.file_id, photo.generation, item.sha256, item.size, rows[n], inner=inner.get(n)
        )
        for n, (photo, item) in enumerate(zip(files, decoded, strict=True))
    ]
    with watch.stage("commit"):
        commit(
            catalogue,
            ModelRef(target.name, target.digest),
            results,
            now=time.time(),
            max_attempts=3,
            settle_seconds=2.0,
        )
    options = settings.load_settings({}, library=folder)
    # The lock and the snapshot at the end are not counted.
    with open_indexer(catalogue, Library(folder), options, target) as indexer:
        watch.timed("index, pairs", indexer.catch_up)()


def _recorded(watch: Stopwatch, catalogue: Catalogue, folder: Path, count: int) -> list[Photo]:
    (folder / "photos").mkdir()
    root = add_root(catalogue, folder / "photos", now=time.time())
    seen = [(b"%05d.jpg" % number, FileStat(1, 1, 1, number)) for number in range(count)]
    with watch.stage("ledger"):
        ledger.record(catalogue, root.id, seen, now=time.time())
        jobs = ledger.lease(catalogue, "benchmark", now=time.time(), seconds=60, limit=count)
    return [
        Photo(job.file_id, job.generation, job.root, job.root_path, job.path, job.size)
        for job in jobs
    ]


def _round_trip(folder: Path) -> float:
    """Return the CPU seconds of asking a decoder process and having its answer, in both."""
    path = folder / "tiny.jpg"
    photos.picture(1, (64, 64)).save(path)
    request = _request(path, 128, None)
    working = decoder.Decoder(max_megapixels=250)
    start = time.process_time()
    for _ in range(ROUND_TRIPS):
        working.decode(request)
    alone = time.process_time() - start
    options = settings.load_settings({}, library=folder, decode_processes=1)
    with DecoderPool(options) as pool:
        pool.submit(request).result()
        processes = [psutil.Process(), *psutil.Process().children()]
        before = cpu_seconds(processes)
        for _ in range(ROUND_TRIPS):
            pool.submit(request).result()
        asked = cpu_seconds(processes) - before
    return max(0.0, asked - alone) / ROUND_TRIPS
