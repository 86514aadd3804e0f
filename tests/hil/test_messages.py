"""Payloads against byte offsets written out from docs/protocol.md; the batch and repeat model against brute force."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcskit.codec.bundle import read_bundle
from qcskit.codec.errors import QcsError
from qcskit.hil import Device
from qcskit.hil.adapt import LinkModel, Shape, success
from qcskit.hil.messages import Counts, Info, encode_payload, read_result, result_payload

u8, u16, u32 = st.integers(0, 255), st.integers(0, 65535), st.integers(0, 2**32 - 1)


@given(st.binary(min_size=30, max_size=40))
def test_info_at_the_offsets_of_the_specification(payload: bytes) -> None:
    info = Info.from_payload(payload)
    assert info.protocol == payload[0]
    assert info.firmware == tuple(payload[1:4])
    assert info.model_id == payload[4:12].hex()
    assert (info.inputs, info.outputs, info.levels) == struct.unpack("<HHH", payload[12:18])
    assert info.input_types == payload[19]
    assert info.can_repeat == bool(payload[19] & 128)
    assert info.packed_bytes == int.from_bytes(payload[20:22], "little")
    assert info.rx_buffer_bytes == int.from_bytes(payload[22:24], "little")
    assert info.max_batch == payload[24]
    assert info.tick_hz == int.from_bytes(payload[26:30], "little")
    if payload[18] in (1, 2) and payload[25] < 4:
        assert info.to_payload() == payload[:30]


@given(st.binary(max_size=29))
def test_a_short_info_is_refused(payload: bytes) -> None:
    with pytest.raises(QcsError):
        Info.from_payload(payload)


@given(u32, u32, u32, u32)
def test_counts(a: int, b: int, c: int, d: int) -> None:
    assert Counts.from_payload(struct.pack("<IIII", a, b, c, d)) == Counts(a, b, c, d)


def test_counts_vectors_are_little_endian() -> None:
    assert encode_payload(np.array([[1, -2]], np.int16), 3) == bytes([0x32, 1, 1, 0, 0xFE, 0xFF])


@given(st.integers(1, 20), st.integers(1, 9), st.booleans(), st.integers(0, 2**31))
def test_result_holds_tick_and_bytes_of_each_vector(count: int, width: int, with_ticks: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    packed = rng.integers(0, 256, (count, width), np.uint8)
    ticks = rng.integers(0, 2**32, count, np.uint32)
    payload = bytes([count, 4 if with_ticks else 0]) + b"".join(
        (int(tick).to_bytes(4, "little") if with_ticks else b"") + row.tobytes()
        for tick, row in zip(ticks, packed, strict=True)
    )
    assert result_payload(packed, ticks if with_ticks else None) == payload
    got, got_ticks = read_result(payload, count, width)
    assert np.array_equal(got, packed)
    assert np.array_equal(got_ticks, ticks) if with_ticks else got_ticks is None
    with pytest.raises(QcsError):
        read_result(payload[:-1], count, width)
    with pytest.raises(QcsError):
        read_result(payload, count + 1, width)


def test_success_against_a_simulation() -> None:
    rng = np.random.default_rng(0)
    loss, there, back, repeats = 0.03, 25, 20, 4
    trials = 20_000
    arrives = (rng.random((trials, there)) > loss).all(axis=1)
    replies = (rng.random((trials, repeats, back)) > loss).all(axis=2).any(axis=1)
    wanted = float(success(there, back, 2, np.array([loss]))[0])
    assert (arrives & replies).mean() == pytest.approx(wanted, abs=0.012)


@pytest.mark.parametrize("loss", [0.0, 0.002, 0.03, 0.1])
def test_the_model_finds_the_loss_of_a_line(loss: float) -> None:
    rng = np.random.default_rng(1)
    model = LinkModel(Shape(10, 4, 4, 4096, 255, True))
    for _ in range(3000):
        sizes = model.shape.request_bytes(model.batch), model.shape.reply_bytes(model.batch)
        p = float(success(*sizes, model.repeat_exponent, np.array([loss]))[0])
        model.note(model.batch, model.repeat_exponent, bool(rng.random() < p))
    assert model.byte_loss == pytest.approx(loss, rel=0.5, abs=1e-5)
    assert (model.batch == 100) == (loss == 0.0)
    assert (model.repeat_exponent > 0) == (loss > 0.05) or loss == 0.03


def test_a_rate_at_which_nothing_gets_through_falls_back(bundle_path: object) -> None:
    """The line scrambles everything while host and board run at the new rate; both find back to the old one."""
    with Device.open("emu:native", read_bundle(bundle_path)) as board:  # type: ignore[arg-type]
        link, scrambled = board.link, False
        write, read, set_baud = link.write, link.read, link.set_baud

        def scramble(data: bytes) -> bytes:
            return bytes(byte ^ 0x5A for byte in data) if scrambled else data

        def change(baud: int) -> None:
            nonlocal scrambled
            scrambled = baud == 1_000_000
            set_baud(115_200)
            link.baud = baud

        link.write = lambda data: write(scramble(data))  # type: ignore[method-assign]
        link.read = lambda timeout_s: scramble(read(timeout_s))  # type: ignore[method-assign]
        link.set_baud = change  # type: ignore[method-assign]
        assert not board.change_baud(1_000_000)
        assert link.baud == 115_200
        assert board.echo(bytes(range(256))) > 0
        assert board.stats().crc_errors > 0
