"""Weights that no integer can hold are refused; symmetric grids keep what they cover; weights are rounded jointly."""

from dataclasses import replace

import numpy as np
import pytest
from support.float_encoders import random_encoder, tflm_outputs

from qcskit.codec.errors import QcsError
from qcskit.export.learned import quantize
from qcskit.export.learned.flatbuffer import encoder_flatbuffer
from qcskit.export.learned.quantize import (
    FloatEncoder,
    Ranges,
    on_the_grid,
    quantize_layers,
    quantize_weights,
    round_jointly,
)


def test_nan_weights_are_refused() -> None:
    encoder = random_encoder(np.random.default_rng(0), (4, 3), 4)
    encoder.weights[0][1, 2] = np.nan
    with pytest.raises(QcsError, match="layer 0 holds NaN"):
        quantize_layers(encoder, Ranges((2.0,), 3.0, 2.0))


def test_weights_are_off_by_half_a_step_at_most() -> None:
    w = np.random.default_rng(1).normal(size=(5, 9)).astype(np.float32)
    w[2] = 0
    weights, scale, bias = quantize_weights(0, w, np.ones(5, np.float32), np.float32(0.01))
    assert np.abs(weights.astype(int)).max() == 127
    assert (np.abs(weights * scale[:, None] - w) <= 0.5001 * scale[:, None]).all()
    np.testing.assert_allclose(bias, np.rint(1 / (np.float64(np.float32(0.01)) * scale.astype(np.float64))), rtol=1e-7)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("bias", [0.7, -0.7, 1e-9, 1e5])
@pytest.mark.parametrize("size", [0.0, 1e-40, 1e-6, 1e-3, 1.0])
def test_a_row_that_is_all_but_dead_keeps_its_bias(size: float, bias: float, bits: int) -> None:
    """Its scale rises until the bias fits in 32 bits, the sums beside it."""
    w = (np.random.default_rng(1).uniform(-1, 1, (1, 7)) * size).astype(np.float32)
    step = np.float32(2 / 127 if bits == 8 else 2 / 2**15)
    weights, scale, found = quantize_weights(0, w, np.array([bias], np.float32), step, None, bits)
    unit = float(step) * float(scale[0])
    assert float(found[0]) * unit == pytest.approx(bias, rel=1e-6, abs=0.5 * unit)
    assert np.abs(weights * scale[0] - w).max() <= max(0.5001 * float(scale[0]), 1e-30)
    assert unit * 0.5 <= max(1e-6 * abs(bias), 0.5 * float(step) * size / 127 * 1.0001)
    largest = 2**31 - 1 if bits == 8 else 2**30 - 1
    assert np.abs(weights.astype(int)).sum() * 2 ** (bits - 1) + abs(int(found[0])) <= largest


@pytest.mark.parametrize(("inputs", "room"), [(7, 0.99 * (2**30 - 1) - 7 * 127 * 2**15), (400, 2**24)])
def test_a_bias_takes_what_the_sums_leave_of_32_bits_or_24(inputs: int, room: float) -> None:
    w, step = np.full((1, inputs), 1e-9, np.float32), np.float32(2.0**-14)
    scale = quantize_weights(0, w, np.ones(1, np.float32), step, None, 16)[1]
    assert scale[0] == pytest.approx(1 / (2.0**-14 * room), rel=1e-6)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_bias_beyond_32_bits_stops_at_their_end_and_keeps_its_sign(sign: int, monkeypatch) -> None:
    """As rounding jointly may give it, over inputs far beyond their grid."""
    monkeypatch.setattr(quantize, "round_jointly", lambda exact, moment: (np.ones((1, 2)), np.array([sign * 1e12])))
    w, b = np.ones((1, 2), np.float32), np.ones(1, np.float32)
    assert quantize_weights(0, w, b, np.float32(1), np.eye(3))[2].tolist() == [sign * (2**31 - 1)]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("activation", ["tanh", "hard_tanh", "relu"])
def test_a_network_with_dead_rows_computes_what_it_did_in_floating_point(activation: str, bits: int) -> None:
    """One neuron, widths that are no multiple of 4, a row of zeros, one all but dead whose bias carries it."""
    encoder = random_encoder(np.random.default_rng(7), (7, 5, 1, 3), 4, activation)
    for weights, bias in zip(encoder.weights[:1], encoder.biases[:1], strict=True):
        weights[1] *= 1e-6
        weights[2] = 0
        bias[:3] = 0.7, 0.7, -0.3
    layers = quantize_layers(replace(encoder, peaks=(4.0, 4.0, 4.0)), Ranges((2.0,), 3.0, 3.0, 1.0), bits)
    step = float(layers[0].input_scale)
    x = np.random.default_rng(8).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (200, 7))
    value = x * step
    for number, (w, b) in enumerate(zip(encoder.weights, encoder.biases, strict=True)):
        value = encoder.activation(number).apply(value @ w.T.astype(float) + b)
    scale, zero_point = layers[-1].output_grid
    found = (tflm_outputs(encoder_flatbuffer(layers, "it"), x.astype(f"int{bits}")) - zero_point) * float(scale)
    assert np.ptp(value) > 0.1
    assert np.abs(found - value).max() < (0.1 if bits == 8 else 0.05)


def moment_of(x: np.ndarray) -> np.ndarray:
    """Return E[v vᵀ] of inputs x (frames, inputs) and a 1."""
    v = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    return v.T @ v / len(v)


def drawn(seed: int, inputs: int, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (frames, inputs), correlated and off centre as layers' are, and exact weights with a bias."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(400, inputs)) @ rng.normal(size=(inputs, inputs)) + 3 * rng.normal(size=inputs)
    exact = rng.normal(size=(outputs, inputs + 1)) * 30
    exact[:, :-1] *= 127 / np.abs(exact[:, :-1]).max(axis=1, keepdims=True)
    return x, exact


@pytest.mark.parametrize("inputs", [2, 9, 40])
@pytest.mark.parametrize("seed", range(4))
def test_rounded_jointly_the_sums_are_never_worse_than_rounded_to_the_nearest(seed: int, inputs: int) -> None:
    x, exact = drawn(seed, inputs, 16)
    weights, bias = round_jointly(exact, moment_of(x))
    assert (np.abs(weights) <= 127).all()
    np.testing.assert_array_equal(weights, np.rint(weights))
    wanted = x @ exact[:, :-1].T + exact[:, -1]
    error = x @ weights.T + bias - wanted
    nearest = x @ np.rint(exact[:, :-1]).T + exact[:, -1] - wanted
    assert (error**2).mean() <= (nearest**2).mean() * (1 + 1e-9)
    if inputs >= 9:
        assert (error**2).mean() < 0.5 * (nearest**2).mean()
    # The bias, which is real, takes up all of the mean error.
    assert np.abs(error.mean(axis=0)).max() < 0.05 * np.abs(nearest).max()


def test_weights_of_inputs_that_do_not_belong_together_go_to_the_nearest() -> None:
    _, exact = drawn(7, 12, 5)
    weights, bias = round_jointly(exact, np.eye(13))
    np.testing.assert_array_equal(weights, np.rint(exact[:, :-1]))
    np.testing.assert_allclose(bias, exact[:, -1])


def test_the_order_of_inputs_does_not_matter_to_what_is_rounded() -> None:
    x, exact = drawn(3, 11, 4)
    order = np.random.default_rng(0).permutation(11)
    weights, bias = round_jointly(exact, moment_of(x))
    other, other_bias = round_jointly(exact[:, [*order, 11]], moment_of(x[:, order]))
    np.testing.assert_array_equal(other, weights[:, order])
    np.testing.assert_allclose(other_bias, bias)


def test_inputs_that_never_move_keep_their_weights() -> None:
    x, exact = drawn(5, 6, 4)
    x[:, [1, 4]] = 0
    weights, bias = round_jointly(exact, moment_of(x))
    np.testing.assert_array_equal(weights[:, [1, 4]], np.rint(exact[:, [1, 4]]))
    assert np.isfinite(bias).all()


def test_a_moment_makes_the_layers_round_jointly() -> None:
    x, exact = drawn(2, 9, 6)
    w, b = exact[:, :-1].astype(np.float32), exact[:, -1].astype(np.float32)
    weights, scale, bias = quantize_weights(0, w, b, np.float32(0.01), moment_of(x))
    rounded, real = round_jointly(np.concatenate([w / scale[:, None], (b / scale)[:, None]], axis=1), moment_of(x))
    np.testing.assert_array_equal(weights, rounded)
    np.testing.assert_allclose(bias, real / np.float32(0.01), atol=1)


@pytest.mark.parametrize("shift", [0.0, -0.37])
@pytest.mark.parametrize("inputs", [(2.5,), (0.02, 3.0, 0.7, 40.0)])
def test_on_the_grid_of_any_ranges_it_is_the_same_function(inputs: tuple[float, ...], shift: float) -> None:
    rng = np.random.default_rng(4)
    y = rng.normal(size=(50, 4))
    encoder = random_encoder(rng, (4, 7, 3), 4)
    encoder = FloatEncoder(
        encoder.weights, encoder.biases, encoder.thresholds, moments=(moment_of(y + shift), np.eye(8))
    )
    ranges = Ranges(inputs)
    made = on_the_grid(encoder, ranges, shift)
    grid = y * ranges.input / np.array(inputs)  # what covers ± its own range covers ± the largest
    np.testing.assert_allclose(
        grid @ made.weights[0].T + made.biases[0], (y + shift) @ encoder.weights[0].T + encoder.biases[0], atol=2e-4
    )
    np.testing.assert_allclose(made.moments[0], moment_of(grid), rtol=1e-4, atol=1e-4)
    for part in ("weights", "biases", "moments"):
        np.testing.assert_array_equal(getattr(made, part)[1], getattr(encoder, part)[1])
