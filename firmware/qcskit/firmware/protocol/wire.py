"""A plain connection, one request at a time: to see that a board answers, and to feed it while it is being measured.

The link with windows, retries and statistics is qcskit.hil, which builds on this package and not the other way round.
"""

import contextlib
import os
import select
import socket
import time
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from qcskit.firmware.errors import FirmwareError
from qcskit.firmware.protocol.framing import FrameParser, encode_frame
from qcskit.firmware.protocol.messages import (
    ERROR_CODES,
    Answers,
    Info,
    Type,
    encode_payload,
    largest_batch,
    read_error,
    read_result,
)


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

    def ask(self, kind: Type, payload: bytes = b"") -> bytes:
        """Return the payload of the reply to a request. Raises TimeoutError, OSError if the line is gone."""
        left, parser, deadline = encode_frame(kind, 0, payload), FrameParser(), time.monotonic() + self._timeout_s
        while (wait := deadline - time.monotonic()) > 0:
            readable, writable, _ = select.select([self._fd], [self._fd] if left else [], [], wait)
            if writable:
                left = left[os.write(self._fd, left) :]
            if readable:
                chunk = os.read(self._fd, 65536)
                if not chunk:
                    raise ConnectionError("the other end closed the line")
                for frame in parser.feed(chunk):
                    if frame.type == kind | 0x80:
                        return frame.payload
                    if frame.type == Type.ERROR:
                        code, detail = read_error(frame.payload)
                        reason = ERROR_CODES.get(code, f"error {code}")
                        raise FirmwareError(f"the board refused {kind.name}: {reason} (detail {detail})")
        raise TimeoutError("no answer")

    def info(self) -> Info:
        """Return what the board says of itself."""
        return Info.from_payload(self.ask(Type.HELLO))

    def encode(self, info: Info, x: NDArray[Any], batch: int = 255) -> Answers:
        """Return the answers to int8 network inputs or int16 counts (packets, M), at most `batch` per request."""
        most = largest_batch(x.itemsize * info.inputs, info.rx_buffer_bytes, min(batch, info.max_batch))
        if most == 0:
            raise FirmwareError(f"the board's buffer of {info.rx_buffer_bytes} bytes holds no packet of {info.inputs} "
                                f"inputs")  # fmt: skip
        parts = []
        for at in range(0, len(x), most):
            part = x[at : at + most]
            reply = self.ask(Type.ENCODE, encode_payload(part))
            parts.append(read_result(reply, len(part), info.packed_bytes_max))
        if not parts:
            return read_result(b"\0", 0, info.packed_bytes_max)
        return Answers(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def encode_packets(url: str, x: NDArray[Any], timeout_s: float = 30.0) -> Answers:
    """Return a board's answers to int8 network inputs or int16 counts (packets, M), sent one packet per request."""
    with Wire(url, timeout_s) as wire:
        return wire.encode(wire.info(), x, batch=1)
