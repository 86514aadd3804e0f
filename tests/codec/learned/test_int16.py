"""The int16 encoder: the fast NumPy form against the specification, tanh against the runtime, what counts become."""

import numpy as np
import pytest
from support.bundles import random_encoder
from support.python_int8 import python_requantize
from tflite_micro import runtime

from qcskit.codec.learned import int16
from qcskit.codec.learned.activations import ACTIVATIONS
from qcskit.codec.learned.chain import FrontEnd
from qcskit.codec.learned.int16 import Int16Layer, Int16Tables
from qcskit.export.learned.flatbuffer import activation_flatbuffer, int16_tanh_table


@pytest.mark.parametrize("activation", ["tanh", "hard_tanh", "relu"])
@pytest.mark.parametrize("widths", [(5, 3), (10, 30, 7), (12, 40, 40, 5)])
def test_fast_equals_the_specification(widths: tuple[int, ...], activation: str) -> None:
    rng = np.random.default_rng(len(widths))
    tables = random_encoder(rng, widths, 12, "tflm16", activation)[0].tables
    assert isinstance(tables, Int16Tables)
    x = rng.integers(-32768, 32768, (1100, widths[0])).astype(np.int16)
    x[:2] = [[-32768], [32767]]
    np.testing.assert_array_equal(int16.encode_index(tables, x), tables.encode_index(x))
    assert Int16Tables.from_arrays(tables.to_arrays()).model_id == tables.model_id


def test_tanh_is_the_runtime_s_for_every_input() -> None:
    every = np.arange(-32768, 32768).astype(np.int16)
    interpreter = runtime.Interpreter.from_bytes(
        activation_flatbuffer(ACTIVATIONS["tanh"], 65536, int16.PRE_SCALE, 0, 16), arena_size=1 << 20
    )
    interpreter.set_input(every[None, :], 0)
    interpreter.invoke()
    found = int16.tanh(int16_tanh_table(), every)
    np.testing.assert_array_equal(found, interpreter.get_output(0)[0])
    assert (np.diff(found) >= 0).all()  # what lets thresholds be folded
    assert np.abs(found / 32768 - np.tanh(every / 4096)).max() < 2.0 / 32768


def test_counts_are_centred_and_shifted() -> None:
    tables = random_encoder(np.random.default_rng(0), (4, 3), 4, "tflm16", adc_offset_counts=100)[0].tables
    every = np.arange(-32768, 32768).astype(np.int16)
    expected = ((every.astype(int) - 100) * 16).clip(-32768, 32767)
    np.testing.assert_array_equal(tables.network_input(every), expected)


INT16 = (-32768, 32767)
CLAMPS = [(INT16, True), *((clamp, False) for clamp in (INT16, (-32767, 32767), (0, 32767), (-1000, 2000)))]


@pytest.mark.parametrize(("clamp", "curved"), CLAMPS)
def test_sums_beyond_the_grid_saturate_and_keep_their_sign(clamp: tuple[int, int], curved: bool) -> None:
    """A layer of one input, weights of either sign, against Python integers; with tanh and without."""
    low, high = clamp
    x = np.arange(-32768, 32768, 17).astype(np.int16)[:, None]
    weights, bias = np.array([[127], [-127], [3]], np.int8), np.array([0, 5, -(2**20)], np.int32)
    table = int16_tanh_table() if curved else np.empty(0, np.int16)
    layer = Int16Layer(weights, bias, np.full(3, 3 << 29, np.int32), np.full(3, -2, np.int8), low, high, table)
    tables = Int16Tables((layer,), np.ones((2, 3), np.int8), np.zeros((2, 1), np.int32), FrontEnd(0, 1 << 30, 1, 0))
    rows = list(zip(weights[:, 0].tolist(), bias.tolist(), strict=True))
    sums = [[python_requantize(v * w + b, 3 << 29, -2) for w, b in rows] for v in x[:, 0].tolist()]
    expected = np.array([[min(max(value, low), high) for value in row] for row in sums])
    assert np.abs(sums).max() > 32768
    if curved:
        expected = int16.tanh(table, expected)
    np.testing.assert_array_equal(tables.dense(layer, x), expected)
    np.testing.assert_array_equal(int16.encode_index(tables, x), tables.encode_index(x))


@pytest.mark.parametrize(("offset", "shift"), [(-32768, 0), (32767, 0), (-32768, 8), (32767, 8), (0, 8)])
def test_counts_saturate_at_any_offset(offset: int, shift: int) -> None:
    front_end = FrontEnd(offset, 1 << 30, shift + 1, 0)  # 2^shift
    tables = Int16Tables((), np.ones((1, 1), np.int8), np.zeros((1, 1), np.int32), front_end)
    every = np.arange(-32768, 32768).astype(np.int16)
    expected = [min(max((count - offset) << shift, -32768), 32767) for count in every.tolist()]
    assert tables.network_input(every).tolist() == expected
