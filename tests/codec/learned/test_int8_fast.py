"""The fast NumPy encoder against the definition, with any shifts and widths."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.python_int8 import python_index

from qcskit.codec.errors import QcsError
from qcskit.codec.learned import int8, int8_fast
from qcskit.codec.learned.int8 import FrontEnd, Int8Layer, Int8Tables


def random_tables(rng: np.random.Generator, widths: list[int], levels: int, shifts: tuple[int, int]) -> Int8Tables:
    def layer(inputs: int, outputs: int) -> Int8Layer:
        activation = np.sort(rng.integers(-128, 128, 256)).astype(np.int8)
        return Int8Layer(
            rng.integers(-127, 128, (outputs, inputs), np.int8),
            rng.integers(-(2**18), 2**18, outputs, np.int32),
            rng.integers(2**30, 2**31, outputs, np.int64).astype(np.int32),
            rng.integers(*shifts, outputs, np.int8, endpoint=True),
            int(rng.integers(-128, 128)),
            activation,
        )

    hidden = tuple(layer(a, b) for a, b in pairwise(widths[:-1]))
    weights = rng.integers(-127, 128, (widths[-1], widths[-2]), np.int8)
    spread = 60 * 127 * widths[-2]
    thresholds = np.sort(rng.integers(-spread, spread, (widths[-1], levels - 1), np.int32), axis=1)
    return Int8Tables(hidden, weights, thresholds, FrontEnd(0, 1 << 30, -5, 0))


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    widths=st.lists(st.integers(1, 40), min_size=2, max_size=5),
    levels=st.integers(2, 256),
    shifts=st.sampled_from([(-9, -5), (-12, -1), (-3, 3), (-31, -10), (-8, -8), (0, 0), (4, 9)]),
)
def test_equals_the_definition(seed: int, widths: list[int], levels: int, shifts: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    tables = random_tables(rng, widths, levels, shifts)
    x = rng.integers(-128, 128, (1100, widths[0]), np.int8)
    x[:2] = [[-128], [127]]
    index = int8_fast.encode_index(tables, x)
    np.testing.assert_array_equal(index, tables.encode_index(x))
    for row in range(3):
        assert index[row].tolist() == python_index(tables, x[row].tolist())


def test_every_accumulator_around_every_rounding_tie() -> None:
    """One input of weight 1 with all biases: 2^16 consecutive accumulators, ties of both roundings included."""
    for shift in (-8, -6, -1, 0, 2):
        bias = np.arange(-(2**15), 2**15, dtype=np.int32)
        n = len(bias)
        layer = Int8Layer(np.ones((n, 1), np.int8), bias, np.full(n, 3 << 29, np.int32), np.full(n, shift, np.int8),
                            3, np.arange(-128, 128).astype(np.int8))  # fmt: skip
        x = np.zeros((1, 1), np.int8)
        fast_layer = int8_fast._table_layer(layer)
        assert fast_layer is not None
        np.testing.assert_array_equal(fast_layer(x.astype(np.float64)), int8.dense(layer, x))


def test_a_layer_beyond_the_bound_is_computed_in_int64() -> None:
    rng = np.random.default_rng(5)
    tables = random_tables(rng, [600, 4, 3], 4, (-3, 0))
    assert int8_fast.plan(tables).proven == (False,)
    x = rng.integers(-128, 128, (50, 600), np.int8)
    np.testing.assert_array_equal(int8_fast.encode_index(tables, x), tables.encode_index(x))


def test_wrong_input_is_refused() -> None:
    tables = random_tables(np.random.default_rng(0), [3, 2], 2, (-3, 0))
    with pytest.raises(QcsError, match="expected int8"):
        int8_fast.encode_index(tables, np.zeros((2, 3), np.int16))
    assert int8_fast.encode_index(tables, np.zeros((0, 3), np.int8)).shape == (0, 2)
