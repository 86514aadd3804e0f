"""The real C agent behind lines that lose, damage, reorder, restart and vanish: every vector once, none wrong."""

import contextlib
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qcskit import firmware
from qcskit.codec.bundle import Bundle
from qcskit.codec.errors import QcsError
from qcskit.hil import Device
from qcskit.hil.config import HilConfig
from qcskit.hil.errors import LinkLostError, SilentError, WrongDeviceError
from qcskit.hil.fleet import run_fleet
from qcskit.hil.journal import Journal, Recorder
from qcskit.hil.session import identity
from qcskit.hil.simulator import Faults, Line, LinkSimulator
from qcskit.hil.stream import Answer
from qcskit.hil.vectors import vector_set


def simulator(bundle: Bundle, line: Line | None = None, faults: Faults | None = None) -> LinkSimulator:
    elf = firmware.build("native", bundle.path / "c", "test")
    return LinkSimulator(lambda: firmware.start("native", elf), line, faults, seed=5)


def check(bundle: Bundle, board: Device, count: int) -> Recorder:
    """Stream vectors; the recorder refuses a second answer. Every byte must be the reference's."""
    vectors = vector_set(bundle, count, 3, "int8")
    inputs, recorder = vectors.inputs(), Recorder(count, bundle.manifest.packed_bytes)
    for answer in board.stream(inputs, [(0, count)]):
        recorder.take(answer)
    assert recorder.answered.all()
    assert np.array_equal(recorder.packed, vectors.expected(inputs))
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
def test_every_vector_comes_back_once_and_right(bundle: Bundle, faults: Faults) -> None:
    with simulator(bundle, faults=faults) as line, Device.open(line.url, bundle, give_up_s=60) as board:
        check(bundle, board, 1000)
        assert line.resets > 2 or not faults.reset_every


def test_every_eighth_byte_damaged_is_slow_but_right(bundle: Bundle) -> None:
    """benchmarks/faults.py goes on to every fifth."""
    with simulator(bundle, faults=Faults.each(0.12)) as line, Device.open(line.url, bundle, give_up_s=60) as board:
        check(bundle, board, 30)
        assert board.models[1].repeat_exponent > 0


def test_a_clean_line_needs_no_retry_and_counts_agree(bundle: Bundle) -> None:
    with simulator(bundle, Line(460_800, 0.005)) as line, Device.open(line.url, bundle) as board:
        board.reset_counts()
        sent = board.exchange.counts.frames_sent
        check(bundle, board, 3000)
        assert board.exchange.counts.retries == 0
        assert board.stats().frames == board.exchange.counts.frames_sent - sent


def test_window_never_exceeds_what_the_board_buffers(bundle: Bundle) -> None:
    """At any time, bytes of unanswered requests <= rx_buffer_bytes: watched on the wire by an independent parser."""
    from qcskit.hil.framing import FrameParser

    worst = 0
    with simulator(bundle, Line(921_600)) as line, Device.open(line.url, bundle) as board:
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
        check(bundle, board, 3000)
        assert board.info.rx_buffer_bytes / 2 < worst <= board.info.rx_buffer_bytes


def test_a_pulled_cable_that_comes_back(bundle: Bundle) -> None:
    with simulator(bundle, Line(230_400)) as line, Device.open(line.url, bundle, reconnect_s=20) as board:

        def fiddle() -> None:
            time.sleep(0.4)
            line.unplug()
            time.sleep(0.5)
            line.plug()

        thread = threading.Thread(target=fiddle)
        thread.start()
        check(bundle, board, 4000)
        thread.join()
        assert board.exchange.counts.reconnects == 1


def test_another_board_in_the_same_place_is_refused(bundle: Bundle, other_bundle: Bundle) -> None:
    elfs = [firmware.build("native", b.path / "c", "test") for b in (bundle, other_bundle)]
    line = LinkSimulator(lambda: firmware.start("native", elfs.pop(0) if len(elfs) > 1 else elfs[0]), Line(115_200))
    with line, Device.open(line.url, bundle, reconnect_s=20) as board:

        def swap() -> None:
            time.sleep(0.3)
            line.unplug()
            line.reset()
            line.plug()

        threading.Thread(target=swap).start()
        with pytest.raises(WrongDeviceError, match=other_bundle.manifest.model_id):
            check(bundle, board, 20_000)


def test_a_cable_that_stays_out_fails_loudly(bundle: Bundle) -> None:
    with simulator(bundle, Line(115_200)) as line, Device.open(line.url, bundle, reconnect_s=0.5) as board:
        threading.Timer(0.3, line.unplug).start()
        with pytest.raises(LinkLostError, match=r"did not come back within 0\.5 s"):
            check(bundle, board, 20_000)


def test_a_board_that_hangs_fails_loudly(bundle: Bundle) -> None:
    elf = firmware.build("native", bundle.path / "c", "test")
    with firmware.start("native", elf) as board, Device.open(board.url, bundle, timeout_s=0.2, give_up_s=1) as device:
        os.kill(board.pid, signal.SIGSTOP)
        try:
            with pytest.raises(SilentError, match="stopped answering"):
                check(bundle, device, 100)
        finally:
            os.kill(board.pid, signal.SIGCONT)


def test_killed_in_mid_run_and_resumed(bundle: Bundle, tmp_path: Path) -> None:
    """kill -9 of the emulator, then --resume: complete, nothing twice, the journal gone."""
    elf = firmware.build("native", bundle.path / "c", "test")
    config = HilConfig(port=["place"], vectors=40_000, batch=10)
    out = tmp_path / "results.json"

    def run(resume: bool, kill: bool) -> dict[str, Any]:
        with firmware.start("native", elf) as board:
            link = tmp_path / "port"
            link.unlink(missing_ok=True)
            link.symlink_to(board.url)
            ours = config.model_copy(update={"port": [str(link)], "reconnect_s": 0.2})

            def progress(label: str, stage: str, done: int, total: int) -> None:
                if kill and stage == "run" and done > 9000:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(board.pid, signal.SIGKILL)

            return run_fleet(bundle, ours, out=out, resume=resume, progress=progress)

    with pytest.raises((LinkLostError, SilentError), match="go on with --resume"):
        run(resume=False, kill=True)
    assert not out.exists()
    assert list(tmp_path.glob("*.partial"))
    results = run(resume=True, kill=False)["devices"][0]
    assert results["answered"] == 40_000
    assert 9000 <= results["resumed"] < 40_000
    assert results["throughput"]["vectors"] == 40_000 - results["resumed"]
    assert results["mismatches"]["count"] == 0
    assert not list(tmp_path.glob("*.partial"))


def test_the_device_node_vanishes_and_returns(bundle: Bundle, tmp_path: Path) -> None:
    """The board is pulled (process killed, its pty gone) and comes back under the same name: the run just goes on."""
    elf = firmware.build("native", bundle.path / "c", "test")
    port, boards = tmp_path / "port", [firmware.start("native", elf)]
    port.symlink_to(boards[0].url)

    def replug() -> None:
        port.unlink()
        os.kill(boards[0].pid, signal.SIGKILL)
        time.sleep(0.3)
        boards.append(firmware.start("native", elf))
        port.symlink_to(boards[1].url)

    pulled = threading.Event()

    def progress(label: str, stage: str, done: int, total: int) -> None:
        if stage == "run" and done > 3000 and not pulled.is_set():
            pulled.set()
            threading.Thread(target=replug).start()

    config = HilConfig(port=[str(port)], vectors=60_000, batch=5, reconnect_s=20)
    try:
        results = run_fleet(bundle, config, out=tmp_path / "r.json", resume=False, progress=progress)
    finally:
        for board in boards:
            board.stop()
    entry = results["devices"][0]
    assert (entry["answered"], entry["resumed"], entry["mismatches"]["count"]) == (60_000, 0, 0)
    assert entry["link"]["host"]["reconnects"] == 1
    assert entry["link"]["board_restarted"]


def answer(start: int, rng: np.random.Generator) -> Answer:
    return Answer(start, rng.integers(0, 256, (5, 4), np.uint8), rng.integers(0, 99, 5).astype(np.uint32), 0.5, 1)


def test_a_journal_survives_being_cut_anywhere(bundle: Bundle, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    answers = [answer(start, rng) for start in (10, 0, 5, 15)]
    path, who = tmp_path / "j", identity(vector_set(bundle, 20, 1, "int8"), "p")
    with Journal(path, who) as journal:
        for one in answers:
            journal.append(one)
    whole = path.read_bytes()
    head = whole.index(b"\n") + 1
    for cut in range(head, len(whole)):
        path.write_bytes(whole[:cut])
        recorder = Recorder(20, 4)
        kept = Journal(path, who).load(recorder)
        assert kept == 5 * ((cut - head) * 4 // (len(whole) - head))
        for one in answers[: kept // 5]:
            assert np.array_equal(recorder.packed[one.start : one.start + 5], one.packed)
    with pytest.raises(QcsError, match="another run"):
        Journal(path, who | {"seed": 2}).load(Recorder(20, 4))


def test_a_second_answer_is_refused() -> None:
    recorder, rng = Recorder(20, 4), np.random.default_rng(0)
    recorder.take(answer(3, rng))
    with pytest.raises(QcsError, match="answered twice"):
        recorder.take(answer(7, rng))
    assert recorder.missing() == [(0, 3), (8, 20)]
