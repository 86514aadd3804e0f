"""The range coder and its symbols, for many packets in lockstep: sections 3 and 4 of docs/transform.md.

A step of the coder is one operation on all packets that take it. Bytes are kept as digits that may reach 256, so that
carries wait until the end.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.transform.tables import CONTEXTS, MOST_INDEX, MOST_QUALITY, TOTAL, Ints, Tables

_START = 0xFF000000
_MASK = 0xFFFFFFFF
_REST = 0xFFFFFF
_ESCAPE = 15
_DIRECT = 192
"""Least magnitude behind the escape."""
_MOST_EXPONENT = 14
_QUALITY_BITS = 3

Lanes = NDArray[np.intp]
"""Numbers of packets."""


@dataclass(frozen=True)
class Payload:
    """What packets would send: bytes uint8 (packets, room), how many count, and which fit their room."""

    rows: NDArray[np.uint8]
    lengths: Ints
    fits: NDArray[np.bool_]


def log2_floor(values: Ints) -> Ints:
    """Return ⌊log2⌋ of values >= 1, any shape."""
    return np.frexp(values.astype(np.float64))[1].astype(np.int64) - 1


def symbol_of(magnitude: Ints) -> Ints:
    """Return the symbols of magnitudes.

    >>> symbol_of(np.array([0, 1, 2, 3, 4, 6, 8, 128, 191, 192, 32767])).tolist()
    [0, 1, 2, 3, 4, 5, 6, 14, 14, 15, 15]
    """
    t = log2_floor(np.maximum(magnitude, 2))
    return np.where(magnitude < 2, magnitude, np.minimum(2 * t + (magnitude >> (t - 1) & 1), _ESCAPE))


def raw_of(magnitude: Ints, negative: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return the raw number behind a symbol, sign included, and its bits; of 0: no bits."""
    escaped = magnitude >= _DIRECT
    value = np.where(escaped, magnitude - _DIRECT + 1, np.maximum(magnitude, 1))
    t = log2_floor(value)
    bits = np.where(escaped, t, np.maximum(t - 1, 0))
    return (value & ((1 << bits) - 1)) << 1 | negative, np.where(magnitude > 0, bits + 1, 0)


def end_positions(tables: Tables, index: Ints) -> Ints:
    """Return e of indices (…, K)."""
    used = np.where(index != 0, np.arange(1, tables.rows + 1), 0).max(axis=-1)
    return -(-used // tables.group)


def contexts_of(symbols: Ints) -> Ints:
    """Return min(2 · previous + the one before, 24) of symbols (…, K)."""
    before = np.zeros((*symbols.shape[:-1], symbols.shape[-1] + 2), np.int64)
    before[..., 2:] = symbols
    return np.minimum(2 * before[..., 1:-1] + before[..., :-2], CONTEXTS - 1)


class _Writer:
    """The coder's state of every packet."""

    def __init__(self, packets: int, room: int) -> None:
        self.low = np.zeros(packets, np.int64)
        self.range = np.full(packets, _START, np.int64)
        self.count = np.zeros(packets, np.int64)
        self.room = room
        # Behind the room is one more digit, into which everything falls that has none.
        self.digits = np.zeros((packets, room + 1), np.int32)

    def _add(self, lanes: Lanes, amount: Ints) -> None:
        low = self.low[lanes] + amount
        over = lanes[low > _MASK]
        self.digits[over, np.minimum(self.count[over] - 1, self.room)] += 1
        self.low[lanes] = low & _MASK

    def _normalise(self, lanes: Lanes) -> None:
        small = lanes[self.range[lanes] < 1 << 24]
        while small.size:
            self._put(small, self.low[small] >> 24)
            self.low[small] = self.low[small] << 8 & _MASK
            self.range[small] <<= 8
            small = small[self.range[small] < 1 << 24]

    def _put(self, lanes: Lanes, byte: Ints) -> None:
        self.digits[lanes, np.minimum(self.count[lanes], self.room)] = byte
        self.count[lanes] += 1

    def symbol(self, lanes: Lanes, start: Ints, end: Ints) -> None:
        """Code the symbol with [start, end) of 4,096 in some packets."""
        r = self.range[lanes] >> 12
        self._add(lanes, r * start)
        self.range[lanes] = r * (end - start)
        self._normalise(lanes)

    def raw(self, lanes: Lanes, value: Ints, bits: Ints) -> None:
        """Code a number of so many bits in some packets."""
        r = self.range[lanes] >> bits
        self._add(lanes, r * value)
        self.range[lanes] = r
        self._normalise(lanes)

    def end(self) -> Payload:
        """Return the payloads: the fewest bytes that decode with zeros behind them."""
        lanes = np.arange(len(self.low))
        none = self.low + self.range > _MASK + 1
        self._add(lanes, np.where(none, -self.low & _MASK, -self.low & _REST))
        one = lanes[~none]
        self._put(one, self.low[one] >> 24)
        return trimmed(self._carried(), self.count, self.room)

    def _carried(self) -> NDArray[np.uint8]:
        digits = self.digits[:, : self.room]
        for place in range(self.room - 1, 0, -1):
            digits[:, place - 1] += digits[:, place] >> 8
        return (digits & 0xFF).astype(np.uint8)


def trimmed(rows: NDArray[np.uint8], count: Ints, room: int) -> Payload:
    """Return payloads of `count` bytes without the zero bytes at their ends; one byte always stays."""
    used = np.where(rows != 0, np.arange(1, room + 1), 0).max(axis=1, initial=0)
    return Payload(rows, np.maximum(np.minimum(used, count), 1), count <= room)


def encode_range(tables: Tables, index: Ints, quality: int | None) -> Payload:
    """Return the payloads of indices (packets, W, K); quality: None without rate control."""
    packets, everyone = len(index), np.arange(len(index))
    writer = _Writer(packets, tables.room)
    ends = np.concatenate([[0], tables.ends.astype(np.int64)])
    if quality is not None:
        writer.raw(everyone, np.full(packets, quality), np.full(packets, _QUALITY_BITS))
    if quality == MOST_QUALITY:
        for _ in range(tables.windows):
            writer.symbol(everyone, np.zeros(packets, np.int64), np.full(packets, ends[1]))
        return writer.end()
    for window in range(tables.windows):
        _encode_window(tables, writer, ends, index[:, window])
    return writer.end()


def _encode_window(tables: Tables, writer: _Writer, ends: Ints, index: Ints) -> None:
    """Code one window of every packet, indices (packets, K)."""
    magnitude, position = np.abs(index), end_positions(tables, index)
    symbols = symbol_of(magnitude)
    value, bits = raw_of(magnitude, index < 0)
    number = _table_numbers(tables, symbols)
    upper = _upper(tables)
    writer.symbol(np.arange(len(index)), ends[position], ends[position + 1])
    for k in range(min(int(position.max(initial=0)) * tables.group, tables.rows)):
        lanes = np.flatnonzero(position * tables.group > k)
        symbol, table = symbols[lanes, k], number[lanes, k]
        writer.symbol(lanes, upper[table, symbol], upper[table, symbol + 1])
        escaped = lanes[symbol == _ESCAPE]
        if escaped.size:
            writer.raw(escaped, bits[escaped, k] - 1, np.full(len(escaped), 4))
        signed = lanes[symbol > 0]
        writer.raw(signed, value[signed, k], bits[signed, k])


def _table_numbers(tables: Tables, symbols: Ints) -> Ints:
    numbers: Ints = tables.contexts[tables.classes, contexts_of(symbols)].astype(np.int64)
    return numbers


def _upper(tables: Tables) -> Ints:
    """Return the ends of every symbol (T, 17), 0 before the first."""
    return np.concatenate([np.zeros((len(tables.symbols), 1), np.int64), tables.symbols], axis=1)


@dataclass
class _Reader:
    """The decoder's state of every packet. rows: bytes (packets, any), zeros behind each packet."""

    rows: NDArray[np.uint8]
    code: Ints = field(init=False)
    range: Ints = field(init=False)
    place: Ints = field(init=False)

    def __post_init__(self) -> None:
        packets = len(self.rows)
        self.rows = np.concatenate([self.rows, np.zeros((packets, 5), np.uint8)], axis=1)
        self.code = self.rows[:, :4].astype(np.int64) @ np.array([1 << 24, 1 << 16, 1 << 8, 1])
        self.range = np.full(packets, _START, np.int64)
        self.place = np.full(packets, 4, np.int64)

    def _take(self, lanes: Lanes, amount: Ints, width: Ints) -> None:
        # What no encoder wrote may leave code >= range: it is kept in 32 bits, and flagged by whoever encodes again.
        self.code[lanes] = (self.code[lanes] - amount) & _MASK
        self.range[lanes] = width
        small = lanes[width < 1 << 24]
        while small.size:
            byte = self.rows[small, np.minimum(self.place[small], self.rows.shape[1] - 1)]
            self.code[small] = (self.code[small] << 8 | byte) & _MASK
            self.range[small] <<= 8
            self.place[small] += 1
            small = small[self.range[small] < 1 << 24]

    def symbol(self, lanes: Lanes, upper: Ints, find: NDArray[np.uint8], table: Ints | int) -> Ints:
        """Return the next symbols of some packets; upper (T, symbols + 1), find (T, 4096): the symbol at a place."""
        r = self.range[lanes] >> 12
        symbol: Ints = find[table, np.minimum(self.code[lanes] // r, TOTAL - 1)].astype(np.int64)
        start = upper[table, symbol]
        self._take(lanes, r * start, r * (upper[table, symbol + 1] - start))
        return symbol

    def raw(self, lanes: Lanes, bits: Ints) -> Ints:
        """Return the next numbers of so many bits of some packets."""
        r = self.range[lanes] >> bits
        value: Ints = np.minimum(self.code[lanes] // r, (1 << bits) - 1)
        self._take(lanes, r * value, r)
        return value


@lru_cache(maxsize=16)
def _finder(content: bytes, symbols: int) -> NDArray[np.uint8]:
    """Return (T, 4096): which symbol holds each place of tables given by their upper ends."""
    upper = np.frombuffer(content, np.uint16).reshape(-1, symbols)
    return np.stack([np.searchsorted(row, np.arange(TOTAL), side="right") for row in upper]).astype(np.uint8)


def decode_range(tables: Tables, rows: NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """Return indices (packets, W, K) and qualities that payloads (packets, any), zeros behind each, stand for.

    Any bytes give something; whether an encoder wrote them shows when it is encoded again.
    """
    reader, everyone = _Reader(rows), np.arange(len(rows))
    index = np.zeros((len(rows), tables.windows, tables.rows), np.int64)
    quality = np.zeros(len(rows), np.int64)
    if tables.max_bytes:
        quality = reader.raw(everyone, np.full(len(rows), _QUALITY_BITS))
    lanes = np.flatnonzero(quality < MOST_QUALITY)
    for window in range(tables.windows):
        _decode_window(tables, reader, lanes, index[:, window])
    return index, quality


def _decode_window(tables: Tables, reader: _Reader, lanes: Lanes, index: NDArray[Any]) -> None:
    """Read one window of some packets into index (packets, K)."""
    ends = np.concatenate([[0], tables.ends.astype(np.int64)])[None]
    upper, find = _upper(tables), _finder(tables.symbols.tobytes(), tables.symbols.shape[1])
    position = reader.symbol(lanes, ends, _finder(tables.ends.tobytes(), len(tables.ends)), 0)
    before = np.zeros((2, len(index)), np.int64)
    for k in range(min(int(position.max(initial=0)) * tables.group, tables.rows)):
        lanes, position = lanes[position * tables.group > k], position[position * tables.group > k]
        context = np.minimum(2 * before[0, lanes] + before[1, lanes], CONTEXTS - 1)
        symbol = reader.symbol(lanes, upper, find, tables.contexts[tables.classes[k], context].astype(np.int64))
        before[1], before[0, lanes] = before[0], symbol
        index[lanes, k] = _read_value(reader, lanes, symbol)


def _read_value(reader: _Reader, lanes: Lanes, symbol: Ints) -> Ints:
    """Return the indices behind symbols of some packets."""
    escaped = symbol == _ESCAPE
    bits = np.maximum(symbol // 2 - 1, 0)
    if escaped.any():
        four = np.full(int(escaped.sum()), 4)
        bits[escaped] = np.minimum(reader.raw(lanes[escaped], four), _MOST_EXPONENT)
    signed = symbol > 0
    raw = np.zeros(len(lanes), np.int64)
    raw[signed] = reader.raw(lanes[signed], bits[signed] + 1)
    top = np.where(symbol < 4, symbol, (2 + (symbol & 1)) << bits)
    magnitude = np.where(escaped, (1 << bits) + _DIRECT - 1, top) + (raw >> 1)
    return np.where(raw & 1, -1, 1) * np.minimum(magnitude, MOST_INDEX)
