"""Requests to what is silent, talks garbage, is hostile, late, or speaks another version; numbers of requests."""

from collections.abc import Callable

import numpy as np
import pytest
from support.line import PretendBoard, Pretender, TimelessLine

from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.firmware.protocol.framing import Frame, decode_stretch, encode_frame, wire_bytes
from qcskit.firmware.protocol.messages import Type, error_payload
from qcskit.hil import Device
from qcskit.hil.config import HilConfig
from qcskit.hil.errors import DeviceError, SilentError, WrongDeviceError
from qcskit.hil.exchange import Exchange, RoundTrip
from qcskit.hil.link import Link
from qcskit.hil.session import Run, run_device
from qcskit.hil.vectors import VectorSet


def test_a_port_that_talks_garbage() -> None:
    talker = Pretender(lambda _: b"login: ")
    with pytest.raises(SilentError, match=r"talks, but not this protocol .*login"):
        Device.open(talker.url, timeout_s=0.1, give_up_s=0.5)


def test_a_silent_port() -> None:
    with pytest.raises(SilentError, match=r"no answer within 0\.3 s"):
        Device.open(Pretender(lambda _: b"").url, timeout_s=0.1, give_up_s=0.3)


@pytest.mark.parametrize("seed", range(8))
def test_a_hostile_board_ends_in_an_error_not_in_a_result(codec: Codec, seed: int) -> None:
    """Valid frames of any type, seq and payload, and garbage between them: nothing but a QcsError may come of it."""
    rng = np.random.default_rng(seed)
    answers = b"".join(
        encode_frame(int(rng.integers(256)), int(rng.integers(65536)), rng.bytes(int(rng.integers(40))))
        + rng.bytes(int(rng.integers(20)))
        for _ in range(400)
    )
    with pytest.raises(QcsError):
        Device.open(Pretender(lambda _: answers).url, codec, timeout_s=0.05, give_up_s=0.2)


@pytest.mark.parametrize(
    ("request_", "cut", "told"),
    [
        (Type.HELLO, 10, "INFO has 10 bytes"),
        (Type.STATS, 15, "COUNTS has 15 bytes"),
        (Type.ENCODE, 5, "RESULT of 5 bytes does not hold 1 packets"),
    ],
)
def test_a_malformed_reply_is_the_board_s_fault(codec: Codec, request_: Type, cut: int, told: str) -> None:
    """Exit code 1, a check that failed; 2 would be wrong use."""

    def reply(frame: Frame, right: bytes) -> bytes:
        payload = decode_stretch(right.strip(b"\0")).payload  # type: ignore[union-attr]
        return encode_frame(frame.type + 0x80, frame.seq, payload[:cut]) if frame.type == request_ else right

    vectors = VectorSet(codec, 1)
    with pytest.raises(DeviceError, match=f"^port 'socket.*': {told}") as caught:
        run_device(codec, Run(PretendBoard(vectors, reply=reply).url, HilConfig(vectors=1)))
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    ("version", "todo"), [(1, "flash the current export"), (3, "update qcskit")], ids=["older", "newer"]
)
def test_another_protocol_version_is_one_line(version: int, todo: str) -> None:
    def answer(frame: Frame | None) -> bytes:
        return encode_frame(0xFF, 0, error_payload(5, version), version)

    with pytest.raises(WrongDeviceError, match=f"the board speaks protocol {version}, this kit 2; {todo}$"):
        Device.open(Pretender(answer).url, timeout_s=0.2, give_up_s=1)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (7, r"the HELLO frame is longer than the board's buffer of 64 bytes; lower hil\.batch or give .* rx_bytes"),
        (5, "speaks protocol 64, this kit 2"),
        (4, r"the board refused HELLO: batch too large \(detail 64\)"),
        (99, r"the board refused HELLO: error 99 \(detail 64\)"),
    ],
)
def test_errors_of_the_board_have_words(code: int, told: str) -> None:
    def answer(frame: Frame | None) -> bytes:
        return b"" if frame is None else encode_frame(Type.ERROR, frame.seq, error_payload(code, 64))

    with pytest.raises((DeviceError, WrongDeviceError), match=told):
        Device.open(Pretender(answer).url, timeout_s=0.2, give_up_s=1)


def test_a_reply_of_another_type_is_an_error() -> None:
    def answer(frame: Frame | None) -> bytes:
        return b"" if frame is None else encode_frame(Type.DONE, frame.seq)

    with pytest.raises(DeviceError, match="HELLO was answered by DONE"):
        Device.open(Pretender(answer).url, timeout_s=0.2, give_up_s=1)


def exchange(answer: Callable[[Frame | None], bytes], timeout_s: float = 0.2) -> Exchange:
    """An exchange with a port that answers so."""
    return Exchange(Link(Pretender(answer).url), timeout_s, give_up_s=5.0)


def echo(frame: Frame | None) -> bytes:
    """The right answer to ECHO."""
    return b"" if frame is None else encode_frame(Type.ECHOED, frame.seq, frame.payload)


@pytest.mark.parametrize("size", [0, 1, 240, 1499, 1500, 1501, 4096, 20_000, 65_527])
def test_frames_of_any_size_pass(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Up to what a u16 buffer size allows: a body of 65,535 bytes. Zeros cost the most stuffing, 255s fill blocks."""
    line = Exchange(TimelessLine(echo, monkeypatch), 0.5, 5.0)  # type: ignore[arg-type]
    for payload in (bytes(size), b"\xff" * size, np.random.default_rng(size).bytes(size)):
        assert line.request(Type.ECHO, payload).payload == payload
        *most, last = encode_frame(Type.ECHOED, 1, payload)
        assert line.parser.feed(bytes(most)) == []
        assert [frame.payload for frame in line.parser.feed(bytes([last]))] == [payload]
    assert (line.counts.retries, line.counts.frames_sent, line.counts.replies) == (0, 3, 3)
    assert line.parser.text_stretches == 0


def test_the_largest_frame_of_a_board_passes(codec: Codec) -> None:
    with Device.open("emu:native", codec) as board:
        room = board.info.rx_buffer_bytes
        assert room > 1500
        assert board.echo(np.random.default_rng(0).bytes(room - wire_bytes(0) - room // 254)) > 0


def test_a_sequence_number_has_16_bits_and_begins_anywhere() -> None:
    line = exchange(echo)
    line._seq = 65533
    assert [line.next_seq() for _ in range(5)] == [65534, 65535, 0, 1, 2]
    line._seq = 65534
    assert [line.request(Type.ECHO, bytes([n])).seq for n in range(3)] == [65535, 0, 1]
    assert len({exchange(echo)._seq for _ in range(5)}) > 1


def test_numbers_of_requests_in_flight_are_not_given_again() -> None:
    line = exchange(echo)
    line._seq, line.in_flight = 65533, {65535, 0, 3}
    assert [line.next_seq() for _ in range(4)] == [65534, 1, 2, 4]


@pytest.mark.parametrize(("type_", "distance"), [(Type.ECHOED, -1), (Type.ECHOED, 1), (Type.INFO, -1), (Type.ERROR, 7)])
def test_a_reply_with_another_number_is_not_taken(monkeypatch: pytest.MonkeyPatch, type_: Type, distance: int) -> None:
    """Whatever it is: late, doubled, of an earlier host, an error."""

    def answer(frame: Frame) -> bytes:
        stale = encode_frame(type_, (frame.seq + distance) % 65536, b"stale")
        return stale + stale + echo(frame)

    line = Exchange(TimelessLine(answer, monkeypatch), 0.5, 5.0)  # type: ignore[arg-type]
    for n in range(3):
        assert line.request(Type.ECHO, bytes([n])).payload == bytes([n])
    assert (line.counts.replies, line.counts.unexpected, line.counts.retries) == (3, 6, 0)


def test_replies_to_requests_in_flight_are_set_aside_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each the first one; what nobody waits for, and a second one, is only counted."""

    def answer(frame: Frame) -> bytes:
        replies = [(7, b"seven"), (8, b"nobody"), (9, b"nine"), (7, b"again")]
        made = [encode_frame(Type.RESULT, seq, payload) for seq, payload in replies]
        return b"".join(made[:2]) + echo(frame) + b"".join(made[2:])

    line = Exchange(TimelessLine(answer, monkeypatch), 0.5, 5.0)  # type: ignore[arg-type]
    line._seq, line.in_flight = 100, {7, 9}
    assert line.request(Type.ECHO, b"x").payload == b"x"
    assert (line.counts.replies, line.counts.unexpected) == (1, 2)
    assert [(frame.seq, frame.payload) for frame in line.early()] == [(7, b"seven"), (9, b"nine")]
    assert line.early() == []


def test_a_reply_that_is_never_right_is_not_taken_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    line = TimelessLine(lambda frame: encode_frame(Type.ECHOED, frame.seq ^ 1, frame.payload), monkeypatch)
    exchange = Exchange(line, 0.5, 0.5)  # type: ignore[arg-type]
    with pytest.raises(SilentError, match=r"stopped answering"):
        exchange.request(Type.ECHO, b"x")
    assert exchange.counts.unexpected == exchange.counts.frames_sent > 1
    assert exchange.counts.replies == 0


@pytest.mark.parametrize("type_", [Type.DONE, Type.RESULT, Type.INFO, Type.COUNTS, 0x03, 0x13, 0x93])
def test_the_right_number_on_another_type_is_an_error(type_: int) -> None:
    line = exchange(lambda frame: encode_frame(type_, frame.seq, frame.payload) if frame else b"")
    with pytest.raises(DeviceError, match=r"ECHO was answered by \w+"):
        line.request(Type.ECHO, b"x")


def test_a_lone_request_is_asked_again_with_the_same_number_until_it_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[float, int, bytes]] = []

    def answer(frame: Frame) -> bytes:
        asked.append((line.now_s, frame.seq, frame.payload))
        return echo(frame) if len(asked) == 5 else b""

    line = TimelessLine(answer, monkeypatch)
    exchange = Exchange(line, 0.5, 5.0)  # type: ignore[arg-type]
    reply = exchange.request(Type.ECHO, b"again")
    assert {(seq, payload) for _, seq, payload in asked} == {(reply.seq, b"again")}
    # 0.25 s, 1.5 times as long each time, at most the time-out; two at once from the third time on
    assert [when for when, _, _ in asked] == pytest.approx([0, 0.25, 0.625, 0.625, 1.125, 1.125], abs=1e-3)
    assert (exchange.counts.timeouts, exchange.counts.retries, exchange.counts.frames_sent) == (3, 5, 6)


@pytest.mark.parametrize("give_up_s", [None, 1.0])
def test_a_lone_request_is_given_up(monkeypatch: pytest.MonkeyPatch, give_up_s: float | None) -> None:
    line = TimelessLine(lambda frame: b"", monkeypatch)
    with pytest.raises(SilentError, match="no answer within 5 s"):
        Exchange(line, 0.5, 5.0).request(Type.ECHO, b"x", give_up_s)  # type: ignore[arg-type]
    assert (give_up_s or 5.0) < line.now_s < (give_up_s or 5.0) + 0.51


def test_an_echo_that_comes_back_changed_is_told(codec: Codec) -> None:
    def spoil(frame: Frame, right: bytes) -> bytes:
        return encode_frame(Type.ECHOED, frame.seq, frame.payload + b"!") if frame.type == Type.ECHO else right

    board = PretendBoard(VectorSet(codec, 5), reply=spoil)
    with Device.open(board.url, codec, timeout_s=0.2) as device, pytest.raises(DeviceError, match="came back changed"):
        device.echo(b"hello")


def test_the_time_out_follows_the_round_trips() -> None:
    """RFC 6298: mean + 4 deviations, at least 0.2 s beyond the mean, 3 ms on a line that loses frames."""
    times = RoundTrip(1.0)
    for _ in range(7):
        times.sample(0.1)
    assert times.timeout_s == 1.0  # too few yet
    times.sample(0.1)
    assert times.timeout_s == pytest.approx(0.1 + 0.2, abs=1e-6)
    assert times.quiet_s() == float("inf")
    times.hasty = True
    for _ in range(100):
        times.sample(0.1)
    assert times.timeout_s == pytest.approx(0.103, abs=1e-6)
    assert times.quiet_s() == pytest.approx(0.053, abs=1e-6)
    times.sample(0.18)  # mean 0.11, deviation 0.02
    assert times.timeout_s == pytest.approx(0.11 + 0.08, abs=1e-6)


@pytest.mark.parametrize("grows", [RoundTrip.dead, RoundTrip.too_short])
def test_the_time_out_grows_to_64_times_its_length_at_most(grows: Callable[[RoundTrip], None]) -> None:
    times = RoundTrip(1000.0)
    for _ in range(8):
        times.sample(0.01)
    short = times.timeout_s
    for _ in range(30):
        grows(times)
    assert times.timeout_s == pytest.approx(64 * short)


def test_the_time_out_grows_while_nothing_comes_and_falls_back() -> None:
    times = RoundTrip(1.0)
    for _ in range(8):
        times.sample(0.01)
    short = times.timeout_s
    times.dead()
    assert times.timeout_s == pytest.approx(2 * short)
    times.dead()
    assert times.timeout_s == pytest.approx(4 * short)
    for _ in range(20):
        times.dead()
    assert times.timeout_s == 1.0  # the ceiling
    times.sample(0.01)
    assert times.timeout_s < 2 * short
    late = times.timeout_s
    times.too_short()
    assert times.timeout_s == pytest.approx(1.25 * late)
    for _ in range(300):
        times.sample(0.01)
    assert times.timeout_s < 1.01 * short
