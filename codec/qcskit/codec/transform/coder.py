"""Symbols of windows through the range coder, for many packets in lockstep: section 3 of docs/transform.md."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.range_coder import Payload, Reader, Writer, raw_of, symbol_ends, symbol_of
from qcskit.codec.transform.tables import CONTEXTS, MOST_QUALITY, Ints, Tables

_QUALITY_BITS = 3
Lanes = NDArray[np.intp]
"""Numbers of packets."""


def end_positions(tables: Tables, index: Ints) -> Ints:
    """Return e of indices (…, K)."""
    used = np.where(index != 0, np.arange(1, tables.rows + 1), 0).max(axis=-1)
    return -(-used // tables.group)


def contexts_of(symbols: Ints) -> Ints:
    """Return min(2 · previous + the one before, 24) of symbols (…, K)."""
    before = np.zeros((*symbols.shape[:-1], symbols.shape[-1] + 2), np.int64)
    before[..., 2:] = symbols
    return np.minimum(2 * before[..., 1:-1] + before[..., :-2], CONTEXTS - 1)


def encode_range(tables: Tables, index: Ints, quality: int | None) -> Payload:
    """Return the payloads of indices (packets, W, K); quality: None without rate control."""
    packets, everyone = len(index), np.arange(len(index))
    writer = Writer(packets, tables.room)
    ends = symbol_ends(tables.ends[None])[0]
    if quality is not None:
        writer.raw(everyone, np.full(packets, quality), np.full(packets, _QUALITY_BITS))
    if quality == MOST_QUALITY:
        for _ in range(tables.windows):
            writer.symbol(everyone, np.zeros(packets, np.int64), np.full(packets, ends[1]))
        return writer.end()
    for window in range(tables.windows):
        _encode_window(tables, writer, ends, index[:, window])
    return writer.end()


def _encode_window(tables: Tables, writer: Writer, ends: Ints, index: Ints) -> None:
    """Code one window of every packet, indices (packets, K)."""
    magnitude, position = np.abs(index), end_positions(tables, index)
    symbols = symbol_of(magnitude)
    value, bits = raw_of(magnitude, index < 0)
    number = _table_numbers(tables, symbols)
    upper = symbol_ends(tables.symbols)
    writer.symbol(np.arange(len(index)), ends[position], ends[position + 1])
    for k in range(min(int(position.max(initial=0)) * tables.group, tables.rows)):
        lanes = np.flatnonzero(position * tables.group > k)
        symbol, table = symbols[lanes, k], number[lanes, k]
        own = np.stack([upper[table, symbol], upper[table, symbol + 1]], axis=1)
        writer.index(lanes, own, symbol, (value[lanes, k], bits[lanes, k]))


def _table_numbers(tables: Tables, symbols: Ints) -> Ints:
    numbers: Ints = tables.contexts[tables.classes, contexts_of(symbols)].astype(np.int64)
    return numbers


def decode_range(tables: Tables, rows: NDArray[np.uint8]) -> tuple[Ints, Ints]:
    """Return indices (packets, W, K) and qualities that payloads (packets, any), zeros behind each, stand for.

    Any bytes give something; whether an encoder wrote them shows when it is encoded again.
    """
    reader, everyone = Reader(rows), np.arange(len(rows))
    index = np.zeros((len(rows), tables.windows, tables.rows), np.int64)
    quality = np.zeros(len(rows), np.int64)
    if tables.max_bytes:
        quality = reader.raw(everyone, np.full(len(rows), _QUALITY_BITS))
    lanes = np.flatnonzero(quality < MOST_QUALITY)
    for window in range(tables.windows):
        _decode_window(tables, reader, lanes, index[:, window])
    return index, quality


def _decode_window(tables: Tables, reader: Reader, lanes: Lanes, index: NDArray[Any]) -> None:
    """Read one window of some packets into index (packets, K)."""
    position = reader.symbol(lanes, tables.ends[None])
    before = np.zeros((2, len(index)), np.int64)
    for k in range(min(int(position.max(initial=0)) * tables.group, tables.rows)):
        lanes, position = lanes[position * tables.group > k], position[position * tables.group > k]
        context = np.minimum(2 * before[0, lanes] + before[1, lanes], CONTEXTS - 1)
        symbol = reader.symbol(lanes, tables.symbols, tables.contexts[tables.classes[k], context].astype(np.int64))
        before[1], before[0, lanes] = before[0], symbol
        index[lanes, k] = reader.index(lanes, symbol)
