"""The static range coder, for many packets in lockstep: section 4 of docs/transform.md, and symbols of indices.

A step of the coder is one operation on all packets that take it. Bytes are kept as digits that may reach 256, so that
carries wait until the end.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

TOTAL = 4096
"""Sum of the frequencies of a table."""
SYMBOLS = 16
"""Of an index: 0, 1, then two per octave of its magnitude; the last one is the escape."""
ESCAPE = SYMBOLS - 1
DIRECT = 192
"""Least magnitude behind the escape."""
MOST_INDEX = 32767
MOST_EXPONENT = 14
"""Of a magnitude behind the escape, which is coded in ESCAPE_BITS."""
ESCAPE_BITS = 4
START = 0xFF000000
"""Range at the start: no payload begins with the byte 0xFF."""
_MASK = 0xFFFFFFFF
_REST = 0xFFFFFF

Ints = NDArray[np.int64]
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
    return np.where(magnitude < 2, magnitude, np.minimum(2 * t + (magnitude >> (t - 1) & 1), ESCAPE))


def raw_of(magnitude: Ints, negative: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return the raw number behind a symbol, sign included, and its bits; of 0: no bits."""
    escaped = magnitude >= DIRECT
    value = np.where(escaped, magnitude - DIRECT + 1, np.maximum(magnitude, 1))
    t = log2_floor(value)
    bits = np.where(escaped, t, np.maximum(t - 1, 0))
    return (value & ((1 << bits) - 1)) << 1 | negative, np.where(magnitude > 0, bits + 1, 0)


def upper_ends(counts: Ints) -> Ints:
    """Return upper ends that sum to TOTAL, every frequency at least 1 and otherwise as the counts."""
    share = (2 * TOTAL * counts + counts.sum()) // (2 * max(int(counts.sum()), 1))
    frequency = np.maximum(share, 1)
    while frequency.sum() != TOTAL:
        most = int(frequency.argmax())
        frequency[most] = max(1, frequency[most] + TOTAL - frequency.sum())
    return np.cumsum(frequency)


def equal_parts(count: int) -> tuple[int, int]:
    """Return (size, bits): of 2^bits that a range is cut into, each of `count` equally likely numbers gets `size`.

    A device multiplies instead of dividing; at most 0.03 bits are lost for it up to a count of 2^13.

    >>> equal_parts(190), equal_parts(2**20)
    ((86, 14), (2, 21))
    """
    bits = max(min(count.bit_length() + 6, 20), count.bit_length())
    return (1 << bits) // count, bits


def are_tables(upper: NDArray[np.uint16]) -> bool:
    """Tell whether rows (T, symbols) of upper ends rise from above 0 to TOTAL."""
    rises = np.diff(upper.astype(np.int64), axis=1, prepend=0).min(initial=1) > 0
    return bool(rises and (upper[:, -1] == TOTAL).all())


def symbol_ends(upper: NDArray[np.uint16]) -> Ints:
    """Return the ends of every symbol (T, symbols + 1), 0 before the first, of upper ends (T, symbols)."""
    return np.concatenate([np.zeros((len(upper), 1), np.int64), upper], axis=1)


class Writer:
    """The coder's state of every packet. room: bytes that one may take."""

    def __init__(self, packets: int, room: int) -> None:
        self.low = np.zeros(packets, np.int64)
        self.range = np.full(packets, START, np.int64)
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

    def _narrow(self, lanes: Lanes, unit: Ints, start: Ints, size: Ints | int) -> None:
        """Take [start, start + size) of the range in units."""
        self._add(lanes, unit * start)
        self.range[lanes] = unit * size
        self._normalise(lanes)

    def symbol(self, lanes: Lanes, start: Ints, end: Ints) -> None:
        """Code the symbol with [start, end) of 4,096 in some packets."""
        self._narrow(lanes, self.range[lanes] >> 12, start, end - start)

    def raw(self, lanes: Lanes, value: Ints, bits: Ints) -> None:
        """Code a number of so many bits in some packets."""
        self._narrow(lanes, self.range[lanes] >> bits, value, 1)

    def equal(self, lanes: Lanes, value: Ints, count: int) -> None:
        """Code a number of 0 … count − 1, all as likely, in some packets."""
        size, bits = equal_parts(count)
        self._narrow(lanes, self.range[lanes] >> bits, size * value, size)

    def index(self, lanes: Lanes, ends: Ints, symbol: Ints, raw: tuple[Ints, Ints]) -> None:
        """Code indices in some packets. ends (lanes, 2): of the symbol; raw: as `raw_of`."""
        (value, bits), four = raw, np.full(len(lanes), ESCAPE_BITS)
        self.symbol(lanes, ends[:, 0], ends[:, 1])
        escaped, signed = symbol == ESCAPE, symbol > 0
        if escaped.any():
            self.raw(lanes[escaped], bits[escaped] - 1, four[escaped])
        self.raw(lanes[signed], value[signed], bits[signed])

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


@dataclass
class Reader:
    """The decoder's state of every packet. rows: bytes (packets, any), zeros behind each packet."""

    rows: NDArray[np.uint8]
    code: Ints = field(init=False)
    range: Ints = field(init=False)
    place: Ints = field(init=False)

    def __post_init__(self) -> None:
        packets = len(self.rows)
        self.rows = np.concatenate([self.rows, np.zeros((packets, 5), np.uint8)], axis=1)
        self.code = self.rows[:, :4].astype(np.int64) @ np.array([1 << 24, 1 << 16, 1 << 8, 1])
        self.range = np.full(packets, START, np.int64)
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

    def symbol(self, lanes: Lanes, upper: NDArray[np.uint16], table: Ints | int = 0) -> Ints:
        """Return the next symbols of some packets. upper (T, symbols): upper ends of all tables."""
        ends, find = symbol_ends(upper), _finder(upper.tobytes(), upper.shape[1])
        r = self.range[lanes] >> 12
        symbol: Ints = find[table, np.minimum(self.code[lanes] // r, TOTAL - 1)].astype(np.int64)
        start = ends[table, symbol]
        self._take(lanes, r * start, r * (ends[table, symbol + 1] - start))
        return symbol

    def raw(self, lanes: Lanes, bits: Ints) -> Ints:
        """Return the next numbers of so many bits of some packets."""
        r = self.range[lanes] >> bits
        value: Ints = np.minimum(self.code[lanes] // r, (1 << bits) - 1)
        self._take(lanes, r * value, r)
        return value

    def equal(self, lanes: Lanes, count: int) -> Ints:
        """Return the next numbers of 0 … count − 1 of some packets."""
        size, bits = equal_parts(count)
        r = (self.range[lanes] >> bits) * size
        value: Ints = np.minimum(self.code[lanes] // r, count - 1)
        self._take(lanes, r * value, r)
        return value

    def index(self, lanes: Lanes, symbol: Ints) -> Ints:
        """Return the indices behind symbols of some packets."""
        escaped = symbol == ESCAPE
        bits = np.maximum(symbol // 2 - 1, 0)
        if escaped.any():
            four = np.full(int(escaped.sum()), ESCAPE_BITS)
            bits[escaped] = np.minimum(self.raw(lanes[escaped], four), MOST_EXPONENT)
        signed = symbol > 0
        raw = np.zeros(len(lanes), np.int64)
        raw[signed] = self.raw(lanes[signed], bits[signed] + 1)
        top = np.where(symbol < 4, symbol, (2 + (symbol & 1)) << bits)
        magnitude = np.where(escaped, (1 << bits) + DIRECT - 1, top) + (raw >> 1)
        return np.where(raw & 1, -1, 1) * np.minimum(magnitude, MOST_INDEX)


@lru_cache(maxsize=16)
def _finder(content: bytes, symbols: int) -> NDArray[np.uint8]:
    """Return (T, 4096): which symbol holds each place of tables given by their upper ends."""
    upper = np.frombuffer(content, np.uint16).reshape(-1, symbols)
    return np.stack([np.searchsorted(row, np.arange(TOTAL), side="right") for row in upper]).astype(np.uint8)
