"""Float EncNet → layers as the flatbuffer states them: int8 weights, grids of activations in 8 or 16 bits.

Tanh saturates, so an int8 grid that covers ±3 before it loses nothing and is ten times finer than one that covers the
range seen; min/max calibration would cost decibels. In 16 bits no grid is left that could lose anything.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.activations import ACTIVATIONS, Activation
from qcskit.codec.learned.int16 import PRE_SCALE
from qcskit.export.learned.flatbuffer import Bits, DenseOp

INT32_MAX = 2**31 - 1
_DAMPING = 1e-4
"""Of the moment's mean diagonal, so that weights of inputs that never move stay near what they were."""
_INT16_STEPS = 32767
LARGEST_SUM: dict[Bits, int] = {8: INT32_MAX, 16: 2**30 - 1}
"""Of an accumulator, in magnitude, in 8 and 16 bits."""
_LEAST_ROOM = 2**24
_LEAST_SCALE = 1e-30
"""Weights and biases below are nothing."""


@dataclass(frozen=True)
class FloatEncoder:
    """Trained EncNet and its hard quantizer.

    weights: per layer float (outputs, inputs); biases: per layer (outputs,). thresholds: t (I−1), ascending, on the
    last layer's output. activations: names per layer; empty = tanh everywhere. peaks: per layer the largest output
    seen, which only ReLU needs. moments: per layer E[v vᵀ] (inputs + 1, inputs + 1) of its input and a 1, v = (x, 1),
    by which weights are rounded; empty = each to the nearest.
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    thresholds: NDArray[np.float64]
    activations: tuple[str, ...] = ()
    peaks: tuple[float, ...] = ()
    moments: tuple[NDArray[np.float64], ...] = ()

    def activation(self, layer: int) -> Activation:
        """Return the activation of a layer."""
        return ACTIVATIONS[self.activations[layer] if self.activations else "tanh"]

    def peak(self, layer: int) -> float:
        """Return the largest output seen of a layer, 1 if none was looked at."""
        return self.peaks[layer] if self.peaks else 1.0


@dataclass(frozen=True)
class Ranges:
    """What the grids cover: ± y per input, or one for all; ± pre-activations of hidden and last layers (int8 alone).

    inputs: on the codec's own scale. hidden, last: where tanh (or a sigmoid, twice as wide) may be clipped. peak: the
    part of the largest output seen that the grids of what has no bounds cover. Hard tanh needs no range.
    """

    inputs: tuple[float, ...]
    hidden: float = 1.0
    last: float = 1.0
    peak: float = 1.0

    @property
    def input(self) -> float:
        """The largest of `inputs`: what the flatbuffer's one input scale covers."""
        return max(self.inputs)


def on_the_grid(encoder: FloatEncoder, ranges: Ranges, shift: float) -> FloatEncoder:
    """Return the encoder of network inputs that all cover the largest range: what differs goes into the weights.

    shift: what is to be added to every y first; it goes into the biases.
    """
    first = encoder.weights[0]
    ratio = np.broadcast_to(np.asarray(ranges.inputs, np.float32) / np.float32(ranges.input), first.shape[1:])
    biases = encoder.biases[0] + (shift * first.sum(axis=1)).astype(np.float32)
    weights = (first * ratio[None, :], *encoder.weights[1:])
    moments = encoder.moments
    if moments:
        # v = (x, 1) becomes ((x − shift) / ratio, 1).
        change = np.diag(np.append(1.0 / ratio.astype(np.float64), 1.0))
        change[:-1, -1] = -shift / ratio
        moments = (change @ moments[0] @ change.T, *moments[1:])
    return replace(encoder, weights=weights, biases=(biases, *encoder.biases[1:]), moments=moments)


def quantize_layers(encoder: FloatEncoder, ranges: Ranges, bits: Bits = 8) -> tuple[DenseOp, ...]:
    """Return the layers: weights symmetric per output, |w| <= 127; input zero point 0."""
    layers: list[DenseOp] = []
    input_scale, input_zero_point = np.float32(ranges.input / (127.0 if bits == 8 else 2**15)), 0
    for number, (w, b) in enumerate(zip(encoder.weights, encoder.biases, strict=True)):
        moment = encoder.moments[number] if encoder.moments else None
        weights, weight_scale, bias = quantize_weights(number, w, b, input_scale, moment, bits)
        last, activation = number == len(encoder.weights) - 1, encoder.activation(number)
        if bits == 8:
            covered = ranges.last if last else ranges.hidden
            covered = ranges.peak if activation.needs_peak else covered
            scale, zero_point = activation.pre_grid(covered, encoder.peak(number))
        else:
            scale, zero_point = _int16_scale(activation, encoder.peak(number)), 0
        layers.append(DenseOp(
            weights, weight_scale, bias, input_scale, input_zero_point, scale, zero_point, activation, bits
        ))  # fmt: skip
        input_scale, input_zero_point = layers[-1].output_grid
    return tuple(layers)


def quantize_weights(
    number: int,
    w: NDArray[np.float32],
    b: NDArray[np.float32],
    input_scale: np.float32,
    moment: NDArray[np.float64] | None = None,
    bits: Bits = 8,
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.int32]]:
    """Return int8 weights symmetric per output, |w| <= 127, their scales, and int32 biases of encoder layer `number`.

    moment: E[v vᵀ] of its input and a 1; None: every weight goes to the nearest integer.
    Raises QcsError if one is not finite.
    """
    if not (np.isfinite(w).all() and np.isfinite(b).all()):
        raise QcsError(f"encoder layer {number} holds NaN or infinity: the training has diverged, train again")
    # As fine as the weights allow, or as the bias does that goes with small ones: what the sums leave of 32 bits.
    room = max(0.99 * LARGEST_SUM[bits] - w.shape[1] * 127.0 * 2 ** (bits - 1), _LEAST_ROOM)
    finest = np.abs(b) / np.float32(np.float64(input_scale) * room)
    needed = np.maximum(np.abs(w).max(axis=1) / 127.0, finest)
    weight_scale = np.where(needed > _LEAST_SCALE, needed, 1.0).astype(np.float32)
    exact = np.concatenate([w / weight_scale[:, None], (b / weight_scale)[:, None]], axis=1).astype(np.float64)
    weights, bias = round_jointly(exact, moment) if moment is not None else (np.rint(exact[:, :-1]), exact[:, -1])
    weights = weights.clip(-127, 127).astype(np.int8)
    bias_scale = input_scale.astype(np.float64) * weight_scale.astype(np.float64)
    return weights, weight_scale, np.rint(bias * weight_scale / bias_scale).clip(-INT32_MAX, INT32_MAX).astype(np.int32)


def round_jointly(exact: NDArray[np.float64], moment: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return integer weights (outputs, inputs) and real biases (outputs,) of `exact` (outputs, inputs + 1), bias last.

    Column by column, the error of rounding one is spread over those still to come, so that the error of the sums is
    least over inputs of this second moment: E. Frantar et al., GPTQ, 2023, after Hassibi and Stork's optimal brain
    surgeon. The heaviest columns come first; the bias, which is not rounded here, last.
    """
    inputs = len(moment) - 1
    order = np.append(np.argsort(-np.diag(moment)[:-1], kind="stable"), inputs)
    damped = moment[np.ix_(order, order)] + _DAMPING * np.trace(moment) / len(moment) * np.eye(len(moment))
    spread = np.linalg.cholesky(np.linalg.inv(damped)).T
    left = exact[:, order].copy()
    for place in range(inputs):
        rounded = np.rint(left[:, place]).clip(-127, 127)
        error = (left[:, place] - rounded) / spread[place, place]
        left[:, place:] -= error[:, None] * spread[place, place:]
        left[:, place] = rounded
    return left[:, np.argsort(order[:-1])], left[:, -1]


def _int16_scale(activation: Activation, peak: float) -> np.float32:
    if activation.operator:
        return np.float32(PRE_SCALE)
    reached = 1.0 if activation.bounded else min(peak if peak > 0.0 else 1.0, activation.high)
    return np.float32(reached / _INT16_STEPS)
