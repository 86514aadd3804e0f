"""Activations of EncNet, one record each: what Keras, the flatbuffer, the integer tables and the C call and do."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Activation:
    """One activation; all rise, or stay.

    name: Keras's. fused: TFLite's name of what FULLY_CONNECTED does. low, high: bounds of its output. operator: what
    computes it in an operator of its own, "" if fused. output_grid: (scale, zero point) that the TensorFlow Lite
    quantization specification fixes for such an operator in int8. odd: f(−a) = −f(a).
    """

    name: str
    fused: str
    low: float
    high: float
    operator: str = ""
    output_grid: tuple[float, int] = (0.0, 0)
    odd: bool = False

    @property
    def bounded(self) -> bool:
        """Whether the output stays in [−1, 1], as that of the kit's own last layers does."""
        return self.low == -1.0

    @property
    def needs_peak(self) -> bool:
        """Whether its grid follows from the largest output seen."""
        return not self.operator and not self.bounded

    def pre_grid(self, covered: float, peak: float) -> tuple[np.float32, int]:
        """Return (scale, zero point) of int8 pre-activations.

        covered: where an operator saturates, ± this many units of tanh; of the unbounded, this part of `peak`, the
        largest output seen.
        """
        if self.operator:
            return np.float32(covered * self._width / 127.0), 0
        if self.bounded:
            return np.float32(1.0 / 127.0), 0
        reached = (peak if peak > 0.0 else 1.0) * covered  # a layer that gave nothing but 0 needs no grid
        if self.low < 0.0:
            return np.float32(reached / 127.0), 0
        return np.float32(min(reached, self.high) / 255.0), -128

    def clamp(self, scale: np.float32, zero_point: int, bits: int) -> tuple[int, int]:
        """Return the least and largest output of FULLY_CONNECTED on a grid of this many bits.

        Bounds as CalculateActivationRangeQuantized (kernel_util.cc) rounds them: in float, half away from zero.
        """
        least, largest = -(1 << bits - 1), (1 << bits - 1) - 1
        if self.operator:
            return least, largest

        def on_grid(value: float) -> int:
            steps = float(np.float32(value) / scale)
            return zero_point + int(math.copysign(math.floor(abs(steps) + 0.5), steps))

        low = least if math.isinf(self.low) else max(least, on_grid(self.low))
        return low, largest if math.isinf(self.high) else min(largest, on_grid(self.high))

    def boundary(self, t: Array) -> Array:
        """Return, per threshold, the pre-activation above which the output is above it; ±inf: never or always."""
        inside = (self.low < t) & (t < self.high)
        edge = np.where(t < self.high, -np.inf, np.inf)
        edge[inside] = self._inverse(t[inside])
        if not self.operator:
            edge[t == self.low] = self.low  # the clamp is that value itself, which is not above it
        return edge

    def apply(self, pre: Array) -> Array:
        """Return the activation of real pre-activations."""
        if self.operator == "LOGISTIC":
            return 0.5 + 0.5 * np.tanh(0.5 * pre)
        return np.tanh(pre) if self.operator else pre.clip(self.low, self.high)

    def _inverse(self, value: Array) -> Array:
        if self.operator == "LOGISTIC":
            return np.log(value / (1.0 - value))
        return np.arctanh(value) if self.operator else value

    @property
    def _width(self) -> float:
        """How many units of tanh one of its pre-activation is."""
        return 2.0 if self.operator == "LOGISTIC" else 1.0


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("tanh", "NONE", -1.0, 1.0, "TANH", (1.0 / 128.0, 0), odd=True),
        Activation("hard_tanh", "RELU_N1_TO_1", -1.0, 1.0, odd=True),
        Activation("relu", "RELU", 0.0, math.inf),
        Activation("relu6", "RELU6", 0.0, 6.0),
        Activation("sigmoid", "NONE", 0.0, 1.0, "LOGISTIC", (1.0 / 256.0, -128)),
        Activation("linear", "NONE", -math.inf, math.inf, odd=True),
    )
}
"""What the integer encoder can compute, by Keras's name."""
OPERATORS = tuple(activation.operator for activation in ACTIVATIONS.values() if activation.operator)
"""Those of an activation."""


def find_activation(fused: str, operator: str) -> Activation | None:
    """Return the activation that TFLite states so; None if there is none."""
    return next((a for a in ACTIVATIONS.values() if (a.fused, a.operator) == (fused, operator)), None)
