"""The real C agent behind lines that lose, damage, reorder, restart and vanish: every vector once, none wrong."""

import os
import signal
import threading
import time

import pytest
from support.line import Faults, Line, LinkSimulator, native_firmware

from qcskit import firmware
from qcskit.codec.interface import Codec
from qcskit.firmware.protocol.framing import FrameParser
from qcskit.hil import Device
from qcskit.hil.errors import LinkLostError, SilentError, WrongDeviceError
from qcskit.hil.journal import Recorder
from qcskit.hil.vectors import InputKind, VectorSet


def simulator(codec: Codec, line: Line | None = None, faults: Faults | None = None) -> LinkSimulator:
    elf = native_firmware(codec)
    return LinkSimulator(lambda: firmware.start("native", elf), line, faults, seed=5)


def check(codec: Codec, board: Device, count: int, kind: InputKind = "counts") -> Recorder:
    """Stream vectors; the recorder refuses a second answer. Every byte must be the reference's."""
    vectors = VectorSet(codec, count, 3, kind)
    values, recorder = vectors.values(), Recorder(count, codec.packed_bytes_max)
    for answer in board.stream(values, [(0, count)]):
        recorder.take(answer)
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
    with simulator(codec, Line(230_400)) as line, Device.open(line.url, codec, reconnect_s=20) as board:

        def fiddle() -> None:
            time.sleep(0.4)
            line.unplug()
            time.sleep(0.5)
            line.plug()

        thread = threading.Thread(target=fiddle)
        thread.start()
        check(codec, board, 4000)
        thread.join()
        assert board.exchange.counts.reconnects == 1


def test_another_board_in_the_same_place_is_refused(codec: Codec, other_codec: Codec) -> None:
    elfs = [native_firmware(one) for one in (codec, other_codec)]
    line = LinkSimulator(lambda: firmware.start("native", elfs.pop(0) if len(elfs) > 1 else elfs[0]), Line(115_200))
    with line, Device.open(line.url, codec, reconnect_s=20) as board:

        def swap() -> None:
            time.sleep(0.3)
            line.unplug()
            line.reset()
            line.plug()

        threading.Thread(target=swap).start()
        with pytest.raises(WrongDeviceError, match=other_codec.bundle.manifest.model_id):
            check(codec, board, 20_000)


def test_a_cable_that_stays_out_fails_loudly(codec: Codec) -> None:
    with simulator(codec, Line(115_200)) as line, Device.open(line.url, codec, reconnect_s=0.5) as board:
        threading.Timer(0.3, line.unplug).start()
        with pytest.raises(LinkLostError, match=r"did not come back within 0\.5 s"):
            check(codec, board, 20_000)


def test_a_board_that_hangs_fails_loudly(codec: Codec) -> None:
    elf = native_firmware(codec)
    with firmware.start("native", elf) as board, Device.open(board.url, codec, timeout_s=0.2, give_up_s=1) as device:
        os.kill(board.pid, signal.SIGSTOP)
        try:
            with pytest.raises(SilentError, match="stopped answering"):
                check(codec, device, 100)
        finally:
            os.kill(board.pid, signal.SIGCONT)
