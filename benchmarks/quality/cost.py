"""What each peer costs: CPU time of one core, photo by photo, beside decoding a camera's JPEG."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from benchmarks import photos
from benchmarks.quality.peers import Peer
from benchmarks.quality.pictures import Picture
from benchmarks.quality.sizes import Size
from benchmarks.tables import Table, milliseconds
from twinlens_worker.decode import picture
from twinlens_worker.models.descriptor import describe

ROUNDS: Final = 3
"""The fastest counts: what disturbs only ever adds."""
DECODE: Final = "Decode: JPEGs of 12 MP as phones save them (quality 80), at reduced scale, as the worker does it."
LARGE: Final = 500
"""Megapixels that the decoder would refuse."""


def measure(peers: Sequence[Peer], pictures: Sequence[Picture], size: Size) -> dict[str, float]:
    """Return CPU seconds a photo by peer, photos in memory, one thread; `decode` for decoding."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    images = [one.open(seed=0) for one in pictures]
    spent = {"decode": _decoding(size)}
    for peer in peers:
        spent[peer.name] = _fastest(functools.partial(peer.make(), images)) / len(images)
    torch.set_num_threads(threads)
    return spent


def table(spent: Mapping[str, float], photos_measured: int) -> Table:
    """One line for each peer."""
    decode = spent["decode"]
    return Table(
        "Cost: CPU a photo",
        ("method", "CPU a photo", "of decoding"),
        [
            (name, milliseconds(seconds), f"{seconds / decode:.2f}")
            for name, seconds in spent.items()
        ],
        (_measured(photos_measured), DECODE),
    )


def _measured(count: int) -> str:
    return (
        f"One thread, {count} photos of about 300 px, decoded already, in one batch; scaling to the"
        f" network's input included. The fastest of {ROUNDS} rounds."
    )


def _decoding(size: Size) -> float:
    pixels = photos.TWELVE_MEGAPIXELS if size.full else (800, 600)
    files = [path.read_bytes() for path in photos.camera_photos(4, pixels, photos.PHONE_QUALITY)]
    side = describe("pocket").input_size
    picture.prepare()

    def decode_all() -> None:
        for data in files:
            picture.read_picture(data, side=side, max_megapixels=LARGE)

    return _fastest(decode_all) / len(files)


def _fastest(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)
