"""The int8 encoder: tables of an int8 network with its quantizer folded in, and the NumPy reference that defines it.

Arithmetic is that of TensorFlow Lite Micro (reference kernels): FULLY_CONNECTED accumulates int32, requantizes by a
Q31 multiplier and a shift with TFLM's double rounding; an int8 activation is a 256-entry table. The last layer needs
neither: requantization, activation and threshold are monotone in the accumulator. `firmware/src/qcs_int8*.c` hold the
same arithmetic in C.
"""

import math
from dataclasses import astuple, dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.chain import INT32_MAX, MULTIPLIERS, SHIFTS, DenseChain, Range, matmul_exact, requantize

INT8_MIN, INT8_MAX = -128, 127
MAX_FRONT_SHIFT = 14
"""A count less the offset has 17 bits, which the kernels shift within 32."""


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
class FrontEnd:
    """ADC counts (int16) → int8 input grid: clamp(requantize(count − offset; multiplier, shift) + zero_point).

    offset: int16, counts. multiplier: as in Int8Layer. shift: −31 … 14.
    """

    offset: int
    multiplier: int
    shift: int
    zero_point: int


@dataclass(frozen=True)
class Int8Tables(DenseChain):
    """All integers of one int8 encoder: hidden layers, last weights, thresholds, ADC front end."""

    hidden: tuple[Int8Layer, ...]
    front_end: FrontEnd

    id_word: ClassVar[str] = "qcs-int8-1"
    layer_type: ClassVar[type] = Int8Layer
    layer_numbers: ClassVar[dict[str, Range]] = {"zero_point": (INT8_MIN, INT8_MAX)}
    activation_type: ClassVar[type[np.integer[Any]]] = np.int8
    front_numbers: ClassVar[dict[str, Range]] = {
        "offset": (-(2**15), 2**15 - 1), "multiplier": MULTIPLIERS, "shift": (SHIFTS[0], MAX_FRONT_SHIFT),
        "zero_point": (INT8_MIN, INT8_MAX),
    }  # fmt: skip
    largest_input: ClassVar[int] = 128
    largest_sum: ClassVar[int] = INT32_MAX

    def front_arrays(self) -> NDArray[np.int64]:
        """Return offset, multiplier, shift and zero point."""
        return np.array(astuple(self.front_end), np.int64)

    @classmethod
    def build(cls, hidden: tuple[Any, ...], weights: Any, thresholds: Any, front: tuple[int, ...]) -> Self:
        """Return tables from their parts."""
        return cls(hidden, weights, thresholds, FrontEnd(*front))

    def network_input(self, counts: NDArray[np.int16]) -> NDArray[np.int8]:
        """Return the int8 network inputs of ADC counts, any shape."""
        if counts.dtype != np.int16:
            raise QcsError(f"ADC counts have dtype {counts.dtype}, expected int16")
        end = self.front_end
        grid = requantize(counts.astype(np.int64) - end.offset, end.multiplier, end.shift) + end.zero_point
        return grid.clip(INT8_MIN, INT8_MAX).astype(np.int8)

    def dense(self, layer: Int8Layer, x: NDArray[np.int8]) -> NDArray[np.int8]:
        """Return the int8 output (frames, outputs) of one hidden layer for its int8 input x (frames, inputs)."""
        return dense(layer, x)

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
    grid = requantize(acc, layer.multiplier, layer.shift) + layer.zero_point
    return layer.activation[grid.clip(INT8_MIN, INT8_MAX) + 128]


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
    if shift > MAX_FRONT_SHIFT:
        raise QcsError(f"an ADC count ({adc_scale} units) is over 2^14 int8 steps ({input_scale}): check the ADC scale")
    return FrontEnd(offset_counts, multiplier, shift, 0)
