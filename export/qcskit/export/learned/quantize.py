"""Float EncNet → layers as the flatbuffer states them: int8 weights, grids of activations in 8 or 16 bits.

Tanh saturates, so an int8 grid that covers ±3 before it loses nothing and is ten times finer than one that covers the
range seen; min/max calibration would cost decibels. In 16 bits no grid is left that could lose anything.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.activations import ACTIVATIONS, Activation
from qcskit.codec.learned.int16 import PRE_SCALE
from qcskit.export.learned.flatbuffer import Bits, DenseOp

INT32_MAX = 2**31 - 1
_INT16_STEPS = 32767


@dataclass(frozen=True)
class FloatEncoder:
    """Trained EncNet and its hard quantizer.

    weights: per layer float (outputs, inputs); biases: per layer (outputs,). thresholds: t (I−1), ascending, on the
    last layer's output. activations: names per layer; empty = tanh everywhere. peaks: per layer the largest output
    seen, which only ReLU needs.
    """

    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    thresholds: NDArray[np.float64]
    activations: tuple[str, ...] = ()
    peaks: tuple[float, ...] = ()

    def activation(self, layer: int) -> Activation:
        """Return the activation of a layer."""
        return ACTIVATIONS[self.activations[layer] if self.activations else "tanh"]

    def peak(self, layer: int) -> float:
        """Return the largest output seen of a layer, 1 if none was looked at."""
        return self.peaks[layer] if self.peaks else 1.0


@dataclass(frozen=True)
class Ranges:
    """What the grids cover: ± input units of y, ± pre-activations of hidden and last layers (int8 alone).

    hidden: for ReLU and ReLU6 the part of the largest output seen that the grid covers. Hard tanh needs no range.
    """

    input: float
    hidden: float = 1.0
    last: float = 1.0


def quantize_layers(encoder: FloatEncoder, ranges: Ranges, bits: Bits = 8) -> tuple[DenseOp, ...]:
    """Return the layers: weights symmetric per output, |w| <= 127; input zero point 0."""
    layers: list[DenseOp] = []
    input_scale, input_zero_point = np.float32(ranges.input / (127.0 if bits == 8 else 2**15)), 0
    for number, (w, b) in enumerate(zip(encoder.weights, encoder.biases, strict=True)):
        weights, weight_scale, bias = quantize_weights(number, w, b, input_scale)
        last, activation = number == len(encoder.weights) - 1, encoder.activation(number)
        if bits == 8:
            covered = ranges.last if last else ranges.hidden
            scale, zero_point = activation.pre_grid(covered, encoder.peak(number))
        else:
            scale, zero_point = _int16_scale(activation, encoder.peak(number)), 0
        layers.append(DenseOp(
            weights, weight_scale, bias, input_scale, input_zero_point, scale, zero_point, activation, bits
        ))  # fmt: skip
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


def _int16_scale(activation: Activation, peak: float) -> np.float32:
    if activation.fused == "NONE":
        return np.float32(PRE_SCALE)
    reached = 1.0 if activation.bounded else min(max(peak, 1e-6), activation.high)
    return np.float32(reached / _INT16_STEPS)
