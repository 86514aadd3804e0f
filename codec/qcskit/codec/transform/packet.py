"""Packets: rate control, raw packets and the CRC around the payload, and back. Section 5 and 6 of docs/transform.md."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.interface import Packets
from qcskit.codec.range_coder import MOST_INDEX, Payload
from qcskit.codec.transform.coder import decode_range, encode_range
from qcskit.codec.transform.forward import accumulate, kept, quantize
from qcskit.codec.transform.rice import BitReader, decode_rice, encode_rice
from qcskit.codec.transform.tables import MOST_QUALITY, Ints, Tables

_RAW = 0xFF
_BATCH = 4096
"""Packets in lockstep: what fits caches."""


def _crc_table() -> NDArray[np.uint8]:
    table = np.arange(256)
    for _ in range(8):
        table = table << 1 ^ np.where(table & 0x80, 0x12F, 0)
    return table.astype(np.uint8)


_CRC = _crc_table()


def crc8(rows: NDArray[np.uint8], lengths: Ints) -> NDArray[np.uint8]:
    """Return the CRC-8 of the first bytes of each row.

    >>> hex(crc8(np.frombuffer(b"123456789", np.uint8)[None], np.array([9]))[0])
    '0xdf'
    """
    crc = np.full(len(rows), 0xFF, np.uint8)
    for place in range(int(lengths.max(initial=0))):
        crc = np.where(place < lengths, _CRC[crc ^ rows[:, place]], crc)
    return crc ^ np.uint8(0xFF)


def payload_of(tables: Tables, index: Ints, quality: int | None) -> Payload:
    """Return the payloads of indices (packets, W, K), which may not fit; quality: None without rate control."""
    payload = (encode_range if tables.coder == "range" else encode_rice)(tables, index, quality)
    too_large = (np.abs(index) > MOST_INDEX).any(axis=(1, 2)) & (quality != MOST_QUALITY)
    return replace(payload, fits=payload.fits & ~too_large)


def encode(tables: Tables, counts: NDArray[np.integer[Any]]) -> Packets:
    """Return the packets of counts (packets, inputs)."""
    parts = [_encode(tables, counts[start : start + _BATCH]) for start in range(0, len(counts), _BATCH)]
    return Packets.join(parts)


def encode_indices(tables: Tables, index: Ints, quality: int | None) -> Packets:
    """Return the packets of indices (packets, W, K), empty where they do not fit."""
    payload = payload_of(tables, index, quality)
    return _closed(tables, payload.rows, np.where(payload.fits, payload.lengths, 0))


def _encode(tables: Tables, counts: NDArray[np.integer[Any]]) -> Packets:
    acc = accumulate(tables, counts).reshape(len(counts), tables.windows, tables.rows)
    rows = np.zeros((len(counts), tables.packed_bytes_max), np.uint8)
    lengths, open_lanes = np.zeros(len(counts), np.int64), np.arange(len(counts))
    for quality in range(MOST_QUALITY + 1) if tables.max_bytes else (None,):
        payload = payload_of(tables, quantize(tables, acc[open_lanes], (quality or 0) % MOST_QUALITY), quality)
        done = open_lanes[payload.fits]
        rows[done, : tables.room], lengths[done] = payload.rows[payload.fits], payload.lengths[payload.fits]
        open_lanes = open_lanes[~payload.fits]
        if not open_lanes.size:
            break
    if open_lanes.size:
        rows[open_lanes, : 1 + tables.raw_bytes] = raw_rows(tables, counts[open_lanes])
        lengths[open_lanes] = 1 + tables.raw_bytes
    return _closed(tables, rows, lengths)


def raw_rows(tables: Tables, counts: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """Return raw packets (packets, 1 + raw_bytes) of counts (packets, inputs), without a CRC."""
    values = kept(tables, counts).reshape(len(counts), -1) - tables.low & (1 << tables.bits) - 1
    bits = (values[..., None] >> np.arange(tables.bits)[::-1] & 1).astype(np.uint8)
    packed = np.packbits(bits.reshape(len(counts), -1), axis=1)
    return np.concatenate([np.full((len(counts), 1), _RAW, np.uint8), packed], axis=1)


def _closed(tables: Tables, rows: NDArray[np.uint8], lengths: Ints) -> Packets:
    """Return packets of rows, with their CRC where there is one."""
    if not tables.crc:
        return Packets.rows(rows, lengths)
    rows = np.concatenate([rows, np.zeros((len(rows), 1), np.uint8)], axis=1)
    rows[np.arange(len(rows)), lengths] = crc8(rows, lengths)
    return Packets.rows(rows, np.where(lengths, lengths + 1, 0))


@dataclass(frozen=True)
class Decoded:
    """What packets stand for. index (packets, W, K) and quality, or where `raw` kept counts (packets, W, n).

    good: whether an encoder gives such a packet.
    """

    index: Ints
    quality: Ints
    raw: NDArray[np.bool_]
    counts: Ints
    good: NDArray[np.bool_]


def decode(tables: Tables, packets: Packets) -> Decoded:
    """Return what packets stand for; any bytes up to packed_bytes_max give windows or are not good."""
    size = (len(packets), tables.windows)
    room = max(int(packets.lengths.max(initial=0)), tables.packed_bytes_max)
    rows, lengths = packets.table(room), packets.lengths - int(tables.crc)
    counts = np.zeros((*size, tables.samples), np.int64)
    raw = (rows[:, 0] == _RAW) & (lengths == 1 + tables.raw_bytes) & (not tables.max_bytes)
    if raw.any():
        counts[raw] = _raw_counts(tables, rows[raw])
    payload = np.where(np.arange(room) < lengths[:, None], rows, 0).astype(np.uint8)
    index, quality = (decode_range if tables.coder == "range" else decode_rice)(tables, payload)
    index[raw] = 0
    again = Packets.join([_again(tables, index[part], quality[part], raw[part], counts[part]) for part in _parts(raw)])
    return Decoded(index, quality, raw, counts, ~packets.differ(again))


def _parts(lanes: NDArray[np.bool_]) -> list[slice]:
    return [slice(start, start + _BATCH) for start in range(0, len(lanes), _BATCH)]


def _again(tables: Tables, index: Ints, quality: Ints, raw: NDArray[np.bool_], counts: Ints) -> Packets:
    """Return the packets that the encoder makes of what was read, empty where it makes none."""
    rows, lengths = np.zeros((len(index), tables.packed_bytes_max), np.uint8), np.zeros(len(index), np.int64)
    for value in np.unique(quality[~raw]):
        lanes = np.flatnonzero((quality == value) & ~raw)
        payload = payload_of(tables, index[lanes], int(value) if tables.max_bytes else None)
        rows[lanes, : tables.room] = payload.rows
        lengths[lanes] = np.where(payload.fits, payload.lengths, 0)
    if raw.any():
        full = np.repeat(counts[raw].reshape(int(raw.sum()), -1), tables.stride, axis=1)
        rows[raw, : 1 + tables.raw_bytes] = raw_rows(tables, full)
        lengths[raw] = 1 + tables.raw_bytes
    return _closed(tables, rows, lengths)


def _raw_counts(tables: Tables, rows: NDArray[np.uint8]) -> Ints:
    """Return the kept counts (packets, W, n) of raw packets."""
    reader, everyone = BitReader(rows[:, 1:]), np.arange(len(rows))
    values = np.stack([reader.take(everyone, tables.bits) for _ in range(tables.windows * tables.samples)], axis=1)
    return values.reshape(len(rows), tables.windows, tables.samples) + tables.low
