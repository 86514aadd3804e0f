"""The integer encoder: tables of an int8 network with its quantizer folded in, and the NumPy reference that defines it.

Arithmetic is that of TensorFlow Lite Micro (reference kernels): FULLY_CONNECTED accumulates int32, requantizes by a
Q31 multiplier and a shift with TFLM's double rounding; an int8 activation is a 256-entry table. The last layer needs
neither: requantization, activation and threshold are monotone in the accumulator, so its index is the number of int32
thresholds <= accumulator. `firmware/src` holds the same arithmetic in C.
"""

import hashlib
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.packing import Packing

TABLES_VERSION = 1
"""Version of the tables' meaning; C text and manifest carry it, a reader refuses another."""

INT8_MIN, INT8_MAX = -128, 127


@dataclass(frozen=True)
class DenseTables:
    """One hidden layer: int8 in → int8 out.

    weights: int8 (outputs, inputs), |w| <= 127. bias: int32 (outputs,), input zero point folded in.
    multiplier: int32 (outputs,), Q31 mantissa in [2^30, 2^31). shift: int8 (outputs,), −31 … 30, left if positive.
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

    offset: counts. multiplier, shift: as in DenseTables.
    """

    offset: int
    multiplier: int
    shift: int
    zero_point: int


@dataclass(frozen=True)
class DenseChain:
    """What the tables of every EncNet share: layer after layer, thresholds on the last accumulators."""

    hidden: tuple[Any, ...]
    weights: NDArray[np.int8]
    thresholds: NDArray[np.int32]

    def check_shapes(self) -> None:
        """Raise QcsError if layers do not fit each other or thresholds do not ascend."""
        width = self.inputs
        for number, layer in enumerate(self.hidden):
            outputs = layer.weights.shape[0]
            shapes = (layer.bias.shape, layer.multiplier.shape, layer.shift.shape)
            if layer.weights.shape[1] != width or any(shape != (outputs,) for shape in shapes):
                raise QcsError(f"encoder tables: hidden layer {number} has inconsistent shapes")
            width = outputs
        if self.weights.shape[1] != width or self.thresholds.shape[0] != self.weights.shape[0]:
            raise QcsError("encoder tables: last layer has inconsistent shapes")
        if not 1 <= self.thresholds.shape[1] <= 255:
            raise QcsError("encoder tables: 1 … 255 thresholds per output")
        if np.any(np.diff(self.thresholds.astype(np.int64), axis=1) < 0):
            raise QcsError("encoder tables: thresholds must ascend")

    @property
    def inputs(self) -> int:
        """M, measurements per vector."""
        return int((self.hidden[0].weights if self.hidden else self.weights).shape[1])

    @property
    def outputs(self) -> int:
        """K, indices per vector."""
        return int(self.weights.shape[0])

    @property
    def levels(self) -> int:
        """I, levels of the quantizer."""
        return int(self.thresholds.shape[1]) + 1

    @property
    def widths(self) -> tuple[int, ...]:
        """Layer widths from M to K."""
        return (self.inputs, *(int(layer.weights.shape[0]) for layer in self.hidden), self.outputs)

    @property
    def macs(self) -> int:
        """Multiply-accumulates per encode."""
        return sum(a * b for a, b in zip(self.widths, self.widths[1:], strict=False))

    @cached_property
    def packing(self) -> Packing:
        """How the indices become bytes."""
        return Packing(self.outputs, self.levels)

    @property
    def model_id(self) -> str:
        """First 8 bytes of SHA-256 over all tables, as 16 hex digits; a board and a bundle must agree on it."""
        raise NotImplementedError


@dataclass(frozen=True)
class EncoderTables(DenseChain):
    """All integers of one encoder: hidden layers, last weights, thresholds, ADC front end.

    hidden: zero or more DenseTables. weights: int8 (K, inputs of the last layer); the last layer has no bias, it is
    folded into `thresholds`: int32 (K, I−1), ascending per row, index = number of thresholds <= Σ w·x.
    """

    hidden: tuple[DenseTables, ...]
    front_end: FrontEnd

    def __post_init__(self) -> None:
        self.check_shapes()
        for number, layer in enumerate(self.hidden):
            if layer.activation.shape != (256,):
                raise QcsError(f"encoder tables: activation of hidden layer {number} must have 256 entries")

    @cached_property
    def model_id(self) -> str:
        """First 8 bytes of SHA-256 over all tables, as 16 hex digits; a board and a bundle must agree on it."""
        return tables_id(f"qcs-tables-{TABLES_VERSION}", to_arrays(self))


def tables_id(kind: str, arrays: dict[str, NDArray[np.integer[Any]]]) -> str:
    """Return the first 8 bytes of SHA-256 over a kind of tables and their contents, as 16 hex digits."""
    digest = hashlib.sha256(kind.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}:{array.dtype.str}:{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def requantize(
    acc: NDArray[np.int64], multiplier: NDArray[np.int32] | int, shift: NDArray[np.int8] | int
) -> NDArray[np.int64]:
    """Return TFLM's MultiplyByQuantizedMultiplier(acc, multiplier, shift), double rounding, exactly.

    acc: int32 values in any integer array; multiplier and shift broadcast against it.
    Source: tensorflow/lite/kernels/internal/common.h and gemmlowp's fixedpoint.h.
    """
    shifts = np.asarray(shift, np.int64)
    left, right = np.maximum(shifts, 0), np.maximum(-shifts, 0)
    # SaturatingRoundingDoublingHighMul; multiplier > 0, so its saturating case cannot occur.
    high = ((acc.astype(np.int64) << left) * np.asarray(multiplier, np.int64) + (1 << 30)) >> 31
    # RoundingDivideByPOT: half away from zero.
    rounding = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    result: NDArray[np.int64] = (high + rounding - ((high < 0) & (right > 0))) >> right
    return result


def quantize_counts(front_end: FrontEnd, counts: NDArray[np.int16]) -> NDArray[np.int8]:
    """Return the int8 network input of raw ADC counts, any shape."""
    if counts.dtype != np.int16:
        raise QcsError(f"ADC counts have dtype {counts.dtype}, expected int16")
    centred = counts.astype(np.int64) - front_end.offset
    grid = requantize(centred, front_end.multiplier, front_end.shift) + front_end.zero_point
    return grid.clip(INT8_MIN, INT8_MAX).astype(np.int8)


def hidden_output(tables: EncoderTables, x: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return the int8 input of the last layer (frames, width) for int8 network inputs x (frames, M)."""
    if x.ndim != 2 or x.shape[1] != tables.inputs or x.dtype != np.int8:
        raise QcsError(f"encoder input is {x.dtype} of shape {x.shape}, expected int8 (frames, {tables.inputs})")
    for layer in tables.hidden:
        x = dense(layer, x)
    return x


def dense(layer: DenseTables, x: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return the int8 output (frames, outputs) of one hidden layer for its int8 input x (frames, inputs)."""
    acc = matmul_exact(x, layer.weights) + layer.bias
    grid = requantize(acc, layer.multiplier, layer.shift) + layer.zero_point
    return layer.activation[grid.clip(INT8_MIN, INT8_MAX) + 128]


def last_accumulator(tables: EncoderTables, x: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return Σ w·x of the last layer (frames, K), without bias, for int8 network inputs x (frames, M)."""
    return matmul_exact(hidden_output(tables, x), tables.weights)


def encode_index(tables: EncoderTables, x: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return indices (frames, K), each 0 … I−1, for int8 network inputs x (frames, M)."""
    acc = last_accumulator(tables, x)
    index = np.empty(acc.shape, np.uint8)
    for output in range(tables.outputs):
        index[:, output] = np.searchsorted(tables.thresholds[output], acc[:, output], side="right")
    return index


def encode_packed(tables: EncoderTables, x: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return packed bytes (frames, packed_bytes) for int8 network inputs x (frames, M)."""
    return tables.packing.pack(encode_index(tables, x))


def matmul_exact(x: NDArray[np.int8] | NDArray[np.int16], weights: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return x @ weights.T as int64, exact.

    Products and partial sums stay below inputs · 2^22, exact in float64 for up to 2^31 inputs; BLAS is then the
    fastest exact integer product NumPy has.
    """
    product = x.astype(np.float64) @ weights.astype(np.float64).T
    return product.astype(np.int64)


def to_arrays(tables: EncoderTables) -> dict[str, NDArray[np.integer[Any]]]:
    """Return every table by name, for `tables.npz`, C text and the model id."""
    arrays: dict[str, NDArray[np.integer[Any]]] = {
        "weights": tables.weights,
        "thresholds": tables.thresholds,
        "front_end": np.array([getattr(tables.front_end, f.name) for f in fields(FrontEnd)], np.int64),
    }
    for number, layer in enumerate(tables.hidden):
        arrays |= {
            f"hidden{number}_{f.name}": np.asarray(getattr(layer, f.name), np.int8 if f.name == "zero_point" else None)
            for f in fields(DenseTables)
        }
    return arrays


def from_arrays(arrays: dict[str, NDArray[np.integer[Any]]]) -> EncoderTables:
    """Return the tables that `to_arrays` took apart. Raises QcsError if one is missing or misshapen."""
    try:
        hidden: list[DenseTables] = []
        while f"hidden{len(hidden)}_weights" in arrays:
            part = {f.name: arrays[f"hidden{len(hidden)}_{f.name}"] for f in fields(DenseTables)}
            part["zero_point"] = int(np.asarray(part["zero_point"]).item())  # type: ignore[assignment]
            hidden.append(DenseTables(**part))  # type: ignore[arg-type]
        front_end = FrontEnd(*(int(value) for value in arrays["front_end"]))
        return EncoderTables(tuple(hidden), arrays["weights"], arrays["thresholds"], front_end)  # type: ignore[arg-type]
    except (KeyError, TypeError) as error:
        raise QcsError(f"encoder tables are incomplete: {error}") from None
