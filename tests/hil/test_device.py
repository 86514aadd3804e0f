"""The host against the real C agent, as a process on a pty; and against boards that are not what they should be."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.line import PretendBoard, Pretender, TimelessLine

from qcskit import firmware
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.firmware.protocol.framing import Frame, encode_frame
from qcskit.firmware.protocol.messages import Info, Type
from qcskit.hil import Device
from qcskit.hil.device import _has_ended
from qcskit.hil.errors import LinkError, WrongDeviceError
from qcskit.hil.exchange import HostCounts
from qcskit.hil.link import start_emulated
from qcskit.hil.vectors import VectorSet


def test_an_emulated_core_answers_with_the_same_bytes(codec: Codec) -> None:
    vectors = codec.bundle.vectors
    for values, packed in (("counts", "packed"), ("input", "input_packed")):
        found = []
        for port in ("emu:native", "emu:cortex-m4"):
            try:
                with Device.open(port, codec) as board:
                    packets, ticks = board.encode(vectors[values])
            except firmware.MissingToolError as error:
                pytest.skip(str(error))
            found.append(packets)
            assert (ticks > 0).all()
        assert not found[0].differ(found[1]).any()
        assert np.array_equal(found[0].bytes, vectors[packed])
        assert np.array_equal(found[0].offsets, vectors[f"{packed}_offsets"])


def test_packets_of_any_length_on_an_emulated_core(toy_codec: Codec) -> None:
    vectors = toy_codec.bundle.vectors
    try:
        with Device.open("emu:cortex-m4", toy_codec) as board:
            packets, _ = board.encode(vectors["counts"])
    except firmware.MissingToolError as error:
        pytest.skip(str(error))
    assert np.array_equal(packets.offsets, vectors["packed_offsets"])
    assert np.array_equal(packets.bytes, vectors["packed"])


def test_echo_stats_and_reset(codec: Codec) -> None:
    with Device.open("emu:native", codec) as board:
        board.reset_counts()
        assert (board.link.bytes_sent, board.link.bytes_received, board.exchange.counts) == (0, 0, HostCounts())
        assert board.echo(bytes(range(256)) * 3) > 0
        counts = board.stats()
        assert (counts.frames, counts.crc_errors, counts.duplicates) == (2, 0, 0)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_board_is_opened_with_a_bundle_by_its_path(codec: Codec, kind: type) -> None:
    with Device.open("emu:native", kind(codec.bundle.path)) as board:
        assert board.codec is not None
        assert board.codec.name == codec.name
        told = ("emu:native", codec.kind, codec.bundle.manifest.model_id, f"{codec.inputs} counts", "ticks in timer")
        assert [part for part in told if part not in repr(board)] == []
        assert board.encode(codec.bundle.vectors["counts"]).packets.bytes.tobytes()


def test_a_list_is_refused_as_what_it_is(codec: Codec) -> None:
    refused = pytest.raises(QcsError, match=r"vectors are int64 of shape \(1, 10\)")
    with Device.open("emu:native", codec) as board, refused:
        board.encode([[0] * 10])  # type: ignore[arg-type]


def test_wrong_vectors_are_refused_before_they_are_sent(codec: Codec, decoding_codec: Codec) -> None:
    with Device.open("emu:native", codec) as board:
        for wrong in (np.zeros((3, 7), np.int8), np.zeros(10, np.int8), np.zeros((3, 10), np.int32)):
            with pytest.raises(QcsError, match=r"of shape \(\d+,( \d)?.*the board takes int8 or int16 \(count, 10\)"):
                board.encode(wrong)  # type: ignore[arg-type]
    with Device.open("emu:native", decoding_codec) as board, pytest.raises(QcsError, match="does not take int8"):
        board.encode(np.zeros((3, 10), np.int8))


def test_firmware_of_another_model_is_refused(codec: Codec, other_codec: Codec) -> None:
    with (
        start_emulated("native", codec) as emulator,
        pytest.raises(WrongDeviceError, match=codec.bundle.manifest.model_id),
    ):
        Device.open(emulator.url, other_codec)


def test_an_emulated_board_needs_a_bundle() -> None:
    with pytest.raises(QcsError, match="'emu:native' needs a bundle"):
        Device.open("emu:native")


def pretend(info: Info) -> Pretender:
    """A board that says it is `info`, and answers nothing else."""

    def answer(frame: Frame | None) -> bytes:
        hello = frame is not None and frame.type == Type.HELLO
        return encode_frame(Type.INFO, frame.seq, info.to_payload()) if hello else b""  # type: ignore[union-attr]

    return Pretender(answer)


def info_of(codec: Codec) -> Info:
    """What firmware of a codec says."""
    return Info(
        2, (0, 1, 0), codec.bundle.manifest.model_id, codec.inputs, 0, 0, 1, 3, codec.packed_bytes_max, 256, 20, "none",
        0, codec.windows,
    )  # fmt: skip


@pytest.mark.parametrize(("what", "value"), [("inputs", 9), ("windows", 2), ("packed_bytes_max", 7)])
def test_other_dimensions_are_refused(codec: Codec, what: str, value: int) -> None:
    board = pretend(replace(info_of(codec), **{what: value}))  # type: ignore[arg-type]
    with pytest.raises(WrongDeviceError, match=rf"{what} is {value} on the board, \d+ in bundle .*; flash firmware"):
        Device.open(board.url, codec, timeout_s=0.2, give_up_s=1)


def test_another_version_in_info_is_refused(codec: Codec) -> None:
    board = pretend(replace(info_of(codec), protocol=3))
    with pytest.raises(WrongDeviceError, match="speaks protocol 3, this kit 2; update qcskit"):
        Device.open(board.url, codec, timeout_s=0.2, give_up_s=1)


def test_a_frame_that_the_board_cannot_buffer_is_refused_before_it_is_sent(codec: Codec) -> None:
    """10 int8 values: 23 bytes on the line; 10 counts: 33."""
    counts = np.zeros((3, 10), np.int16)
    board = pretend(replace(info_of(codec), rx_buffer_bytes=32, max_batch=1))
    with Device.open(board.url, codec, timeout_s=0.2, give_up_s=1) as device:
        sent = device.link.bytes_sent
        with pytest.raises(QcsError, match=r"a frame of 1 vector of 10 values takes 33 bytes, the board holds 32 and 1 "
                                           r"vectors; give its firmware more rx_bytes"):  # fmt: skip
            device.encode(counts)
        assert device.link.bytes_sent == sent
    board = pretend(info_of(codec))
    with Device.open(board.url, codec, batch=30, timeout_s=0.2, give_up_s=1) as device:
        with pytest.raises(QcsError, match=r"a frame of 30 vectors of 10 values takes 615 bytes, the board holds 256 "
                                           r"and 20 vectors; ask for at most --batch 12"):  # fmt: skip
            device.encode(counts)
        assert device.models[1].shape.max_batch == 20


def test_importing_hil_loads_no_tensorflow() -> None:
    code = "import sys, qcskit.hil, qcskit.hil.fleet; print({'tensorflow', 'keras'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_rate_the_board_cannot_make_leaves_the_old_one(codec: Codec) -> None:
    """Whatever comes of the trial, the link works afterwards, at a rate both sides agree on."""
    with Device.open("emu:native", codec) as board:
        assert board.change_baud(115_200)
        before = board.link.set_baud

        def refuse(baud: int) -> None:
            if baud == 1_000_000:
                raise LinkError("the adapter cannot run at this rate")
            before(baud)

        rates = []
        board.link.set_baud = rates.append  # type: ignore[method-assign]
        assert not board.change_baud(3)
        assert (rates, board.link.baud) == ([], 115_200), "the board refused it: the host has not changed"
        board.link.set_baud = refuse  # type: ignore[method-assign]
        assert not board.change_baud(1_000_000)
        assert board.link.baud == 115_200
        assert board.echo(b"still here") > 0
        assert board.change_baud(230_400)
        assert board.echo(bytes(200)) > 0


def test_what_came_before_anyone_asked_is_thrown_away(codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a frame of an earlier run would take the first answer along."""
    line = TimelessLine(PretendBoard(VectorSet(codec, 5)).answer, monkeypatch)
    line._held += [b"half", b" a frame"]
    device = Device(line, codec)  # type: ignore[arg-type]
    assert (device.exchange.counts.retries, device.exchange.parser.text_stretches) == (0, 0)
    assert line.now_s < 0.1


@pytest.mark.parametrize(("ends_after", "ended"), [(0, True), (3, True), (1000, False)])
def test_an_emulator_has_a_moment_to_end(ends_after: int, ended: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that only waiting moves."""
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        assert sum(waits) < 10, "it waits for ever"

    monkeypatch.setattr("qcskit.hil.device.time", SimpleNamespace(monotonic=lambda: sum(waits), sleep=sleep))

    class Ending:
        alive = property(lambda self: len(waits) < ends_after)

    assert _has_ended(Ending()) == ended  # type: ignore[arg-type]


def test_a_rate_at_which_nothing_gets_through_falls_back(codec: Codec) -> None:
    """The line scrambles everything while host and board run at the new rate; both find back to the old one."""
    with Device.open("emu:native", codec) as board:
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


@pytest.mark.parametrize("change", [{"tick_source": "timer"}, {"tick_hz": 5}, {"rx_buffer_bytes": 512}, {}])
def test_whoever_is_back_after_a_pulled_plug_is_the_same_to_the_last_bit(
    codec: Codec, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another board of the same model has other ticks: its figures do not belong into the same run."""
    board = PretendBoard(VectorSet(codec, 5))
    with Device.open(board.url, codec) as device:
        monkeypatch.setattr(device.link, "wait_back", lambda patience_s: None)
        board._info = replace(board._info, **change)
        if change:
            with pytest.raises(WrongDeviceError, match=f"^port '{board.url}': another board of the same model is back"):
                device._return()
        else:
            device._return()
