"""Payloads against byte offsets written out from docs/protocol.md."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from qcskit.codec.errors import QcsError
from qcskit.firmware.protocol.framing import wire_bytes
from qcskit.firmware.protocol.messages import (
    ERROR_CODES,
    Counts,
    Info,
    Type,
    encode_payload,
    largest_batch,
    read_error,
    read_result,
    result_bytes,
    result_payload,
)

PAGE = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")


def test_every_error_is_told_as_the_specification_has_it() -> None:
    """By number; of each the words of the page that say which it is."""
    page = dict(re.findall(r"^\| (\d) \| ([^|]+) \|", PAGE.split("**ERROR** codes")[1], re.MULTILINE))
    words = {"1": "unknown", "2": "length", "3": "input type", "4": "too large", "5": "protocol version",
             "6": "reply would not fit", "7": "the frame is longer than the board's buffer"}  # fmt: skip
    assert page.keys() == words.keys() == set(map(str, ERROR_CODES))
    for number, word in words.items():
        assert word in page[number]
        assert word in ERROR_CODES[int(number)]


def test_every_message_has_the_number_that_the_specification_says() -> None:
    told = re.findall(r"^\| 0x([0-9A-F]{2}) \| (\w+) \|", PAGE, re.MULTILINE)
    assert {name: int(number, 16) for number, name in told} == {name: int(kind) for name, kind in
                                                               Type.__members__.items()}  # fmt: skip


u8, u16, u32 = st.integers(0, 255), st.integers(0, 65535), st.integers(0, 2**32 - 1)


@given(st.binary(min_size=32, max_size=40))
def test_info_at_the_offsets_of_the_specification(payload: bytes) -> None:
    info = Info.from_payload(payload)
    assert info.protocol == payload[0]
    assert info.firmware == tuple(payload[1:4])
    assert info.model_id == payload[4:12].hex()
    assert (info.inputs, info.outputs, info.levels) == struct.unpack("<HHH", payload[12:18])
    assert info.codec == payload[18]
    assert info.input_types == payload[19]
    assert info.can_repeat == bool(payload[19] & 128)
    assert info.can_change_baud == bool(payload[19] & 64)
    assert info.packed_bytes_max == int.from_bytes(payload[20:22], "little")
    assert info.rx_buffer_bytes == int.from_bytes(payload[22:24], "little")
    assert info.max_batch == payload[24]
    assert info.tick_hz == int.from_bytes(payload[26:30], "little")
    assert info.windows == int.from_bytes(payload[30:32], "little")
    if payload[25] < 4:
        assert info.to_payload() == payload[:32]


@given(st.binary(max_size=31))
def test_a_short_info_is_refused(payload: bytes) -> None:
    with pytest.raises(QcsError):
        Info.from_payload(payload)


@given(u32, u32, u32, u32)
def test_counts(a: int, b: int, c: int, d: int) -> None:
    assert Counts.from_payload(struct.pack("<IIII", a, b, c, d)) == Counts(a, b, c, d)


def test_counts_vectors_are_little_endian() -> None:
    assert encode_payload(np.array([[1, -2]], np.int16), 3) == bytes([0x32, 1, 1, 0, 0xFE, 0xFF])


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=9), u32), min_size=1, max_size=20))
@example([(b"abc", 1), (b"def", 2)])
def test_result_holds_tick_length_and_bytes_of_each_packet(packets: list[tuple[bytes, int]]) -> None:
    room = 9
    payload = bytes([len(packets)])
    for packet, tick in packets:
        payload += tick.to_bytes(4, "little") + len(packet).to_bytes(2, "little") + packet
    assert result_payload([packet for packet, _ in packets], [tick for _, tick in packets]) == payload
    assert len(payload) <= result_bytes(len(packets), room)
    got = read_result(payload, len(packets), room)
    assert [row[:length].tobytes() for row, length in zip(got.rows, got.lengths, strict=True)] == [
        p for p, _ in packets
    ]
    assert not got.rows[np.arange(room) >= got.lengths[:, None]].any()
    assert got.ticks.tolist() == [tick for _, tick in packets]
    for wrong, count, most in ((payload[:-1], len(packets), room), (payload, len(packets) + 1, room),
                               (payload + b"\0", len(packets), room),
                               (bytes([payload[0] ^ 1]) + payload[1:], len(packets), room),
                               (payload, len(packets), int(got.lengths.max()) - 1)):  # fmt: skip
        with pytest.raises(QcsError):
            read_result(wrong, count, most)


@given(st.lists(st.binary(max_size=12), min_size=1, max_size=5), st.data())
def test_any_result_payload_is_read_or_refused(packets: list[bytes], data: st.DataObject) -> None:
    """Payloads with up to two bytes of head, tick, length or packet changed, cut or lengthened."""
    payload = bytearray(result_payload(packets, [9] * len(packets)))
    for _ in range(data.draw(st.integers(0, 2))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 14))
    payload = payload[: data.draw(st.integers(len(payload) - 1, len(payload)))] + data.draw(st.binary(max_size=1))
    payload, count, room = bytes(payload), len(packets), data.draw(st.integers(8, 20))
    try:
        got = read_result(payload, count, room)
    except QcsError:
        return
    packets = [row[:length].tobytes() for row, length in zip(got.rows, got.lengths, strict=True)]
    assert result_payload(packets, got.ticks.tolist()) == payload


def test_an_empty_packet_is_no_packet() -> None:
    with pytest.raises(QcsError):
        read_result(result_payload([b""], [1]), 1, 4)


@given(st.integers(1, 700), st.integers(20, 4096), st.integers(1, 255))
def test_the_largest_batch_fits_and_one_more_does_not(input_bytes: int, buffer: int, most: int) -> None:
    batch = largest_batch(input_bytes, buffer, most)
    assert 0 <= batch <= most
    if batch:
        assert wire_bytes(2 + batch * input_bytes) <= buffer
    if batch < most:
        assert wire_bytes(2 + (batch + 1) * input_bytes) > buffer


def test_a_short_error_says_nothing() -> None:
    assert read_error(b"\x07\x40\0\0\0") == (7, 64)
    assert read_error(b"\x07") == (0, 0)
