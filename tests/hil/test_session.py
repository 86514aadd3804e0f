"""Whole runs: every byte of the board is the reference's, of every kind of codec and input; every figure by hand."""

from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.bundles import BUNDLES
from support.entries import entry
from support.line import PretendBoard, Pretender

from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec, Packets
from qcskit.codec.metrics import nmse_db
from qcskit.firmware import find_board
from qcskit.firmware.protocol.framing import Frame, encode_frame
from qcskit.firmware.protocol.messages import Answers, Counts, Type
from qcskit.hil import Device
from qcskit.hil.config import HilConfig
from qcskit.hil.errors import DeviceError
from qcskit.hil.evidence import image_parts, run_evidence
from qcskit.hil.fleet import run_fleet
from qcskit.hil.journal import Journal, Recorder
from qcskit.hil.session import Measurement, Run, failures, measure_round_trips, results_of, run_device
from qcskit.hil.stream import Answer
from qcskit.hil.vectors import VectorSet


def silent(label: str, stage: str, done: int, total: int) -> None:
    """No progress."""


def test_every_byte_of_the_board_is_the_reference_s(codec: Codec, tmp_path: Path) -> None:
    config = HilConfig(port=["emu:native"], vectors=3000)
    results = run_fleet(codec, config, out=tmp_path / "r.json", resume=False, progress=silent)
    board = results["devices"][0]
    assert results["verdict"] == {"ok": True, "vectors": 3000, "mismatches": 0, "failed": []}
    assert board["link"]["agree"]
    assert board["ticks"]["count"] == board["answered"] == board["packet_bytes"]["count"] == 3000
    assert (tmp_path / "r.json").is_file()
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("name", BUNDLES)
def test_codecs_of_every_kind_run_alike(name: str, tmp_path: Path) -> None:
    codec = BUNDLES[name](tmp_path / "b")
    for kind in ("counts", "inputs") if codec.takes_inputs else ("counts",):
        entry = run_device(codec, Run("emu:native", HilConfig(vectors=500, input=kind)))  # type: ignore[arg-type]
        assert (entry["answered"], entry["mismatches"]["count"]) == (500, 0)


def test_boards_agree_and_decode_to_the_same_nmse(decoding_codec: Codec) -> None:
    config = HilConfig(vectors=100, give_up_s=200)  # emulators on a busy machine
    ports = ["emu:native", *(f"emu:{name}" for name in ("cortex-m4", "avr") if not find_board(name).missing)]
    for port in ports:
        entry = run_device(decoding_codec, Run(port, config))
        assert entry["mismatches"]["count"] == 0
        assert entry["nmse"]["device_db"] == entry["nmse"]["deployed_db"] < -6
        assert results_of(decoding_codec, config, [entry])["verdict"]["ok"]


def test_packets_of_two_windows_and_any_length(toy_codec: Codec) -> None:
    entry = run_device(toy_codec, Run("emu:native", HilConfig(vectors=400, nj_per_bit=1.0)))
    sizes = entry["packet_bytes"]
    assert entry["mismatches"]["count"] == 0
    assert entry["nmse"]["frames"] == 2 * entry["answered"] == 800
    assert entry["nmse"]["device_db"] == entry["nmse"]["deployed_db"] < -20
    assert sizes["min"] < sizes["mean"] < sizes["max"] <= toy_codec.packed_bytes_max
    assert entry["energy"]["radio_uj"] == pytest.approx(8 * sizes["mean"] / 1000, abs=1e-5)


def test_inputs_of_a_codec_that_takes_counts_only_are_refused_at_once(decoding_codec: Codec) -> None:
    with pytest.raises(QcsError, match="takes ADC counts, not network inputs"):
        run_device(decoding_codec, Run("/dev/ttyNONE", HilConfig(vectors=10, input="inputs")))


def test_every_figure_is_the_board_s(decoding_codec: Codec) -> None:
    """A board that swaps two packets and takes 100 + n ticks of 1 MHz for vector n: 250 vectors, segments of 100."""
    vectors = VectorSet(decoding_codec, 250)
    values, x = vectors.part(0, 250)
    right = list(vectors.expected(values))
    given = right.copy()
    given[99], given[240] = right[240], right[99]
    board = PretendBoard(vectors, packet=lambda number, _: given[number], tick=lambda number: 100 + number)
    config = HilConfig(vectors=250, uj_per_kilocycle=4.0, nj_per_bit=2.0, baud=9600, give_up_s=60)
    stages: list[tuple[str, int, int]] = []
    run = Run(board.url, config, label="it", progress=lambda *stage: stages.append(stage))
    entry = run_device(decoding_codec, run)
    assert stages[:2] == [("connect", 0, 1), ("connect", 1, 1)]
    assert stages[-4:] == [("run", 250, 250), *(("compare", done, 250) for done in (100, 200, 250))]
    size = decoding_codec.packed_bytes_max
    nmse = [nmse_db(x, decoding_codec.decode(Packets.of(packets))) for packets in (given, right)]
    assert (entry["port"], entry["label"], entry["board"], entry["baud"]) == (board.url, "it", None, 9600)
    assert (entry["firmware"], entry["tick_source"], entry["rx_buffer_bytes"]) == ("9.8.7", "cycles", 4096)
    assert (entry["vectors"], entry["answered"], entry["resumed"]) == (250, 250, 0)
    assert entry["mismatches"]["segments"] == [[0, 1], [2, 1]]
    assert [first["vector"] for first in entry["mismatches"]["first"]] == [99, 240]
    assert [first["got"] for first in entry["mismatches"]["first"]] == [right[240].hex(), right[99].hex()]
    assert [entry["nmse"][name] for name in ("device_db", "deployed_db")] == pytest.approx(nmse, abs=1e-5)
    assert len(entry["nmse"]["per_segment_db"]) == 3
    wanted = {"min": 100, "p50": 224, "p95": 337, "p99": 347, "max": 349, "mean": 224.5, "count": 250}
    assert {name: entry["ticks"][name] for name in wanted} == wanted
    assert entry["device_time_us"] == {name: wanted[name] for name in entry["device_time_us"]}
    assert entry["packet_bytes"]["min"] == entry["packet_bytes"]["max"] == size
    bits = decoding_codec.rate_bits * decoding_codec.width
    assert entry["energy"]["encode_uj"] == pytest.approx(4.0 * 224.5 / 1000)
    assert entry["energy"]["radio_uj"] == pytest.approx(2.0 * bits / 1000)
    done = entry["throughput"]
    assert done["vectors"] == 250
    assert done["vectors_per_s"] == pytest.approx(250 / done["seconds"], rel=1e-3)
    assert done["bytes_sent"] > values.nbytes
    assert done["bytes_received"] > 250 * (6 + size)
    assert entry["round_trip_us"]["echo"]["count"] == 30
    assert entry["round_trip_us"]["single"]["count"] <= 100
    assert entry["round_trip_us"]["answer"]["count"] == entry["link"]["host"]["replies"] - 1  # the last one: STATS
    verdict = results_of(decoding_codec, config, [entry])["verdict"]
    assert verdict == {"ok": False, "vectors": 250, "mismatches": 2, "failed": ["it"]}


@pytest.mark.parametrize("stretch", [1, 100, 101, 200, 250])
def test_a_run_in_stretches_gives_the_figures_of_one_in_one_piece(
    decoding_codec: Codec, monkeypatch: pytest.MonkeyPatch, stretch: int
) -> None:
    """Whole segments of 100 vectors at least; no more answers are held at once, and only streaming takes time."""
    vectors, held, stages = VectorSet(decoding_codec, 250), [], []
    right = list(vectors.expected(vectors.values()))
    given = right.copy()
    given[99], given[240] = right[240], right[99]

    def entry() -> dict[str, Any]:
        board = PretendBoard(vectors, packet=lambda number, _: given[number], tick=lambda number: 100 + number)
        config = HilConfig(vectors=250, batch=10, timeout_s=20, give_up_s=60)
        found = run_device(decoding_codec, Run(board.url, config, progress=lambda *stage: stages.append(stage)))
        compared = [(done, total) for stage, done, total in stages if stage == "compare"]
        assert compared == [(100, 250), (200, 250), (250, 250)]
        assert [done for stage, done, _ in stages if stage == "run"] == list(range(10, 251, 10))
        stages.clear()
        assert found["throughput"]["seconds"] == 25 + max(1, len(held) - 1)  # the clock is asked once per answer
        return {name: found[name] for name in ("mismatches", "nmse", "ticks", "packet_bytes", "clipped", "answered")}

    class Watched(Recorder):
        def __init__(self, vectors: int, room: int) -> None:
            super().__init__(vectors, room)
            held.append(vectors)

    monkeypatch.setattr("qcskit.hil.session.time", SimpleNamespace(monotonic=count(0.0).__next__))
    whole = entry()
    monkeypatch.setattr("qcskit.hil.session._STRETCH_VECTORS", stretch)
    monkeypatch.setattr("qcskit.hil.session.Recorder", Watched)
    assert entry() == whole
    most = 100 * -(-stretch // 100)
    assert held == [0, *(min(most, 250 - first) for first in range(0, 250, most))]


@pytest.mark.parametrize("stretch", [100, 300])
def test_a_run_goes_on_in_any_stretch(
    decoding_codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stretch: int
) -> None:
    """A board that ends at vector 230 of 300, then one that does not: each vector is answered once, in its place."""
    monkeypatch.setattr("qcskit.hil.session._STRETCH_VECTORS", stretch)
    vectors, ends = VectorSet(decoding_codec, 300), True

    def reply(frame: Frame, encoded: bytes) -> bytes:
        spoilt = ends and frame.type == Type.ENCODE and 230 in board.numbers(frame)
        return encode_frame(Type.DONE, frame.seq) if spoilt else encoded

    board = PretendBoard(vectors, reply=reply, tick=lambda number: 1000 + number)
    config = HilConfig(vectors=300, batch=10, timeout_s=20, give_up_s=60)
    run = Run(board.url, config, tmp_path / "j")
    with pytest.raises(DeviceError, match=r"ENCODE was answered by DONE; answers so far are kept"):
        run_device(decoding_codec, run)
    stated: Any = SimpleNamespace(emulator=None, info=board._info)
    evidence = run_evidence(vectors, board.url, image_parts(stated))
    kept, ends = Recorder(300, decoding_codec.packed_bytes_max), False
    answered = Journal(tmp_path / "j", evidence).load(kept)
    assert 0 < answered <= 230
    assert (kept.ticks[kept.answered] == 1000 + np.flatnonzero(kept.answered)).all()
    board.requests.clear()
    monkeypatch.setattr("qcskit.hil.session.run_evidence", lambda *facts: evidence)  # it is on another port now
    entry = run_device(decoding_codec, Run(Pretender(board.answer).url, config, tmp_path / "j", resume=True))
    asked = [board.numbers(frame) for frame in board.requests if frame.type == Type.ENCODE][100:]  # an idle line first
    assert sorted(number for numbers in asked for number in numbers) == np.flatnonzero(~kept.answered).tolist()
    assert (entry["answered"], entry["resumed"], entry["mismatches"]["count"]) == (300, answered, 0)
    assert (entry["ticks"]["min"], entry["ticks"]["max"], entry["ticks"]["count"]) == (1000, 1299, 300)
    assert entry["round_trip_us"]["answer"]["count"] == len(kept.seconds) + len(asked)


def test_round_trips_are_the_answers_own(codec: Codec) -> None:
    """Half a second and a whole one, as the recorder has them."""
    vectors = VectorSet(codec, 4)
    with Device.open(PretendBoard(vectors).url, codec) as device:
        measured = Measurement(device, vectors, HilConfig(), "it")
        recorder = Recorder(4, codec.packed_bytes_max)
        for start, seconds in ((0, 0.5), (2, 1.0)):
            rows = vectors.expected(vectors.part(start, start + 2)[0]).table(codec.packed_bytes_max)
            recorder.take(Answer(start, Answers(rows, np.full(2, 4), np.zeros(2, np.uint32)), seconds, 1))
        measured.add(recorder, 0)
        measured.note_answered(4)
        entry = measured.entry(2.0)
    times = entry["round_trip_us"]["answer"]
    assert (times["count"], times["min"], times["max"]) == (2, 500_000, 1_000_000)
    assert (entry["mismatches"]["count"], entry["throughput"]["vectors_per_s"]) == (0, 2.0)


@pytest.mark.parametrize("count", [40, 250])
def test_round_trips_of_an_idle_line_are_of_one_vector_each(codec: Codec, count: int) -> None:
    """30 echoes as long as a vector, and the first 100 vectors one by one, in their order."""
    vectors = VectorSet(codec, count)
    board = PretendBoard(vectors)
    with Device.open(board.url, codec, timeout_s=20, give_up_s=60) as device:
        board.requests.clear()
        found = measure_round_trips(device, vectors)
    echoes, encodes = ([frame for frame in board.requests if frame.type == kind] for kind in (Type.ECHO, Type.ENCODE))
    assert [len(frame.payload) for frame in echoes] == [vectors.values()[0].nbytes] * 30
    assert [board.numbers(frame) for frame in encodes] == [[number] for number in range(min(count, 100))]
    assert (found["echo"]["count"], found["single"]["count"]) == (30, min(count, 100))


@pytest.mark.parametrize(
    ("more", "damaged", "agree", "restarted"),
    [
        (0, (0, 0), True, False),
        (1, (0, 0), False, False),
        (-1, (0, 0), False, True),
        (0, (1, 0), True, False),
        (1, (1, 0), False, False),
        (1, (0, 1), False, False),
        (-1, (0, 1), False, True),
    ],
)
def test_both_ends_must_agree_on_what_was_sent(
    codec: Codec, more: int, damaged: tuple[int, int], agree: bool, restarted: bool
) -> None:
    """As many frames as the host sent, on a line that damages some no more; fewer than it answered: a restart.

    damaged: CRC errors, overruns.
    """

    def reply(frame: Frame, right: bytes) -> bytes:
        if frame.type != Type.STATS:
            return right
        counts = Counts(board.frames + more, *damaged, 0)
        return encode_frame(Type.COUNTS, frame.seq, counts.to_payload())

    board = PretendBoard(VectorSet(codec, 50), reply=reply)
    link = run_device(codec, Run(board.url, HilConfig(vectors=50, timeout_s=20, give_up_s=60)))["link"]
    assert (link["agree"], link["board_restarted"]) == (agree, restarted)


@pytest.mark.parametrize(
    ("changes", "tolerance_db", "fails"),
    [
        ({}, 0.0, False),
        ({"mismatches__count": 1}, 9.0, True),
        ({"nmse__device_db": -11.875}, 0.0, True),
        ({"nmse__device_db": -12.125}, 0.0, True),  # better than the reference is another one, too
        ({"nmse__device_db": -11.875}, 0.125, False),
        ({"nmse__device_db": -11.875}, 0.12, True),
        ({"nmse__device_db": -12.125}, 0.12, True),
        ({"nmse__device_db": None}, 9.0, True),
        ({"nmse__deployed_db": None}, 9.0, True),
        ({"nmse__device_db": None, "nmse__deployed_db": None}, 0.0, False),
        ({"nmse__device_db": "not measured", "nmse__deployed_db": "not measured"}, 0.0, False),
        ({"error": "gone"}, 9.0, True),
    ],
)
def test_what_fails(codec: Codec, changes: dict[str, Any], tolerance_db: float, fails: bool) -> None:
    config, made = HilConfig(nmse_tolerance_db=tolerance_db), entry(**changes)
    assert bool(failures(made, config)) == fails
    verdict = results_of(codec, config, [made])["verdict"]
    assert (verdict["ok"], verdict["failed"]) == (not fails, ["left"] if fails else [])


@pytest.mark.parametrize(
    ("retries", "crc_errors", "overruns", "reconnects", "agree"),
    [(0, 0, 0, 0, False), (1, 0, 0, 0, True), (0, 1, 0, 0, True), (0, 0, 1, 0, True), (0, 0, 0, 1, True)],
)
def test_frames_may_be_missing_on_a_line_that_is_not_clean(
    codec: Codec, retries: int, crc_errors: int, overruns: int, reconnects: int, agree: bool
) -> None:
    """A board that took all but one of the frames that were sent to it, and answered one less."""
    vectors = VectorSet(codec, 4)
    with Device.open(PretendBoard(vectors).url, codec, timeout_s=20, give_up_s=60) as device:
        measured, counts = Measurement(device, vectors, HilConfig(), "it"), device.exchange.counts
        counts.frames_sent, counts.replies, counts.retries, counts.reconnects = 10, 8, retries, reconnects
        device.stats = lambda: Counts(9, crc_errors, overruns, 0)  # type: ignore[method-assign]
        device.models[1].batch, device.models[2].batch, device.models[1].repeat_exponent = 3, 5, 2
        device.models[2].byte_loss = 0.25
        link = measured._link_facts()
    assert (link["agree"], link["board_restarted"]) == (agree, False)
    assert (link["batch"], link["repeats"], link["byte_loss_estimate"]) == (5, 4, 0.25)
    assert (link["host"]["frames_sent"], link["board"]["frames"]) == (10, 9)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"mismatches__count": 1234, "vectors": 5000}, "1,234 of 5,000 vectors differ from the reference"),
        ({"nmse__device_db": -11.5}, "NMSE is -11.5 dB, the reference's -12.0 dB"),
        (
            {"link__agree": False, "link__board__frames": 1036, "link__host__frames_sent": 1040},
            "the board counted 1,036 frames, the host sent 1,040",
        ),
        ({"saturated": 1}, "every vector is saturated, so equal answers prove nothing; check the ADC's scale"),
    ],
)
def test_what_fails_is_told(changes: dict[str, Any], told: str) -> None:
    assert failures(entry(**changes), HilConfig()) == [told]


def test_a_board_that_restarted_or_sent_nothing_contradicts_nobody() -> None:
    assert failures(entry(link__agree=False, link__board_restarted=True), HilConfig()) == []
    assert failures(entry(saturated=1, vectors=0), HilConfig()) == []


def test_a_verdict_adds_up_all_boards(codec: Codec) -> None:
    boards = [entry(), entry(label="b", vectors=50, mismatches__count=4), {"label": "c", "error": "gone"}]
    results = results_of(codec, HilConfig(), boards)
    assert results["verdict"] == {"ok": False, "vectors": 350, "mismatches": 4, "failed": ["b", "c"]}
    assert results["devices"] == boards
    about = results["bundle"]
    assert (about["model_id"], about["codec"], about["n"]) == (codec.bundle.manifest.model_id, "learned", 20)
    assert (about["inputs"], about["windows"], about["packed_bytes_max"], about["rate_bits"]) == (10, 1, 4, 1.5)
