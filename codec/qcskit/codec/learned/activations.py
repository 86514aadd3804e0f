"""Activations of EncNet, one record each: what Keras, the flatbuffer, the integer tables and the C call and do."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Activation:
    """One activation.

    name: Keras's. fused: TFLite's name of what FULLY_CONNECTED does; "NONE": it is an operator of its own, TANH.
    low, high: bounds of its output. odd: f(−a) = −f(a).
    """

    name: str
    fused: str
    low: float
    high: float
    odd: bool

    @property
    def bounded(self) -> bool:
        """Whether the output stays in [−1, 1], as a last layer's must."""
        return self.low == -1.0

    def pre_grid(self, covered: float, peak: float) -> tuple[np.float32, int]:
        """Return (scale, zero point) of int8 pre-activations.

        covered: of tanh, ± this many units; of ReLU, this part of `peak`, the largest output seen.
        """
        if self.fused == "NONE":
            return np.float32(covered / 127.0), 0
        if self.bounded:
            return np.float32(1.0 / 127.0), 0
        return np.float32(min(max(peak, 1e-6) * covered, self.high) / 255.0), -128

    def clamp(self, scale: np.float32, zero_point: int, bits: int) -> tuple[int, int]:
        """Return the least and largest output of FULLY_CONNECTED on a grid of this many bits.

        Bounds as CalculateActivationRangeQuantized (kernel_util.cc) rounds them: in float, half away from zero.
        """
        least, largest = -(1 << bits - 1), (1 << bits - 1) - 1
        if self.fused == "NONE":
            return least, largest

        def on_grid(value: float) -> int:
            steps = float(np.float32(value) / scale)
            return zero_point + int(math.copysign(math.floor(abs(steps) + 0.5), steps))

        high = largest if math.isinf(self.high) else min(largest, on_grid(self.high))
        return max(least, on_grid(self.low)), high

    def boundary(self, t: Array) -> Array:
        """Return, per threshold, the pre-activation above which the output is above it; ±inf: never or always.

        Of bounded activations only.
        """
        inside = np.abs(t) < 1
        edge = np.where(t < 1, -np.inf, np.inf)
        edge[inside] = np.arctanh(t[inside]) if self.fused == "NONE" else t[inside]
        if self.fused != "NONE":
            edge[t == -1.0] = -1.0  # the clamp is −1 itself, which is not above −1
        return edge

    def apply(self, pre: Array) -> Array:
        """Return the activation of real pre-activations."""
        return np.tanh(pre) if self.fused == "NONE" else pre.clip(self.low, self.high)


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("tanh", "NONE", -1.0, 1.0, odd=True),
        Activation("hard_tanh", "RELU_N1_TO_1", -1.0, 1.0, odd=True),
        Activation("relu", "RELU", 0.0, math.inf, odd=False),
        Activation("relu6", "RELU6", 0.0, 6.0, odd=False),
    )
}
"""What the integer encoder can compute, by Keras's name."""
BOUNDED = tuple(name for name, activation in ACTIVATIONS.items() if activation.bounded)
"""Of these a last layer can be."""
