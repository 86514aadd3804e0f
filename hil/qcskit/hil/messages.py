"""Typed payloads of the protocol's messages (docs/protocol.md, *Messages*)."""

import struct
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError


class Type(IntEnum):
    """Message types; a reply has the high bit set."""

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
CODECS = {1: "deepqcs", 2: "coded", 3: "scalar"}
ERROR_CODES = {
    1: "unknown message type",
    2: "payload has the wrong length",
    3: "unsupported input type",
    4: "batch too large",
    5: "other protocol version",
    6: "reply would not fit",
}
_INFO = struct.Struct("<B3s8sHHHBBHHBBI")
_COUNTS = struct.Struct("<IIII")
_ERROR = struct.Struct("<BI")


@dataclass(frozen=True)
class Info:
    """What a board says about itself.

    inputs: M values per vector. outputs: K. levels: I. rx_buffer_bytes: longest body and window. max_batch: vectors per
    ENCODE. tick_source: one of TICK_SOURCES. tick_hz: 0 if there are none or if ticks are instructions.
    """

    protocol: int
    firmware: tuple[int, int, int]
    model_id: str
    inputs: int
    outputs: int
    levels: int
    codec: str
    input_types: int
    packed_bytes: int
    rx_buffer_bytes: int
    max_batch: int
    tick_source: str
    tick_hz: int

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
        codec = next(number for number, name in CODECS.items() if name == self.codec)
        return _INFO.pack(
            self.protocol, bytes(self.firmware), bytes.fromhex(self.model_id), self.inputs, self.outputs, self.levels,
            codec, self.input_types, self.packed_bytes, self.rx_buffer_bytes, self.max_batch,
            TICK_SOURCES.index(self.tick_source), self.tick_hz,
        )  # fmt: skip

    @classmethod
    def from_payload(cls, payload: bytes) -> "Info":
        """Read an INFO payload; longer ones are fine (later minor additions). Raises QcsError on a short one."""
        if len(payload) < _INFO.size:
            raise QcsError(f"INFO has {len(payload)} bytes, at least {_INFO.size} expected; update the firmware")
        protocol, firmware, model_id, m, k, i, codec, types, packed, rx, batch, source, hz = _INFO.unpack_from(payload)
        return cls(
            protocol, (firmware[0], firmware[1], firmware[2]), model_id.hex(), m, k, i, CODECS.get(codec, f"#{codec}"),
            types, packed, rx, batch, TICK_SOURCES[source] if source < len(TICK_SOURCES) else "none", hz,
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
    """Return the ENCODE payload for vectors (count, M), int8 network inputs or int16 ADC counts.

    >>> encode_payload(np.array([[1, -1]], np.int8)).hex(" ")
    '01 01 01 ff'
    """
    kind = INPUT_INT8 if vectors.dtype == np.int8 else INPUT_COUNTS
    little = vectors if kind == INPUT_INT8 else vectors.astype("<i2", copy=False)
    return bytes((kind | repeat_exponent << 4, len(vectors))) + little.tobytes()


def result_payload(packed: NDArray[np.uint8], ticks: NDArray[np.uint32] | None) -> bytes:
    """Return the RESULT payload for packed (count, packed_bytes) and ticks (count,) or None."""
    head = bytes((len(packed), 0 if ticks is None else 4))
    if ticks is None:
        return head + packed.tobytes()
    tick_bytes = ticks.astype("<u4").reshape(-1, 1).view(np.uint8)
    return head + np.hstack([tick_bytes, packed]).tobytes()


def read_result(payload: bytes, count: int, packed_bytes: int) -> tuple[NDArray[np.uint8], NDArray[np.uint32] | None]:
    """Return packed (count, packed_bytes) and ticks (count,) or None if the board has no tick source.

    Raises QcsError if count, tick size or length is not what was asked for.
    """
    tick_bytes = payload[1] if len(payload) >= 2 else -1
    width = tick_bytes + packed_bytes
    if tick_bytes not in (0, 4) or payload[0] != count or len(payload) != 2 + count * width:
        raise QcsError(f"RESULT of {len(payload)} bytes does not hold {count} vectors of {packed_bytes} bytes")
    rows = np.frombuffer(payload, np.uint8, offset=2).reshape(count, width)
    ticks = rows[:, :4].copy().view("<u4").ravel() if tick_bytes else None
    return rows[:, tick_bytes:], ticks


def error_payload(code: int, detail: int) -> bytes:
    """Return the ERROR payload."""
    return _ERROR.pack(code, detail)


def read_error(payload: bytes) -> tuple[int, int]:
    """Return (code, detail) of an ERROR payload; (0, 0) if it is too short."""
    return _ERROR.unpack_from(payload) if len(payload) >= _ERROR.size else (0, 0)


def result_bytes(count: int, packed_bytes: int, tick_bytes: int) -> int:
    """Return the size of a RESULT payload."""
    return 2 + count * (packed_bytes + tick_bytes)
