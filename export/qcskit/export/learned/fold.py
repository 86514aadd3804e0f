"""Layers as the flatbuffer states them → integer tables: exactly what TFLite Micro computes, quantizer folded in."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.learned import int16
from qcskit.codec.learned.chain import FrontEnd, quantize_multiplier, requantize
from qcskit.codec.learned.int8 import Int8Layer, Int8Tables
from qcskit.codec.learned.int16 import Int16Layer, Int16Tables
from qcskit.export.learned.flatbuffer import DenseOp, activation_points, int16_tanh_table
from qcskit.export.learned.quantize import LARGEST_SUM

Integers = NDArray[np.int64]
Profile = Literal["tflm", "native", "tflm16"]
"""Where the quantizer's thresholds act: on TFLM's int8 output, on the int32 accumulators of the last layer, or on the
int16 output of TFLM with 16-bit activations.
"""


class ProfileError(QcsError):
    """The integers of a profile cannot hold this encoder."""


def int8_tables(
    layers: Sequence[DenseOp], thresholds: NDArray[np.float64], front_end: FrontEnd, profile: Profile = "tflm"
) -> Int8Tables:
    """Return the tables of an int8 encoder.

    tflm: exactly what TFLM computes on `layers`, followed by `thresholds` on its int8 output. native: the same up to
    the last accumulator, on which the thresholds are the decision boundaries of the dequantized last layer.
    """
    *hidden, last = [_int8_layer(layer) for layer in layers]
    if profile == "native":
        folded = native_thresholds(layers[-1], last, thresholds)
    else:
        folded = fold_int8(last, output_cuts(thresholds, *layers[-1].output_grid))
    return Int8Tables(tuple(hidden), last.weights, folded, front_end)


def int16_tables(layers: Sequence[DenseOp], thresholds: NDArray[np.float64], front_end: FrontEnd) -> Int16Tables:
    """Return the tables of an int16 encoder: what TFLM computes on `layers`, then `thresholds` on its int16 output.

    Raises QcsError if an accumulator could exceed 32 bits.
    """
    *hidden, last = [_int16_layer(layer) for layer in layers]
    folded = fold_int16(last, output_cuts(thresholds, *layers[-1].output_grid))
    return Int16Tables(tuple(hidden), last.weights, folded, front_end)


def output_cuts(thresholds: NDArray[np.float64], scale: float | np.float32, zero_point: int = 0) -> Integers:
    """Return per threshold the smallest integer output q above it: q > floor(zero_point + t / scale)."""
    cuts: Integers = np.floor(zero_point + np.asarray(thresholds) / float(scale)).astype(np.int64) + 1
    return cuts


def native_thresholds(layer: DenseOp, last: Int8Layer, thresholds: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return int32 thresholds (outputs, I−1): acc >= T ⇔ activation(scale · (acc + bias)) > t, no grid.

    A boundary outside the activation's range, or beyond what the weights reach, is never or always reached.
    """
    boundary = layer.activation.boundary(np.asarray(thresholds, np.float64))
    reach = 128.0 * np.abs(last.weights.astype(np.int64)).sum(axis=1)[:, None]
    exact = np.floor(boundary[None, :] / layer.unit[:, None]) + 1 - last.bias[:, None]
    return np.clip(exact, -reach, reach + 1).astype(np.int32)


def fold_int8(last: Int8Layer, cuts: Integers) -> NDArray[np.int32]:
    """Return int32 thresholds (outputs, I−1) on the accumulator without bias: acc >= T ⇔ activation(acc + bias) >= cut.

    Raises QcsError if the activation table does not ascend.
    """
    if np.any(np.diff(last.activation.astype(np.int64)) < 0):
        raise QcsError("the activation table does not ascend: the quantizer cannot be folded into thresholds")

    def output(acc: Integers) -> NDArray[np.integer[Any]]:
        pre = requantize(acc, last.multiplier[:, None], last.shift[:, None]) + last.zero_point
        return last.activation[pre.clip(-128, 127) + 128]

    return _first_reached(last, 128, cuts, output)


def fold_int16(last: Int16Layer, cuts: Integers) -> NDArray[np.int32]:
    """Return what `fold_int8` returns, of an int16 layer."""

    def output(acc: Integers) -> NDArray[np.integer[Any]]:
        pre = requantize(acc, last.multiplier[:, None], last.shift[:, None]).clip(last.low, last.high)
        return int16.tanh(last.activation, pre) if last.activation.size else pre

    return _first_reached(last, 32768, cuts, output)


def _first_reached(
    last: Int8Layer | Int16Layer, largest: int, cuts: Integers, output: Callable[[Integers], NDArray[np.integer[Any]]]
) -> NDArray[np.int32]:
    """Return the least accumulators that the weights reach at which the rising `output` of acc + bias is >= a cut.

    By bisection; one more than the largest for a cut never reached. largest: |input|.
    """
    reach = largest * np.abs(last.weights.astype(np.int64)).sum(axis=1)[:, None]
    shape = (last.weights.shape[0], len(cuts))
    low, high = np.broadcast_to(-reach, shape).copy(), np.broadcast_to(reach + 1, shape).copy()
    while np.any(low < high):
        middle = (low + high) >> 1
        active, found = low < high, output(middle + last.bias[:, None]) >= cuts
        high = np.where(active & found, middle, high)
        low = np.where(active & ~found, middle + 1, low)
    return high.astype(np.int32)


def _int8_layer(layer: DenseOp) -> Int8Layer:
    bias = layer.bias.astype(np.int64) - layer.input_zero_point * layer.weights.astype(np.int64).sum(axis=1)
    scaling = requantization(layer, bias)
    return Int8Layer(layer.weights, bias.astype(np.int32), *scaling, layer.pre_zero_point, activation_table(layer))


def _int16_layer(layer: DenseOp) -> Int16Layer:
    scaling = requantization(layer, layer.bias.astype(np.int64))
    if layer.activation.operator not in ("", "TANH"):
        raise ProfileError(f"profile tflm16 does not compute {layer.activation.name}: take tflm or native")
    table = int16_tanh_table() if layer.activation.operator else np.empty(0, np.int16)
    bounds = layer.activation.clamp(layer.pre_scale, layer.pre_zero_point, 16)
    return Int16Layer(layer.weights, layer.bias, *scaling, *bounds, table)


def requantization(layer: DenseOp, bias: Integers) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """Return Q31 multipliers and shifts (outputs,) as TFLM computes them from a layer's scales.

    bias: the input zero point folded in. Raises ProfileError if an accumulator, shifted left, could exceed 32 bits.
    """
    limit = LARGEST_SUM[layer.bits]
    pairs = [quantize_multiplier(float(value)) for value in layer.unit / np.float64(layer.pre_scale)]
    reach = (1 << layer.bits - 1) * np.abs(layer.weights.astype(np.int64)).sum(axis=1) + np.abs(bias)
    left = np.maximum([shift for _, shift in pairs], 0)
    if np.any(left > 30) or np.any(reach << left > limit):
        advice = "its weights are too large for inputs of this range: scale the inputs to about 1"
        if layer.bits == 16:
            cause = f"{layer.weights.shape[1]} inputs of 16 bits are too many or its weights too large"
            advice = f"{cause}; take export.profile = native, or a narrower layer"
        raise ProfileError(f"an accumulator of EncNet can exceed {limit.bit_length() + 1} bits: {advice}")
    return np.array([m for m, _ in pairs], np.int32), np.array([s for _, s in pairs], np.int8)


def activation_table(layer: DenseOp) -> NDArray[np.int8]:
    """Return the layer's 256-entry activation: TFLM's operator, or the clamp that it fuses into FULLY_CONNECTED."""
    if layer.activation.operator:
        return activation_points(layer.activation.name, float(layer.pre_scale), layer.pre_zero_point)
    low, high = layer.activation.clamp(layer.pre_scale, layer.pre_zero_point, 8)
    return np.arange(-128, 128).clip(low, high).astype(np.int8)
