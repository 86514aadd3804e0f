"""The int8 encoder's specification against TFLM's formulas in Python integers, and what its tables refuse."""

from dataclasses import replace

import numpy as np
import pytest
from support.python_int8 import python_index, python_requantize
from support.tables import random_tables

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.chain import FrontEnd, front_end_for, quantize_multiplier
from qcskit.codec.learned.int8 import Int8Tables


@pytest.mark.parametrize("seed", range(6))
def test_equals_python_integers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tables = random_tables(rng, [int(w) for w in rng.integers(1, 30, rng.integers(2, 5))], int(rng.integers(2, 40)))
    x = rng.integers(-128, 128, (40, tables.inputs)).astype(np.int8)
    x[:2] = [[-128], [127]]
    assert tables.encode_index(x).tolist() == [python_index(tables, row) for row in x.tolist()]


@pytest.mark.parametrize(
    "end", [FrontEnd(0, 1 << 30, -5, 0), FrontEnd(-777, 3 << 29, 2, 9), FrontEnd(5, 2**31 - 1, 0, -3)]
)
def test_front_end_for_every_count(end: FrontEnd) -> None:
    tables = replace(random_tables(np.random.default_rng(0), [3, 2], 4), front_end=end)
    every = np.arange(-32768, 32768).astype(np.int16)
    expected = [
        min(max(python_requantize(int(count) - end.offset, end.multiplier, end.shift) + end.zero_point, -128), 127)
        for count in every
    ]
    assert tables.network_input(every).tolist() == expected
    with pytest.raises(QcsError, match="expected int16"):
        tables.network_input(every.astype(np.int32))


def test_quantize_multiplier_is_within_one_unit_of_the_real_number() -> None:
    for real in (1e-9, 3.7e-4, 0.4999999999, 0.99999999999, 1.0, 5.5):
        mantissa, shift = quantize_multiplier(real)
        assert 2**30 <= mantissa < 2**31
        assert mantissa * 2.0 ** (shift - 31) == pytest.approx(real, rel=2.0**-31)
    assert quantize_multiplier(1e-12) == (0, 0)
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(QcsError, match="is not a positive number"):
            quantize_multiplier(bad)
    with pytest.raises(QcsError, match="check the ADC scale"):
        front_end_for([1.0, 1e-6], 1.0, 0)


def test_tables_come_back_from_their_arrays() -> None:
    tables = random_tables(np.random.default_rng(2), [5, 7, 3], 6)
    again = Int8Tables.from_arrays(tables.to_arrays())
    assert again.model_id == tables.model_id
    assert (again.widths, again.macs, again.levels) == ((5, 7, 3), 5 * 7 + 7 * 3, 6)
    changed = {**tables.to_arrays(), "front_end": np.array([[1, 2, 3, 4]])}
    assert Int8Tables.from_arrays(changed).model_id != tables.model_id


def test_tables_that_contradict_themselves_are_refused() -> None:
    tables = random_tables(np.random.default_rng(2), [5, 7, 3], 6)
    arrays = tables.to_arrays()
    cases = {
        "there is no array 'thresholds'": {"thresholds": None},
        r"array 'hidden0_bias' is int32 \(6,\), expected int32 \(7\)": {"hidden0_bias": np.zeros(6, np.int32)},
        "'hidden0_activation' has 255 entries": {"hidden0_activation": np.zeros(255, np.int8)},
        r"array 'weights' is int8 \(3, 6\), expected int8 \(any, 7\)": {"weights": np.zeros((3, 6), np.int8)},
        "has 256 per output, expected 1 … 255": {"thresholds": np.zeros((3, 256), np.int32)},
        "has 0 per output, expected 1 … 255": {"thresholds": np.zeros((3, 0), np.int32)},
        "'thresholds' must ascend": {"thresholds": np.array([[2, 2], [3, 2], [1, 2]], np.int32)},
    }
    for message, change in cases.items():
        kept = {key: value for key, value in {**arrays, **change}.items() if value is not None}
        with pytest.raises(QcsError, match=message):
            Int8Tables.from_arrays(kept)


def test_wrong_input_is_refused() -> None:
    tables = random_tables(np.random.default_rng(0), [3, 2], 2)
    for bad in (np.zeros((2, 3), np.int16), np.zeros((2, 4), np.int8), np.zeros(3, np.int8)):
        with pytest.raises(QcsError, match=r"expected int8 \(frames, 3\)"):
            tables.encode_index(bad)
