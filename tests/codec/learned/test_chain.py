"""Requantization and distances to thresholds against plain loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.python_int8 import python_requantize

from qcskit.codec.learned.chain import edge_distance, matmul_exact, requantize


@given(st.integers(-(2**31), 2**31 - 1), st.integers(2**30, 2**31 - 1), st.integers(-31, 0))
def test_requantize_is_the_runtime_s(acc: int, multiplier: int, shift: int) -> None:
    found = requantize(np.array([acc]), multiplier, shift)
    assert found.tolist() == [python_requantize(acc, multiplier, shift)]


def test_edge_distance_is_zero_on_a_threshold_and_one_below() -> None:
    rng = np.random.default_rng(0)
    thresholds = np.sort(rng.integers(-50, 50, (3, 4)), axis=1).astype(np.int32)
    acc = rng.integers(-70, 70, (500, 3))
    expected = [
        min(a - t if a >= t else t - 1 - a for a, ts in zip(row, thresholds.tolist(), strict=True) for t in ts)
        for row in acc.tolist()
    ]
    assert edge_distance(thresholds, acc).tolist() == expected


def test_matmul_is_exact_at_the_extremes() -> None:
    x = np.array([[-32768] * 500, [32767] * 500], np.int16)
    weights = np.full((2, 500), 127, np.int8)
    assert matmul_exact(x, weights).tolist() == [[-32768 * 127 * 500] * 2, [32767 * 127 * 500] * 2]
