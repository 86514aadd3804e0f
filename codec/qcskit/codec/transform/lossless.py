"""Lossless packets: prediction and Rice codes for many packets at once. Section 7 of docs/transform.md."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qcskit.codec.arrays import check_names, take_table
from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Packets
from qcskit.codec.transform.packet import crc8
from qcskit.codec.transform.rice import pack_numbers
from qcskit.codec.transform.tables import Ints

FRACTION_BITS = 12
MOST_ORDER = 8
MOST_START = 65_528
MOST_PARAMETER = 12
_RAW = 3
_NUMBER_BITS = 2
_MOST_ONES = 12
_ESCAPE_BITS = 16
_MEMORY_SHIFT = 3
_MOST_REMEMBERED = 8191
_BATCH_COUNTS = 1 << 19
"""Counts in lockstep: what fits caches and little memory."""
_LEADING_ONES = np.array([f"{value:012b}0".index("0") for value in range(1 << _MOST_ONES)])


class LosslessFacts(Table):
    """The numbers beside the weights, named as in docs/transform.md."""

    centre: Annotated[int, Field(ge=-32768, le=32767)]
    first: Annotated[int, Field(ge=0, le=MOST_PARAMETER)]
    start: Annotated[int, Field(ge=0, le=MOST_START)]
    crc: bool


@dataclass(frozen=True, eq=False)
class LosslessTables:
    """All that a lossless encoder and its decoder agree on. inputs: T, counts of a packet. bits, low: the ADC's."""

    inputs: int
    bits: int
    low: int
    centre: int
    first: int
    start: int
    crc: bool
    weights: NDArray[np.int16]

    @property
    def room(self) -> int:
        """Bytes of the longest packet without its CRC."""
        return -(-(_NUMBER_BITS + self.inputs * self.bits) // 8)

    @property
    def packed_bytes_max(self) -> int:
        """Bytes of the longest packet."""
        return self.room + int(self.crc)

    @property
    def predictors(self) -> Ints:
        """The weights of all three predictors (3, P), those of the table last; P at least 2."""
        rows = np.zeros((3, max(2, self.weights.size)), np.int64)
        rows[0, 0], rows[1, :2], rows[2, : self.weights.size] = 4096, (8192, -4096), self.weights
        return rows

    def check(self) -> None:
        """Raise QcsError if a prediction could overflow."""
        reach = int(np.abs(self.weights.astype(np.int64)).sum())
        if not 1 <= self.weights.size <= MOST_ORDER or reach >= 65536:
            raise QcsError(f"weights: {self.weights.size} of sum {reach}; 1 … {MOST_ORDER} of sum below 65536 are "
                           "possible")  # fmt: skip


def take_lossless(
    facts: LosslessFacts, inputs: int, adc: tuple[int, int], arrays: Mapping[str, NDArray[Any]]
) -> LosslessTables:
    """Return the checked tables. adc: its bits and least count. Raises QcsError that names what is wrong."""
    weights = take_table(arrays, "weights", np.int16, (None,))
    check_names(arrays, {"weights"})
    tables = LosslessTables(inputs, *adc, **facts.model_dump(), weights=weights)
    tables.check()
    return tables


def magnitudes(weights: Ints, counts: NDArray[np.integer[Any]]) -> Ints:
    """Return u (packets, T) of counts (packets, T) with the weights (P,) of one predictor; that of count 0 is 0."""
    order, length = len(weights), counts.shape[1]
    history = np.concatenate([np.repeat(counts[:, :1], order, axis=1), counts], axis=1).astype(np.int64)
    prediction = sum(weight * history[:, order - j : order - j + length] for j, weight in enumerate(weights, 1))
    return folded(history[:, order:] - (prediction + (1 << FRACTION_BITS - 1) >> FRACTION_BITS))


def _int16(value: Ints) -> Ints:
    return (value + 32768 & 0xFFFF) - 32768


def folded(residual: Ints) -> Ints:
    """Return u of residuals, which wrap to int16; any shape."""
    wrapped = _int16(residual)
    return np.where(wrapped < 0, -2 * wrapped - 1, 2 * wrapped)


def choose(tables: LosslessTables, counts: NDArray[np.integer[Any]]) -> tuple[Ints, Ints]:
    """Return the predictor's number (packets,) and u (packets, T) of counts (packets, T)."""
    u = np.stack([magnitudes(weights, counts) for weights in tables.predictors])
    number = u[:, :, 1::2].sum(axis=2).argmin(axis=0)
    chosen = u[number, np.arange(len(counts))]
    chosen[:, 0] = folded(counts[:, 0].astype(np.int64) - tables.centre)
    return number, chosen


def parameters(tables: LosslessTables, u: Ints) -> Ints:
    """Return the Rice parameters (packets, T) of u (packets, T)."""
    found, memory = np.full(u.shape, tables.first), np.full(len(u), tables.start)
    for place in range(1, u.shape[1]):
        found[:, place] = _parameter(memory)
        memory = _remembered(memory, u[:, place])
    return found


def _parameter(memory: Ints) -> Ints:
    return np.frexp(memory + 4 >> _MEMORY_SHIFT + 1)[1].astype(np.int64)


def _remembered(memory: Ints, u: Ints) -> Ints:
    return memory - (memory >> _MEMORY_SHIFT) + np.minimum(u, _MOST_REMEMBERED)


def lengths_of(u: Ints, parameter: Ints) -> Ints:
    """Return the bits of the codes of u with their parameters, any shape."""
    ones = u >> parameter
    return np.where(ones < _MOST_ONES, ones + 1 + parameter, _MOST_ONES + _ESCAPE_BITS)


def _numbers(u: Ints, parameter: Ints) -> Ints:
    """Return the codes of u as numbers, their highest bit first."""
    ones, low = u >> parameter, u & (1 << parameter) - 1
    short = ((1 << ones) - 1) << parameter + 1 | low
    return np.where(ones < _MOST_ONES, short, ((1 << _MOST_ONES) - 1) << _ESCAPE_BITS | u)


def encode(tables: LosslessTables, counts: NDArray[np.integer[Any]]) -> Packets:
    """Return the packets of counts (packets, T)."""
    return Packets.join([_encode(tables, counts[part]) for part in _parts(tables, len(counts))])


def _parts(tables: LosslessTables, packets: int) -> Iterator[slice]:
    step = max(1, _BATCH_COUNTS // tables.inputs)
    return (slice(start, start + step) for start in range(0, packets, step))


def _encode(tables: LosslessTables, counts: NDArray[np.integer[Any]], raw: NDArray[np.bool_] | bool = False) -> Packets:
    """Return the packets of counts (packets, T). raw: which are raw (packets,), besides those that do not fit."""
    number, u = choose(tables, counts)
    parameter = parameters(tables, u)
    values, bits = _numbers(u, parameter), lengths_of(u, parameter)
    raw = raw | (_NUMBER_BITS + bits.sum(axis=1) > 8 * tables.room)
    number[raw], bits[raw] = _RAW, tables.bits
    values[raw] = counts[raw].astype(np.int64) - tables.low & (1 << tables.bits) - 1
    values = np.concatenate([number[:, None], values], axis=1)
    bits = np.concatenate([np.full((len(number), 1), _NUMBER_BITS), bits], axis=1)
    payload = pack_numbers(values, bits, tables.room)
    rows, lengths = payload.rows, payload.lengths
    if not tables.crc:
        return Packets.rows(rows, lengths)
    rows = np.concatenate([rows, np.zeros((len(rows), 1), np.uint8)], axis=1)
    rows[np.arange(len(rows)), lengths] = crc8(rows, lengths)
    return Packets.rows(rows, lengths + 1)


@dataclass(frozen=True)
class Lossless:
    """What packets stand for. counts: (packets, T). number: of the predictor, 3 raw. good: an encoder gives this."""

    counts: Ints
    number: Ints
    good: NDArray[np.bool_]


def decode(tables: LosslessTables, packets: Packets) -> Lossless:
    """Return what packets stand for; any bytes up to packed_bytes_max give counts or are not good."""
    packets.table(tables.packed_bytes_max)  # refuses what is longer
    parts = [_decode(tables, packets.select(part)) for part in _parts(tables, len(packets))]
    empty = Lossless(np.zeros((0, tables.inputs), np.int64), np.zeros(0, np.int64), np.zeros(0, bool))
    return Lossless(*(np.concatenate([getattr(part, name) for part in (empty, *parts)])
                      for name in ("counts", "number", "good")))  # fmt: skip


def _decode(tables: LosslessTables, packets: Packets) -> Lossless:
    room = max(1, int(packets.lengths.max(initial=0)))
    payload = np.arange(room) < packets.lengths[:, None] - int(tables.crc)
    reader = _Reader(np.where(payload, packets.table(room), 0).astype(np.uint8))
    number = reader.take(np.full(len(packets), _NUMBER_BITS))
    counts, raw = rebuilt(tables, number % _RAW, reader.rice), number == _RAW
    if raw.any():
        reader.place[:] = _NUMBER_BITS
        values = np.stack([reader.take(np.full(len(raw), tables.bits)) for _ in range(tables.inputs)], axis=1)
        counts[raw] = values[raw] + tables.low
    return Lossless(counts, number, ~packets.differ(_encode(tables, counts, raw)))


def rebuilt(tables: LosslessTables, number: Ints, take: Callable[[Ints], Ints]) -> Ints:
    """Return the counts (packets, T) of which each `take` gives the next u (packets,), told their parameters.

    number: of the predictors (packets,).
    """
    weights = tables.predictors[number]
    order = weights.shape[1]
    x = np.zeros((len(number), order + tables.inputs), np.int64)
    x[:, : order + 1] = _int16(tables.centre + _unfolded(take(np.full(len(x), tables.first))))[:, None]
    memory = np.full(len(x), tables.start)
    for place in range(order + 1, x.shape[1]):
        u = take(_parameter(memory))
        memory = _remembered(memory, u)
        prediction = (weights * x[:, place - order : place][:, ::-1]).sum(axis=1) + (1 << FRACTION_BITS - 1)
        x[:, place] = _int16((prediction >> FRACTION_BITS) + _unfolded(u))
    return x[:, order:]


def _unfolded(u: Ints) -> Ints:
    return u >> 1 ^ -(u & 1)


class _Reader:
    """Bits of many packets (packets, any), zeros behind each, highest bit of a byte first."""

    def __init__(self, rows: NDArray[np.uint8]) -> None:
        self.rows = np.concatenate([rows, np.zeros((len(rows), 5), np.uint8)], axis=1).astype(np.int64)
        self.place = np.zeros(len(rows), np.int64)

    def _next(self) -> Ints:
        """Return the next 28 bits of every packet."""
        byte = np.minimum(self.place >> 3, self.rows.shape[1] - 5)
        lanes, value = np.arange(len(byte)), np.zeros(len(byte), np.int64)
        for number in range(5):
            value = value << 8 | self.rows[lanes, byte + number]
        return value >> 12 - (self.place & 7) & (1 << 28) - 1

    def take(self, bits: Ints) -> Ints:
        """Return the next numbers of so many bits, at most 28."""
        value = self._next() >> 28 - bits
        self.place += bits
        return value

    def rice(self, parameter: Ints) -> Ints:
        """Return the next u of every packet."""
        value = self._next()
        ones = _LEADING_ONES[value >> 28 - _MOST_ONES]
        escaped = ones == _MOST_ONES
        bits = np.where(escaped, _MOST_ONES + _ESCAPE_BITS, ones + 1 + parameter)
        low = value >> 28 - bits
        self.place += bits
        return np.where(escaped, low & 0xFFFF, ones << parameter | low & (1 << parameter) - 1)
