"""Cells and points against closed forms and brute force."""

import numpy as np
import pytest

from qcskit.codec.errors import QcsError
from qcskit.export.sparse.levels import Cells, lloyd_cells, nearest, plane_points

STEP = 1000
"""A standard deviation in integers."""


@pytest.mark.parametrize(
    ("levels", "distortion"), [(2, 0.3634), (4, 0.1175), (8, 0.03454), (16, 0.009497), (32, 0.002499)]
)
def test_cells_of_a_gaussian_are_max_s(levels: int, distortion: float) -> None:
    """J. Max, "Quantizing for minimum distortion", 1960, table I."""
    x = np.random.default_rng(1).standard_normal(200_000)
    values = np.rint(STEP * x).astype(np.int64)
    cells = lloyd_cells(values, x, levels)
    assert np.mean((x - rebuilt(cells, values)) ** 2) == pytest.approx(distortion, rel=0.02)
    assert len(cells.points) == levels // 2 == len(cells.thresholds) + 1


def rebuilt(cells: Cells, values: np.ndarray) -> np.ndarray:
    """Return what integers are rebuilt as: v and −1 − v as the same with another sign."""
    index = np.searchsorted(cells.thresholds, np.where(values < 0, -1 - values, values), side="right")
    return np.where(values < 0, -1, 1) * cells.points[index]


def test_cells_finer_than_integers_still_ascend() -> None:
    values = np.repeat([-100, 100, 101], 50)
    cells = lloyd_cells(values, values.astype(np.float64), 40)
    assert (np.diff(cells.thresholds.astype(int), prepend=0) >= 1).all()
    assert np.isfinite(cells.points).all()


def test_the_plane_beats_cells_at_few_words_and_keeps_within_them() -> None:
    rng = np.random.default_rng(2)
    x = STEP * rng.standard_normal((8000, 2))
    pairs, entries, words = 28, 8, 700
    made = plane_points(x, words, pairs, entries, 0)
    assert 4 * len(made.plane) * pairs + 2 * len(made.axis) * entries <= words
    values = np.rint(x).astype(np.int64)
    square = lloyd_cells(values, x, int((words / pairs) ** 0.5) // 2 * 2)
    assert made.distortion < 0.8 * ((x - rebuilt(square, values)) ** 2).sum(axis=1).mean()


def test_nearest_is_the_nearest() -> None:
    rng = np.random.default_rng(3)
    points, axis, x = rng.random((5, 2)), np.sort(rng.random(4)), rng.random((200, 2))
    every = np.concatenate([points, np.stack([axis, 0 * axis], 1), np.stack([0 * axis, axis], 1)])
    distance = ((x[:, None] - every) ** 2).sum(axis=2)
    number, alone, squared = nearest(points, axis, x)
    np.testing.assert_allclose(squared, distance.min(axis=1))
    place = np.select([alone == 0, alone == 1], [5 + number, 9 + number], number)
    assert np.array_equal(place, distance.argmin(axis=1))


def test_more_points_than_vectors_are_refused() -> None:
    with pytest.raises(QcsError, match=r"^\[sparse\] bits: .* 22,075 points by 2,000 vectors; .*'lloyd' or 'range'$"):
        plane_points(np.random.default_rng(0).normal(0, 5000, (1000, 2)), 2**24, 190, 20, 0)
