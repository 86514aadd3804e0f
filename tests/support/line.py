"""A bad line between host and board: limited rate, latency, lost, flipped and doubled bytes, resets, a pulled plug.

A proxy with one thread: hosts connect to `.url` (a socket), the board is whatever pyserial opens or a factory of
emulated boards. Used by the tests and benchmarks; only `Pretender` and `PretendBoard` are no boards.
"""

import contextlib
import heapq
import itertools
import os
import select
import socket
import threading
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from qcskit import firmware
from qcskit.codec.codecs import find_family
from qcskit.codec.interface import Codec
from qcskit.firmware.protocol.framing import Frame, FrameParser, decode_stretch, encode_frame
from qcskit.firmware.protocol.messages import Counts, Info, Type, result_payload
from qcskit.hil import exchange, line, stream
from qcskit.hil.vectors import VectorSet

_PIECE_S = 0.001
_GATHER_S = 0.0005
_READ_BYTES = 65536
Board = contextlib.AbstractContextManager[Any]
"""Something that runs while its context is open and has `.url`."""


@dataclass(frozen=True)
class Faults:
    """What happens to bytes and frames, as probabilities.

    lost, flipped, doubled: per byte, both ways. swapped, repeated: per frame on the way to the host (order of replies,
    second delivery). reset_every: the board restarts after serving this many requests; what is on the way is lost.
    """

    lost: float = 0.0
    flipped: float = 0.0
    doubled: float = 0.0
    swapped: float = 0.0
    repeated: float = 0.0
    reset_every: int = 0

    @classmethod
    def each(cls, share: float, reset_every: int = 0) -> "Faults":
        """Return faults that hit the fraction `share` of all bytes, a third each lost, flipped and doubled."""
        return cls(share / 3, share / 3, share / 3, reset_every=reset_every)


@dataclass(frozen=True)
class Line:
    """baud: line rate of 10-bit characters, 0 unlimited. latency_s: added to everything the board sends.

    to_board, to_host: what the line makes of bytes, in portions as they come.
    """

    baud: int = 0
    latency_s: float = 0.0
    to_board: Callable[[bytes], bytes] = bytes
    to_host: Callable[[bytes], bytes] = bytes


def native_firmware(codec: Codec) -> Path:
    """Return the firmware of a codec for board `native`."""
    return firmware.build("native", firmware.c_directory(codec.checked_c_files()), codec.name)


class _Way:
    """One direction: a token bucket and what is under way."""

    def __init__(self, byte_s: float, latency_s: float) -> None:
        self._byte_s, self._latency_s = byte_s, latency_s
        self._free_s = 0.0
        self._queue: list[tuple[float, int, bytes]] = []
        self._number = itertools.count()
        self.bytes = 0

    def put(self, data: bytes, now: float) -> None:
        """Line up bytes that arrive now."""
        self.bytes += len(data)
        piece = max(1, int(_PIECE_S / self._byte_s)) if self._byte_s else len(data) or 1
        for start in range(0, len(data), piece):
            part = data[start : start + piece]
            self._free_s = max(self._free_s, now) + len(part) * self._byte_s
            heapq.heappush(self._queue, (self._free_s + self._latency_s, next(self._number), part))

    def due(self, now: float) -> bytes:
        """Return the bytes whose time has come."""
        parts = []
        while self._queue and self._queue[0][0] <= now:
            parts.append(heapq.heappop(self._queue)[2])
        return b"".join(parts)

    def next_s(self) -> float | None:
        """Return when the next bytes are due."""
        return self._queue[0][0] if self._queue else None

    def drop(self) -> None:
        """Lose everything under way."""
        self._queue.clear()


class LinkSimulator:
    """A line with faults between a host and a board; a context manager.

    board: called for each (re)start of the board. url: where the host connects.
    resets: how often the board was restarted.
    """

    def __init__(
        self, board: Callable[[], Board], line: Line | None = None, faults: Faults | None = None, seed: int = 0
    ) -> None:
        self._start_board = board
        self.faults = faults or Faults()
        self._line = line = line or Line()
        self._rng = np.random.default_rng(seed)
        byte_s = 10.0 / line.baud if line.baud else 0.0
        self.up, self.down = _Way(byte_s, 0.0), _Way(byte_s, line.latency_s)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        self._host: socket.socket | None = None
        self._wake_read, self._wake_write = os.pipe()
        self._commands: list[tuple[Callable[[], None], threading.Event]] = []
        self._damages = self.faults.lost + self.faults.flipped + self.faults.doubled > 0.0
        self._served = self.resets = 0
        self._served_rest, self._served_seq = b"", -1
        self._served_rest = self._down_rest = self._up_stuck = self._down_stuck = b""
        self._held: bytes | None = None
        self._stop = False
        self._board: Board | None = None
        self._spare: Board | None = None
        self._spare_thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._attach(self._start_board().__enter__())
        if self.faults.reset_every:
            self._prepare_spare()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop = True
        os.write(self._wake_write, b"x")
        self._thread.join()
        self._unplug()
        if self._spare_thread is not None:
            self._spare_thread.join()
        for board in (self._board, self._spare):
            if board is not None:
                board.__exit__(None, None, None)
        os.close(self._device)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def unplug(self) -> None:
        """Pull the cable: the host loses its connection and finds nothing at `.url`."""
        self._do(self._unplug)

    def plug(self) -> None:
        """Put it back: `.url` answers again."""
        self._do(self._plug)

    def reset(self) -> None:
        """Restart the board; what is on the way is lost."""
        self._do(self._reset)

    # ---- the proxy's own thread ----

    def _do(self, command: Callable[[], None]) -> None:
        done = threading.Event()
        self._commands.append((command, done))
        os.write(self._wake_write, b"x")
        done.wait()

    def _run(self) -> None:
        while not self._stop:
            now = time.monotonic()
            self._deliver(now)
            due = [t for t in (self.up.next_s(), self.down.next_s()) if t is not None]
            wait = max(0.0, min([*due, now + 1.0]) - now)
            sources: list[Any] = [self._device, self._wake_read]
            if self._host or self._server.fileno() >= 0:
                sources.append(self._host or self._server)
            stuck: list[Any] = [self._device] if self._up_stuck else []
            if self._down_stuck and self._host:
                stuck.append(self._host)
            ready, _, _ = select.select(sources, stuck, [], wait)
            if self._damages:
                time.sleep(_GATHER_S)  # damage is drawn per portion: few large ones cost least
            now = time.monotonic()
            for source in ready:
                self._take(source, now)

    def _take(self, source: Any, now: float) -> None:
        if source is self._wake_read:
            os.read(source, 64)
            while self._commands:
                command, done = self._commands.pop(0)
                command()
                done.set()
        elif source is self._server:
            self._host = self._server.accept()[0]
            self._host.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._host.setblocking(False)
            self._down_stuck = b""
        elif source is self._host:
            self._take_host(now)
        elif source == self._device:
            with contextlib.suppress(OSError):
                data = os.read(self._device, _READ_BYTES)
                self.down.put(self._line.to_host(self._damage(self._reorder(data))), now)
                if self.faults.reset_every:
                    self._count_served(data)

    def _take_host(self, now: float) -> None:
        assert self._host is not None
        try:
            data = self._host.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._host.close()
            self._host = None
            return
        self.up.put(self._line.to_board(self._damage(data)), now)

    def _deliver(self, now: float) -> None:
        self._up_stuck += self.up.due(now)
        self._down_stuck += self.down.due(now)
        if self._up_stuck:
            with contextlib.suppress(OSError):  # full, or a board that died
                self._up_stuck = self._up_stuck[os.write(self._device, self._up_stuck) :]
        if self._down_stuck and self._host:
            with contextlib.suppress(OSError):
                self._down_stuck = self._down_stuck[self._host.send(self._down_stuck) :]

    # ---- faults ----

    def _damage(self, data: bytes) -> bytes:
        faults = self.faults
        if not data or not self._damages:
            return data
        values = np.frombuffer(data, np.uint8).copy()
        dice = self._rng.random(len(values))
        flip = (dice >= faults.lost) & (dice < faults.lost + faults.flipped)
        values[flip] ^= self._rng.integers(1, 256, int(flip.sum()), np.uint8)
        copies = np.ones(len(values), np.int64)
        copies[dice < faults.lost] = 0
        copies[dice >= 1.0 - faults.doubled] = 2
        return np.repeat(values, copies).tobytes()

    def _reorder(self, data: bytes) -> bytes:
        faults = self.faults
        if faults.swapped + faults.repeated == 0.0:
            return data
        *frames, self._down_rest = (self._down_rest + data).split(b"\0")
        out = []
        for frame in frames:
            if not frame:
                continue
            if self._held is None and self._rng.random() < faults.swapped:
                self._held = frame
                continue
            out.append(frame)
            if self._held is not None:
                out.append(self._held)
                self._held = None
            if self._rng.random() < faults.repeated:
                out.append(frame)
        return b"".join(b"\0" + frame + b"\0" for frame in out)

    def _count_served(self, data: bytes) -> None:
        """Restart the board once it has served enough requests; a repeated RESULT counts once."""
        *stretches, self._served_rest = (self._served_rest + data).split(b"\0")
        for stretch in stretches:
            frame = decode_stretch(stretch) if stretch else None
            if frame is not None and frame.type == Type.RESULT and frame.seq != self._served_seq:
                self._served_seq = frame.seq
                self._served += 1
        if self._served >= self.faults.reset_every:
            self._served = 0
            self._reset()

    # ---- board and plug ----

    def _attach(self, board: Any) -> None:
        self._board = board
        if board.url.startswith("socket://"):
            host, port = board.url.removeprefix("socket://").split(":")
            self._device = socket.create_connection((host, int(port))).detach()
        else:
            self._device = os.open(board.url, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(self._device)
        os.set_blocking(self._device, False)

    def _prepare_spare(self) -> None:
        def work() -> None:
            self._spare = self._start_board().__enter__()

        self._spare_thread = threading.Thread(target=work, daemon=True)
        self._spare_thread.start()

    def _reset(self) -> None:
        old = self._board
        os.close(self._device)
        self.up.drop()
        self.down.drop()
        self._served_rest = self._down_rest = self._up_stuck = self._down_stuck = b""
        self._held = None
        if self._spare_thread is None:
            self._prepare_spare()
        assert self._spare_thread is not None
        self._spare_thread.join()
        self._attach(self._spare)
        self._spare = None
        self._prepare_spare()
        if old is not None:
            threading.Thread(target=old.__exit__, args=(None, None, None), daemon=True).start()
        self.resets += 1

    def _unplug(self) -> None:
        for end in (self._host, self._server):
            if end is not None:
                end.close()
        self._host = None
        self.up.drop()
        self.down.drop()

    def _plug(self) -> None:
        host, port = self.url.removeprefix("socket://").split(":")
        self._server = socket.create_server((host, int(port)))


class Pretender:
    """A port that answers every frame with `answer(frame)`, and everything else with `answer(None)`; raw bytes."""

    def __init__(self, answer: Callable[[Frame | None], bytes]) -> None:
        self._answer = answer
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"socket://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        line, _ = self._server.accept()
        parser = FrameParser()
        with line, contextlib.suppress(OSError):
            while data := line.recv(4096):
                for frame in parser.feed(data) or [None]:
                    line.sendall(self._answer(frame))


class PretendBoard:
    """A board that answers as it is told: the right packets of `vectors`, each made into `packet(number, right)`.

    tick(number): ticks of an encode, at 1 MHz. reply(frame, right): what goes on the line, instead of `right`.
    requests: every frame that came. frames: how many since RESET.
    """

    def __init__(
        self, vectors: VectorSet, *, packet: Callable[[int, bytes], bytes] = lambda number, right: right,
        tick: Callable[[int], int] = lambda number: number + 1,
        reply: Callable[[Frame, bytes], bytes] = lambda frame, right: right,
    ) -> None:  # fmt: skip
        self._packet, self._tick, self._reply = packet, tick, reply
        codec, values = vectors.codec, vectors.values()
        self._answers = {row.tobytes(): (n, codec.encode_any(row[None])[0]) for n, row in enumerate(values)}
        self._row_bytes = values[0].nbytes
        self._info = Info(
            2, (9, 8, 7), codec.bundle.manifest.model_id, codec.inputs, 0, 0, find_family(codec.kind).number, 0x83,
            codec.packed_bytes_max, 4096, 255, "cycles", 1_000_000, codec.windows,
        )  # fmt: skip
        self.frames = 0
        self.requests: list[Frame] = []

    @cached_property
    def url(self) -> str:
        """Where it answers, from the first time that someone asks."""
        return Pretender(self.answer).url

    def answer(self, frame: Frame | None) -> bytes:
        """Return what goes on the line for a frame."""
        if frame is None:
            return b""
        self.requests.append(frame)
        self.frames += 1
        return self._reply(frame, encode_frame(frame.type + 0x80, frame.seq, self._payload(frame)))

    def _payload(self, frame: Frame) -> bytes:
        match frame.type:
            case Type.HELLO:
                return self._info.to_payload()
            case Type.ENCODE:
                found = [self._answers[row] for row in self.rows(frame)]
                packets = [self._packet(number, right) for number, right in found]
                return result_payload(packets, [self._tick(number) for number, _ in found])
            case Type.STATS:
                return Counts(self.frames, 0, 0, 0).to_payload()
            case Type.RESET:
                self.frames = 0
        return frame.payload

    def rows(self, frame: Frame) -> list[bytes]:
        """Return the values of an ENCODE frame, one vector each."""
        return [frame.payload[at : at + self._row_bytes] for at in range(2, len(frame.payload), self._row_bytes)]

    def numbers(self, frame: Frame) -> list[int]:
        """Return which vectors an ENCODE frame asks for."""
        return [self._answers[row][0] for row in self.rows(frame)]


class TimelessLine:
    """A `Link` whose time passes only while the host waits in vain: no test of a time-out waits for it.

    answer: as for a `Pretender`. now_s: the time so far.
    """

    name, baud = "pretended", 115_200

    def __init__(self, answer: Callable[[Frame], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
        self._answer, self._parser = answer, FrameParser()
        self._held: list[bytes] = []
        self.bytes_sent = self.bytes_received = 0
        self.now_s = 0.0
        for module in (exchange, line, stream):
            monkeypatch.setattr(module, "time", self)

    def monotonic(self) -> float:
        """Stand in for `time.monotonic`."""
        return self.now_s

    def write(self, data: bytes) -> None:
        """Take what the host sends."""
        self.bytes_sent += len(data)
        self._held += filter(None, map(self._answer, self._parser.feed(data)))

    def read(self, timeout_s: float) -> bytes:
        """Return the next answer; let the time-out pass if there is none."""
        data = self._held.pop(0) if self._held else b""
        self.bytes_received += len(data)
        if not data:
            self.now_s += timeout_s + 1e-6
        return data

    def close(self) -> None:
        """Do nothing."""
