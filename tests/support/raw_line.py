"""A third, minimal implementation of docs/protocol.md, independent of the product's, for tests of the agent."""

import struct
import time
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import serial
from cobs import cobs


def frame(kind: int, seq: int, payload: bytes = b"", version: int = 2) -> bytes:
    body = struct.pack("<BBH", version, kind, seq) + payload
    return b"\0" + cobs.encode(body + struct.pack("<I", zlib.crc32(body))) + b"\0"


def unframe(part: bytes) -> tuple[int, int, bytes] | None:
    """(type, seq, payload) of what lay between two zeros, None if it is no frame."""
    try:
        body = cobs.decode(part)
    except cobs.DecodeError:
        return None
    if len(body) < 8 or zlib.crc32(body[:-4]) != struct.unpack("<I", body[-4:])[0]:
        return None
    _version, kind, seq = struct.unpack("<BBH", body[:4])
    return kind, seq, body[4:-4]


INFO = struct.Struct("<B3s8sHHHBBHHBBIH")


@dataclass
class Line:
    """A serial line; `log` collects what was no frame."""

    url: str

    def __post_init__(self) -> None:
        self.port = serial.serial_for_url(self.url, timeout=0.2)
        self.held = b""
        self.log: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.port.write(data)

    def receive(self, within_s: float = 10.0) -> tuple[int, int, bytes]:
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            while b"\0" in self.held:
                part, self.held = self.held.split(b"\0", 1)
                found = unframe(part) if part else None
                if found:
                    return found
                if part:
                    self.log.append(part)
            self.held += self.port.read(max(1, self.port.in_waiting))
        raise TimeoutError(f"no frame; so far {self.held!r}, log {self.log!r}")

    def ask(self, kind: int, payload: bytes = b"", seq: int = 7) -> tuple[int, int, bytes]:
        self.send(frame(kind, seq, payload))
        return self.receive()

    def info(self) -> dict[str, Any]:
        kind, _seq, payload = self.ask(1)
        assert kind == 0x81
        names = ("protocol firmware model_id inputs outputs levels codec input_types packed_bytes_max rx_bytes "
                 "max_batch tick_source tick_hz windows")  # fmt: skip
        return dict(zip(names.split(), INFO.unpack(payload), strict=True))

    def encode(self, x: np.ndarray, info: dict[str, Any]) -> tuple[list[bytes], list[int]]:
        """(packets, ticks) of vectors, batch by batch, one frame on the way."""
        kind = {np.dtype(np.int8): 1, np.dtype(np.int16): 2}[x.dtype]
        room = info["rx_bytes"] - 16 - info["rx_bytes"] // 254
        batch = max(1, min(info["max_batch"], room // (x.itemsize * x.shape[1])))
        packets, ticks = [], []
        for start in range(0, len(x), batch):
            part, wanted = x[start : start + batch], (start // batch) & 0xFFFF
            answer, seq, payload = self.ask(2, bytes([kind, len(part)]) + part.tobytes(), wanted)
            assert (answer, seq, payload[0]) == (0x82, wanted, len(part)), payload
            at = 1
            for _ in range(len(part)):
                tick, length = struct.unpack_from("<IH", payload, at)
                packets.append(payload[at + 6 : at + 6 + length])
                ticks.append(tick)
                at += 6 + length
            assert at == len(payload)
        return packets, ticks
