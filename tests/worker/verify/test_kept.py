"""Features kept on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.worker.verify.conftest import draw_scene, sketched
from twinlens_worker.verify import kept


def test_features_come_back_as_they_were(tmp_path: Path):
    """Places to a hundredth of a pixel, bits exactly; 10 KB."""
    features = sketched(draw_scene(1)).features
    path = tmp_path / "ab" / "a.orb"
    kept.write(path, features)
    back = kept.read(path)
    assert back is not None
    assert np.abs(back.points - features.points).max() * 320 < 0.01
    assert (back.descriptors == features.descriptors).all()
    assert np.abs(back.angles - features.angles).max() < 0.01
    assert (back.levels == features.levels).all()
    assert path.stat().st_size < 10_000


def test_what_is_missing_or_damaged_is_made_anew(tmp_path: Path):
    """No file, an empty one, half a one, one of another form."""
    path = tmp_path / "a.orb"
    assert kept.read(path) is None
    kept.write(path, sketched(draw_scene(1)).features)
    whole = path.read_bytes()
    for data in (b"", whole[:-3], b"XXXX" + whole[4:]):
        path.write_bytes(data)
        assert kept.read(path) is None


def test_a_folder_that_takes_nothing_fails_nothing(tmp_path: Path):
    """A cache is an extra."""
    (tmp_path / "file").write_bytes(b"")
    kept.write(tmp_path / "file" / "a.orb", sketched(draw_scene(1)).features)
