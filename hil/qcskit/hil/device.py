"""`Device`: a board on a port, checked against a bundle, that encodes vectors.

with Device.open("/dev/ttyACM0", bundle) as board:
    packed = board.encode(bundle.golden_inputs)
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Self

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.bundle import Bundle
from qcskit.codec.errors import QcsError
from qcskit.hil.adapt import LinkModel, Shape
from qcskit.hil.errors import DeviceError, LinkError, LinkLostError, SilentError, WrongDeviceError
from qcskit.hil.exchange import Exchange
from qcskit.hil.framing import PROTOCOL_VERSION, wire_bytes
from qcskit.hil.link import EmulatedBoard, Link, board_of, wait_for
from qcskit.hil.messages import Counts, Info, Type
from qcskit.hil.stream import Answer, EncodeStream, Vectors

TIMEOUT_S = 1.0
GIVE_UP_S = 10.0
RECONNECT_S = 10.0
_TRIAL_S = 0.5


class Device:
    """A board that answers the protocol. Use `Device.open`, or build one on a Link of your own.

    info: what it said of itself. bundle: what it must match, or None to take any firmware.
    Raises WrongDeviceError if version, model id or dimensions do not match, SilentError if nothing answers.
    """

    def __init__(
        self, link: Link, bundle: Bundle | None = None, *, timeout_s: float = TIMEOUT_S, give_up_s: float = GIVE_UP_S,
        reconnect_s: float = RECONNECT_S, batch: int | None = None, on_text: Callable[[bytes], None] | None = None,
    ) -> None:  # fmt: skip
        self.link, self.bundle = link, bundle
        self._reconnect_s = reconnect_s
        self._emulator: EmulatedBoard | None = None
        self._batch = batch
        self.exchange = Exchange(link, timeout_s, give_up_s, on_text)
        link.discard_input()
        self.info = self.hello()
        hello_failures = self.exchange.failed_copies
        window_s = self.info.rx_buffer_bytes * 10 / link.baud
        self.exchange.round_trip.raise_ceiling(timeout_s + window_s)
        tick_bytes = 0 if self.info.tick_source == "none" else 4
        self._shapes = {
            size: Shape(size * self.info.inputs, self.info.packed_bytes, tick_bytes, self.info.rx_buffer_bytes,
                        self.info.max_batch, self.info.can_repeat)
            for size in (1, 2)
        }  # fmt: skip
        self.models = {size: LinkModel(shape, batch) for size, shape in self._shapes.items()}
        for model in self.models.values():
            model.note_exchange(wire_bytes(0), wire_bytes(30), 0, 1, hello_failures)

    @classmethod
    def open(cls, port: str, bundle: Bundle | None = None, *, baud: int = 115_200, **options: object) -> Self:
        """Open a serial device, a pyserial URL, or `emu:<board>` (needs a bundle: builds and starts its firmware).

        options: as for `Device(...)`. Raises LinkError, WrongDeviceError, SilentError.
        """
        board = board_of(port)
        with contextlib.ExitStack() as undo:
            emulator = None
            if board is not None:
                if bundle is None:
                    raise QcsError(f"port '{port}' needs a bundle to build its firmware from")
                emulator = undo.enter_context(EmulatedBoard(board, bundle.path / "c", bundle.manifest.name))
                options = {"reconnect_s": 0.0, **options}  # a firmware that dies is a finding, not a loose cable
            link = undo.enter_context(contextlib.closing(Link(emulator.url if emulator else port, baud, port)))
            device = cls(link, bundle, **options)  # type: ignore[arg-type]
            device._emulator = emulator
            undo.pop_all()
            return device

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the port; stop the emulator if `open` started one."""
        self.link.close()
        if self._emulator is not None:
            self._emulator.__exit__(None, None, None)
            self._emulator = None

    @property
    def board(self) -> str | None:
        """Name of the emulated board, None for a real one."""
        return board_of(self.link.name)

    @property
    def emulator(self) -> EmulatedBoard | None:
        """The emulator that `open` started, if any."""
        return self._emulator

    def hello(self) -> Info:
        """Ask who is there and check it against the bundle."""
        info = Info.from_payload(self.exchange.request(Type.HELLO).payload)
        if info.protocol != PROTOCOL_VERSION:
            raise WrongDeviceError(f"port '{self.link.name}': the board speaks protocol {info.protocol}, this qcskit "
                                   f"{PROTOCOL_VERSION}")  # fmt: skip
        if self.bundle is not None:
            _check_identity(self.link.name, info, self.bundle)
        return info

    def encode(self, vectors: Vectors) -> NDArray[np.uint8]:
        """Return packed bytes (frames, packed_bytes) of int8 network inputs or int16 ADC counts (frames, M)."""
        vectors = self.checked_vectors(vectors)
        packed = np.zeros((len(vectors), self.info.packed_bytes), np.uint8)
        for answer in self.stream(vectors, [(0, len(vectors))]):
            packed[answer.start : answer.start + len(answer.packed)] = answer.packed
        return packed

    def stream(self, vectors: Vectors, ranges: Iterable[tuple[int, int]]) -> Iterator[Answer]:
        """Yield answers for the given ranges of vectors, each vector exactly once, in the order they arrive."""
        vectors = self.checked_vectors(vectors)
        model = self.models[vectors.dtype.itemsize]
        return EncodeStream(self.exchange, vectors, self.info.packed_bytes, model, self._return).run(ranges)

    def checked_vectors(self, vectors: Vectors) -> Vectors:
        """Return `vectors` if type and shape suit the board. Raises QcsError if not."""
        bit = {"int8": 1, "int16": 2}.get(vectors.dtype.name, 0)
        if vectors.ndim != 2 or vectors.shape[1] != self.info.inputs or not bit:
            raise QcsError(f"vectors are {vectors.dtype} of shape {vectors.shape}, the board takes int8 or int16 "
                           f"(frames, {self.info.inputs})")  # fmt: skip
        if not self.info.input_types & bit:
            raise QcsError(f"the board does not take {vectors.dtype} vectors")
        contiguous: Vectors = np.ascontiguousarray(vectors)  # type: ignore[assignment]
        return contiguous

    def echo(self, payload: bytes) -> float:
        """Send bytes and get them back; return the round trip in s. Raises DeviceError if they come back changed."""
        start = time.monotonic()
        if self.exchange.request(Type.ECHO, payload).payload != payload:
            raise DeviceError(f"port '{self.link.name}': ECHO came back changed")
        return time.monotonic() - start

    def stats(self) -> Counts:
        """Return what the board has counted since power-up or reset."""
        return Counts.from_payload(self.exchange.request(Type.STATS).payload)

    def reset_counts(self) -> None:
        """Set the board's counters to zero."""
        self.exchange.request(Type.RESET)

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
        if self._emulator is not None and self._emulator.ended:
            raise LinkLostError(f"port '{self.link.name}': the emulator ended in mid-run; {self._emulator.last_words}")
        if self._reconnect_s <= 0:
            raise
        wait_for(self.link, self._reconnect_s)
        self.hello()


def _check_identity(port: str, info: Info, bundle: Bundle) -> None:
    manifest = bundle.manifest
    if info.model_id != manifest.model_id:
        raise WrongDeviceError(f"port '{port}': the firmware holds model {info.model_id}, bundle '{bundle.path}' is "
                               f"{manifest.model_id}; flash firmware built from this bundle")  # fmt: skip
    for what, theirs, ours in (
        ("M", info.inputs, manifest.inputs),
        ("K", info.outputs, manifest.outputs),
        ("packed bytes", info.packed_bytes, manifest.packed_bytes),
    ):
        if theirs != ours:
            raise WrongDeviceError(f"port '{port}': {what} is {theirs} on the board, {ours} in bundle '{bundle.path}'; "
                                   "flash firmware built from this bundle")  # fmt: skip
