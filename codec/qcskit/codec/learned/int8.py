"""The int8 encoder: tables of an int8 network with its quantizer folded in, and the NumPy reference that defines it.

Arithmetic is that of TensorFlow Lite Micro (reference kernels): FULLY_CONNECTED accumulates int32, requantizes by a
Q31 multiplier and a shift with TFLM's double rounding; an int8 activation is a 256-entry table. The last layer needs
neither: requantization, activation and threshold are monotone in the accumulator. `firmware/src/qcs_int8*.c` hold the
same arithmetic in C.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.chain import (
    INT32_MAX,
    DenseChain,
    Range,
    matmul_exact,
    requantize,
)

INT8_MIN, INT8_MAX = -128, 127


@dataclass(frozen=True)
class Int8Layer:
    """One hidden layer: int8 in → int8 out.

    weights: int8 (outputs, inputs), |w| <= 127. bias: int32 (outputs,), input zero point folded in.
    multiplier: int32 (outputs,), Q31 mantissa, >= 0. shift: int8 (outputs,), −31 … 30, left if positive.
    zero_point: of the layer's pre-activation grid. activation: int8 (256,), entry q + 128 is the layer's output for
    pre-activation q.
    """

    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int8]
    zero_point: int
    activation: NDArray[np.int8]


@dataclass(frozen=True)
class Int8Tables(DenseChain):
    """All integers of one int8 encoder: hidden layers, last weights, thresholds, ADC front end."""

    hidden: tuple[Int8Layer, ...]

    id_word: ClassVar[str] = "qcs-int8-2"
    layer_type: ClassVar[type] = Int8Layer
    layer_numbers: ClassVar[dict[str, Range]] = {"zero_point": (INT8_MIN, INT8_MAX)}
    activation_type: ClassVar[type[np.integer[Any]]] = np.int8
    largest_input: ClassVar[int] = 128
    largest_sum: ClassVar[int] = INT32_MAX

    def dense(self, layer: Int8Layer, x: NDArray[np.int8]) -> NDArray[np.int8]:
        """Return the int8 output (frames, outputs) of one hidden layer for its int8 input x (frames, inputs)."""
        return dense(layer, x)

    def activated(self, layer: Int8Layer, sums: NDArray[np.int64]) -> NDArray[np.int8]:
        """Return the output of one hidden layer for its requantized sums, without zero point, of any shape."""
        return activated(layer, sums)

    def checked(self, x: NDArray[Any]) -> NDArray[np.int8]:
        """Return network inputs. Raises QcsError unless they are int8 (frames, M)."""
        if x.ndim != 2 or x.shape[1] != self.inputs or x.dtype != np.int8:
            raise QcsError(f"encoder input is {x.dtype} of shape {x.shape}, expected int8 (frames, {self.inputs})")
        return x

    def accumulator(self, x: NDArray[np.int8]) -> NDArray[np.int64]:
        """Return Σ w·x of the last layer (frames, K), without bias, for int8 network inputs x (frames, M)."""
        return super().accumulator(self.checked(x))


def dense(layer: Int8Layer, x: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return the int8 output (frames, outputs) of one hidden layer for its int8 input x (frames, inputs)."""
    acc = matmul_exact(x, layer.weights) + layer.bias
    return activated(layer, requantize(acc, layer.multiplier, layer.shift))


def activated(layer: Int8Layer, sums: NDArray[np.int64]) -> NDArray[np.int8]:
    """Return the output of one hidden layer for its requantized sums, without zero point, of any shape."""
    return layer.activation[(sums + layer.zero_point).clip(INT8_MIN, INT8_MAX) + 128]
