"""The fast NumPy encoder against the definition, with any shifts and widths."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.python_int8 import python_index

from qcskit.codec.errors import QcsError
from qcskit.codec.learned import int8, int8_fast
from qcskit.codec.learned.chain import FrontEnd
from qcskit.codec.learned.int8 import Int8Layer, Int8Tables


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


def last_layer(weights: list[int], thresholds: list[int]) -> Int8Tables:
    rows = np.array([weights, [-w for w in weights]], np.int8)
    return Int8Tables((), rows, np.array([thresholds] * 2, np.int32), FrontEnd(0, 1 << 30, 0, 0))


@pytest.mark.parametrize("reach", [2**24 - 128, 2**24, 2**24 + 128, 2**25])
def test_sums_of_the_last_layer_are_exact_beyond_what_single_precision_holds(reach: int) -> None:
    """Accumulators one above and below thresholds, on odd numbers about 2^24 where float32 has none."""
    whole, rest = divmod(reach // 128, 127)
    weights = [127] * whole + [rest, 1]
    thresholds = [-reach - 129, -reach - 128, *range(-(2**24) - 5, -(2**24) + 6), *range(2**24 - 5, 2**24 + 6),
                  reach + 127, reach + 128, reach + 129]  # fmt: skip
    tables = last_layer(weights, sorted(thresholds))
    x = np.full((3 * 256, len(weights)), -128, np.int8)
    x[:, -1] = np.tile(np.arange(-128, 128), 3)  # weight 1: every accumulator in a row
    x[256:512, :-1] = 127
    x[512:, whole // 2] = 0
    index = int8_fast.encode_index(tables, x)
    np.testing.assert_array_equal(index, tables.encode_index(x))
    assert index[:5].tolist() == [python_index(tables, row.tolist()) for row in x[:5]]


@pytest.mark.parametrize("total", [2**24 - 128, 2**24, 2**24 + 128])
def test_the_last_layer_is_in_single_precision_below_2_to_the_24(total: int) -> None:
    """A threshold that cannot be reached becomes reach + 1, which must be a number, too."""
    whole, rest = divmod(total // 128, 127)
    tables = last_layer([127] * whole + [rest], [-total, total, 2**31 - 1])
    assert int8_fast.plan(tables).last.dtype == (np.float32 if total < 2**24 else np.float64)
    x = np.full((2, tables.inputs), [[-128], [127]], np.int8)
    np.testing.assert_array_equal(int8_fast.encode_index(tables, x), tables.encode_index(x))


def test_a_hidden_layer_is_proven_up_to_its_bound_and_exact_beyond() -> None:
    """128 · 127 / 2 + |bias / 2 + 129 + 1/2| < 2^22 (zero point 0, multiplier 2^30, no shift)."""
    bound = 2 * (2**22 - 127 * 64 - 130)
    for bias, proven in ((bound, True), (bound + 1, False), (-bound - 518, True), (-bound - 520, False)):
        layer = Int8Layer(np.array([[127]], np.int8), np.array([bias], np.int32), np.array([2**30], np.int32),
                          np.zeros(1, np.int8), 0, np.arange(-128, 128).astype(np.int8))  # fmt: skip
        tables = Int8Tables((layer,), np.ones((1, 1), np.int8), np.zeros((1, 1), np.int32), FrontEnd(0, 1 << 30, 0, 0))
        assert int8_fast.plan(tables).proven == (proven,), bias


def test_sums_of_a_hidden_layer_that_cancel_beyond_53_bits_are_exact() -> None:
    """Partial sums of an odd number of halves beyond 2^22, whose bias takes them to a hair below a tie."""
    rng = np.random.default_rng(3)
    rows, inputs = 64, 601
    weights = np.full((rows, inputs), 127, np.int8)
    weights[:, -1] = 1
    weights[:, 0] -= 2 * np.arange(rows, dtype=np.int8)
    x = np.full((40, inputs), 127, np.int8)
    x[:, :600] -= rng.integers(0, 3, (40, 600), np.int8)
    x[0] = 127
    bias = (-(weights.astype(np.int64) @ x[0]) - 1).astype(np.int32)
    layer = Int8Layer(weights, bias, np.full(rows, 2**30 + 1, np.int32), np.zeros(rows, np.int8), 0,
                      np.arange(-128, 128).astype(np.int8))  # fmt: skip
    np.testing.assert_array_equal(int8.dense(layer, x[:1]), -1)
    tables = Int8Tables(
        (layer,), np.eye(rows, dtype=np.int8), np.zeros((rows, 1), np.int32), FrontEnd(0, 1 << 30, 0, 0)
    )
    np.testing.assert_array_equal(int8_fast.encode_index(tables, x), tables.encode_index(x))


def test_wrong_input_is_refused() -> None:
    tables = random_tables(np.random.default_rng(0), [3, 2], 2, (-3, 0))
    with pytest.raises(QcsError, match="expected int8"):
        int8_fast.encode_index(tables, np.zeros((2, 3), np.int16))
    assert int8_fast.encode_index(tables, np.zeros((0, 3), np.int8)).shape == (0, 2)


@pytest.mark.parametrize("levels", [4, 40])
def test_thresholds_beyond_every_sum_are_never_or_always_reached(levels: int) -> None:
    """Float32 holds sums below 2^24 only; thresholds may be any int32."""
    weights = np.array([[127, -127], [1, 1]], np.int8)
    ends = np.array([-(2**31), -(2**24) - 1, 2**24 + 1, 2**31 - 1])
    edges = np.sort(np.concatenate([ends, np.arange(levels - 4) * 9])) if levels > 4 else ends[1:]
    tables = Int8Tables((), weights, np.tile(edges, (2, 1)).astype(np.int32), FrontEnd(0, 1 << 30, -5, 0))
    x = np.random.default_rng(0).integers(-128, 128, (500, 2)).astype(np.int8)
    np.testing.assert_array_equal(int8_fast.encode_index(tables, x), tables.encode_index(x))
    for row in range(20):
        assert int8_fast.encode_index(tables, x[row : row + 1])[0].tolist() == python_index(tables, x[row].tolist())
