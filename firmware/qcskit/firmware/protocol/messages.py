"""Typed payloads of the protocol's messages (docs/protocol.md, *Messages*)."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.codecs import kind_of
from qcskit.codec.errors import QcsError
from qcskit.firmware.protocol.framing import wire_bytes


class Type(IntEnum):
    """Message types; a reply has the high bit set. 0x07 … 0x0F are reserved."""

    HELLO = 0x01
    ENCODE = 0x02
    ECHO = 0x03
    STATS = 0x04
    RESET = 0x05
    BAUD = 0x06
    INFO = 0x81
    RESULT = 0x82
    ECHOED = 0x83
    COUNTS = 0x84
    DONE = 0x85
    BAUD_SET = 0x86
    ERROR = 0xFF


INPUT_INT8, INPUT_COUNTS = 1, 2
MAX_REPEAT_EXPONENT = 8
TICK_SOURCES = ("none", "cycles", "instructions", "timer")
ERROR_CODES = {
    1: "unknown message type",
    2: "payload has the wrong length",
    3: "unsupported input type",
    4: "batch too large",
    5: "other protocol version",
    6: "reply would not fit",
    7: "the frame is longer than the board's buffer",
}
_INFO = struct.Struct("<B3s8sHHHBBHHBBIH")
_COUNTS = struct.Struct("<IIII")
_RECORD = struct.Struct("<IH")  # of RESULT: tick, length
_ERROR = struct.Struct("<BI")


@dataclass(frozen=True)
class Info:
    """What a board says about itself.

    inputs: values per packet. outputs, levels: K and I, 0 where they mean nothing. codec: number of its kind.
    rx_buffer_bytes: longest body and window. max_batch: packets per ENCODE. tick_source: one of TICK_SOURCES.
    tick_hz: 0 if there are none or if ticks are instructions. windows: source vectors per packet.
    """

    protocol: int
    firmware: tuple[int, int, int]
    model_id: str
    inputs: int
    outputs: int
    levels: int
    codec: int
    input_types: int
    packed_bytes_max: int
    rx_buffer_bytes: int
    max_batch: int
    tick_source: str
    tick_hz: int
    windows: int = 1

    @property
    def kind(self) -> str:
        """Kind of codec."""
        return kind_of(self.codec)

    @property
    def can_repeat(self) -> bool:
        """Whether the board sends a RESULT several times on request."""
        return bool(self.input_types & 0x80)

    @property
    def can_change_baud(self) -> bool:
        """Whether the board takes BAUD."""
        return bool(self.input_types & 0x40)

    @property
    def firmware_version(self) -> str:
        """Firmware version as text."""
        return ".".join(str(part) for part in self.firmware)

    def to_payload(self) -> bytes:
        """Return the INFO payload."""
        return _INFO.pack(
            self.protocol, bytes(self.firmware), bytes.fromhex(self.model_id), self.inputs, self.outputs, self.levels,
            self.codec, self.input_types, self.packed_bytes_max, self.rx_buffer_bytes, self.max_batch,
            TICK_SOURCES.index(self.tick_source), self.tick_hz, self.windows,
        )  # fmt: skip

    @classmethod
    def from_payload(cls, payload: bytes) -> "Info":
        """Read an INFO payload; longer ones are fine (later minor additions). Raises QcsError on a short one."""
        if len(payload) < _INFO.size:
            raise QcsError(f"INFO has {len(payload)} bytes, at least {_INFO.size} expected; update the firmware")
        protocol, firmware, model_id, *sizes, source, hz, windows = _INFO.unpack_from(payload)
        inputs, outputs, levels, codec, types, packed, rx, batch = sizes
        return cls(
            protocol, (firmware[0], firmware[1], firmware[2]), model_id.hex(), inputs, outputs, levels, codec, types,
            packed, rx, batch, TICK_SOURCES[source] if source < len(TICK_SOURCES) else "none", hz, windows,
        )  # fmt: skip


@dataclass(frozen=True)
class Counts:
    """COUNTS: what the board has seen since power-up or RESET."""

    frames: int
    crc_errors: int
    overruns: int
    duplicates: int

    def to_payload(self) -> bytes:
        """Return the COUNTS payload."""
        return _COUNTS.pack(self.frames, self.crc_errors, self.overruns, self.duplicates)

    @classmethod
    def from_payload(cls, payload: bytes) -> "Counts":
        """Read a COUNTS payload. Raises QcsError on a short one."""
        if len(payload) < _COUNTS.size:
            raise QcsError(f"COUNTS has {len(payload)} bytes, expected {_COUNTS.size}")
        return cls(*_COUNTS.unpack_from(payload))


def encode_payload(vectors: NDArray[np.int8] | NDArray[np.int16], repeat_exponent: int = 0) -> bytes:
    """Return the ENCODE payload for packets' inputs (count, M), int8 network inputs or int16 ADC counts.

    >>> encode_payload(np.array([[1, -1]], np.int8)).hex(" ")
    '01 01 01 ff'
    """
    kind = INPUT_INT8 if vectors.dtype == np.int8 else INPUT_COUNTS
    little = vectors if kind == INPUT_INT8 else vectors.astype("<i2", copy=False)
    return bytes((kind | repeat_exponent << 4, len(vectors))) + little.tobytes()


class Answers(NamedTuple):
    """What RESULT holds. rows: uint8 (count, room), the packets; lengths (count,) of them; ticks: uint32 (count,)."""

    rows: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    ticks: NDArray[np.uint32]


def result_payload(packets: Sequence[bytes], ticks: Sequence[int]) -> bytes:
    """Return the RESULT payload for packets and their ticks (0 where the board has no tick source)."""
    records = (_RECORD.pack(tick, len(packet)) + packet for packet, tick in zip(packets, ticks, strict=True))
    return bytes([len(packets)]) + b"".join(records)


def read_result(payload: bytes, count: int, packed_bytes_max: int) -> Answers:
    """Return the answers of a RESULT payload to `count` packets.

    Raises QcsError if count or lengths are not what was asked for.
    """
    answers = _equal_answers(payload, count) or _any_answers(payload, count, packed_bytes_max)
    if answers is None or not 1 <= answers.lengths.min(initial=1) <= answers.lengths.max(initial=1) <= packed_bytes_max:
        raise QcsError(
            f"RESULT of {len(payload)} bytes does not hold {count} packets of 1 ... {packed_bytes_max} bytes"
        )
    rows = np.zeros((count, packed_bytes_max), np.uint8)
    rows[:, : answers.rows.shape[1]] = answers.rows[:, :packed_bytes_max]
    return Answers(rows, answers.lengths, answers.ticks)


def _equal_answers(payload: bytes, count: int) -> Answers | None:
    """Return the answers if all are of one length."""
    width, rest = divmod(len(payload) - 1, max(count, 1))
    if payload[:1] != bytes([count]) or rest or width < _RECORD.size:
        return None
    records = np.frombuffer(payload, np.uint8, offset=1).reshape(count, width)
    lengths = records[:, 4:6].copy().view("<u2").ravel().astype(np.int64)
    if (lengths != width - _RECORD.size).any():
        return None
    return Answers(records[:, _RECORD.size :], lengths, records[:, :4].copy().view("<u4").ravel())


def _any_answers(payload: bytes, count: int, room: int) -> Answers | None:
    """Return the answers, None if the payload does not end with the last of `count`."""
    rows, lengths, ticks = np.zeros((count, room), np.uint8), np.zeros(count, np.int64), np.zeros(count, np.uint32)
    at = 1
    for number in range(count if payload[:1] == bytes([count]) else 0):
        if at + _RECORD.size > len(payload):
            return None
        ticks[number], lengths[number] = _RECORD.unpack_from(payload, at)
        at += _RECORD.size
        packet = payload[at : at + min(int(lengths[number]), room)]
        rows[number, : len(packet)] = np.frombuffer(packet, np.uint8)
        at += int(lengths[number])
    return Answers(rows, lengths, ticks) if at == len(payload) and payload[:1] == bytes([count]) else None


def error_payload(code: int, detail: int) -> bytes:
    """Return the ERROR payload."""
    return _ERROR.pack(code, detail)


def read_error(payload: bytes) -> tuple[int, int]:
    """Return (code, detail) of an ERROR payload; (0, 0) if it is too short."""
    return _ERROR.unpack_from(payload) if len(payload) >= _ERROR.size else (0, 0)


def result_bytes(count: int, packed_bytes: int) -> int:
    """Return the size of a RESULT payload of packets of this size."""
    return 1 + count * (_RECORD.size + packed_bytes)


def largest_batch(input_bytes: int, rx_buffer_bytes: int, most: int) -> int:
    """Return the most packets per ENCODE frame, 1 … most, that a board's buffer takes; 0 if it takes none."""
    fits = [count for count in range(1, most + 1) if wire_bytes(2 + count * input_bytes) <= rx_buffer_bytes]
    return fits[-1] if fits else 0
