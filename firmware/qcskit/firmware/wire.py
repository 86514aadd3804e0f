"""Just enough of docs/protocol.md to see that a board answers and to feed it vectors while it is being measured.

The link with windows, retries and statistics is qcskit.hil, which builds on this package and not the other way round.
"""

import contextlib
import os
import select
import socket
import time
import zlib
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from cobs import cobs
from numpy.typing import NDArray

from qcskit.firmware.errors import FirmwareError


@dataclass(frozen=True)
class Info:
    """What INFO says, as far as it is needed here."""

    model_id: str
    inputs: int
    packed_bytes: int
    rx_bytes: int
    max_batch: int

    @classmethod
    def parse(cls, payload: bytes) -> Self:
        """Return the fields of an INFO payload."""
        word = np.frombuffer(payload[12:24], "<u2")
        return cls(payload[4:12].hex(), int(word[0]), int(word[4]), int(word[5]), payload[24])


class Wire:
    """A raw connection to `socket://host:port` or a terminal's path; one request at a time."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._resources = contextlib.ExitStack()
        if url.startswith("socket://"):
            host, _, port = url.removeprefix("socket://").partition(":")
            line = self._resources.enter_context(socket.create_connection((host, int(port)), timeout_s))
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._fd = line.fileno()
            os.set_blocking(self._fd, False)
        else:
            self._fd = os.open(url, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            self._resources.callback(os.close, self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._resources.close()

    def ask(self, kind: int, payload: bytes = b"") -> bytes:
        """Return the payload of the reply to a request. Raises TimeoutError, OSError if the line is gone."""
        body = bytes([1, kind, 0, 0]) + payload
        left = b"\0" + cobs.encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"
        received, deadline = b"", time.monotonic() + self._timeout_s
        while (wait := deadline - time.monotonic()) > 0:
            readable, writable, _ = select.select([self._fd], [self._fd] if left else [], [], wait)
            if writable:
                left = left[os.write(self._fd, left) :]
            if readable:
                chunk = os.read(self._fd, 65536)
                if not chunk:
                    raise ConnectionError("the other end closed the line")
                *parts, received = (received + chunk).split(b"\0")
                for part in parts:
                    reply = _unframe(part)
                    if reply is not None and reply[1] == kind | 0x80:
                        return reply[4:]
                    if reply is not None and reply[1] == 0xFF:
                        raise FirmwareError(f"the board answered request {kind} with error {reply[4]}")
        raise TimeoutError("no answer")


def _unframe(part: bytes) -> bytes | None:
    try:
        body = cobs.decode(part)
    except cobs.DecodeError:
        return None
    if len(body) < 8 or zlib.crc32(body[:-4]) != int.from_bytes(body[-4:], "little"):
        return None
    return body[:-4]


def encode_vectors(url: str, x: NDArray[Any], timeout_s: float = 30.0) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]:
    """Return packed bytes (frames, packed_bytes) and ticks (frames,) from the board; ticks are 0 where it has none.

    x: int8 network inputs or int16 counts, (frames, M), sent one vector per request.
    """
    kind = 2 if x.dtype == np.int16 else 1
    packed, ticks = [], []
    with Wire(url, timeout_s) as wire:
        for vector in x:
            reply = wire.ask(2, bytes([kind, 1]) + vector.tobytes())
            tick_bytes = reply[1]
            ticks.append(int.from_bytes(reply[2 : 2 + tick_bytes], "little"))
            packed.append(reply[2 + tick_bytes :])
    return np.frombuffer(b"".join(packed), np.uint8).reshape(len(x), -1), np.array(ticks, np.uint32)
