"""Requests and replies over a link: sequence numbers, stop-and-wait requests, counters, time-outs."""

import itertools
import math
import random
import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Any, TypeVar

from qcskit.codec.errors import QcsError
from qcskit.firmware.protocol.framing import PROTOCOL_VERSION, Frame, FrameParser, encode_frame
from qcskit.firmware.protocol.messages import ERROR_CODES, Type, read_error
from qcskit.hil.errors import DeviceError, SilentError, WrongDeviceError
from qcskit.hil.link import Link, Transcript, holders

_CALM_S, _HASTY_S = 0.2, 0.003
"""Least time-out beyond the mean round trip: on a clean line a retry is only waste, on a bad one waiting is."""
_FIRST_SAMPLES = 8
"""Round trips to see before the time-out follows them: the window fills first, and queueing grows with it."""
_COPIES_BYTES = 4096
"""Most bytes of equal requests sent at once on a bad line."""
_FIRST_WAIT_S = 0.25
"""First wait for the reply to a lone request; the next ones are longer."""
_IDLE_S = 0.02
"""A line that brought damage and then nothing for this long is asked again."""
T = TypeVar("T")
OnText = Callable[[bytes], None] | None
"""Takes what is no frame: the board's log text."""


@dataclass
class HostCounts:
    """What the host has seen of a link."""

    frames_sent: int = 0
    retries: int = 0
    replies: int = 0
    unexpected: int = 0
    """Valid replies nobody waited for: duplicates and answers that came after their time-out."""
    timeouts: int = 0
    reconnects: int = 0


class RoundTrip:
    """Smoothed round trip and the time-out that follows from it (RFC 6298, with a line that may be slow at first)."""

    def __init__(self, first_timeout_s: float) -> None:
        self.ceiling_s = self.timeout_s = first_timeout_s
        self._mean_s = self._deviation_s = 0.0
        self._scale = self._backoff = 1.0
        self._samples = 0
        self.hasty = False
        """Set while the line loses frames."""

    def sample(self, seconds: float) -> None:
        """Take one measured round trip."""
        if self._samples == 0:
            self._mean_s, self._deviation_s = seconds, seconds / 2
        else:
            self._deviation_s += (abs(seconds - self._mean_s) - self._deviation_s) / 4
            self._mean_s += (seconds - self._mean_s) / 8
        self._samples += 1
        self._scale, self._backoff = max(1.0, self._scale * 0.98), 1.0
        self._set()

    def quiet_s(self) -> float:
        """Return the silence, after the last byte in either direction, that means nothing is on the way any more."""
        return self._backoff * (self._mean_s / 2 + _HASTY_S) if self.hasty and self._samples else math.inf

    def dead(self) -> None:
        """Not one byte came back, not even a damaged one: the board is away or busy; ask ever more rarely."""
        self._backoff = min(64.0, self._backoff * 2.0)
        self._set()

    def too_short(self) -> None:
        """A reply came after its request had been given up: wait longer."""
        self._scale = min(64.0, self._scale * 1.25)
        self._set()

    def _set(self) -> None:
        if self._samples >= _FIRST_SAMPLES:
            spread_s = max(4 * self._deviation_s, _HASTY_S if self.hasty else _CALM_S)
            self.timeout_s = min(self.ceiling_s, self._backoff * self._scale * (self._mean_s + spread_s))


class Exchange:
    """Frames out, frames in, over one link."""

    def __init__(self, link: Link, timeout_s: float, give_up_s: float, on_text: OnText = None) -> None:
        self.link, self.give_up_s = link, give_up_s
        self.transcript = Transcript()
        self.counts = HostCounts()
        self.round_trip = RoundTrip(timeout_s)
        self.last_text = b""
        self.failed_copies = 0
        """How many copies of the last request went unanswered on a line that brought damage meanwhile."""
        self._on_text = on_text
        self.parser = FrameParser(self._text)
        # A random start: replies to an earlier host, still on the way, do not look like ours.
        self._seq = random.randrange(65536)
        self.in_flight: Container[int] = ()
        """Sequence numbers that wait for a reply: none of them is given again."""
        self._early: dict[int, Frame] = {}
        self._heard = self.line_checked = False
        self.last_valid_s = self.last_byte_s = self.last_sent_s = time.monotonic()

    def next_seq(self) -> int:
        """Return a fresh sequence number."""
        seq = (self._seq + 1) & 0xFFFF
        while seq in self.in_flight:
            seq = (seq + 1) & 0xFFFF
        self._seq = seq
        return seq

    def send(self, wire: bytes, frames: int = 1) -> None:
        """Put whole frames on the line."""
        self.link.write(wire)
        self.last_sent_s = time.monotonic()
        self.counts.frames_sent += frames

    def receive(self, timeout_s: float) -> list[Frame]:
        """Return the valid frames that arrive; waits up to timeout_s for the first byte.

        Raises WrongDeviceError on a frame of another protocol version.
        """
        data = self.link.read(timeout_s)
        if not data:
            return []
        frames = self.parser.feed(data)
        self.last_byte_s = time.monotonic()
        if frames:
            self.last_valid_s, self._heard = self.last_byte_s, True
        for frame in frames:
            if frame.version != PROTOCOL_VERSION:
                raise other_version(self.link.name, frame.version)
        return frames

    def check_silence(self) -> None:
        """Raise SilentError if nothing valid has come for give_up_s."""
        if time.monotonic() - self.last_valid_s > self.give_up_s:
            raise self._silent()

    def request(self, type_: Type, payload: bytes = b"", give_up_s: float | None = None) -> Frame:
        """Send one request and return its reply, retrying until give_up_s have passed without one.

        On a bad line ever more copies go out at once; requests are idempotent. Raises SilentError, DeviceError,
        WrongDeviceError, LinkLostError.
        """
        seq, start = self.next_seq(), time.monotonic()
        wire = encode_frame(type_, seq, payload)
        self.transcript.add(">", f"{type_.name} seq {seq} {len(payload)} bytes")
        self.last_valid_s, sent_copies, damage = start, 0, self.parser.text_stretches
        for attempt in itertools.count():
            copies = max(1, min(1 << attempt // 2, _COPIES_BYTES // len(wire)))
            self.send(wire * copies, copies)
            self.counts.retries += copies - (attempt == 0)
            wait_s = min(self.round_trip.ceiling_s, _FIRST_WAIT_S * 1.5**attempt)
            self.failed_copies = sent_copies if self.parser.text_stretches > damage else 0
            sent_copies += copies
            frame = self._await(seq, wait_s)
            if frame is not None:
                self.counts.replies += 1
                self.transcript.add("<", f"{_type_name(frame.type)} seq {seq} {len(frame.payload)} bytes")
                return self.checked(frame, type_)
            self.counts.timeouts += 1
            if time.monotonic() - start > (give_up_s or self.give_up_s):
                break
        raise self._silent()

    def _await(self, seq: int, wait_s: float) -> Frame | None:
        """Return the frame with this seq, or None after the time-out, or once a damaged reply has gone by."""
        deadline = time.monotonic() + wait_s
        damaged = False
        while (left := deadline - time.monotonic()) > 0:
            before, found = self.link.bytes_received, None
            for frame in self.receive(min(left, _IDLE_S) if damaged else left):
                if frame.seq == seq and found is None:
                    found = frame
                else:
                    self._set_aside(frame)
            if found is not None:
                return found
            if self.link.bytes_received > before:
                damaged = True
            elif damaged:
                return None
        return None

    def _set_aside(self, frame: Frame) -> None:
        """Keep the reply to a request in flight, which came while another one was waited for: a slow board's answer."""
        if frame.seq in self.in_flight and frame.seq not in self._early:
            self._early[frame.seq] = frame
        else:
            self.counts.unexpected += 1

    def early(self) -> list[Frame]:
        """Return, once, the replies to requests in flight that came while another one was waited for."""
        frames, self._early = list(self._early.values()), {}
        return frames

    def checked(self, frame: Frame, request: Type) -> Frame:
        """Return `frame` if it is the reply to `request`. Raises DeviceError or WrongDeviceError if not."""
        if frame.type == request + 0x80:
            return frame
        if frame.type != Type.ERROR:
            raise DeviceError(f"port '{self.link.name}': {request.name} was answered by {_type_name(frame.type)}")
        code, detail = read_error(frame.payload)
        if code == 5:
            raise other_version(self.link.name, detail)
        reason = f"the board refused {request.name}: {ERROR_CODES.get(code, f'error {code}')} (detail {detail})"
        if code == 7:
            reason = (f"the {request.name} frame is longer than the board's buffer of {detail} bytes; lower hil.batch "
                      f"or give its firmware more rx_bytes")  # fmt: skip
        raise DeviceError(f"port '{self.link.name}': {reason}")

    def _text(self, text: bytes) -> None:
        self.last_text = text
        self.transcript.add("#", repr(text[:120])[1:])
        if self._on_text is not None:
            self._on_text(text)

    def _silent(self) -> SilentError:
        self.parser.flush()
        self.transcript.add("!", f"gave up after {time.monotonic() - self.last_valid_s:.1f} s")
        now_s, name = time.monotonic(), self.link.name
        text = f": no answer within {self.give_up_s:g} s; is the board powered, flashed and on this port?"
        sample = f"{self.parser.text_bytes} bytes, such as {repr(self.last_text[:24])[1:]}"
        if self._heard:
            text = f": the board stopped answering (nothing valid for {self.give_up_s:g} s)"
        elif self.parser.text_bytes and now_s - self.last_byte_s > (now_s - self.last_valid_s) / 2:
            text = (f" talked when it was opened ({sample}), then no more: opening restarts the board (DTR); give it "
                    f"more than hil.give_up_s={self.give_up_s:g}, or check --baud and its firmware")  # fmt: skip
        elif self.parser.text_bytes:
            text = f" talks, but not this protocol ({sample}); check --baud and that qcskit firmware is on the board"
        if others := holders(name, but_us=True):
            text += f"; {' and '.join(others)} has the port open too and may take its bytes: end that first"
        return SilentError(f"port '{name}' at {self.link.baud} baud{text}")


def read_reply(port: str, read: Callable[..., T], *arguments: Any) -> T:
    """Return what `read` makes of a reply. Raises DeviceError, not QcsError: what a board says is no wrong use."""
    try:
        return read(*arguments)
    except QcsError as error:
        raise DeviceError(f"port '{port}': {error}") from None


def other_version(port: str, version: int) -> WrongDeviceError:
    """Return the error that the board speaks another protocol version."""
    side = "update qcskit" if version > PROTOCOL_VERSION else "flash the current export"
    return WrongDeviceError(f"port '{port}': the board speaks protocol {version}, this kit {PROTOCOL_VERSION}; {side}")


def _type_name(type_: int) -> str:
    return Type(type_).name if type_ in Type.__members__.values() else f"type 0x{type_:02x}"
