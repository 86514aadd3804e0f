"""Many vectors through a small buffer: windowed ENCODE requests, matched by seq, retried, split on a bad line.

A vector is what one packet is made of.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from qcskit.firmware.protocol.framing import Frame, encode_frame, wire_bytes
from qcskit.firmware.protocol.messages import Answers, Counts, Type, encode_payload, read_result
from qcskit.hil.adapt import LinkModel
from qcskit.hil.errors import LinkLostError, SilentError
from qcskit.hil.exchange import Exchange, read_reply
from qcskit.hil.line import check_line, explained

Vectors = NDArray[np.int8] | NDArray[np.int16]
_REORDER = 3
"""A request is taken as lost once this many later ones were answered (TCP's rule, RFC 5681, section 3.2)."""
_LOSSY = 1e-3
"""Byte loss from which time-outs are short."""
_ONE_REQUEST_PATIENCE = 6.0
"""A request unanswered for this many give_up_s, while others are answered, is poison."""
_SUSPICIOUS_ATTEMPTS = 6
"""A request sent this often may hold what the line never lets through."""
_VAIN_PROBES = 3
"""Silences in a row, each ended by HELLO at once, after which ENCODE is not waited for on a clean line."""


@dataclass(frozen=True, slots=True)
class Answer:
    """RESULT for vectors start … stop − 1: their packets as rows, lengths and ticks.

    seconds: from first sending to reply, queueing in the window included. attempts: how often it was sent.
    """

    start: int
    result: Answers
    seconds: float
    attempts: int

    @property
    def stop(self) -> int:
        """Number of the vector after the last one."""
        return self.start + len(self.result.lengths)


@dataclass(slots=True)
class _Pending:
    seq: int
    start: int
    stop: int
    repeat: int
    wire: bytes
    first_s: float
    sent_s: float
    order: int
    attempts: int = 1
    overdue: bool = False
    copies: int = 1


class EncodeStream:
    """One pass of vectors (count, inputs) through a board; iterate over `run`."""

    def __init__(self, exchange: Exchange, vectors: Vectors, model: LinkModel, on_lost: Callable[[], None]) -> None:
        self._x, self._vectors, self._model, self._on_lost = exchange, vectors, model, on_lost
        self._pending: dict[int, _Pending] = {}  # in order of sending
        self._todo: deque[tuple[int, int]] = deque()
        self._on_line_bytes = self._order = self._vain_probes = 0
        self._damage: int | None = None

    def run(self, ranges: Iterable[tuple[int, int]]) -> Iterator[Answer]:
        """Yield each vector of the ranges (start, stop) exactly once, in the order answers arrive.

        Raises SilentError, LineError, DeviceError, WrongDeviceError, LinkLostError; what was yielded before stands.
        """
        self._todo.extend((a, b) for a, b in ranges if a < b)
        self._x.last_valid_s, self._x.in_flight = time.monotonic(), self._pending
        with explained(self._x):
            yield from self._answers()

    def _answers(self) -> Iterator[Answer]:
        while self._todo or self._pending:
            frames: list[Frame] = []
            try:
                self._send_due()
                frames = self._x.receive(self._wait_s())
                if not frames:
                    self._probe_silence()
            except LinkLostError:
                self._recover()
            for frame in (*frames, *self._x.early()):
                if answer := self._match(frame):
                    yield answer

    def _probe_silence(self) -> None:
        """After two time-outs of silence ask HELLO, smallest and most robust, before anything else is tried."""
        quiet_s = time.monotonic() - self._x.last_valid_s
        if quiet_s > 2.0 * self._x.round_trip.ceiling_s:
            self._x.check_silence()
            retries = self._x.counts.retries
            info = self._x.request(Type.HELLO)
            self._model.note_exchange(wire_bytes(0), wire_bytes(len(info.payload)), 0, 1, self._x.failed_copies)
            self._judge_silence(at_once=self._x.counts.retries == retries)

    def _judge_silence(self, at_once: bool) -> None:
        """Give up a board that answers HELLO at once, again and again, and no ENCODE, on a clean line."""
        self._vain_probes = self._vain_probes + 1 if at_once else 0
        if self._vain_probes == 1:
            self._damage = self._board_damage()
        elif self._vain_probes >= _VAIN_PROBES:
            check_line(self._x)
            if self._damage == self._board_damage() and self._pending:
                oldest = next(iter(self._pending.values()))
                raise SilentError(
                    f"port '{self._x.link.name}': HELLO is answered, ENCODE is not: vectors {oldest.start} … "
                    f"{oldest.stop - 1} were sent {oldest.attempts} times over a line that damaged nothing; look at "
                    f"the board's log (--log), and flash firmware built from this bundle"
                )

    def _board_damage(self) -> int | None:
        """Return how many frames and bytes the board says arrived damaged or found no room; None if it does not say."""
        try:
            reply = self._x.request(Type.STATS, give_up_s=self._x.round_trip.ceiling_s)
        except SilentError:
            return None
        counts = read_reply(self._x.link.name, Counts.from_payload, reply.payload)
        return counts.crc_errors + counts.overruns

    def _recover(self) -> None:
        self._x.transcript.add("!", "port vanished")
        self._on_lost()
        self._x.counts.reconnects += 1
        for entry in self._pending.values():
            entry.overdue = True

    # ---- sending ----

    def _send_due(self) -> None:
        now = time.monotonic()
        wires = self._retry_expired(now)
        while self._todo:
            start, stop = self._todo[0]
            take, repeat = min(stop, start + self._model.batch), self._model.repeat_exponent
            room = self._model.shape.window_bytes - self._on_line_bytes
            if self._pending and self._model.shape.request_bytes(take - start) > room:
                break
            seq = self._x.next_seq()
            wire = encode_frame(Type.ENCODE, seq, encode_payload(self._vectors[start:take], repeat))
            self._todo.popleft()
            if take < stop:
                self._todo.appendleft((take, stop))
            self._order += 1
            self._pending[seq] = _Pending(seq, start, take, repeat, wire, now, now, self._order)
            self._on_line_bytes += len(wire)
            wires.append(wire)
            self._x.transcript.add(">", "ENCODE seq", seq, "vectors", start, "to", take - 1)
        if wires:
            self._x.send(b"".join(wires), len(wires))

    def _retry_expired(self, now: float) -> list[bytes]:
        """Return frames again that have waited too long, or split them; the oldest stand first."""
        limit = now if now >= self._quiet_from_s() else now - self._x.round_trip.timeout_s
        expired = list(takewhile(lambda entry: entry.overdue or entry.sent_s <= limit, self._pending.values()))
        if not expired:
            return []
        oldest = expired[0]
        if now - oldest.first_s > _ONE_REQUEST_PATIENCE * self._x.give_up_s:
            raise SilentError(f"port '{self._x.link.name}': vectors {oldest.start} … {oldest.stop - 1} are never "
                              f"answered ({oldest.attempts} attempts) while others are")  # fmt: skip
        if oldest.attempts >= _SUSPICIOUS_ATTEMPTS:
            check_line(self._x)
        self._x.counts.timeouts += len(expired)
        if self._x.last_byte_s < self._x.last_sent_s:
            self._x.round_trip.dead()
        self._note_lost(expired)
        wires: list[bytes] = []
        copies = self._copies()
        for entry in expired:
            del self._pending[entry.seq]
            drifted = abs(entry.repeat - self._model.repeat_exponent) > 1
            if entry.stop - entry.start > self._model.batch or drifted:
                self._on_line_bytes -= len(entry.wire)
                self._todo.appendleft((entry.start, entry.stop))
                continue
            entry.attempts += 1
            self._order += 1
            entry.overdue, entry.copies, entry.sent_s, entry.order = False, copies, now, self._order
            self._pending[entry.seq] = entry
            wires += [entry.wire] * copies
        self._x.counts.retries += len(wires)
        return wires

    def _note_lost(self, expired: list[_Pending]) -> None:
        """Tell the model; attempts since which nothing valid has come tell nothing of byte loss."""
        kinds: Counter[tuple[int, int]] = Counter()
        for entry in expired:
            if self._x.last_valid_s > entry.sent_s:
                kinds[entry.stop - entry.start, entry.repeat] += entry.copies
        for (count, repeat), times in kinds.items():
            self._model.note(count, repeat, False, times)

    def _copies(self) -> int:
        """How often to send each retry: once, or as often as fills the window when a line lets little through."""
        if self._todo or not self._on_line_bytes:
            return 1
        share = self._model.success_share()
        return max(1, min(int(1.0 / share), self._model.shape.window_bytes // self._on_line_bytes))

    def _wait_s(self) -> float:
        oldest = next(iter(self._pending.values()), None)
        if oldest is None or oldest.overdue:
            return 0.0
        due_s = min(oldest.sent_s + self._x.round_trip.timeout_s, self._quiet_from_s())
        return max(0.0, min(due_s - time.monotonic(), 1.0))

    def _quiet_from_s(self) -> float:
        """When a line that loses frames has been quiet for so long that all that was sent is lost."""
        return max(self._x.last_byte_s, self._x.last_sent_s) + self._x.round_trip.quiet_s()

    # ---- receiving ----

    def _match(self, frame: Frame) -> Answer | None:
        entry = self._pending.get(frame.seq)
        if entry is None or frame.type == Type.INFO:
            self._x.counts.unexpected += 1
            if self._model.repeat_exponent == 0:
                self._x.round_trip.too_short()
            return None
        self._x.checked(frame, Type.ENCODE)
        count, room = entry.stop - entry.start, self._model.shape.packed_bytes_max
        result = read_reply(self._x.link.name, read_result, frame.payload, count, room)
        now = time.monotonic()
        del self._pending[entry.seq]
        self._on_line_bytes -= len(entry.wire)
        tries = f"after {entry.attempts} attempts" if entry.attempts > 1 else ""
        self._x.transcript.add("<", "RESULT seq", entry.seq, "vectors", entry.start, "to", entry.stop - 1, tries)
        self._x.counts.replies += 1
        self._vain_probes = 0
        self._model.note(entry.stop - entry.start, entry.repeat, True)
        lossy = self._model.byte_loss > _LOSSY
        self._x.round_trip.hasty = lossy
        if entry.attempts == 1 or lossy:
            self._x.round_trip.sample(now - entry.sent_s)
        self._mark_overtaken(entry)
        return Answer(entry.start, result, now - entry.first_s, entry.attempts)

    def _mark_overtaken(self, answered: _Pending) -> None:
        """Requests sent well before an answered one are lost: make them due at once."""
        if answered.attempts > 1:
            return  # it may have been the earlier attempt that was answered
        for entry in self._pending.values():
            if entry.order > answered.order - _REORDER:
                break
            entry.overdue = True
