"""Frames on a byte stream: COBS between zeros, CRC-32 inside (docs/protocol.md, *Framing*).

The parser takes bytes in any portions and never raises: what is no frame goes to a log callback.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from cobs import cobs

PROTOCOL_VERSION = 2
OVERHEAD_BYTES = 8
"""Header and CRC of a body."""

_HEADER = struct.Struct("<BBH")
_MAX_STRETCH_BYTES = 70_000
"""Longest stretch worth keeping: a body with a u16 buffer size, COBS overhead included."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: protocol version, message type, sequence number, payload."""

    version: int
    type: int
    seq: int
    payload: bytes


def encode_frame(type_: int, seq: int, payload: bytes = b"", version: int = PROTOCOL_VERSION) -> bytes:
    """Return the bytes on the line, both zeros included.

    type_, version: 0 … 255; seq: 0 … 65535. Raises struct.error outside these ranges.
    >>> encode_frame(1, 0x1234).hex(" ")
    '00 09 02 01 34 12 1f ff 1c c2 00'
    """
    body = _HEADER.pack(version, type_, seq) + payload
    stuffed: bytes = cobs.encode(body + zlib.crc32(body).to_bytes(4, "little"))
    return b"\0" + stuffed + b"\0"


def wire_bytes(payload_bytes: int) -> int:
    """Return the most bytes that a frame with this payload takes on the line, both zeros included.

    >>> wire_bytes(0), wire_bytes(246), wire_bytes(1000)
    (11, 258, 1014)
    """
    body = payload_bytes + OVERHEAD_BYTES
    return body + 3 + body // 254


def decode_stretch(stretch: bytes) -> Frame | None:
    """Return the frame that lies between two zeros, or None if it is none."""
    try:
        body = cobs.decode(stretch)
    except cobs.DecodeError:
        return None
    if len(body) < OVERHEAD_BYTES or zlib.crc32(body[:-4]) != int.from_bytes(body[-4:], "little"):
        return None
    version, type_, seq = _HEADER.unpack_from(body)
    return Frame(version, type_, seq, body[4:-4])


class FrameParser:
    """Incremental parser; what is no frame goes to `on_text` (log text, damaged frames).

    >>> parser = FrameParser(lambda text: print("log:", text))
    >>> parser.feed(b"boot" + encode_frame(3, 7, b"hi")[:5]), [f.payload for f in parser.feed(encode_frame(3, 7, b"hi")[5:])]
    log: b'boot'
    ([], [b'hi'])
    """  # noqa: E501

    def __init__(self, on_text: Callable[[bytes], None] | None = None) -> None:
        self._on_text = on_text
        self._held = bytearray()
        self._broken = False
        self.text_stretches = 0
        """Stretches that were no frame so far."""
        self.text_bytes = 0
        """Bytes in them."""

    def feed(self, data: bytes) -> list[Frame]:
        """Take bytes as they came; return the frames that they complete, in order."""
        self._held += data
        frames: list[Frame] = []
        if b"\0" in data:
            *stretches, rest = bytes(self._held).split(b"\0")
            self._held = bytearray(rest)
            for stretch in stretches:
                frame = None if self._broken or not stretch else decode_stretch(stretch)
                if frame is not None:
                    frames.append(frame)
                elif stretch or self._broken:
                    self._text(stretch)
                self._broken = False
        if len(self._held) > _MAX_STRETCH_BYTES:
            self._emit(bytes(self._held))
            self._held.clear()
            self._broken = True
        return frames

    def flush(self) -> None:
        """Pass on what is held although no zero followed (the end of a log, a silent line)."""
        if self._held:
            self._text(bytes(self._held))
            self._held.clear()
            self._broken = True

    def _text(self, stretch: bytes) -> None:
        self.text_stretches += 1
        self._emit(stretch)

    def _emit(self, text: bytes) -> None:
        self.text_bytes += len(text)
        if self._on_text is not None and text:
            self._on_text(text)
