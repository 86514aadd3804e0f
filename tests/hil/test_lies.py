"""Boards that lie, one lie each: no wrong packet is ever reported right, and no run hangs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from support.line import PretendBoard, TimelessLine

from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.firmware.protocol.framing import Frame, decode_stretch, encode_frame
from qcskit.firmware.protocol.messages import Counts, Info, Type, error_payload
from qcskit.hil import Device
from qcskit.hil.config import HilConfig
from qcskit.hil.session import Run, failures, run_session
from qcskit.hil.vectors import VectorSet

VECTORS, BATCH = 60, 5
RECORD = 6 + 4


@dataclass(frozen=True)
class Lie:
    """About replies to `request`. end: "error", "differs" (mismatches), "fails" (without any), or "harmless".

    payload(right): in place of the right one. wire(frame, right): what goes on the line instead, else.
    """

    request: Type
    end: str
    payload: Callable[[bytes], bytes] = bytes
    wire: Callable[[Frame, bytes], bytes] | None = None


def info(end: str, **changes: Any) -> Lie:
    return Lie(Type.HELLO, end, lambda right: replace(Info.from_payload(right), **changes).to_payload())


def counts(end: str, **changes: int) -> Lie:
    return Lie(Type.STATS, end, lambda right: replace(Counts.from_payload(right), **changes).to_payload())


def as_type(request: Type, type_: int) -> Lie:
    """The right payload under another type."""
    return Lie(request, "error", wire=lambda frame, right: encode_frame(type_, frame.seq, payload_of(right)))


def error(code: int) -> Lie:
    return Lie(
        Type.ENCODE, "error", wire=lambda frame, right: encode_frame(Type.ERROR, frame.seq, error_payload(code, 5))
    )


def moved(distance: int, also_right: bool) -> Lie:
    """Wrong packets under another number, alone or before the right ones."""

    def wire(frame: Frame, right: bytes) -> bytes:
        wrong = payload_of(right)[:-1] + b"\xa5"
        return encode_frame(Type.RESULT, (frame.seq + distance) % 65536, wrong) + right * also_right

    return Lie(Type.ENCODE, "harmless" if also_right else "error", wire=wire)


def payload_of(wire: bytes) -> bytes:
    frame = decode_stretch(wire.strip(b"\0"))
    assert frame is not None
    return frame.payload


def cut(length: int, first: bytes) -> Callable[[bytes], bytes]:
    """Give the first packet another length, and these bytes."""
    return lambda right: right[:5] + length.to_bytes(2, "little") + first + right[1 + RECORD :]


def ticks(value: int) -> Callable[[bytes], bytes]:
    def change(right: bytes) -> bytes:
        records = np.frombuffer(right, np.uint8, offset=1).reshape(-1, RECORD).copy()
        records[:, :4] = np.frombuffer(value.to_bytes(4, "little"), np.uint8)
        return right[:1] + records.tobytes()

    return change


class Later:
    """Answers each request with the reply to the one before, under its own number."""

    def __init__(self) -> None:
        self._before: bytes | None = None

    def __call__(self, frame: Frame, right: bytes) -> bytes:
        before, self._before = self._before, payload_of(right)
        alike = before is not None and len(before) == len(self._before)
        return encode_frame(Type.RESULT, frame.seq, before if alike and before else self._before)


class Crossed:
    """Answers every second request, and the one before, each with the other's packets."""

    def __init__(self) -> None:
        self._first: tuple[Frame, bytes] | None = None

    def __call__(self, frame: Frame, right: bytes) -> bytes:
        if self._first is None:
            self._first = frame, right
            return b""
        (other, others), self._first = self._first, None
        pairs = ((other.seq, payload_of(right)), (frame.seq, payload_of(others)))
        return b"".join(encode_frame(Type.RESULT, seq, payload) for seq, payload in pairs)


def encoded(end: str, payload: Callable[[bytes], bytes]) -> Lie:
    return Lie(Type.ENCODE, end, payload)


def on_line(end: str, wire: Callable[[Frame, bytes], bytes], request: Type = Type.ENCODE) -> Lie:
    return Lie(request, end, wire=wire)


LIES: dict[str, Callable[[], Lie]] = {
    "nothing but the truth": lambda: Lie(Type.ENCODE, "harmless"),
    # who it is
    "another model": lambda: info("error", model_id="0123456789abcdef"),
    "fewer inputs": lambda: info("error", inputs=9),
    "more inputs": lambda: info("error", inputs=65535),
    "two windows": lambda: info("error", windows=2),
    "no window": lambda: info("error", windows=0),
    "shorter packets": lambda: info("error", packed_bytes_max=3),
    "longer packets": lambda: info("error", packed_bytes_max=65535),
    "an older protocol": lambda: info("error", protocol=1),
    "a newer protocol": lambda: info("error", protocol=255),
    "no buffer": lambda: info("error", rx_buffer_bytes=0),
    "a buffer for no frame": lambda: info("error", rx_buffer_bytes=20),
    "a buffer without end": lambda: info("harmless", rx_buffer_bytes=65535),
    "no packet per frame": lambda: info("error", max_batch=0),
    "takes nothing": lambda: info("error", input_types=0),
    "takes network inputs only": lambda: info("error", input_types=1),
    "outputs and levels": lambda: info("harmless", outputs=65535, levels=65535),
    "firmware of the future": lambda: info("harmless", firmware=(255, 255, 255)),
    "ticks of no rate": lambda: info("harmless", tick_hz=0),
    "INFO cut short": lambda: Lie(Type.HELLO, "error", lambda right: right[:-1]),
    "INFO of nothing": lambda: Lie(Type.HELLO, "error", lambda right: b""),
    "INFO of a later version": lambda: Lie(Type.HELLO, "harmless", lambda right: right + b"more"),
    "a tick source that nobody knows": lambda: Lie(
        Type.HELLO, "harmless", lambda right: right[:25] + b"\x09" + right[26:]
    ),
    "HELLO answered by RESULT": lambda: as_type(Type.HELLO, Type.RESULT),
    # what it encodes
    "one bit": lambda: encoded("differs", lambda right: right[:7] + bytes([right[7] ^ 1]) + right[8:]),
    "the last byte": lambda: encoded("differs", lambda right: right[:-1] + bytes([right[-1] ^ 1])),
    "zeros": lambda: encoded("differs", lambda right: right[:7] + bytes(4) + right[11:]),
    "the order of packets": lambda: encoded(
        "differs", lambda right: right[:1] + right[1 + RECORD :] + right[1 : 1 + RECORD]
    ),
    "a packet cut short": lambda: encoded("differs", lambda right: cut(3, right[7:10])(right)),
    "a packet of no byte": lambda: encoded("error", cut(0, b"")),
    "a packet too long": lambda: encoded("error", cut(5, b"12345")),
    "a length beyond the frame": lambda: encoded("error", cut(65535, b"1234")),
    "one packet more": lambda: encoded("error", lambda right: bytes([right[0] + 1]) + right[1:] + right[-RECORD:]),
    "one packet less": lambda: encoded("error", lambda right: bytes([right[0] - 1]) + right[1:-RECORD]),
    "another count": lambda: encoded("error", lambda right: bytes([right[0] ^ 1]) + right[1:]),
    "a byte more": lambda: encoded("error", lambda right: right + b"\0"),
    "a byte less": lambda: encoded("error", lambda right: right[:-1]),
    "RESULT of nothing": lambda: encoded("error", lambda right: b""),
    "no ticks": lambda: encoded("harmless", ticks(0)),
    "endless ticks": lambda: encoded("harmless", ticks(2**32 - 1)),
    "the answer before": lambda: on_line("differs", Later()),
    "two answers crossed": lambda: on_line("differs", Crossed()),
    "the number after": lambda: moved(300, also_right=False),
    "a number that was never given": lambda: moved(300, also_right=True),
    "a number of long ago": lambda: moved(-300, also_right=True),
    "everything twice": lambda: on_line("harmless", lambda frame, right: right + right),
    "a log between": lambda: on_line("harmless", lambda frame, right: b"\x1b[2Jok\r\n" + right + b"\xff" * 300),
    "a wrong checksum": lambda: on_line(
        "error", lambda frame, right: right[:-2] + bytes([right[-2] % 255 + 1]) + right[-1:]
    ),
    "half a frame": lambda: on_line("error", lambda frame, right: right[: len(right) // 2]),
    "no end": lambda: on_line("error", lambda frame, right: b"\1" * 1000),
    "nothing": lambda: on_line("error", lambda frame, right: b""),
    "another version's RESULT": lambda: on_line(
        "error", lambda frame, right: encode_frame(Type.RESULT, frame.seq, b"", 3)
    ),
    "ENCODE answered by ECHOED": lambda: as_type(Type.ENCODE, Type.ECHOED),
    "ENCODE answered by its own frame": lambda: as_type(Type.ENCODE, Type.ENCODE),
    "ENCODE answered by INFO": lambda: as_type(Type.ENCODE, Type.INFO),
    "ENCODE answered by no type": lambda: as_type(Type.ENCODE, 0x93),
    "an error without a code": lambda: on_line("error", lambda frame, right: encode_frame(Type.ERROR, frame.seq)),
    **{f"error {code}": partial(error, code) for code in (*range(8), 255)},
    # what it counted
    "it was restarted": lambda: counts("harmless", frames=0),  # entry says so
    "frames that nobody sent": lambda: counts("fails", frames=100_000),
    "damage that nobody saw": lambda: counts("harmless", crc_errors=7),
    "COUNTS cut short": lambda: Lie(Type.STATS, "error", lambda right: right[:-1]),
    "an echo that is changed": lambda: Lie(Type.ECHO, "error", lambda right: right[:-1] + b"!"),
    "an echo of nothing": lambda: Lie(Type.ECHO, "error", lambda right: b""),
    "RESET answered by COUNTS": lambda: as_type(Type.RESET, Type.COUNTS),
}


def outcome(codec: Codec, lie: Lie, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run on the board that tells this lie."""
    vectors, config = VectorSet(codec, VECTORS), HilConfig(vectors=VECTORS, batch=BATCH)

    def reply(frame: Frame, right: bytes) -> bytes:
        if frame.type != lie.request:
            return right
        if lie.wire is not None:
            return lie.wire(frame, right)
        return encode_frame(frame.type + 0x80, frame.seq, lie.payload(payload_of(right)))

    line: Any = TimelessLine(PretendBoard(vectors, reply=reply).answer, monkeypatch)
    entry, told = None, ""
    try:
        device = Device(line, codec, timeout_s=0.5, give_up_s=5.0, batch=BATCH)
        entry = run_session(device, vectors, Run("pretended", config))
    except QcsError as refused:
        told = str(refused)
    assert "\n" not in told
    assert line.now_s < 60.0
    if entry is None:
        return "error"
    assert entry["answered"] == VECTORS
    if entry["mismatches"]["count"]:
        assert failures(entry, config)
        return "differs"
    return "fails" if failures(entry, config) else "harmless"


@pytest.mark.parametrize("name", LIES)
def test_no_lie_is_believed(name: str, codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    lie = LIES[name]()
    assert outcome(codec, lie, monkeypatch) == lie.end
