"""The int16 encoder: int16 activations, int8 weights. Its tables, and the NumPy reference that defines it.

Arithmetic is that of TensorFlow Lite Micro's reference kernels for int16 × int8 with 32-bit biases: FULLY_CONNECTED
accumulates int32 and requantizes as in int8; TANH interpolates a table of 256 entries. `firmware/src/qcs_int16*.c`
hold the same.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.chain import DenseChain, Range, check_range, matmul_exact, requantize

INT16_MIN, INT16_MAX = -32768, 32767

PRE_SCALE = 2.0**-12
"""Grid in front of every tanh: ±8. TFLM's int16 TANH then needs no rounding of its own."""
OUTPUT_SCALE = 2.0**-15
"""Output grid of an int16 TANH, fixed by the TensorFlow Lite quantization specification."""

_CHUNK_FRAMES = 1024


@dataclass(frozen=True)
class Int16Layer:
    """One hidden layer: int16 in → int16 out.

    weights: int8 (outputs, inputs), |w| <= 127. bias, multiplier: int32 (outputs,), Q31 mantissa, >= 0.
    shift: int8 (outputs,), left if positive. low, high: clamp of the pre-activation. activation: int16 (256,), tanh at
    multiples of 256 / (3 · 4096), rising, in 1/32768; or (0,): the clamped pre-activation is the output.
    """

    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    multiplier: NDArray[np.int32]
    shift: NDArray[np.int8]
    low: int
    high: int
    activation: NDArray[np.int16]


@dataclass(frozen=True)
class Int16Tables(DenseChain):
    """All integers of one int16 encoder: hidden layers, last weights, thresholds, ADC front end."""

    hidden: tuple[Int16Layer, ...]

    id_word: ClassVar[str] = "qcs-int16-2"
    layer_type: ClassVar[type] = Int16Layer
    layer_numbers: ClassVar[dict[str, Range]] = {"low": (INT16_MIN, INT16_MAX), "high": (INT16_MIN, INT16_MAX)}
    activation_type: ClassVar[type[np.integer[Any]]] = np.int16
    activation_sizes: ClassVar[tuple[int, ...]] = (256, 0)
    largest_input: ClassVar[int] = 2**15
    largest_sum: ClassVar[int] = 2**30 - 1

    def __post_init__(self) -> None:
        """Refuse, too, what the kernels do not look at: zero points; with a tanh the clamp is int16's, its end 1."""
        super().__post_init__()
        check_range("front_end", self.front_end.zero_point, (0, 0), "zero_point")
        for number, layer in enumerate(self.hidden):
            if layer.low > layer.high:
                raise QcsError(f"array 'hidden{number}_low' holds {layer.low}, above hidden{number}_high")
            if layer.activation.size and (layer.low, layer.high) != (INT16_MIN, INT16_MAX):
                raise QcsError(f"arrays 'hidden{number}_low', 'hidden{number}_high' must be those of int16 with tanh")
            check_range(f"hidden{number}_activation", layer.activation[-1:], (INT16_MAX, INT16_MAX), "last point")

    def activations(self) -> list[NDArray[Any]]:
        """Return the activation tables that the C text prints: layers share equal ones."""
        return list({layer.activation.tobytes(): layer.activation for layer in self.hidden}.values())

    def dense(self, layer: Int16Layer, x: NDArray[np.int16]) -> NDArray[np.int16]:
        """Return the int16 output (frames, outputs) of one hidden layer for its int16 input x (frames, inputs)."""
        acc = matmul_exact(x, layer.weights) + layer.bias
        return _output(layer, requantize(acc, layer.multiplier, layer.shift))

    def activated(self, layer: Int16Layer, sums: NDArray[np.int64]) -> NDArray[np.int16]:
        """Return the output of one hidden layer for its requantized sums, of any shape."""
        return _output(layer, sums)


def tanh(table: NDArray[np.int16], pre: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return TFLM's int16 TANH of pre-activations on the grid `PRE_SCALE`, any shape.

    Source: reference_integer_ops::Tanh for int16 (lite/kernels/internal/reference/integer_ops/tanh.h).
    """
    steps = 3 * np.abs(pre.astype(np.int64))
    place, rest = np.minimum(steps >> 8, 255), steps & 0xFF
    low = table[place].astype(np.int64)
    rise = table[np.minimum(place + 1, 255)] - low
    value = (low << 8) + np.where(place < 255, rest * rise, 0)
    return np.sign(pre) * ((value + 128) >> 8)


def _output(layer: Int16Layer, pre: NDArray[np.integer[Any]]) -> NDArray[np.int16]:
    """Return a layer's output for requantized sums."""
    pre = pre.clip(layer.low, layer.high)
    return (tanh(layer.activation, pre) if layer.activation.size else pre).astype(np.int16)


def encode_index(tables: Int16Tables, x: NDArray[np.int16]) -> NDArray[np.uint8]:
    """Return what `tables.encode_index` returns, several times faster: an activation is a table of all 65,536 sums."""
    layers = [(layer, _every_output(tables, number)) for number, layer in enumerate(tables.hidden)]
    index = np.empty((len(x), tables.outputs), np.uint8)
    for start in range(0, len(x), _CHUNK_FRAMES):
        part = x[start : start + _CHUNK_FRAMES]
        for layer, outputs in layers:
            acc = matmul_exact(part, layer.weights)
            acc += layer.bias
            part = outputs[requantize(acc, layer.multiplier, layer.shift).clip(INT16_MIN, INT16_MAX) - INT16_MIN]
        index[start : start + _CHUNK_FRAMES] = tables.index_of(matmul_exact(part, tables.weights))
    return index


def _every_output(tables: Int16Tables, number: int) -> NDArray[np.int16]:
    """Return a layer's output for each of the 65,536 requantized sums; made once per tables object."""
    made: dict[int, NDArray[np.int16]] = tables.__dict__.setdefault("_outputs", {})
    if number not in made:
        made[number] = _output(tables.hidden[number], np.arange(INT16_MIN, INT16_MAX + 1))
    return made[number]
