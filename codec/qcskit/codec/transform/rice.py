"""Rice codes of a window's indices, for many packets at once: section 4 of docs/transform.md."""

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.range_coder import MOST_INDEX, Payload, trimmed
from qcskit.codec.transform.coder import end_positions
from qcskit.codec.transform.tables import MOST_QUALITY, Ints, Tables

_END_BITS = 5
_QUALITY_BITS = 3
_MOST_ONES = 15
_WINDOW = 32
"""More bits than any number takes."""


def encode_rice(tables: Tables, index: Ints, quality: int | None) -> Payload:
    """Return the payloads of indices (packets, W, K); quality: None without rate control."""
    packets = len(index)
    position = np.zeros((packets, tables.windows), np.int64)
    if quality != MOST_QUALITY:
        position = end_positions(tables, index)
    values, bits = _numbers(tables, index)
    live = np.arange(tables.rows) < (position * tables.group)[..., None]
    ends = np.full((packets, tables.windows, 1), _END_BITS)
    values = np.concatenate([position[..., None], values], axis=2).reshape(packets, -1)
    bits = np.concatenate([ends, np.where(live, bits, 0)], axis=2).reshape(packets, -1)
    if quality is not None:
        values = np.concatenate([np.full((packets, 1), quality), values], axis=1)
        bits = np.concatenate([np.full((packets, 1), _QUALITY_BITS), bits], axis=1)
    return pack_numbers(values, bits, tables.room)


def _numbers(tables: Tables, index: Ints) -> tuple[Ints, Ints]:
    """Return the code of every index, highest bit first, and its length."""
    parameter, magnitude = tables.rice.astype(np.int64), np.abs(index)
    ones = np.minimum(magnitude >> parameter, _MOST_ONES)
    escaped = ones == _MOST_ONES
    tail = np.where(escaped, magnitude, magnitude & ((1 << parameter) - 1))
    tail_bits = np.where(escaped, _MOST_ONES, parameter + 1)  # the zero behind the ones is the tail's first bit
    value, bits = ((1 << ones) - 1) << tail_bits | tail, ones + tail_bits
    signed = (magnitude > 0).astype(np.int64)
    return value << signed | (index < 0), bits + signed


def pack_numbers(values: Ints, bits: Ints, room: int) -> Payload:
    """Return payloads of the numbers of each row, one behind the other, the highest bit of each first."""
    total = bits.sum(axis=1)
    flat, width = values.ravel(), bits.ravel()
    offset = np.arange(int(width.sum())) - np.repeat(np.cumsum(width) - width, width)
    bit = np.repeat(flat, width) >> (np.repeat(width, width) - 1 - offset) & 1
    row = np.repeat(np.arange(len(values)), total)
    place = np.arange(len(row)) - np.repeat(np.cumsum(total) - total, total)
    matrix = np.zeros((len(values), 8 * room), np.uint8)
    inside = place < 8 * room
    matrix[row[inside], place[inside]] = bit[inside]
    return trimmed(np.packbits(matrix, axis=1), -(-total // 8), room)


def decode_rice(tables: Tables, rows: NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """Return indices (packets, W, K) and qualities that payloads (packets, any), zeros behind each, stand for."""
    reader = BitReader(rows)
    index = np.zeros((len(rows), tables.windows, tables.rows), np.int64)
    everyone = np.arange(len(rows))
    quality = reader.take(everyone, _QUALITY_BITS) if tables.max_bytes else np.zeros(len(rows), np.int64)
    for window in range(tables.windows):
        position = np.minimum(reader.take(everyone, _END_BITS), tables.groups)
        for k in range(min(int(position.max(initial=0)) * tables.group, tables.rows)):
            lanes = np.flatnonzero((position * tables.group > k) & (quality < MOST_QUALITY))
            magnitude = reader.rice(lanes, int(tables.rice[k]))
            signed = magnitude > 0
            sign = np.zeros(len(lanes), np.int64)
            sign[signed] = reader.take(lanes[signed], 1)
            index[lanes, window, k] = np.where(sign, -1, 1) * np.minimum(magnitude, MOST_INDEX)
    return index, quality


class BitReader:
    """Bits of many packets (packets, any), zeros behind each, highest bit of a byte first."""

    def __init__(self, rows: NDArray[np.uint8]) -> None:
        self.bits = np.concatenate([np.unpackbits(rows, axis=1), np.zeros((len(rows), _WINDOW), np.uint8)], axis=1)
        self.place = np.zeros(len(rows), np.int64)

    def _next(self, lanes: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Return the next bits (lanes, 32)."""
        start = np.minimum(self.place[lanes], self.bits.shape[1] - _WINDOW)
        found: NDArray[np.uint8] = self.bits[lanes[:, None], start[:, None] + np.arange(_WINDOW)]
        return found

    def take(self, lanes: NDArray[np.intp], bits: int) -> Ints:
        """Return the next number of so many bits of some packets."""
        value: Ints = self._next(lanes)[:, :bits].astype(np.int64) @ (1 << np.arange(bits)[::-1])
        self.place[lanes] += bits
        return value

    def rice(self, lanes: NDArray[np.intp], parameter: int) -> Ints:
        """Return the next magnitude of some packets."""
        ones = self._next(lanes)[:, :_MOST_ONES].cumprod(axis=1).sum(axis=1, dtype=np.int64)
        escaped = ones == _MOST_ONES
        self.place[lanes] += ones + ~escaped
        magnitude = np.zeros(len(lanes), np.int64)
        magnitude[escaped] = self.take(lanes[escaped], _MOST_ONES)
        magnitude[~escaped] = ones[~escaped] << parameter | self.take(lanes[~escaped], parameter)
        return magnitude
