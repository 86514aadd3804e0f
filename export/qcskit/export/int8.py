"""Float EncNet → int8 EncNet with clipped pre-activation ranges, and the integer tables with the quantizer folded in.

Tanh saturates, so a grid that covers ±3 before it loses nothing and is ten times finer than one that covers the range
seen; min/max calibration would cost decibels.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.integer import DenseTables, EncoderTables, FrontEnd, requantize
from qcskit.export.flatbuffer import TANH_SCALE, Activation, Int8Dense, tanh_table

INT32_MAX = 2**31 - 1


class AccumulatorError(QcsError):
    """The integers of a profile cannot hold an accumulator of this encoder."""


Profile = Literal["tflm", "native", "tflm16"]
"""Where the quantizer's thresholds act: on TFLM's int8 output, on the int32 accumulators of the last layer, or on the
int16 output of TFLM with 16-bit activations (`qcskit.export.wide`).
"""


@dataclass(frozen=True)
class FloatEncoder:
    """Trained EncNet and its hard quantizer.

    weights: per layer float (outputs, inputs); biases: per layer (outputs,). thresholds: t (I−1), ascending, on the
    last layer's output. activations: per layer; empty = tanh everywhere. peaks: per layer the largest output seen,
    which only ReLU needs.
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    thresholds: NDArray[np.float64]
    activations: tuple[Activation, ...] = ()
    peaks: tuple[float, ...] = ()

    def activation(self, layer: int) -> Activation:
        """Return the activation of a layer."""
        return self.activations[layer] if self.activations else "tanh"


@dataclass(frozen=True)
class Ranges:
    """What the int8 grids cover: ± input units of y, ± pre-activations of hidden and last layers.

    hidden: for ReLU and ReLU6 the part of the largest output seen that the grid covers. Hard tanh needs no range.
    """

    input: float
    hidden: float
    last: float


def quantize_layers(encoder: FloatEncoder, ranges: Ranges) -> tuple[Int8Dense, ...]:
    """Return the int8 layers: weights symmetric per output, |w| <= 127; input zero point 0."""
    layers: list[Int8Dense] = []
    input_scale, input_zero_point = np.float32(ranges.input / 127.0), 0
    for number, (w, b) in enumerate(zip(encoder.weights, encoder.biases, strict=True)):
        weights, weight_scale, bias = quantize_weights(number, w, b, input_scale)
        last = number == len(encoder.weights) - 1
        scale, zero_point = _pre_grid(encoder, number, ranges.last if last else ranges.hidden)
        layers.append(Int8Dense(weights, weight_scale, bias, input_scale, input_zero_point, scale, zero_point,
                                encoder.activation(number)))  # fmt: skip
        input_scale, input_zero_point = layers[-1].output_scale, layers[-1].output_zero_point
    return tuple(layers)


def quantize_weights(
    number: int, w: NDArray[np.float32], b: NDArray[np.float32], input_scale: np.float32
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.int32]]:
    """Return int8 weights symmetric per output, |w| <= 127, their scales, and int32 biases of encoder layer `number`.

    Raises QcsError if one is not finite.
    """
    if not (np.isfinite(w).all() and np.isfinite(b).all()):
        raise QcsError(f"encoder layer {number} holds NaN or infinity: the training has diverged, train again")
    peak = np.abs(w).max(axis=1)
    weight_scale = np.where(peak > 0, peak / 127.0, 1.0).astype(np.float32)
    weights = np.rint(w / weight_scale[:, None]).clip(-127, 127).astype(np.int8)
    bias_scale = input_scale.astype(np.float64) * weight_scale.astype(np.float64)
    return weights, weight_scale, np.rint(b / bias_scale).clip(-INT32_MAX, INT32_MAX).astype(np.int32)


def _pre_grid(encoder: FloatEncoder, number: int, covered: float) -> tuple[np.float32, int]:
    """Return (scale, zero point) of a layer's pre-activations."""
    activation = encoder.activation(number)
    if activation == "tanh":
        return np.float32(covered / 127.0), 0
    if activation == "hard_tanh":
        return np.float32(1.0 / 127.0), 0
    peak = max(encoder.peaks[number], 1e-6) * covered
    return np.float32((min(peak, 6.0) if activation == "relu6" else peak) / 255.0), -128


def integer_tables(
    layers: Sequence[Int8Dense], thresholds: NDArray[np.float64], front_end: FrontEnd, profile: Profile = "tflm"
) -> EncoderTables:
    """Return the tables of an encoder.

    tflm: exactly what TFLM computes on `layers`, followed by `thresholds` on its int8 output. native: the same up to
    the last accumulator, on which the thresholds are the decision boundaries of the dequantized last layer.
    """
    *hidden, last = [_dense_tables(layer) for layer in layers]
    if profile == "native":
        folded = native_thresholds(layers[-1], last, thresholds)
    else:
        folded = fold_thresholds(last, output_cuts(thresholds, layers[-1].output_scale, layers[-1].output_zero_point))
    return EncoderTables(tuple(hidden), last.weights, folded, front_end)


def output_cuts(
    thresholds: NDArray[np.float64], scale: float | np.float32 = TANH_SCALE, zero_point: int = 0
) -> NDArray[np.int64]:
    """Return per threshold the smallest int8 output q above it: q > floor(zero_point + t / scale)."""
    cuts: NDArray[np.int64] = np.floor(zero_point + np.asarray(thresholds) / float(scale)).astype(np.int64) + 1
    return cuts


def native_thresholds(layer: Int8Dense, last: DenseTables, thresholds: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return int32 thresholds (outputs, I−1): acc >= T ⇔ activation(scale · (acc + bias)) >= t, no grid.

    A boundary outside the activation's range, or beyond what the weights reach, is never or always reached.
    """
    t = np.asarray(thresholds, np.float64)
    if layer.activation == "tanh":
        boundary = np.full(t.shape, np.inf)
        boundary[np.abs(t) < 1] = np.arctanh(t[np.abs(t) < 1])
    elif layer.activation == "hard_tanh":
        boundary = np.where(t > 1, np.inf, t)
    else:
        raise QcsError(f"the last layer's activation is {layer.activation}; expected tanh or hard_tanh")
    boundary[t <= -1] = -np.inf
    unit = np.float64(layer.input_scale) * layer.weight_scale.astype(np.float64)
    reach = 128.0 * np.abs(last.weights.astype(np.int64)).sum(axis=1)[:, None]
    exact = np.ceil(boundary[None, :] / unit[:, None]) - last.bias[:, None]
    return np.clip(exact, -reach, reach + 1).astype(np.int32)


def fold_thresholds(last: DenseTables, cuts: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return int32 thresholds (outputs, I−1) on the accumulator without bias: acc >= T ⇔ activation(acc + bias) >= cut.

    Found by bisection over every accumulator the weights can reach; a cut never reached gets one more than the largest,
    one always reached the smallest. Raises QcsError if the activation table does not ascend.
    """
    if np.any(np.diff(last.activation.astype(np.int64)) < 0):
        raise QcsError("the activation table does not ascend: the quantizer cannot be folded into thresholds")
    reach = 128 * np.abs(last.weights.astype(np.int64)).sum(axis=1)[:, None]

    def reached(acc: NDArray[np.int64]) -> NDArray[np.bool_]:
        pre = requantize(acc + last.bias[:, None], last.multiplier[:, None], last.shift[:, None]) + last.zero_point
        return last.activation[pre.clip(-128, 127) + 128] >= cuts

    return first_reached(reach, (last.weights.shape[0], len(cuts)), reached)


def first_reached(
    reach: NDArray[np.int64], shape: tuple[int, int], reached: Callable[[NDArray[np.int64]], NDArray[np.bool_]]
) -> NDArray[np.int32]:
    """Return the least accumulators in −reach … reach (outputs, 1) for which `reached` holds, else reach + 1, by
    bisection. `reached` ascends: (outputs, I−1) accumulators → bool.
    """
    low, high = np.broadcast_to(-reach, shape).copy(), np.broadcast_to(reach + 1, shape).copy()
    while np.any(low < high):
        middle = (low + high) >> 1
        active, found = low < high, reached(middle)
        high = np.where(active & found, middle, high)
        low = np.where(active & ~found, middle + 1, low)
    return high.astype(np.int32)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Return (Q31 mantissa, shift) of a positive real multiplier (TFLite QuantizeMultiplier, quantization_util.cc).

    >>> quantize_multiplier(0.5), quantize_multiplier(0.75)
    ((1073741824, 0), (1610612736, 0))
    """
    if not (real > 0 and math.isfinite(real)):
        raise QcsError(f"requantization multiplier {real} is not a positive number")
    fraction, shift = math.frexp(real)
    mantissa = round(fraction * (1 << 31))
    if mantissa == 1 << 31:
        mantissa, shift = mantissa // 2, shift + 1
    return (0, 0) if shift < -31 else (mantissa, shift)


def front_end_for(input_scale: float, adc_scale: float, offset_counts: int) -> FrontEnd:
    """Return the fixed-point map from ADC counts (adc_scale units each) to the int8 grid of `input_scale`."""
    multiplier, shift = quantize_multiplier(adc_scale / input_scale)
    if shift > 14:
        raise QcsError(f"an ADC count ({adc_scale} units) is over 2^14 int8 steps ({input_scale}): check the ADC scale")
    return FrontEnd(offset_counts, multiplier, shift, 0)


def _dense_tables(layer: Int8Dense) -> DenseTables:
    weights = layer.weights.astype(np.int64)
    bias = layer.bias.astype(np.int64) - layer.input_zero_point * weights.sum(axis=1)
    multiplier, shift = requantization(layer, bias)
    return DenseTables(
        weights=layer.weights,
        bias=bias.astype(np.int32),
        multiplier=multiplier,
        shift=shift,
        zero_point=layer.pre_zero_point,
        activation=activation_table(layer),
    )


def requantization(
    layer: Int8Dense, bias: NDArray[np.int64], limit: int = INT32_MAX
) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
    """Return Q31 multipliers and shifts (outputs,) as TFLM computes them from a layer's scales.

    bias: the input zero point folded in. Raises AccumulatorError if an accumulator, shifted left, could exceed `limit`.
    """
    ratio = np.float64(layer.input_scale) * layer.weight_scale.astype(np.float64) / np.float64(layer.pre_scale)
    pairs = [quantize_multiplier(float(value)) for value in ratio]
    reach = (1 << layer.bits - 1) * np.abs(layer.weights.astype(np.int64)).sum(axis=1) + np.abs(bias)
    left = np.maximum([shift for _, shift in pairs], 0)
    if np.any(left > 30) or np.any(reach << left > limit):
        advice = (
            "its weights or biases are too large: train again" if layer.bits == 8 else
            f"{layer.weights.shape[1]} inputs of 16 bits are too many or its weights too large; take "
            f"export.profile = native, or a narrower layer"
        )  # fmt: skip
        raise AccumulatorError(f"an accumulator of EncNet can exceed {limit.bit_length() + 1} bits: {advice}")
    return np.array([m for m, _ in pairs], np.int32), np.array([s for _, s in pairs], np.int8)


def activation_table(layer: Int8Dense) -> NDArray[np.int8]:
    """Return the layer's 256-entry activation: TFLM's TANH, or the clamp that it fuses into FULLY_CONNECTED."""
    if layer.activation == "tanh":
        return tanh_table(float(layer.pre_scale))
    low, high = clamp_bounds(layer)
    return np.arange(-128, 128).clip(low, high).astype(np.int8)


def clamp_bounds(layer: Int8Dense) -> tuple[int, int]:
    """Return the least and largest output of FULLY_CONNECTED with the layer's fused activation (tanh: none).

    Bounds as CalculateActivationRangeQuantized (kernel_util.cc) rounds them: in float, half away from zero.
    """
    least, largest = -(1 << layer.bits - 1), (1 << layer.bits - 1) - 1
    if layer.activation == "tanh":
        return least, largest
    bounds = {"hard_tanh": (-1.0, 1.0), "relu": (0.0, math.inf), "relu6": (0.0, 6.0)}[layer.activation]

    def on_grid(value: float) -> int:
        steps = float(np.float32(value) / layer.pre_scale)
        return layer.pre_zero_point + int(math.copysign(math.floor(abs(steps) + 0.5), steps))

    high = largest if math.isinf(bounds[1]) else min(largest, on_grid(bounds[1]))
    return max(least, on_grid(bounds[0])), high
