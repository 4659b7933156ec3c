"""All pairs above a floor are found, exactly those, wherever one starts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twinlens.vectors import Vector, project
from twinlens_worker import all_pairs as module
from twinlens_worker.all_pairs import all_pairs

FLOOR = 0.8
Pairs = dict[tuple[int, int], float]


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TILE", 32)


def clusters(count: int, dimension: int, spread: float, seed: int = 1) -> Vector:
    """Return unit vectors around a few middles."""
    random = np.random.default_rng(seed)
    middles = random.standard_normal((max(1, count // 8), dimension))
    noise = spread * random.standard_normal((count, dimension))
    return project((middles[random.integers(len(middles), size=count)] + noise).astype(np.float32))


def found(
    matrix: Vector,
    floor: float = FLOOR,
    *,
    most: int = 1000,
    queries: Vector | None = None,
    start: int = 0,
) -> Pairs:
    """Return the pairs that the function under test finds."""
    pairs: Pairs = {}
    for _, near in all_pairs(matrix, floor, most=most, queries=queries, start=start):
        for row, other, score in zip(near.rows, near.others, near.scores, strict=True):
            assert (row, other) not in pairs
            pairs[int(row), int(other)] = float(score)
    return pairs


def by_brute_force(matrix: Vector, floor: float = FLOOR, queries: Vector | None = None) -> Pairs:
    """Return the pairs that there are."""
    asked = matrix if queries is None else queries
    products = asked.astype(np.float64) @ matrix.astype(np.float64).T
    products[np.triu_indices(len(matrix))] = -np.inf
    return {
        (int(row), int(other)): float(products[row, other])
        for row, other in np.argwhere(products >= floor)
    }


def assert_same(got: Pairs, wanted: Pairs, floor: float = FLOOR) -> None:
    """Check pairs and scores; what is at the floor to the sixth digit may be either way."""
    unsure = {pair for pair, score in (got | wanted).items() if abs(score - floor) < 1e-5}
    assert got.keys() - unsure == wanted.keys() - unsure
    for pair in got.keys() & wanted.keys():
        assert got[pair] == pytest.approx(wanted[pair], abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 150),
    dimension=st.sampled_from([1, 2, 7, 8, 9, 40]),
    spread=st.sampled_from([0.0, 0.1, 0.3, 1.0, 10.0]),
    floor=st.sampled_from([-0.5, 0.0, 0.5, 0.8, 0.99]),
    seed=st.integers(0, 2**16),
)
def test_finds_what_brute_force_finds(
    count: int, dimension: int, spread: float, floor: float, seed: int
):
    """No pair is missed and none is made up, in clusters or without any, dense or rare."""
    matrix = clusters(count, dimension, spread, seed)
    assert_same(found(matrix, floor), by_brute_force(matrix, floor), floor)


@pytest.mark.parametrize("length", [7, 39, 63])
def test_no_pair_hides_in_the_numbers_left_out(monkeypatch: pytest.MonkeyPatch, length: int):
    """However few numbers the bound is made of, it is a bound."""
    monkeypatch.setattr(module, "_numbers_worth_it", lambda *_: length)
    matrix = clusters(300, 64, 0.4)
    wanted = by_brute_force(matrix)
    assert len(wanted) > 100
    assert_same(found(matrix), wanted)


def test_the_bound_has_no_room_to_spare(monkeypatch: pytest.MonkeyPatch):
    """Parallel vectors that score just the floor are found by the length of what is left out alone."""
    monkeypatch.setattr(module, "_numbers_worth_it", lambda *_: 7)
    monkeypatch.setattr(module, "_principal_axes", lambda _: np.eye(16, dtype=np.float32))
    matrix = np.zeros((60, 16), dtype=np.float32)
    matrix[np.arange(60), 7 + np.arange(60) % 9] = np.sqrt(FLOOR + 1e-3)
    assert_same(found(matrix), by_brute_force(matrix))


def test_rare_pairs_are_picked_out_and_not_multiplied(monkeypatch: pytest.MonkeyPatch):
    """Far fewer pairs reach the bound than there are: else it would win nothing."""
    compared = 0
    whole = np.flatnonzero

    def counting(mask: Vector) -> Vector:
        nonlocal compared
        positions = whole(mask)
        compared += len(positions)
        return positions

    matrix = clusters(640, 64, 0.4)
    monkeypatch.setattr(module.np, "flatnonzero", counting)
    found(matrix)
    # Each row is its own candidate, and pairs within a tile are seen from both sides.
    assert compared < 0.1 * len(matrix) ** 2 / 2


def test_half_precision_is_taken_as_it_is():
    """Scores are those of the float16 vectors given."""
    matrix = clusters(200, 32, 0.3).astype(np.float16)
    assert_same(found(matrix), by_brute_force(matrix))


@pytest.mark.parametrize("start", [1, 31, 32, 33, 150, 199, 200])
def test_can_go_on_from_any_row(start: int):
    """From ``start`` on, exactly the pairs whose later row is not before it."""
    matrix = clusters(200, 32, 0.3)
    wanted = {pair: score for pair, score in by_brute_force(matrix).items() if pair[0] >= start}
    assert_same(found(matrix, start=start), wanted)


def test_parts_end_where_they_say():
    """After ``(end, pairs)`` all pairs of the rows before ``end`` have been given."""
    matrix = clusters(100, 32, 0.3)
    ends, last = [], 0
    for end, near in all_pairs(matrix, FLOOR, most=1000):
        assert all(last <= row < end for row in near.rows)
        ends.append(end)
        last = end
    assert ends == [32, 64, 96, 100]


def test_keeps_the_nearest_of_a_photo_with_many():
    """A thousand photos that look the same do not make half a million pairs; the nearest stay."""
    matrix = clusters(1, 16, 0.0).repeat(500, axis=0)
    matrix = project(matrix + 0.01 * clusters(500, 16, 10.0))
    got = found(matrix, most=5)
    products = matrix @ matrix.T
    for row in (4, 5, 6, 100, 499):
        others = sorted((o for r, o in got if r == row), key=lambda o: -products[row, o])
        nearest = np.sort(products[row, :row])[::-1][:5]
        assert products[row, others] == pytest.approx(nearest, abs=1e-6)


def test_of_equally_near_ones_the_earlier_is_kept():
    """The answer does not depend on how the rows fall into tiles."""
    matrix = np.ones((100, 4), dtype=np.float32) / 2
    got = found(matrix, most=2)
    assert {other for row, other in got if row == 99} == {0, 1}


def test_vectors_need_not_be_of_unit_length():
    """The bound holds for dot products of any vectors, zero among them."""
    matrix = clusters(100, 16, 0.5) * np.linspace(0, 3, 100, dtype=np.float32)[:, None]
    assert_same(found(matrix, 2.0), by_brute_force(matrix, 2.0), 2.0)


def test_a_tuned_index_is_asked_with_other_vectors_than_it_holds():
    """Scores of local scaling: 1 + [g x, g] . [c h y, -c h], where x and y are unit vectors."""
    turned = clusters(200, 32, 0.3)
    scales = np.linspace(1, 3, 200, dtype=np.float32)[:, None]
    entries = np.concatenate([turned * scales, scales], axis=1)
    queries = 0.4 * np.concatenate([turned * scales, -scales], axis=1)
    wanted = by_brute_force(entries, -0.3, queries)
    assert 100 < len(wanted) < 10_000
    assert_same(found(entries, -0.3, queries=queries), wanted, -0.3)


def test_nothing_among_nothing():
    """No vectors, no parts."""
    assert list(all_pairs(np.empty((0, 8), dtype=np.float32), FLOOR, most=5)) == []
