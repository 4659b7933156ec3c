"""Tuning: what is fitted, what it is good for, how it is stored."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from twinlens import tuning
from twinlens.errors import TuningError
from twinlens.tuning import Tuning, fit
from twinlens.vectors import Vector, project

THRESHOLD = 0.9
DIMENSION = 64
PLAIN = 0.6


def photos(count: int, seed: int, *, groups: int = 30) -> Vector:
    """Return raw vectors (count, DIMENSION) as a crowded descriptor gives them.

    All share a part, a few axes are strong, and the first half are pictures with little content of
    their own (one thing on plain ground): they lie near others of their kind.
    """
    numbers, world = np.random.default_rng(seed), np.random.default_rng(99)
    strength = 1 / np.sqrt(3 + np.arange(DIMENSION))
    common, centres = world.standard_normal(DIMENSION), world.standard_normal((groups, DIMENSION))
    own = numbers.standard_normal((count, DIMENSION))
    plain = numbers.integers(groups, size=count // 2)
    own[: count // 2] = centres[plain] + PLAIN * own[: count // 2]
    return project(0.7 * strength * common + strength * own)


def copies(originals: Vector, seed: int, edit: float = 0.7) -> Vector:
    """Return raw vectors of edited copies; a plain picture moves less, as it has less to lose."""
    noise = np.random.default_rng(seed).standard_normal(originals.shape) / DIMENSION**0.5
    noise[: len(noise) // 2] *= PLAIN
    return project(originals + edit * noise)


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small libraries be tuned, which are quick to make."""
    monkeypatch.setattr(tuning, "LEAST", 64)


@pytest.fixture(scope="module")
def fitted() -> Tuning:
    """A tuning fitted on one half of a library."""
    return fit(photos(1000, 1), THRESHOLD)


def scores(fitted: Tuning, asked: Vector, held: Vector) -> Vector:
    """Return the scores (asked, held), by way of what an f16 index holds."""
    entries = fitted.entries(held).astype(np.float16).astype(np.float32)
    return fitted.scores(-(fitted.queries(asked) @ entries.T), THRESHOLD)


def found_before_errors(table: Vector, wrong: float = 0.01) -> float:
    """Return the share of queries whose original, the same row, scores above all but 1 % of errors."""
    right, others = np.diag(table), table[~np.eye(len(table), dtype=bool)].reshape(len(table), -1)
    level = np.quantile(others.max(axis=1), 1 - wrong)
    return float((right > level).mean())


def test_fewer_misses_on_the_other_half(fitted: Tuning):
    """Photos that came after the fit gain: of the copies that hubs hid, a third is found."""
    held = photos(600, 2)
    asked = copies(held, 3)
    untuned = found_before_errors(project(asked) @ project(held).T)
    tuned = found_before_errors(scores(fitted, asked, held))
    assert untuned < 0.9, "else there is nothing to win"
    assert 1 - tuned < 0.65 * (1 - untuned)


def test_same_picture_scores_one(fitted: Tuning):
    """A photo against itself scores 1, in f16 too; none scores more."""
    held = photos(300, 4)
    table = scores(fitted, held, held)
    assert np.diag(table) == pytest.approx(1.0, abs=2e-3)
    assert table.max() <= 1.0
    assert table.min() >= -1.0


def test_three_fixed_points(fitted: Tuning):
    """The edge scores the model's threshold, what unlike photos mostly are apart 0, nothing 1."""
    levels = np.array([0.0, fitted.edge, fitted.typical])
    assert fitted.scores(levels, 0.85) == pytest.approx([1.0, 0.85, 0.0], abs=1e-6)


@given(st.floats(-0.9, 0.999), st.floats(0.05, 0.99))
def test_score_and_distance_are_inverse(score: float, threshold: float):
    """A floor in scores and the same floor in distances let the same pairs through."""
    some = _level_tuning(edge=1.2, typical=2.6)
    distance = np.array([some.distance(score, threshold)])
    assert some.scores(distance, threshold)[0] == pytest.approx(score, abs=1e-5)


@hypothesis_settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_scores_are_symmetric(seed: int):
    """Which of two photos asks makes no difference."""
    some = _level_tuning(edge=1.2, typical=2.6)
    a, b = np.random.default_rng(seed).standard_normal((2, 8)).astype(np.float32)
    there = some.queries(a) @ some.entries(b)
    assert there == pytest.approx(some.queries(b) @ some.entries(a), abs=1e-4)


def test_unlike_photos_are_no_copies(fitted: Tuning):
    """Among photos that came after the fit, next to none of the pairs passes for copies."""
    held = photos(600, 5)
    table = scores(fitted, held, held)[np.triu_indices(len(held), 1)]
    assert (table >= THRESHOLD).mean() < 1e-4


def test_own_copies_do_not_move_the_threshold():
    """A library in which every tenth photo is there three times is tuned as one in which none is."""
    once = photos(900, 6)
    again = [copies(once[405:495], seed, 0.3) for seed in (7, 8)]
    plain, crowded = fit(once, THRESHOLD), fit(np.concatenate([once, *again]), THRESHOLD)
    assert crowded.edge == pytest.approx(plain.edge, rel=0.15)
    alone, among = (scores(some, again[0], once[405:495]).diagonal() for some in (plain, crowded))
    assert (among >= THRESHOLD).mean() >= (alone >= THRESHOLD).mean() - 0.1


def test_same_library_same_tuning():
    """Fitting twice gives the same, byte for byte: nothing but the photos decides."""
    assert fit(photos(400, 9), THRESHOLD).digest == fit(photos(400, 9), THRESHOLD).digest


def test_stored_form_is_the_whole(fitted: Tuning):
    """What is read back gives the same entries and has the same digest."""
    again = Tuning.from_bytes(fitted.to_bytes(), DIMENSION)
    some = photos(50, 10)
    np.testing.assert_array_equal(again.entries(some), fitted.entries(some))
    assert (again.digest, again.photos) == (fitted.digest, 1000)


def test_one_vector_is_as_many(fitted: Tuning):
    """A single vector gives the row that it gives among others."""
    some = photos(5, 11)
    np.testing.assert_allclose(fitted.queries(some[3]), fitted.queries(some)[3], rtol=1e-5)


@pytest.mark.parametrize("cut", [0, 7, 200, -1])
def test_damaged_tuning_is_refused(fitted: Tuning, cut: int):
    """Cut short, the stored form is refused in one line with the cure."""
    with pytest.raises(TuningError, match="twinlens model tune"):
        Tuning.from_bytes(fitted.to_bytes()[:cut], DIMENSION)


def test_tuning_of_another_dimension_is_refused(fitted: Tuning):
    """What was fitted for one model is not applied to another's vectors."""
    with pytest.raises(TuningError):
        Tuning.from_bytes(fitted.to_bytes(), 32)


def test_pickles_are_not_read():
    """A stored form that would run code is refused."""
    import io

    stream = io.BytesIO()
    np.save(stream, np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(TuningError):
        Tuning.from_bytes(stream.getvalue(), DIMENSION)


def test_too_few_photos():
    """With a few dozen photos, or one photo many times, the library is left as it is."""
    with pytest.raises(TuningError, match="63 unlike photos are too few"):
        fit(np.eye(63, 80, dtype=np.float32), THRESHOLD)
    with pytest.raises(TuningError, match="1 unlike photos are too few"):
        fit(np.ones((500, 8), np.float32), THRESHOLD)


def test_nothing_to_tune():
    """Photos that are all equally far apart are left as they are, and say so."""
    with pytest.raises(TuningError, match="equally far apart"):
        fit(np.eye(80, dtype=np.float32), THRESHOLD)


def test_few_photos_in_many_numbers():
    """More numbers than photos, as a backbone has them: shrinkage keeps the fit finite."""
    numbers = np.random.default_rng(1).standard_normal((100, 300)).astype(np.float32)
    some = fit(numbers + 3, 0.95)
    assert np.isfinite(some.entries(numbers)).all()
    assert some.dimension <= tuning.MOST_AXES + 1


def _level_tuning(*, edge: float, typical: float) -> Tuning:
    """Return a tuning that turns nothing."""
    numbers = np.random.default_rng(0).standard_normal((tuning.LEAST, 8))
    return Tuning(
        centre=np.zeros(8, np.float32),
        axes=np.eye(8, dtype=np.float32),
        landmarks=project(numbers),
        nearest=0.95,
        edge=edge,
        typical=typical,
        photos=tuning.LEAST,
    )
