"""`Device`: a board on a port, checked against a bundle, that encodes vectors."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.codecs import opened
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec, Packets
from qcskit.firmware import Emulator
from qcskit.firmware.protocol.framing import PROTOCOL_VERSION, wire_bytes
from qcskit.firmware.protocol.messages import Counts, Info, Type, largest_batch
from qcskit.hil.adapt import LinkModel, Shape
from qcskit.hil.errors import DeviceError, LinkError, LinkLostError, SilentError, WrongDeviceError
from qcskit.hil.exchange import Exchange, HostCounts, OnText, other_version, read_reply
from qcskit.hil.journal import Recorder
from qcskit.hil.line import explained
from qcskit.hil.link import Link, board_of, start_emulated
from qcskit.hil.stream import Answer, EncodeStream, Vectors

TIMEOUT_S = 1.0
GIVE_UP_S = 10.0
RECONNECT_S = 10.0
_TRIAL_S = 0.5


class Encoded(NamedTuple):
    """What a board gave for vectors. ticks: uint32 (count,), of each encode; 0 where it has no tick source."""

    packets: Packets
    ticks: NDArray[np.uint32]


class Options(TypedDict, total=False):
    """How patiently to talk to a board. timeout_s: longest wait for a reply beyond the line's own time.

    give_up_s: silence after which nothing is asked again. reconnect_s: how long a port that vanished is waited for.
    batch: packets per frame; None: chosen from buffer and losses. on_text: called with each line of the board's log.
    """

    timeout_s: float
    give_up_s: float
    reconnect_s: float
    batch: int | None
    on_text: OnText


class Device(contextlib.AbstractContextManager["Device"]):
    """A board that answers the protocol. Use `Device.open`, or build one on a Link of your own.

    info: what it said of itself: model id, sizes, tick source. codec: what it must match, or None to take any firmware.
    Raises WrongDeviceError if version, model id or dimensions do not match, SilentError if nothing answers: both are
    QcsErrors.
    >>> from qcskit.codec import open_codec
    >>> from qcskit.hil import Device
    >>> codec = open_codec("bundle")
    >>> x, y = codec.draw(100, seed=1)
    >>> with Device.open("emu:native", codec) as board:
    ...     board
    ...     packets, ticks = board.encode(codec.counts(y))
    <Device emu:native: learned codec 3b..., 10 counts to at most 4 bytes, ticks in timer>
    >>> bool(packets.differ(codec.encode(y)).any())
    False
    """

    def __init__(
        self, link: Link, codec: Codec | None = None, *, timeout_s: float = TIMEOUT_S, give_up_s: float = GIVE_UP_S,
        reconnect_s: float = RECONNECT_S, batch: int | None = None, on_text: OnText = None,
    ) -> None:  # fmt: skip
        self.link, self.codec = link, codec
        self.emulator: Emulator | None = None
        """The one that `open` started, if any."""
        self._batch, self._reconnect_s = batch, reconnect_s
        self.exchange = Exchange(link, timeout_s, give_up_s, on_text)
        while link.read(0.0):
            pass  # it came before anyone asked
        opened_s = time.monotonic()
        with explained(self.exchange):
            self.info = self.hello()
        answered_s = round(time.monotonic() - opened_s, 1)
        hello_failures, times = self.exchange.failed_copies, self.exchange.round_trip
        self.restarted_s = answered_s if self._has_restarted() else None
        """Seconds until a board that restarts when its port is opened (DTR) answered; None if it was up."""
        if self.restarted_s is not None:
            hello_failures = 0  # it was not up: no fault of the line
            self.exchange.transcript.add(
                "!", f"answered after {self.restarted_s} s: opening the port restarts the board"
            )
        times.ceiling_s = times.timeout_s = timeout_s + self.info.rx_buffer_bytes * 10 / link.baud
        self.models = {size: LinkModel(self._shape(size), batch) for size in (1, 2)}
        for model in self.models.values():
            model.note_exchange(wire_bytes(0), wire_bytes(len(self.info.to_payload())), 0, 1, hello_failures)

    @classmethod
    def open(
        cls, port: str | Path, codec: Codec | str | Path | None = None, *, baud: int = 115_200,
        **options: Unpack[Options],
    ) -> Self:  # fmt: skip
        """Open a serial device, a pyserial URL, or `emu:<board>` (needs a codec: builds and starts its firmware).

        codec: that, or the path of its bundle. options: as for `Device(...)`. Raises LinkError, WrongDeviceError,
        SilentError.
        """
        port, codec = str(port), None if codec is None else opened(codec)
        board, emulator = board_of(port), None
        with contextlib.ExitStack() as undo:
            if board is not None:
                if codec is None:
                    raise QcsError(f"port '{port}' needs a bundle to build its firmware from")
                emulator = undo.enter_context(start_emulated(board, codec))
                options["reconnect_s"] = 0.0  # a firmware that dies is a finding, not a loose cable
            link = undo.enter_context(contextlib.closing(Link(emulator.url if emulator else port, baud, port)))
            device = cls(link, codec, **options)
            device.emulator = emulator
            undo.pop_all()
            return device

    def __repr__(self) -> str:
        info = self.info
        return (f"<Device {self.link.name}: {info.kind} codec {info.model_id}, {info.inputs} counts to at most "
                f"{info.packed_bytes_max} bytes, ticks in {info.tick_source}>")  # fmt: skip

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the port; stop the emulator if `open` started one."""
        self.link.close()
        if self.emulator is not None:
            self.emulator.stop()

    @property
    def board(self) -> str | None:
        """Name of the emulated board, None for a real one."""
        return self.emulator.board.name if self.emulator else board_of(self.link.name)

    def hello(self) -> Info:
        """Ask who is there and check it against the codec."""
        info = read_reply(self.link.name, Info.from_payload, self.exchange.request(Type.HELLO).payload)
        if info.protocol != PROTOCOL_VERSION:
            raise other_version(self.link.name, info.protocol)
        if self.codec is not None:
            _check_identity(self.link.name, info, self.codec)
        return info

    def _has_restarted(self) -> bool:
        """Return whether the board, which HELLO had to ask more than once, has counted less than it was sent."""
        sent = self.exchange.counts.frames_sent
        if not self.exchange.counts.timeouts:
            return False
        with contextlib.suppress(SilentError, DeviceError):
            reply = self.exchange.request(Type.STATS, give_up_s=_TRIAL_S)
            seen = read_reply(self.link.name, Counts.from_payload, reply.payload)
            return seen.frames - 1 + seen.crc_errors < sent
        return False

    def encode(self, vectors: Vectors) -> Encoded:
        """Return packets and ticks of int8 network inputs or int16 ADC counts (count, inputs).

        ticks: uint32 (count,), of each encode; 0 where the board has no tick source.
        """
        recorder = Recorder(len(vectors), self.info.packed_bytes_max)
        for answer in self.stream(vectors, [(0, len(vectors))]):
            recorder.take(answer)
        return Encoded(recorder.packets(), recorder.ticks)

    def stream(self, vectors: Vectors, ranges: Iterable[tuple[int, int]]) -> Iterator[Answer]:
        """Yield answers for the given ranges of vectors, each vector exactly once, in the order they arrive."""
        vectors = self.checked_vectors(vectors)
        model = self.models[vectors.dtype.itemsize]
        return EncodeStream(self.exchange, vectors, model, self._return).run(ranges)

    def checked_vectors(self, vectors: Vectors) -> Vectors:
        """Return `vectors` if type and shape suit the board and its buffer. Raises QcsError if not."""
        array: Any = np.ascontiguousarray(vectors)
        info, bit = self.info, {"int8": 1, "int16": 2}.get(array.dtype.name, 0)
        if array.ndim != 2 or array.shape[1] != info.inputs or not bit:
            raise QcsError(f"vectors are {array.dtype} of shape {array.shape}, the board takes int8 or int16 "
                           f"(count, {info.inputs})")  # fmt: skip
        if not info.input_types & bit:
            raise QcsError(f"the board does not take {array.dtype} vectors")
        shape, batch = self.models[array.dtype.itemsize].shape, self._batch or 1
        if batch > shape.max_batch:
            what = f"{batch} vector{'s' * (batch > 1)} of {info.inputs} values"
            most = shape.max_batch
            todo = f"ask for at most --batch {most}" if most else "give its firmware more rx_bytes"
            raise QcsError(f"port '{self.link.name}': a frame of {what} takes {shape.request_bytes(batch):,} bytes, "
                           f"the board holds {shape.window_bytes:,} and {info.max_batch} vectors; {todo}")  # fmt: skip
        checked: Vectors = array
        return checked

    def _shape(self, value_bytes: int) -> Shape:
        """Return the sizes of frames with values of 1 or 2 bytes. max_batch: 0 if not one vector fits."""
        info, input_bytes = self.info, value_bytes * self.info.inputs
        most = largest_batch(input_bytes, info.rx_buffer_bytes, info.max_batch)
        return Shape(input_bytes, info.packed_bytes_max, info.rx_buffer_bytes, most, info.can_repeat)

    def echo(self, payload: bytes) -> float:
        """Send bytes and get them back; return the round trip in s. Raises DeviceError if they come back changed."""
        start = time.monotonic()
        if self.exchange.request(Type.ECHO, payload).payload != payload:
            raise DeviceError(f"port '{self.link.name}': ECHO came back changed")
        return time.monotonic() - start

    def stats(self) -> Counts:
        """Return what the board has counted since power-up or reset."""
        return read_reply(self.link.name, Counts.from_payload, self.exchange.request(Type.STATS).payload)

    def reset_counts(self) -> None:
        """Set the board's counters, and the host's, to zero."""
        self.exchange.request(Type.RESET)
        self.exchange.counts = HostCounts()
        self.link.bytes_sent = self.link.bytes_received = 0

    def change_baud(self, baud: int) -> bool:
        """Agree on another line rate, verify it with every bit pattern, fall back if it fails; whether it holds.

        A board that cannot change its rate keeps the old one. Raises SilentError if the board is lost on the way back.
        """
        old = self.link.baud
        if not self.info.can_change_baud or baud == old:
            return baud == old
        try:
            self.exchange.request(Type.BAUD, baud.to_bytes(4, "little"))
        except DeviceError:
            return False  # it cannot make this rate
        try:
            self.link.set_baud(baud)
            patterns = [bytes(range(start, start + 64)) for start in range(0, 256, 64)]
            if all(self.exchange.request(Type.ECHO, p, give_up_s=_TRIAL_S).payload == p for p in patterns):
                return True
        except (LinkError, SilentError):
            self.exchange.transcript.add("!", f"{baud} baud failed, back to {old}")
        self.link.set_baud(old)
        self.exchange.send(b"\0" * 64, 0)  # what the board takes for damage ends its trial
        self.hello()
        return False

    def _return(self) -> None:
        """The port vanished in mid-run: wait for it, and make sure the same board is back."""
        if self.emulator is not None and _has_ended(self.emulator):
            log = self.emulator.log.strip()
            printed = f"it printed: {log}" if log else "it printed nothing"
            raise LinkLostError(f"port '{self.link.name}': the emulator ended in mid-run; {printed}")
        if self._reconnect_s <= 0:
            raise
        self.link.wait_back(self._reconnect_s)
        info = self.hello()
        if info != self.info:  # another clock, tick source or buffer: its figures do not belong into the same run
            raise WrongDeviceError(f"port '{self.link.name}': another board of the same model is back (its INFO "
                                   f"differs); run each one on its own")  # fmt: skip


def _has_ended(emulator: Emulator) -> bool:
    """Return whether the process is gone, as after a crash of the firmware; it may take a moment to end."""
    deadline = time.monotonic() + 2.0
    while emulator.alive and time.monotonic() < deadline:
        time.sleep(0.02)
    return not emulator.alive


def _check_identity(port: str, info: Info, codec: Codec) -> None:
    for what, theirs, ours in (
        ("model id", info.model_id, codec.bundle.manifest.model_id),
        ("inputs", info.inputs, codec.inputs),
        ("windows", info.windows, codec.windows),
        ("packed_bytes_max", info.packed_bytes_max, codec.packed_bytes_max),
    ):
        if theirs != ours:
            raise WrongDeviceError(f"port '{port}': {what} is {theirs} on the board, {ours} in bundle "
                                   f"'{codec.bundle.path}'; flash firmware built from this bundle")  # fmt: skip
