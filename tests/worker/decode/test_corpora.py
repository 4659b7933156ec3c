"""Real photos and hostile files, from the folder that TWINLENS_DATA names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from twinlens import media
from twinlens.errors import DecoderCrashError, DecoderTimeoutError, PhotoError
from twinlens_worker.decode import Decoded, DecodeRequest, DecoderPool

MakePool = Callable[..., DecoderPool]

pytestmark = pytest.mark.data


def decode_all(
    pool: DecoderPool, folder: Path, pattern: str = "*"
) -> dict[Path, Decoded | PhotoError]:
    """Decode all photos in a folder; fail where one ends in anything but these two."""
    paths = [p for p in sorted(folder.rglob(pattern)) if media.is_photo_name(os.fsencode(p.name))]
    futures = {
        path: pool.submit(DecodeRequest(os.fsencode(path), 96, None, None)) for path in paths
    }
    outcome: dict[Path, Decoded | PhotoError] = {}
    for path, future in futures.items():
        error = future.exception(timeout=90)
        assert error is None or isinstance(error, PhotoError), path
        outcome[path] = error if error is not None else future.result()
    return outcome


def test_every_photo_of_real_cameras_is_decoded(data: Path, make_pool: MakePool):
    """With its pixels and size; most tell when and with what they were taken."""
    outcome = decode_all(make_pool(decode_processes=2), data / "camera")
    assert len(outcome) > 100
    failed = {path.name: str(answer) for path, answer in outcome.items() if not has_pixels(answer)}
    assert not failed
    cameras = [a.camera for a in outcome.values() if isinstance(a, Decoded) and a.camera]
    assert len(cameras) >= 70


def has_pixels(answer: Decoded | PhotoError) -> bool:
    """Tell whether a photo was decoded."""
    return isinstance(answer, Decoded) and answer.pixels is not None and bool(answer.width)


def test_all_eight_orientations_of_a_real_photo_look_the_same(data: Path, make_pool: MakePool):
    """The public set has one scene in every orientation, as landscape and as portrait."""
    outcome = decode_all(make_pool(), data / "camera", "*_[1-8].jpg")
    for shape in ("landscape", "portrait"):
        views = [
            answer.pixels.astype(int)
            for path, answer in outcome.items()
            if path.name.startswith(f"{shape}_") and isinstance(answer, Decoded)
        ]
        assert len(views) == 8
        # Each carries its own number as a caption, so that they are alike, not equal.
        assert all(abs(view - views[0]).mean() < 12 for view in views)


def test_hostile_files_end_as_pictures_or_with_a_reason(data: Path, make_pool: MakePool):
    """Faults 43 and 44: no decoder dies or hangs, memory is bounded, reasons are short."""
    pool = make_pool(decode_processes=2)
    outcome = decode_all(pool, data / "hostile")
    assert len(outcome) > 1_500
    reasons = {str(answer) for answer in outcome.values() if isinstance(answer, PhotoError)}
    assert not [reason for reason in reasons if len(reason) > 200 or "0x" in reason]
    deaths = (DecoderCrashError, DecoderTimeoutError)
    assert not {path for path, answer in outcome.items() if isinstance(answer, deaths)}
    children = psutil.Process().children()
    assert max(child.memory_info().rss for child in children) < 500_000_000
