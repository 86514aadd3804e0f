"""The plain connection against a board that is played by a function."""

import struct
from collections.abc import Callable

import numpy as np
import pytest
from support.line import Pretender
from support.raw_line import INFO, frame

from qcskit.firmware.errors import FirmwareError
from qcskit.firmware.protocol.framing import Frame
from qcskit.firmware.protocol.messages import Type
from qcskit.firmware.protocol.wire import Wire, encode_packets


def board(rx_bytes: int = 100, max_batch: int = 255, noise: bytes = b"") -> tuple[Callable[..., bytes], list[bytes]]:
    """A board whose packet is the first two bytes of its three inputs; what it was asked to encode."""
    asked: list[bytes] = []

    def answer(request: Frame | None) -> bytes:
        assert request is not None
        if request.type == Type.HELLO:
            info = INFO.pack(2, bytes(3), bytes(8), 3, 0, 0, 1, 1, 2, rx_bytes, max_batch, 0, 0, 1)
            return noise + frame(Type.INFO, request.seq, info)
        asked.append(request.payload)
        vectors = [request.payload[at : at + 3] for at in range(2, len(request.payload), 3)]
        records = b"".join(struct.pack("<IH", 5, 2) + vector[:2] for vector in vectors)
        return noise + frame(Type.RESULT, request.seq, bytes([len(vectors)]) + records)

    return answer, asked


X = np.arange(30, dtype=np.int8).reshape(10, 3)


@pytest.mark.parametrize(("batch", "rx_bytes", "max_batch", "sizes"), [
    (255, 100, 255, [10]), (4, 100, 255, [4, 4, 2]), (255, 100, 3, [3, 3, 3, 1]), (255, 25, 255, [4, 4, 2]),
])  # fmt: skip
def test_packets_go_in_requests_that_the_board_takes(
    batch: int, rx_bytes: int, max_batch: int, sizes: list[int]
) -> None:
    answer, asked = board(rx_bytes, max_batch)
    with Wire(Pretender(answer).url, 5) as wire:
        answers = wire.encode(wire.info(), X, batch)
    assert [request[1] for request in asked] == sizes
    assert b"".join(request[2:] for request in asked) == X.tobytes()
    assert np.array_equal(answers.rows, X[:, :2])
    assert (answers.lengths.tolist(), answers.ticks.tolist()) == ([2] * 10, [5] * 10)


def test_nothing_asked_nothing_answered_and_one_packet_per_request() -> None:
    answer, asked = board()
    assert len(encode_packets(Pretender(answer).url, X[:0]).rows) == 0
    assert asked == []
    assert np.array_equal(encode_packets(Pretender(answer).url, X[:3]).rows, X[:3, :2])
    assert [request[1] for request in asked] == [1, 1, 1]


def test_log_text_and_replies_to_something_else_are_passed_over() -> None:
    answer, _ = board(noise=b"boot\0" + frame(Type.DONE, 0) + frame(Type.ECHOED, 0, b"x"))
    assert np.array_equal(encode_packets(Pretender(answer).url, X).rows, X[:, :2])


def test_a_buffer_too_small_for_one_packet_is_named() -> None:
    answer, asked = board(rx_bytes=15)
    with pytest.raises(FirmwareError, match="buffer of 15 bytes holds no packet of 3 inputs"):
        encode_packets(Pretender(answer).url, X)
    assert asked == []


def test_a_refusal_says_what_the_board_says() -> None:
    url = Pretender(lambda _: frame(Type.ERROR, 0, struct.pack("<BI", 5, 1))).url
    with (
        Wire(url, 5) as wire,
        pytest.raises(FirmwareError, match=r"refused HELLO: other protocol version \(detail 1\)"),
    ):
        wire.info()


def test_silence_and_a_closed_line_are_told_apart() -> None:
    with Wire(Pretender(lambda _: b"").url, 0.05) as wire, pytest.raises(TimeoutError, match="no answer"):
        wire.info()

    def hang_up(_: Frame | None) -> bytes:
        raise OSError

    with Wire(Pretender(hang_up).url, 5) as wire, pytest.raises(ConnectionError):
        wire.info()
