"""Folded thresholds against the TFLM runtime, exhaustive sweeps of accumulators, and the floating-point definition."""

from dataclasses import replace

import numpy as np
import pytest
from support.float_encoders import random_encoder, tflm_outputs

from qcskit.codec.errors import QcsError
from qcskit.codec.learned import tflm
from qcskit.codec.learned.activations import ACTIVATIONS
from qcskit.codec.learned.chain import front_end_for, requantize
from qcskit.codec.learned.int16 import PRE_SCALE
from qcskit.codec.sensor import UNKNOWN_ADC, Adc, SignalFacts, sensed
from qcskit.codec.signal import SignalConfig
from qcskit.export.learned.encoder import build_encoder
from qcskit.export.learned.flatbuffer import DenseOp, encoder_flatbuffer
from qcskit.export.learned.fold import (
    ProfileError,
    _int8_layer,
    fold_int8,
    int8_tables,
    int16_tables,
    output_cuts,
)
from qcskit.export.learned.quantize import FloatEncoder, Ranges, quantize_layers


def behind_an_adc(m: int) -> tuple[SignalFacts, Adc]:
    """Return the facts of a source of m measurements, and of the ADC that is chosen for it."""
    return sensed(SignalConfig(n=2 * m, m=m, s=1), UNKNOWN_ADC, 2.0)


@pytest.mark.parametrize("activation", ["tanh", "hard_tanh", "relu", "relu6"])
@pytest.mark.parametrize("seed", range(6))
def test_tables_equal_the_tflm_runtime_on_random_models(seed: int, activation: str) -> None:
    rng = np.random.default_rng(seed)
    widths = tuple(int(w) for w in rng.integers(1, 40, rng.integers(2, 5)))
    encoder = random_encoder(rng, widths, int(rng.integers(2, 20)), activation)
    covered = rng.uniform(1, 5, 3).tolist() if activation == "tanh" else [2.0, rng.uniform(0.3, 1), 1.0]
    ranges = Ranges((covered[0],), *covered[1:])
    layers = quantize_layers(encoder, ranges)
    tables = int8_tables(layers, encoder.thresholds, front_end_for([0.02], 0.001, 0))
    inputs = rng.integers(-128, 128, (400, widths[0])).astype(np.int8)
    inputs[:2] = [[-128], [127]]
    output = tflm_outputs(encoder_flatbuffer(layers, "random"), inputs)
    # Straight from the definition: thresholds strictly below the dequantized output.
    expected = (output[..., None] > np.floor(encoder.thresholds / float(layers[-1].output_grid[0]))).sum(-1)
    np.testing.assert_array_equal(tables.encode_index(inputs), expected)


@pytest.mark.parametrize("last", ["relu", "relu6", "sigmoid", "linear"])
def test_cells_all_over_an_output_grid_of_any_zero_point_are_the_runtime_s(last: str) -> None:
    rng = np.random.default_rng(4)
    made = random_encoder(rng, (9, 12, 5), 2)
    encoder = replace(made, activations=("relu", last), peaks=(4.0, 5.0))
    layers = quantize_layers(encoder, Ranges((2.0,), 3.0, 4.0, 1.0))
    scale, zero_point = layers[-1].output_grid
    thresholds = (np.arange(-128, 127, 3) + 0.5 - zero_point) * float(scale)
    tables = int8_tables(layers, thresholds, front_end_for([0.02], 0.001, 0))
    inputs = rng.integers(-128, 128, (600, 9)).astype(np.int8)
    output = tflm_outputs(encoder_flatbuffer(layers, "random"), inputs).astype(int)
    assert len(np.unique(output)) > 60
    expected = (output[..., None] >= np.arange(-127, 128, 3)).sum(-1)
    np.testing.assert_array_equal(tables.encode_index(inputs), expected)


def test_folded_thresholds_are_exact_for_every_attainable_accumulator() -> None:
    rng = np.random.default_rng(0)
    encoder = random_encoder(rng, (12, 5), 16)
    last = _int8_layer(quantize_layers(encoder, Ranges((2.0,), 3.0, 2.0))[0])
    cuts = output_cuts(encoder.thresholds, 1 / 128)
    folded = fold_int8(last, cuts)
    reach = 128 * np.abs(last.weights.astype(np.int64)).sum(1)
    for output in range(5):
        acc = np.arange(-reach[output], reach[output] + 1)
        pre = requantize(acc + last.bias[output], last.multiplier[output], last.shift[output])
        q = last.activation[pre.clip(-128, 127) + 128]
        expected = (q[:, None] >= cuts).sum(1)
        np.testing.assert_array_equal((acc[:, None] >= folded[output]).sum(1), expected)


def test_an_activation_that_falls_cannot_be_folded() -> None:
    last = _int8_layer(
        quantize_layers(random_encoder(np.random.default_rng(0), (4, 2), 4), Ranges((2.0,), 3.0, 2.0))[0]
    )
    table = last.activation.copy()
    table[100] = table[99] - 1
    with pytest.raises(QcsError, match="the activation table does not ascend"):
        fold_int8(replace(last, activation=table), output_cuts(np.array([0.0]), 1 / 128))


def test_a_sigmoid_in_16_bits_is_refused_by_name() -> None:
    encoder = random_encoder(np.random.default_rng(0), (4, 3), 4)
    with pytest.raises(ProfileError, match=r"^profile tflm16 does not compute sigmoid: take tflm or native$"):
        build_encoder(replace(encoder, activations=("sigmoid",)), Ranges((2.0,)), *behind_an_adc(4), "tflm16")


@pytest.mark.parametrize("activation", ["tanh", "hard_tanh", "relu"])
def test_native_thresholds_are_the_float_boundaries_for_every_attainable_accumulator(activation: str) -> None:
    encoder = random_encoder(np.random.default_rng(3), (12, 9, 5), 24, activation)
    encoder.thresholds[[0, -1]] = [-1.0, 1.0]  # by tanh always and never reached; by hard tanh only above −1, and never
    layers = quantize_layers(encoder, Ranges((2.0,), 1.0, 2.0))
    last = layers[-1]
    folded = int8_tables(layers, encoder.thresholds, front_end_for([0.02], 0.001, 0), "native").thresholds
    reach = 128 * np.abs(last.weights.astype(np.int64)).sum(1)
    sums = last.weights.astype(np.int64).sum(1)
    for output in range(5):
        acc = np.arange(-reach[output], reach[output] + 1)
        # The dequantized last layer, written down as its definition: real = scale · (q − zero point).
        bias = float(last.bias[output]) - last.input_zero_point * sums[output]
        real = (acc + bias) * float(last.input_scale) * float(last.weight_scale[output])
        value = np.tanh(real) if activation == "tanh" else real.clip(-1, 1)
        expected = (value[:, None] > encoder.thresholds).sum(1)
        np.testing.assert_array_equal((acc[:, None] >= folded[output]).sum(1), expected)


def test_native_indices_differ_from_float_only_where_the_stated_bound_allows() -> None:
    """Bound on the last pre-activation: each hidden value is off by at most half a step of each grid it passes."""
    rng = np.random.default_rng(5)
    encoder = random_encoder(rng, (10, 30, 8), 32, "hard_tanh")
    layers = quantize_layers(encoder, Ranges((2.0,), 1.0, 1.0))
    tables = int8_tables(layers, encoder.thresholds, front_end_for([0.02], 0.001, 0), "native")
    x = rng.integers(-127, 128, (4000, 10)).astype(np.int8)
    # Float network on dequantized inputs and weights: what int8 weights alone make of it.
    real = [np.float64(layer.weight_scale)[:, None] * layer.weights for layer in layers]
    biases = [np.float64(layer.input_scale) * np.float64(layer.weight_scale) * layer.bias for layer in layers]
    hidden = (x * float(layers[0].input_scale) @ real[0].T + biases[0]).clip(-1, 1)
    pre = hidden @ real[1].T + biases[1]
    off = 1.01 * float(layers[0].output_grid[0])  # half a step, and TFLM's second rounding at most another half
    bound = off * np.abs(real[1]).sum(1)
    low = ((pre - bound)[..., None] > encoder.thresholds).sum(-1)
    high = ((pre + bound)[..., None] > encoder.thresholds).sum(-1)
    index = tables.encode_index(x)
    assert np.all((low <= index) & (index <= high))
    exact = (pre[..., None] > encoder.thresholds).sum(-1)
    assert np.abs(index - exact).max() <= 2
    assert np.mean(index == exact) > 0.8


@pytest.mark.parametrize("activation", ["tanh", "hard_tanh"])
def test_a_folded_int16_threshold_is_the_first_accumulator_that_reaches_it(activation) -> None:
    """Weights 1 and 100 make every accumulator attainable: the runtime must change its index exactly at a threshold."""
    scale, weight_scale = np.float32(1 / 500), np.array([1 / 400, 1 / 700], np.float32)
    pre = np.float32(PRE_SCALE if activation == "tanh" else 1 / 32767)
    layer = DenseOp(np.array([[1, 100], [1, 100]], np.int8), weight_scale, np.array([70_001, -5], np.int32), scale, 0,
                    pre, 0, ACTIVATIONS[activation], 16)  # fmt: skip
    t = np.sort(np.random.default_rng(2).uniform(-0.99, 0.99, 200))
    tables = int16_tables((layer,), t, front_end_for([0.02], 0.001, 0))
    oracle = tflm.TflmRuntime(encoder_flatbuffer((layer,), "one layer"), np.int16)
    for output, row in enumerate(tables.thresholds):
        acc = np.concatenate([row - 1, row]).astype(np.int64)
        x = np.stack([acc - 100 * (acc // 100), acc // 100], axis=1).astype(np.int16)
        np.testing.assert_array_equal(tables.accumulator(x)[:, output], acc)
        found = tflm.index(oracle.run(x), oracle.output_grid, t.tolist())[:, output]
        np.testing.assert_array_equal(found, tables.encode_index(x)[:, output])
        assert (found[200:] > found[:200]).all()


def test_an_encoder_too_wide_for_16_bits_says_so() -> None:
    rng = np.random.default_rng(1)
    encoder = FloatEncoder(
        (rng.uniform(-1, 1, (600, 40)).astype(np.float32), rng.uniform(-1, 1, (600, 600)).astype(np.float32),
         rng.uniform(-1, 1, (3, 600)).astype(np.float32)),
        (np.zeros(600, np.float32), np.zeros(600, np.float32), np.zeros(3, np.float32)), np.array([0.0]),
    )  # fmt: skip
    with pytest.raises(ProfileError, match=r"600 inputs of 16 bits .* take export.profile = native"):
        build_encoder(encoder, Ranges((2.0,), 1.0, 1.0), *behind_an_adc(40), "tflm16")
    huge = FloatEncoder((np.full((2, 2), 1e18, np.float32),) * 2, (np.zeros(2, np.float32),) * 2, np.array([0.0]))
    for profile in ("tflm", "tflm16"):
        with pytest.raises(ProfileError, match="weights"):
            build_encoder(huge, Ranges((2.0,), 3.0, 2.0), *behind_an_adc(2), profile)
