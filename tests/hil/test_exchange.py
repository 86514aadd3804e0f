"""Requests to what is silent, talks garbage, is hostile, or speaks another protocol version."""

import numpy as np
import pytest
from support.line import Pretender

from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.firmware.protocol.framing import Frame, encode_frame
from qcskit.firmware.protocol.messages import Type, error_payload
from qcskit.hil import Device
from qcskit.hil.errors import DeviceError, SilentError, WrongDeviceError


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
