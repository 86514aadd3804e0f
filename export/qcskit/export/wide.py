"""Float EncNet → int8 weights with 16-bit activations (profile tflm16): no grid is left that could lose anything.

The network input is the ADC count less its offset, shifted to 16 bits; pre-activations have steps of 2^-12 over ±8,
outputs of 2^-15.
"""

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import wide
from qcskit.codec.integer import requantize
from qcskit.codec.wide import WideDense, WideTables
from qcskit.export.flatbuffer import Int8Dense, wide_tanh_table
from qcskit.export.int8 import (
    FloatEncoder,
    clamp_bounds,
    first_reached,
    output_cuts,
    quantize_weights,
    requantization,
)

_STEPS = 32767


def quantize_layers(encoder: FloatEncoder, input_range: float) -> tuple[Int8Dense, ...]:
    """Return the layers; input_range: the input grid covers ± this many units of y in 2^16 steps."""
    layers: list[Int8Dense] = []
    input_scale = np.float32(input_range / 2**15)
    for number, (w, b) in enumerate(zip(encoder.weights, encoder.biases, strict=True)):
        weights, weight_scale, bias = quantize_weights(number, w, b, input_scale)
        layers.append(Int8Dense(weights, weight_scale, bias, input_scale, 0, _pre_scale(encoder, number), 0,
                                encoder.activation(number), 16))  # fmt: skip
        input_scale = layers[-1].output_scale
    return tuple(layers)


def _pre_scale(encoder: FloatEncoder, number: int) -> np.float32:
    activation = encoder.activation(number)
    if activation == "tanh":
        return np.float32(wide.PRE_SCALE)
    if activation == "hard_tanh":
        return np.float32(1.0 / _STEPS)
    peak = max(encoder.peaks[number], 1e-6)
    return np.float32((min(peak, 6.0) if activation == "relu6" else peak) / _STEPS)


def wide_tables(
    layers: tuple[Int8Dense, ...], thresholds: NDArray[np.float64], offset: int, adc_bits: int
) -> WideTables:
    """Return the tables: exactly what TFLM computes on `layers`, then `thresholds` on its int16 output.

    offset: ADC count at y = 0. adc_bits: 8 … 16. Raises QcsError if an accumulator could exceed 32 bits.
    """
    *hidden, last = [_dense_tables(layer) for layer in layers]
    cuts = output_cuts(thresholds, layers[-1].output_scale)
    return WideTables(tuple(hidden), last.weights, fold_thresholds(last, cuts), offset, 16 - adc_bits)


def _dense_tables(layer: Int8Dense) -> WideDense:
    multiplier, shift = requantization(layer, layer.bias.astype(np.int64), limit=2**30 - 1)
    table = wide_tanh_table() if layer.activation == "tanh" else np.empty(0, np.int16)
    return WideDense(layer.weights, layer.bias, multiplier, shift, *clamp_bounds(layer), table)


def fold_thresholds(last: WideDense, cuts: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return int32 thresholds (outputs, I−1) on the accumulator without bias: acc >= T ⇔ activation(acc + bias) >= cut.

    Found by bisection over every accumulator the weights can reach, as `qcskit.export.int8.fold_thresholds` does.
    """
    reach = 32768 * np.abs(last.weights.astype(np.int64)).sum(axis=1)[:, None]

    def reached(acc: NDArray[np.int64]) -> NDArray[np.bool_]:
        pre = requantize(acc + last.bias[:, None], last.multiplier[:, None], last.shift[:, None])
        pre = pre.clip(last.low, last.high)
        return (wide.tanh(last.activation, pre) if last.activation.size else pre) >= cuts

    return first_reached(reach, (last.weights.shape[0], len(cuts)), reached)
