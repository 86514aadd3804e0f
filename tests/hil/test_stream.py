"""The real C agent behind lines that lose, damage, reorder, restart and vanish: every vector once, none wrong.

And boards that answer twice, late, to no one's question, in another type, or never to one request.
"""

import os
import re
import signal
from collections import deque
from collections.abc import Callable
from functools import partial

import pytest
from support.line import Faults, Line, LinkSimulator, PretendBoard, TimelessLine, native_firmware

from qcskit import firmware
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.firmware.protocol.framing import Frame, FrameParser, encode_frame
from qcskit.firmware.protocol.messages import Counts, Type, encode_payload, error_payload
from qcskit.hil import Device
from qcskit.hil.adapt import LinkModel, Shape
from qcskit.hil.config import HilConfig
from qcskit.hil.errors import DeviceError, LinkLostError, SilentError, WrongDeviceError
from qcskit.hil.journal import Recorder
from qcskit.hil.session import Run, run_device
from qcskit.hil.stream import EncodeStream, _Pending
from qcskit.hil.vectors import InputKind, VectorSet


def simulator(codec: Codec, line: Line | None = None, faults: Faults | None = None) -> LinkSimulator:
    elf = native_firmware(codec)
    return LinkSimulator(lambda: firmware.start("native", elf), line, faults, seed=5)


def check(
    codec: Codec, board: Device, count: int, kind: InputKind = "counts", in_mid_run: Callable[[], None] | None = None
) -> Recorder:
    """Stream vectors; the recorder refuses a second answer. Every byte must be the reference's.

    in_mid_run: called once, when a tenth is answered.
    """
    vectors = VectorSet(codec, count, 3, kind)
    values, recorder = vectors.values(), Recorder(count, codec.packed_bytes_max)
    for answer in board.stream(values, [(0, count)]):
        recorder.take(answer)
        if in_mid_run is not None and 10 * recorder.answered.sum() > count:
            in_mid_run, call = None, in_mid_run
            call()
    assert recorder.answered.all()
    assert not recorder.packets().differ(vectors.expected(values)).any()
    return recorder


@pytest.mark.parametrize(
    "faults",
    [
        Faults(lost=0.01),
        Faults(flipped=0.01),
        Faults(doubled=0.01),
        Faults.each(0.05),
        Faults(swapped=0.2, repeated=0.2),
        Faults.each(0.01, reset_every=100),
    ],
    ids=["lost", "flipped", "doubled", "5% of bytes", "frames swapped and repeated", "restarts"],
)
def test_every_vector_comes_back_once_and_right(codec: Codec, faults: Faults) -> None:
    with simulator(codec, faults=faults) as line, Device.open(line.url, codec, give_up_s=60) as board:
        check(codec, board, 1000, "inputs")
        assert line.resets > 2 or not faults.reset_every


@pytest.mark.parametrize("faults", [Faults(), Faults.each(0.01)], ids=["clean", "1% of bytes"])
def test_packets_of_any_length_come_back(toy_codec: Codec, faults: Faults) -> None:
    with simulator(toy_codec, faults=faults) as line, Device.open(line.url, toy_codec, give_up_s=60) as board:
        lengths = check(toy_codec, board, 600).packets().lengths
        assert lengths.min() == 1
        assert 1 < lengths.max() <= toy_codec.packed_bytes_max
        assert len(set(lengths.tolist())) > 5


def test_every_eighth_byte_damaged_is_slow_but_right(codec: Codec) -> None:
    """benchmarks/faults.py goes on to every fifth."""
    with simulator(codec, faults=Faults.each(0.12)) as line, Device.open(line.url, codec, give_up_s=60) as board:
        check(codec, board, 30, "inputs")
        assert board.models[1].repeat_exponent > 0


def test_a_clean_line_needs_no_retry_and_counts_agree(codec: Codec) -> None:
    with simulator(codec, Line(460_800, 0.005)) as line, Device.open(line.url, codec) as board:
        board.reset_counts()
        sent = board.exchange.counts.frames_sent
        check(codec, board, 3000)
        assert board.exchange.counts.retries == 0
        assert board.stats().frames == board.exchange.counts.frames_sent - sent


def test_window_never_exceeds_what_the_board_buffers(codec: Codec) -> None:
    """At any time, bytes of unanswered requests <= rx_buffer_bytes: watched on the wire by an independent parser."""
    worst = 0
    with simulator(codec, Line(921_600)) as line, Device.open(line.url, codec) as board:
        out: dict[int, int] = {}
        send, receive = board.link.write, board.link.read
        parser = FrameParser()

        def write(data: bytes) -> None:
            nonlocal worst
            for part in data.split(b"\0"):
                if part:
                    seq = FrameParser().feed(part + b"\0")[0].seq
                    out[seq] = len(part) + 2
            worst = max(worst, sum(out.values()))
            send(data)

        def read(timeout_s: float) -> bytes:
            data = receive(timeout_s)
            for frame in parser.feed(data):
                out.pop(frame.seq, None)
            return data

        board.link.write, board.link.read = write, read  # type: ignore[method-assign]
        check(codec, board, 3000)
        assert board.info.rx_buffer_bytes / 2 < worst <= board.info.rx_buffer_bytes


def test_a_pulled_cable_that_comes_back(codec: Codec) -> None:
    with simulator(codec, Line(460_800)) as line, Device.open(line.url, codec, reconnect_s=20) as board:
        wait_back = board.link.wait_back

        def plug_and_wait(patience_s: float) -> None:
            with pytest.raises(LinkLostError):
                wait_back(0.0)
            line.plug()
            wait_back(patience_s)

        board.link.wait_back = plug_and_wait  # type: ignore[method-assign]
        check(codec, board, 1500, in_mid_run=line.unplug)
        assert board.exchange.counts.reconnects == 1


def test_another_board_in_the_same_place_is_refused(codec: Codec, other_codec: Codec) -> None:
    elfs = [native_firmware(one) for one in (codec, other_codec)]
    line = LinkSimulator(lambda: firmware.start("native", elfs.pop(0) if len(elfs) > 1 else elfs[0]), Line(115_200))
    with line, Device.open(line.url, codec, reconnect_s=20) as board:

        def swap() -> None:
            line.unplug()
            line.reset()
            line.plug()

        with pytest.raises(WrongDeviceError, match=other_codec.bundle.manifest.model_id):
            check(codec, board, 2000, in_mid_run=swap)


@pytest.mark.parametrize(
    ("patience_s", "told"), [(0.5, r"vanished and did not come back within 0\.5 s$"), (0.0, r"vanished \(.*\)$")]
)
def test_a_cable_that_stays_out_fails_loudly(codec: Codec, patience_s: float, told: str) -> None:
    with (
        simulator(codec, Line(115_200)) as line,
        Device.open(line.url, codec, reconnect_s=patience_s) as board,
        pytest.raises(LinkLostError, match=told),
    ):
        check(codec, board, 2000, in_mid_run=line.unplug)


def test_a_board_that_hangs_fails_loudly(codec: Codec) -> None:
    elf = native_firmware(codec)
    with firmware.start("native", elf) as board, Device.open(board.url, codec, timeout_s=0.2, give_up_s=1) as device:
        os.kill(board.pid, signal.SIGSTOP)
        try:
            with pytest.raises(SilentError, match="stopped answering"):
                check(codec, device, 100)
        finally:
            os.kill(board.pid, signal.SIGCONT)


def test_numbers_wrap_with_frames_in_flight(codec: Codec) -> None:
    with firmware.start("native", native_firmware(codec)) as board, Device.open(board.url, codec, batch=1) as device:
        device.exchange._seq = 65500
        check(codec, device, 200)
        assert 0 < device.exchange._seq < 1000
        assert device.exchange.counts.unexpected == 0


Reply = Callable[[Frame, bytes], bytes]


class Pretended:
    """A device that is a `PretendBoard` on a line without time."""

    def __init__(self, codec: Codec, monkeypatch: pytest.MonkeyPatch, batch: int | None = 1) -> None:
        self.reply: Reply = lambda frame, right: right
        board = PretendBoard(VectorSet(codec, 60, 3), reply=lambda frame, right: self.reply(frame, right))
        self.codec, self.board = codec, board
        self.line = TimelessLine(self.board.answer, monkeypatch)
        self.device = Device(self.line, codec, timeout_s=0.5, give_up_s=5.0, batch=batch)  # type: ignore[arg-type]
        self.exchange, self.counts = self.device.exchange, self.device.exchange.counts

    def check(self) -> None:
        """Stream all vectors; every byte must be the reference's."""
        check(self.codec, self.device, 60)

    def asked(self, number: int) -> list[Frame]:
        """Return the requests that held this vector."""
        encodes = [frame for frame in self.board.requests if frame.type == Type.ENCODE]
        return [frame for frame in encodes if number in self.board.numbers(frame)]


def test_numbers_of_16_bits_follow_each_other(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    pretended = Pretended(codec, monkeypatch)
    pretended.exchange._seq = 65529
    pretended.check()
    seqs = [frame.seq for frame in pretended.board.requests[-60:]]
    assert seqs == [*range(65530, 65536), *range(54)]
    assert (pretended.counts.retries, pretended.counts.unexpected) == (0, 0)


@pytest.mark.parametrize("distance", [-300, -1, 300], ids=["earlier", "just answered", "never sent"])
def test_replies_that_nobody_waits_for_are_not_taken(
    codec: Codec, monkeypatch: pytest.MonkeyPatch, distance: int
) -> None:
    """A whole RESULT of wrong packets under another number, before and after each right one."""

    def reply(frame: Frame, right: bytes) -> bytes:
        stale = encode_frame(Type.RESULT, (frame.seq + distance) % 65536, wrong)
        return stale + right + stale

    wrong = b"\1" + bytes(4) + codec.packed_bytes_max.to_bytes(2, "little") + b"\xa5" * codec.packed_bytes_max
    pretended = Pretended(codec, monkeypatch)
    pretended.reply = reply
    pretended.check()
    assert (pretended.counts.unexpected, pretended.counts.retries) == (120, 0)


def test_a_doubled_reply_is_taken_once(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    pretended = Pretended(codec, monkeypatch)
    pretended.reply = lambda frame, right: 2 * right
    pretended.check()  # the recorder refuses a second answer
    assert pretended.counts.unexpected == 60
    assert pretended.exchange.round_trip._scale > 2  # it may have come late: wait longer


@pytest.mark.parametrize("behind", [False, True], ids=["before INFO", "behind INFO"])
@pytest.mark.parametrize("batch", [1, 8])
def test_answers_that_come_while_hello_is_awaited_count(
    codec: Codec, monkeypatch: pytest.MonkeyPatch, batch: int, behind: bool
) -> None:
    """A board that takes longer to encode than the silence after which HELLO is asked: it is slow, not silent."""
    held: list[bytes] = []

    def reply(frame: Frame, right: bytes) -> bytes:
        if frame.type == Type.ENCODE:
            held.append(right)
            return b""
        encoded = b"".join(held)
        held.clear()
        return right + encoded if behind else encoded + right

    pretended = Pretended(codec, monkeypatch, batch)
    pretended.reply = reply
    pretended.check()
    encodes = [frame for frame in pretended.board.requests if frame.type == Type.ENCODE]
    asked = {pretended.board.numbers(frame)[0] for frame in encodes}
    assert len(encodes) <= 2 * len(asked)  # each time-out asks once more, no answer is thrown away
    assert pretended.counts.replies >= len(asked)


def test_a_port_that_vanishes_while_hello_is_awaited_is_waited_for(
    codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost: list[Frame] = []

    def reply(frame: Frame, right: bytes) -> bytes:
        if frame.type == Type.HELLO and not lost:
            lost.append(frame)
            raise LinkLostError("gone")
        return b"" if frame.type == Type.ENCODE and not lost else right

    pretended = Pretended(codec, monkeypatch)
    pretended.reply, pretended.line.wait_back = reply, lambda patience_s: None  # type: ignore[attr-defined]
    pretended.check()
    assert pretended.counts.reconnects == len(lost) == 1


@pytest.mark.parametrize(
    ("type_", "payload", "told"),
    [
        (Type.ECHOED, b"", "ENCODE was answered by ECHOED"),
        (Type.DONE, b"", "ENCODE was answered by DONE"),
        (Type.COUNTS, bytes(16), "ENCODE was answered by COUNTS"),
        (0x92, b"", "ENCODE was answered by type 0x92"),
        (Type.ERROR, error_payload(2, 5), r"the board refused ENCODE: payload has the wrong length \(detail 5\)"),
        (Type.RESULT, b"", "RESULT of 0 bytes does not hold 1 packets"),
        (Type.RESULT, b"\2" + bytes(20), "RESULT of 21 bytes does not hold 1 packets"),
    ],
)
def test_a_reply_of_another_type_or_form_ends_the_run(
    codec: Codec, monkeypatch: pytest.MonkeyPatch, type_: int, payload: bytes, told: str
) -> None:
    def reply(frame: Frame, right: bytes) -> bytes:
        return encode_frame(type_, frame.seq, payload) if frame in pretended.asked(7) else right

    pretended = Pretended(codec, monkeypatch)
    pretended.reply = reply
    with pytest.raises(QcsError, match=told) as failure:
        pretended.check()
    assert isinstance(failure.value, DeviceError)


def test_another_protocol_version_in_mid_run_ends_it(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    pretended = Pretended(codec, monkeypatch)
    pretended.reply = lambda frame, right: encode_frame(Type.RESULT, frame.seq, b"", 3)
    with pytest.raises(WrongDeviceError, match="speaks protocol 3"):
        pretended.check()


@pytest.mark.parametrize("batch", [1, 8, None])
def test_a_request_that_is_never_answered_is_given_up(
    codec: Codec, monkeypatch: pytest.MonkeyPatch, batch: int | None
) -> None:
    """All others are: HELLO is answered at once, three times over, and the board counts no damage."""
    tries = 0

    def reply(frame: Frame, right: bytes) -> bytes:
        nonlocal tries
        poison = frame in pretended.asked(17)
        tries += poison
        return b"" if poison and tries < 1000 else right

    pretended = Pretended(codec, monkeypatch, batch)
    pretended.reply = reply
    told = r"HELLO is answered, ENCODE is not: vectors (\d+) … (\d+) were sent (\d+) times over a line"
    with pytest.raises(SilentError, match=told) as failure:
        pretended.check()
    found = re.search(told, str(failure.value))
    assert found
    first, last, attempts = map(int, found.groups())
    assert first <= 17 <= last < first + (batch or 60)
    assert 2 < attempts <= tries < 300
    assert pretended.line.now_s < 10.0  # six silences of a time-out, 0.86 s, and what HELLO takes


def test_a_request_that_is_never_answered_while_all_others_are_is_given_up(
    codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No silence ever: the others go round and round. After six times the patience for silence."""
    pretended = Pretended(codec, monkeypatch)
    poison = VectorSet(codec, 60, 3).values()[17].tobytes()
    pretended.reply = lambda frame, right: b"" if frame.type == Type.ENCODE and frame.payload[2:] == poison else right
    answers = pretended.device.stream(VectorSet(codec, 60, 3).values(), [(0, 60)] * 200)
    take = partial(setattr, pretended.line, "now_s")
    with pytest.raises(SilentError, match=r"vectors 17 … 17 are never answered \(\d+ attempts\) while others are$"):
        deque((take(pretended.line.now_s + 5e-3) for _ in answers), 0)
    assert 30.0 < pretended.line.now_s < 60.0


def test_a_board_that_answers_everything_but_encode_is_given_up_in_seconds(codec: Codec) -> None:
    board = PretendBoard(VectorSet(codec, 5), reply=lambda frame, right: b"" if frame.type == Type.ENCODE else right)
    run = Run(board.url, HilConfig(vectors=5, baud=921_600, timeout_s=0.1))
    with pytest.raises(
        SilentError, match=r"^port 'socket[^']*': HELLO is answered, ENCODE is not: vectors 0 … 0 "
    ) as caught:
        run_device(codec, run)
    assert caught.value.exit_code == 1
    assert [frame.type for frame in board.requests].count(Type.HELLO) == 1 + 3


@pytest.mark.parametrize("side", ["board", "host"])
def test_a_line_that_damages_frames_has_its_patience(codec: Codec, monkeypatch: pytest.MonkeyPatch, side: str) -> None:
    """The board counts damage, or HELLO has to be asked twice: ENCODE may come through yet."""
    lost: list[int] = []

    def reply(frame: Frame, right: bytes) -> bytes:
        if frame.type == Type.STATS and side == "board":
            return encode_frame(Type.COUNTS, frame.seq, Counts(0, len(pretended.board.requests), 0, 0).to_payload())
        if frame.type == Type.HELLO and side == "host" and frame.seq not in lost:
            lost.append(frame.seq)
            return b""
        return b"" if frame.type == Type.ENCODE and pretended.line.now_s < 20 else right

    pretended = Pretended(codec, monkeypatch)
    pretended.reply = reply
    pretended.check()


def test_the_number_of_a_request_in_flight_is_not_given_again(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counter comes round to a request that is still open, for vectors and for the HELLO that ends a silence."""

    def reply(frame: Frame, right: bytes) -> bytes:
        asked = pretended.asked(17)
        if asked:
            pretended.exchange._seq = asked[0].seq - 1
        return b"" if frame in asked and len(asked) < 9 else right

    pretended = Pretended(codec, monkeypatch)
    pretended.reply, pretended.exchange._seq = reply, 1000
    pretended.check()
    seq = pretended.asked(17)[0].seq
    others = [frame for frame in pretended.board.requests if frame.seq == seq and frame not in pretended.asked(17)]
    assert not others
    assert len(pretended.asked(17)) == 9
    assert [frame.type for frame in pretended.board.requests].count(Type.HELLO) > 1


def test_a_request_overtaken_by_three_others_is_asked_again_at_once(
    codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """56 of 60: by no more than three."""

    def reply(frame: Frame, right: bytes) -> bytes:
        lost = frame in pretended.asked(56) and len(pretended.asked(56)) == 1
        return b"" if lost else right

    pretended = Pretended(codec, monkeypatch)
    pretended.reply = reply
    pretended.check()
    one, again = pretended.asked(56)
    assert one == again
    assert (pretended.counts.retries, pretended.counts.timeouts) == (1, 1)
    assert pretended.line.now_s < 0.001


def test_a_reply_two_later_than_its_turn_is_waited_for(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """17 comes after 18 and 19."""
    late = []

    def reply(frame: Frame, right: bytes) -> bytes:
        if frame in pretended.asked(17):
            late.append(right)
            return b""
        return late[0] + right if frame in pretended.asked(20) else right

    pretended = Pretended(codec, monkeypatch)
    pretended.reply = reply
    pretended.check()
    assert len(pretended.asked(17)) == 1
    assert (pretended.counts.retries, pretended.counts.unexpected) == (0, 0)


def test_a_silence_of_two_time_outs_is_asked_with_hello(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """A time-out of 0.5 s, and 4096 bytes at 115,200 baud beyond it; the board answers all but ENCODE."""
    asked: list[float] = []

    def reply(frame: Frame, right: bytes) -> bytes:
        if frame.type == Type.HELLO:
            asked.append(pretended.line.now_s)
        return b"" if frame.type == Type.ENCODE else right

    pretended = Pretended(codec, monkeypatch)
    pretended.reply = reply
    with pytest.raises(SilentError, match="ENCODE is not"):
        pretended.check()
    patience_s = 2 * (0.5 + 40_960 / 115_200)
    assert asked[:3] == pytest.approx([patience_s, 2 * patience_s, 3 * patience_s], rel=1e-3)


def stream_of(pretended: Pretended, window_bytes: int = 4096, batch: int = 1) -> EncodeStream:
    """A stream of 60 vectors that nobody runs, with a window of its own."""
    vectors = VectorSet(pretended.codec, 60, 3).values()
    shape = Shape(vectors[0].nbytes, pretended.codec.packed_bytes_max, window_bytes, 255, True)
    return EncodeStream(pretended.exchange, vectors, LinkModel(shape, batch), lambda: None)


def pending(seq: int, order: int, sent_s: float = 0.0, attempts: int = 1, overdue: bool = False) -> _Pending:
    return _Pending(seq, seq, seq + 1, 0, bytes(30), 0.0, sent_s, order, attempts, overdue)


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("spare", [-1, 0, 1])
def test_requests_fill_the_window_to_the_last_byte(
    codec: Codec, monkeypatch: pytest.MonkeyPatch, batch: int, spare: int
) -> None:
    """A third request goes out if the board has room for its largest frame beside the two on the line."""
    pretended = Pretended(codec, monkeypatch)
    pretended.reply = lambda frame, right: b""
    values = VectorSet(codec, 60, 3).values()
    two = sum(len(encode_frame(Type.ENCODE, seq, encode_payload(values[batch * n : batch * (n + 1)])))
              for n, seq in enumerate((1, 2)))  # fmt: skip
    largest = Shape(values[0].nbytes, 4, 4096, 255, True).request_bytes(batch)
    stream = stream_of(pretended, two + largest + spare, batch)
    pretended.exchange._seq = 0
    stream._todo.append((0, 60))
    stream._send_due()
    assert len(stream._pending) == (2 if spare < 0 else 3)
    told = [line.split("vectors ")[1] for line in str(pretended.exchange.transcript).splitlines() if "ENCODE" in line]
    assert told[:2] == [f"0 to {batch - 1}", f"{batch} to {2 * batch - 1}"]


@pytest.mark.parametrize(
    ("on_line_bytes", "loss", "copies"),
    [(0, 0.1, 1), (30, 0.0, 1), (1000, 0.1, 4), (1024, 0.1, 4), (1025, 0.1, 3), (4096, 0.1, 1), (5000, 0.1, 1)],
)
def test_copies_of_a_retry_fill_the_window_and_no_more(
    codec: Codec, monkeypatch: pytest.MonkeyPatch, on_line_bytes: int, loss: float, copies: int
) -> None:
    """One request in hundreds comes through, so that the window of 4096 bytes is what limits them."""
    stream = stream_of(Pretended(codec, monkeypatch), batch=30)
    stream._on_line_bytes, stream._model.byte_loss = on_line_bytes, loss
    assert stream._copies() == copies
    stream._todo.append((0, 1))
    assert stream._copies() == 1  # what was never sent comes first


def test_as_many_copies_as_it_takes_for_one_to_come_through(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = stream_of(Pretended(codec, monkeypatch))
    stream._on_line_bytes, stream._model.byte_loss = 30, 0.03
    share = stream._model.success_share()
    assert 0.1 < share < 0.5
    assert stream._copies() == int(1 / share)


@pytest.mark.parametrize(("attempts", "overdue"), [(1, [True, True, True, False, False]), (2, [False] * 5)])
def test_only_a_first_attempt_tells_that_others_are_lost(
    codec: Codec, monkeypatch: pytest.MonkeyPatch, attempts: int, overdue: list[bool]
) -> None:
    """Requests 1 … 5 are open when number 6 is answered; of a second attempt nobody knows which one it was."""
    stream = stream_of(Pretended(codec, monkeypatch))
    stream._pending = {number: pending(number, number) for number in range(1, 6)}
    stream._mark_overtaken(pending(6, 6, attempts=attempts))
    assert [entry.overdue for entry in stream._pending.values()] == overdue


@pytest.mark.parametrize(("lossy", "samples"), [(False, 59), (True, 60)])
def test_a_round_trip_is_that_of_a_first_attempt_unless_the_line_is_lossy(
    codec: Codec, monkeypatch: pytest.MonkeyPatch, lossy: bool, samples: int
) -> None:
    """The last of 60 vectors has to be asked twice."""

    def reply(frame: Frame, right: bytes) -> bytes:
        return b"" if frame in pretended.asked(59) and len(pretended.asked(59)) == 1 else right

    pretended = Pretended(codec, monkeypatch)
    pretended.reply = reply
    for model in pretended.device.models.values():
        model.byte_loss = 0.002 if lossy else 0.0
        monkeypatch.setattr(model, "_update", lambda: None)  # it stays what it is
    pretended.check()
    assert len(pretended.asked(59)) == 2
    assert pretended.exchange.round_trip._samples == samples


def test_nothing_is_waited_for_when_a_request_is_due(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = stream_of(Pretended(codec, monkeypatch))
    assert stream._wait_s() == 0.0
    stream._pending = {1: pending(1, 1, overdue=True)}
    assert stream._wait_s() == 0.0
    stream._pending = {1: pending(1, 1), 2: pending(2, 2, sent_s=0.3)}
    assert stream._wait_s() == pytest.approx(stream._x.round_trip.timeout_s, rel=1e-3)


@pytest.mark.parametrize(
    ("now_s", "again"),
    [(0.0, []), (0.499, []), (0.5, [1]), (0.874, [1, 2]), (0.875, [1, 2, 3]), (0.88, [1, 2, 3])],
    ids=["just sent", "before the time-out", "at it", "before the silence is long", "all", "all, later"],
)
def test_a_lossy_line_that_is_quiet_has_lost_all_that_was_sent(
    codec: Codec, monkeypatch: pytest.MonkeyPatch, now_s: float, again: list[int]
) -> None:
    """Requests of 0, 0.3, 0.6 s: each is due after a time-out of 0.5 s, all of them 0.25 s after the last byte."""
    stream = stream_of(Pretended(codec, monkeypatch))
    stream._x.last_byte_s, stream._x.last_sent_s = 0.625, 0.5
    monkeypatch.setattr(stream._x.round_trip, "quiet_s", lambda: 0.25)
    stream._x.round_trip.timeout_s = 0.5
    stream._pending = {n: pending(n, n, sent_s=0.3 * (n - 1)) for n in (1, 2, 3)}
    stream._on_line_bytes = 4096
    assert len(stream._retry_expired(now_s)) == len(again)
    assert list(stream._pending) == [n for n in (1, 2, 3) if n not in again] + again
    assert [entry.attempts for entry in stream._pending.values()] == [1] * (3 - len(again)) + [2] * len(again)
