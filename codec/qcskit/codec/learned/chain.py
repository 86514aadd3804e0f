"""What the tables of every EncNet share: layer after layer, the quantizer folded into thresholds on the last sums."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qcskit.codec.arrays import check_ascending, take_table
from qcskit.codec.errors import QcsError
from qcskit.codec.files import tables_id
from qcskit.codec.packing import Packing

Arrays = dict[str, NDArray[Any]]
Range = tuple[int, int]
"""Least and largest value."""

INT32_MAX = 2**31 - 1
MULTIPLIERS: Range = (0, INT32_MAX)
SHIFTS: Range = (-31, 30)
"""Of a requantization: Q31 mantissa (2^30 or more as the exporter makes it, but for a factor of 0), and left shift."""
MAX_FRONT_SHIFT = 14
"""A count less the offset has 17 bits, which the kernels shift within 32."""
FRONT_NUMBERS: dict[str, Range] = {
    "offset": (-(2**15), 2**15 - 1), "multiplier": MULTIPLIERS, "shift": (SHIFTS[0], MAX_FRONT_SHIFT),
    "zero_point": (-128, 127),
}  # fmt: skip
"""What a row of `front_end` holds."""


@dataclass(frozen=True)
class FrontEnd:
    """ADC counts (int16) → the input grid: clamp(requantize(count − offset; multiplier, shift) + zero_point).

    offset: counts. multiplier: Q31 mantissa in [2^30, 2^31); shift: −31 … 14, left if positive; one for all inputs, or
    one for each. zero_point: 0 in 16 bits.
    """

    offset: int
    multiplier: int | tuple[int, ...]
    shift: int | tuple[int, ...]
    zero_point: int

    def rows(self) -> list[tuple[int, int, int, int]]:
        """Return (offset, multiplier, shift, zero_point) of each input, or the one of all."""
        pairs = zip(np.atleast_1d(self.multiplier).tolist(), np.atleast_1d(self.shift).tolist(), strict=True)
        return [(self.offset, multiplier, shift, self.zero_point) for multiplier, shift in pairs]

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> "FrontEnd":
        """Return the front end that `rows` took apart."""
        offset, zero_point = int(rows[0][0]), int(rows[0][3])
        if len(rows) == 1:
            return cls(offset, int(rows[0][1]), int(rows[0][2]), zero_point)
        return cls(offset, tuple(int(row[1]) for row in rows), tuple(int(row[2]) for row in rows), zero_point)

    def grid(self, counts: NDArray[np.int16]) -> NDArray[np.int64]:
        """Return the grid values of counts (…, inputs) before the clamp; any shape if all inputs are alike."""
        shift = np.asarray(self.shift, np.int8)
        scaled = requantize(counts.astype(np.int64) - self.offset, np.asarray(self.multiplier, np.int64), shift)
        return scaled + self.zero_point


def front_end_for(steps: Sequence[float], step: float, offset: int, zero_point: int = 0) -> FrontEnd:
    """Return the map from ADC counts (`step` units each) to grids of `steps`, one for all inputs or one for each.

    offset: the count that becomes `zero_point`.
    """
    rows = []
    for own in steps:
        multiplier, shift = quantize_multiplier(step / own)
        if shift > MAX_FRONT_SHIFT:
            raise QcsError(f"an ADC count ({step} units) is over 2^14 steps of the network input ({own}): check the "
                           f"ADC scale")  # fmt: skip
        rows.append((offset, multiplier, shift, zero_point))
    return FrontEnd.of(rows)


def accumulator_unit(input_scale: float, weight_scales: ArrayLike, outputs: int) -> NDArray[np.float64]:
    """Return what one step of each accumulator (outputs,) is worth, as TFLite Micro computes it: in double.

    weight_scales: one per output, or one that all share, which changes nothing.
    """
    return np.broadcast_to(np.float64(input_scale) * np.asarray(weight_scales, np.float64), (outputs,))


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


@dataclass(frozen=True)
class DenseChain(ABC):
    """Hidden layers, weights of the last layer int8 (K, width), thresholds int32 (K, I−1), ADC front end.

    The last layer has no bias, it is folded into `thresholds`, ascending per row: the first accumulators Σ w·x of the
    next cell, so that an index is the number of thresholds <= accumulator.
    """

    hidden: tuple[Any, ...]
    weights: NDArray[np.int8]
    thresholds: NDArray[np.int32]
    front_end: FrontEnd

    id_word: ClassVar[str]
    """Kind and version of the tables' meaning; the model id depends on it."""
    layer_type: ClassVar[type]
    layer_numbers: ClassVar[dict[str, Range]]
    """Its members that are one number."""

    activation_type: ClassVar[type[np.integer[Any]]]
    activation_sizes: ClassVar[tuple[int, ...]] = (256,)
    largest_input: ClassVar[int]
    """Of a layer, in magnitude."""

    largest_sum: ClassVar[int]
    """Of a hidden layer, bias and left shift included, in magnitude: what the kernels hold."""

    def __post_init__(self) -> None:
        """Raise QcsError that names the array if types, sizes or values are none that the kernels take."""
        arrays, width = self.to_arrays(), None
        for number in range(len(self.hidden)):
            width = self._check_layer(arrays, f"hidden{number}_", width)
        reach = self._check_weights(arrays, "weights", width)
        if len(self.front_end.rows()) not in (1, self.inputs):
            raise QcsError(f"array 'front_end' has {len(self.front_end.rows())} rows, expected 1 or {self.inputs}")
        check_sums("weights", reach, INT32_MAX)
        thresholds = take_table(arrays, "thresholds", np.int32, (len(reach), None))
        if not 1 <= thresholds.shape[1] <= 255:
            raise QcsError(f"array 'thresholds' has {thresholds.shape[1]} per output, expected 1 … 255")
        check_ascending("thresholds", thresholds)

    def _check_layer(self, arrays: Arrays, prefix: str, width: int | None) -> int:
        """Check a hidden layer that has `width` inputs; return its outputs."""
        reach = self._check_weights(arrays, f"{prefix}weights", width)
        bias, multiplier, shift = (
            take_table(arrays, f"{prefix}{name}", dtype, reach.shape)
            for name, dtype in (("bias", np.int32), ("multiplier", np.int32), ("shift", np.int8))
        )
        check_range(f"{prefix}multiplier", multiplier, MULTIPLIERS)
        check_range(f"{prefix}shift", shift, SHIFTS)
        left = np.maximum(shift.astype(np.int64), 0)
        check_sums(f"{prefix}bias", reach + np.abs(bias.astype(np.int64)), self.largest_sum >> left)
        for name, allowed in self.layer_numbers.items():
            check_range(f"{prefix}{name}", take_table(arrays, f"{prefix}{name}", np.int64, ()), allowed)
        table = take_table(arrays, f"{prefix}activation", self.activation_type, (None,))
        if table.size not in self.activation_sizes:
            raise QcsError(f"array '{prefix}activation' has {table.size} entries")
        return len(reach)

    def _check_weights(self, arrays: Arrays, name: str, width: int | None) -> NDArray[np.int64]:
        """Check weights with `width` columns; return the largest sum of each row, without bias."""
        weights = take_table(arrays, name, np.int8, (None, width))
        if not weights.size:
            raise QcsError(f"array '{name}' is empty")
        check_range(name, weights, (-127, 127))
        reach: NDArray[np.int64] = self.largest_input * np.abs(weights.astype(np.int64)).sum(axis=1)
        return reach

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
    def every_weights(self) -> tuple[NDArray[np.int8], ...]:
        """Weights of each layer, the last one too."""
        return (*(layer.weights for layer in self.hidden), self.weights)

    @property
    def widths(self) -> tuple[int, ...]:
        """Layer widths from M to K."""
        return (self.inputs, *(int(layer.weights.shape[0]) for layer in self.hidden), self.outputs)

    @property
    def macs(self) -> int:
        """Multiply-accumulates per encode."""
        return sum(a * b for a, b in zip(self.widths, self.widths[1:], strict=False))

    @property
    def table_bytes(self) -> int:
        """Bytes of the constant tables in plain form, structs not counted; layers share equal activations' tables."""
        own = [array for layer in self.hidden for array in (layer.weights, layer.bias, layer.multiplier, layer.shift)]
        return sum(array.nbytes for array in (self.weights, self.thresholds, *own, *self.activations()))

    def activations(self) -> list[NDArray[Any]]:
        """Return the activation tables that the C text prints."""
        return [layer.activation for layer in self.hidden]

    @property
    def largest_table_bytes(self) -> int:
        """Bytes of the largest table in plain form."""
        return max(array.nbytes for array in (self.thresholds, self.weights, *(x.weights for x in self.hidden)))

    @cached_property
    def packing(self) -> Packing:
        """How the indices become bytes."""
        return Packing(self.outputs, self.levels)

    @cached_property
    def model_id(self) -> str:
        """First 8 bytes of SHA-256 over all tables, as 16 hex digits; a board and a bundle must agree on it."""
        return tables_id(self.id_word, self.to_arrays())

    def network_input(self, counts: NDArray[np.int16]) -> NDArray[Any]:
        """Return the network inputs of ADC counts (…, inputs); any shape if all inputs have one front end."""
        if counts.dtype != np.int16:
            raise QcsError(f"ADC counts have dtype {counts.dtype}, expected int16")
        info = np.iinfo(self.activation_type)
        return self.front_end.grid(counts).clip(info.min, info.max).astype(self.activation_type)

    @abstractmethod
    def dense(self, layer: Any, x: NDArray[Any]) -> NDArray[Any]:
        """Return the output (frames, outputs) of one hidden layer for its input x (frames, inputs)."""

    @abstractmethod
    def activated(self, layer: Any, sums: NDArray[np.int64]) -> NDArray[Any]:
        """Return the output of one hidden layer for its requantized sums, without zero point, of any shape."""

    def accumulator(self, x: NDArray[Any]) -> NDArray[np.int64]:
        """Return Σ w·x of the last layer (frames, K), without bias, for network inputs x (frames, M)."""
        for layer in self.hidden:
            x = self.dense(layer, x)
        return matmul_exact(x, self.weights)

    def index_of(self, acc: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return indices (frames, K): how many thresholds of an output are <= its accumulator, acc (frames, K)."""
        rows = zip(self.thresholds, acc.T, strict=True)
        return np.stack([np.searchsorted(row, a, side="right") for row, a in rows], axis=1).astype(np.uint8)

    def encode_index(self, x: NDArray[Any]) -> NDArray[np.uint8]:
        """Return indices (frames, K), each 0 … I−1, for network inputs x (frames, M): the specification, in int64."""
        return self.index_of(self.accumulator(x))

    def to_arrays(self) -> Arrays:
        """Return every table by name, for `tables.npz` and the model id."""
        arrays: Arrays = {
            "weights": self.weights, "thresholds": self.thresholds,
            "front_end": np.array(self.front_end.rows(), np.int64),
        }  # fmt: skip
        for number, layer in enumerate(self.hidden):
            arrays |= {f"hidden{number}_{f.name}": np.asarray(getattr(layer, f.name)) for f in fields(layer)}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Return the tables that `to_arrays` took apart. Raises QcsError if one is missing or misshapen."""
        hidden: list[Any] = []
        try:
            while any(name.startswith(f"hidden{len(hidden)}_") for name in arrays):
                part = {f.name: arrays[f"hidden{len(hidden)}_{f.name}"] for f in fields(cls.layer_type)}
                hidden.append(cls.layer_type(**{k: v if v.ndim else v.item() for k, v in part.items()}))
            rows = take_table(arrays, "front_end", np.int64, (None, 4))
            for number, (name, allowed) in enumerate(FRONT_NUMBERS.items()):
                check_range("front_end", rows[:, number], allowed, name)
            if not len(rows) or (rows[:, [0, 3]] != rows[0, [0, 3]]).any():
                raise QcsError("array 'front_end' must hold one offset and one zero point")
            front = FrontEnd.of(rows.tolist())
            return cls(tuple(hidden), arrays["weights"], arrays["thresholds"], front)
        except KeyError as error:
            raise QcsError(f"there is no array {error}") from None


def check_range(name: str, values: Any, allowed: Range, part: str = "") -> None:
    """Raise QcsError that names an array, and a part of it, if one of `values` is not in `allowed`."""
    flat = np.ravel(values)
    outside = flat[(flat < allowed[0]) | (flat > allowed[1])]
    if outside.size:
        where = f"array '{name}' ({part})" if part else f"array '{name}'"
        raise QcsError(f"{where} holds {outside[0]}, expected {allowed[0]} … {allowed[1]}")


def check_sums(name: str, reach: NDArray[np.int64], largest: NDArray[np.int64] | int) -> None:
    """Raise QcsError that names an array if a layer's sums can exceed what the kernels hold; one value per output."""
    if np.any(reach > largest):
        row = int(np.argmax(reach > largest))
        raise QcsError(f"array '{name}': the sum of output {row} can be {reach[row]}, "
                       f"expected at most {np.broadcast_to(largest, reach.shape)[row]}")  # fmt: skip


def requantize(
    acc: NDArray[np.int64], multiplier: NDArray[np.int32] | int, shift: NDArray[np.int8] | int
) -> NDArray[np.int64]:
    """Return TFLM's MultiplyByQuantizedMultiplier(acc, multiplier, shift), double rounding, exactly.

    acc: int32 values in any integer array; multiplier and shift broadcast against it.
    Source: tensorflow/lite/kernels/internal/common.h and gemmlowp's fixedpoint.h.
    """
    shifts = np.asarray(shift, np.int64)
    left, right = np.maximum(shifts, 0), np.maximum(-shifts, 0)
    # SaturatingRoundingDoublingHighMul; multiplier >= 0, so its saturating case cannot occur.
    high = ((acc.astype(np.int64) << left) * np.asarray(multiplier, np.int64) + (1 << 30)) >> 31
    # RoundingDivideByPOT: half away from zero.
    rounding = np.where(right > 0, np.int64(1) << np.maximum(right - 1, 0), 0)
    result: NDArray[np.int64] = (high + rounding - ((high < 0) & (right > 0))) >> right
    return result


def matmul_exact(x: NDArray[Any], weights: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return x @ weights.T as int64, exact.

    Products and partial sums stay below inputs · 2^22, exact in float64 for up to 2^31 inputs; BLAS is then the
    fastest exact integer product NumPy has.
    """
    product = x.astype(np.float64) @ weights.astype(np.float64).T
    return product.astype(np.int64)
