"""Mismatches, NMSE and recovery, from packets made wrong on purpose; ticks, energies and units by hand."""

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.bundles import coded_bundle, sparse_bundle
from support.entries import entry

from qcskit.codec import codecs
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec, Packets
from qcskit.codec.metrics import fidelity, nmse_db
from qcskit.codec.own_data import OwnData
from qcskit.firmware.protocol.messages import Info
from qcskit.hil.config import HilConfig
from qcskit.hil.distribution import Distribution
from qcskit.hil.link import start_emulated
from qcskit.hil.results import Score, _places, energy_facts, microseconds, of_guard, of_windows, tick_facts
from qcskit.hil.session import Run, results_of, run_device
from qcskit.hil.vectors import VectorSet


def scored(codec: Codec, change: Any, count: int = 40) -> Score:
    """The score of a board that answers with what `change` makes of the right packets."""
    vectors = VectorSet(codec, count)
    packets = list(vectors.expected(vectors.part(0, count)[0]))
    change(packets)
    found = Score(vectors)
    found.add(0, Packets.of(packets))
    return found


def test_a_mismatch_is_found_and_told(codec: Codec) -> None:
    """A codec whose tables say otherwise: same firmware, one expected threshold moved."""
    with start_emulated("native", codec) as emulator:
        doctored = codecs.load_codec(codec.bundle)
        thresholds = doctored.tables.thresholds.copy()  # type: ignore[attr-defined]
        thresholds[3] += 5000
        doctored.tables = replace(doctored.tables, thresholds=thresholds)  # type: ignore[attr-defined]
        config = HilConfig(port=[emulator.url], vectors=400)
        entry = run_device(doctored, Run(emulator.url, config))
    facts = entry["mismatches"]
    assert not results_of(doctored, config, [entry])["verdict"]["ok"]
    assert facts["count"] > 0
    assert [i for i, n in enumerate(facts["per_output"]) if n] == [3]
    assert [first["outputs"] for first in facts["first"]] == [[3]] * min(facts["count"], 100)
    assert sum(n for _, n in facts["segments"]) == facts["count"]


def test_a_board_that_is_right_has_no_mismatch_anywhere(codec: Codec) -> None:
    facts = scored(codec, lambda packets: None).mismatch_facts()
    assert facts == {
        "count": 0,
        "first": [],
        "per_output": [],
        "undecodable": 0,
        "segment_vectors": 100,
        "segments": [],
    }


def test_wrong_packets_cost_what_their_decoding_costs(decoding_codec: Codec) -> None:
    """NMSE of a board that swaps two packets, against the same done by hand."""

    def swap(packets: list[bytes]) -> None:
        packets[4], packets[7] = packets[7], packets[4]

    found = scored(decoding_codec, swap)
    values, x = VectorSet(decoding_codec, 40).part(0, 40)
    x_hat = decoding_codec.decode(decoding_codec.encode_counts(values))
    swapped = x_hat.copy()
    swapped[[4, 7]] = x_hat[[7, 4]]
    nmse = found.nmse_facts()
    assert nmse["deployed_db"] == pytest.approx(nmse_db(x, x_hat), abs=1e-5)
    assert nmse["device_db"] == pytest.approx(nmse_db(x, swapped), abs=1e-5)
    assert nmse["device_db"] > nmse["deployed_db"]
    assert nmse["per_segment_db"] == [nmse["device_db"]]
    assert [first["vector"] for first in found.mismatch_facts()["first"]] == [4, 7]


def test_a_codec_without_decoder_has_no_nmse(codec: Codec) -> None:
    nmse = scored(codec, lambda packets: None).nmse_facts()
    assert (nmse["device_db"], nmse["deployed_db"], nmse["per_segment_db"]) == ("not measured", "not measured", [])


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    return coded_bundle(tmp_path_factory.mktemp("coded") / "b", p=3)


def test_recovery_is_counted(coded: Codec) -> None:
    entry = run_device(coded, Run("emu:native", HilConfig(vectors=300)))
    recovery = entry["recovery"]
    assert entry["mismatches"]["count"] == 0
    assert recovery["frames"] == 300
    assert recovery["probability"] > 0.95
    assert recovery["perfect"] + recovery["flagged"] + recovery["wrong"] == 300
    assert results_of(coded, HilConfig(), [entry])["verdict"]["ok"]


def test_damaged_packets_are_flagged_or_wrong_never_perfect(coded: Codec) -> None:
    clean = scored(coded, lambda packets: None).recovery_facts()

    def damage(packets: list[bytes]) -> None:
        packets[3] = b"\xff" * len(packets[3])  # no encoder gives it
        packets[5] = packets[6]

    found = scored(coded, damage)
    facts, wrong = found.recovery_facts(), found.mismatch_facts()
    assert isinstance(clean, dict)
    assert isinstance(facts, dict)
    assert facts == clean | {
        "perfect": clean["perfect"] - 2, "flagged": clean["flagged"] + 1, "wrong": clean["wrong"] + 1,
        "probability": (clean["perfect"] - 2) / 40,
    }  # fmt: skip
    assert wrong["undecodable"] == 1
    assert wrong["first"][0]["outputs"] is None
    assert np.isfinite(found.nmse_facts()["device_db"])


def test_packets_of_another_length_are_mismatches(toy_codec: Codec) -> None:
    """Cut, lengthened, empty: each differs, none is decoded as something else."""

    def cut(packets: list[bytes]) -> None:
        packets[1], packets[2], packets[9] = packets[1][:-1], packets[2] + b"\0", packets[10]

    found = scored(toy_codec, cut)
    facts, nmse = found.mismatch_facts(), found.nmse_facts()
    assert facts["count"] == 3
    assert facts["undecodable"] == 2
    assert facts["first"][2]["outputs"]
    assert nmse["frames"] == 80
    assert nmse["device_db"] > nmse["deployed_db"]
    assert found.lengths.summary()["max"] > found.lengths.summary()["min"]  # type: ignore[index]


@dataclass
class Numbers:
    """A codec whose packet is one byte b and decodes to (b, b); 0 is damage, and nothing else is refused.

    marked: from which b on its encoder marks both windows; None: it marks nothing.
    """

    exact: bool = True
    decodes: bool = True
    fixed_size: bool = True
    takes_inputs: bool = False
    rate_bits: float = 1.5
    width: int = 2
    windows: int = 1
    offset: float = 0.0
    marked: int | None = None

    @property
    def bundle(self) -> Any:
        nmse, signal = SimpleNamespace(float_db=-20.0, frames=77), SimpleNamespace(offset=self.offset)
        return SimpleNamespace(manifest=SimpleNamespace(nmse=nmse, signal=signal))

    def clipped(self, counts: Any) -> Any:
        return counts >= 32767

    def decode(self, packets: Packets) -> Any:
        if not packets.bytes.all():
            raise QcsError("damaged")
        return np.repeat(packets.bytes.astype(np.float64), self.width).reshape(-1, self.width)

    def guarded(self, packets: Packets) -> Any:
        if self.marked is None:
            return None
        if not packets.bytes.all():
            raise QcsError("damaged")
        return np.repeat(packets.bytes >= self.marked, self.windows)

    def explain(self, packet: bytes) -> tuple[int, ...]:
        if packet == b"\0":
            raise QcsError("no encoder gives it")
        return packet[0] // 16, packet[0] % 16


def numbers_score(
    expected: list[int], got: list[int], step: int = 1000, x: tuple[float, ...] = (4.0, 4.0), **facts: Any
) -> Score:
    """The score of one-byte packets; every source is x, the reference's packets are `expected`."""

    def part(start: int, stop: int) -> tuple[Any, Any]:
        return np.arange(start, stop, dtype=np.int16)[:, None], np.tile(np.array(x), (stop - start, 1))

    def reference(values: Any) -> Packets:
        return Packets.of([bytes([expected[number]]) for number in values[:, 0].tolist()])

    vectors: Any = SimpleNamespace(codec=Numbers(**facts), count=len(got), part=part, expected=reference, x_known=True)
    found = Score(vectors)
    for start in range(0, len(got), step):
        found.add(start, Packets.of([bytes([byte]) for byte in got[start : start + step]]))
    return found


def test_nmse_by_hand() -> None:
    """Errors 1 + 1 of the energy 32 of each vector; damage counts as an estimate of zero, error 32."""
    facts = numbers_score([4, 4, 4, 3], [4, 3, 0, 4]).nmse_facts()
    assert facts["deployed_db"] == pytest.approx(10 * np.log10(2 / 128), abs=1e-6)
    assert facts["device_db"] == pytest.approx(10 * np.log10((2 + 32) / 128), abs=1e-6)
    assert (facts["frames"], facts["float_db"], facts["float_frames"]) == (4, -20.0, 77)
    assert facts["per_segment_db"] == [facts["device_db"]]


def test_nmse_of_the_reference_is_its_own() -> None:
    """Whatever the board answers, worse or better than the reference."""
    expected = [3, 4, 4, 5]
    for got, device in (([4, 4, 4, 4], None), ([3, 4, 4, 5], 4), ([1, 1, 1, 1], 72), ([0, 0, 0, 0], 128)):
        facts = numbers_score(expected, got).nmse_facts()
        assert facts["deployed_db"] == pytest.approx(10 * np.log10(4 / 128), abs=1e-6)
        assert facts["device_db"] == (None if device is None else pytest.approx(10 * np.log10(device / 128), abs=1e-6))


def test_nmse_is_pooled_and_told_by_segment() -> None:
    facts = numbers_score([4] * 6, [4, 4, 3, 4, 2, 3], step=2).nmse_facts()
    assert facts["device_db"] == pytest.approx(10 * np.log10((2 + 8 + 2) / 192), abs=1e-6)
    assert facts["deployed_db"] is None
    wanted = [None, 10 * np.log10(2 / 64), 10 * np.log10(10 / 64)]
    assert facts["per_segment_db"] == [pytest.approx(value, abs=1e-6) for value in wanted]


def test_recovery_by_hand() -> None:
    """Perfect, flagged, wrong; a packet that is not the reference's can still be the source's."""
    found = numbers_score([4, 3, 3, 4, 4, 4], [4, 4, 3, 0, 0, 5], step=4)
    assert found.recovery_facts() == {"frames": 6, "perfect": 2, "flagged": 2, "wrong": 2, "probability": 2 / 6}
    assert numbers_score([], []).recovery_facts()["probability"] is None  # type: ignore[index]
    for lossy in ({"exact": False}, {"decodes": False}):
        assert numbers_score([4], [4], **lossy).recovery_facts() == "not measured"


def test_vectors_that_the_board_marked_are_counted() -> None:
    """Two windows a packet, marked from 9 on: of what the board sent, right or wrong, and nothing of damage."""
    expected, got = [9, 4, 9, 4, 10, 9], [9, 4, 3, 11, 10, 0]
    assert numbers_score(expected, got, step=4, windows=2, marked=9, decodes=False).guarded == 6
    assert numbers_score([4], [4], windows=2, marked=9, decodes=False).guarded == 0
    assert numbers_score([9], [9]).guarded is None


def test_marks_of_a_run_stand_in_its_results(tmp_path: Path) -> None:
    codec = sparse_bundle(tmp_path / "b")
    counts = codec.counts(codec.draw(30, 3)[1])
    counts[:9] = np.random.default_rng(3).integers(-300, 300, (9, codec.inputs))
    marks = codec.guarded(codec.encode_counts(counts))
    assert marks is not None
    entry = run_device(codec, Run("emu:native", HilConfig(vectors=30), data=OwnData(counts, None)))
    assert entry["guarded"] == marks.sum()
    assert 0 < marks.sum() < 60
    assert of_guard(entry) == f"{marks.sum()} of 60 vectors, sent coarsely"
    assert results_of(codec, HilConfig(), [entry])["verdict"]["ok"]


def test_mismatches_by_hand() -> None:
    facts = numbers_score([0x11] * 5, [0x11, 0x12, 0x22, 0, 0x21]).mismatch_facts()
    assert (facts["count"], facts["undecodable"], facts["per_output"]) == (4, 1, [2, 2])
    assert facts["first"] == [
        {"vector": 1, "expected": "11", "got": "12", "outputs": [1]},
        {"vector": 2, "expected": "11", "got": "22", "outputs": [0, 1]},
        {"vector": 3, "expected": "11", "got": "00", "outputs": None},
        {"vector": 4, "expected": "11", "got": "21", "outputs": [0]},
    ]


def test_places_are_those_of_other_values_however_large_and_of_what_is_missing() -> None:
    codec: Any = SimpleNamespace(explain=lambda packet: [100_000 + byte for byte in packet])
    for got, wrong in ((b"abc", []), (b"axc", [1]), (b"xbx", [0, 2]), (b"ab", [2]), (b"abcd", [3])):
        assert _places(codec, b"abc", got) == wrong


def test_the_first_hundred_mismatches_are_told_and_all_counted() -> None:
    facts = numbers_score([4] * 150, [5] * 150).mismatch_facts()
    assert (facts["count"], facts["per_output"], facts["segments"]) == (150, [0, 150], [[0, 150]])
    assert [first["vector"] for first in facts["first"]] == list(range(100))


@pytest.mark.parametrize(
    ("count", "segment_vectors"), [(1, 100), (49_999, 100), (50_000, 100), (50_001, 101), (200_000, 400)]
)
def test_there_are_at_most_500_segments(codec: Codec, count: int, segment_vectors: int) -> None:
    assert Score(VectorSet(codec, count)).segment_vectors == segment_vectors


def test_a_mismatch_lies_in_the_segment_of_its_vector() -> None:
    """Segments of 100: wrong are 99 | 100, 150 | – | 300 | 499."""
    got = [4] * 500
    for number in (99, 100, 150, 300, 499):
        got[number] = 5
    facts = numbers_score([4] * 500, got, step=100).mismatch_facts()
    assert facts["segment_vectors"] == 100
    assert facts["segments"] == [[0, 1], [1, 2], [3, 1], [4, 1]]
    assert [first["vector"] for first in facts["first"]] == [99, 100, 150, 300, 499]


def test_bits_of_a_packet() -> None:
    """Of one size: what the rate counts, 1.5 bits · 2 entries · 3 windows. Of any: the bytes that there were."""
    assert numbers_score([4], [4], windows=3).packet_bits() == 9.0
    assert numbers_score([4], [4], windows=3, fixed_size=False).packet_bits() == 8.0
    assert numbers_score([], [], windows=3, fixed_size=False).packet_bits() == 9.0


def test_energy_is_an_estimate_from_the_user_s_factors() -> None:
    """500 ticks at 2 µJ per 1000 are 1 µJ; 30 bits at 5 nJ are 150 nJ."""
    both, encode, radio = (
        HilConfig(uj_per_kilocycle=2.0, nj_per_bit=5.0),
        {"uj_per_kilocycle": 2.0},
        {"nj_per_bit": 5.0},
    )
    ticks = {"mean": 500.0, "max": 900, "p50": 400}
    assert energy_facts(both, ticks, 30) == {"kind": "estimate", "encode_uj": 1.0, "radio_uj": 0.15} | encode | radio
    facts = energy_facts(HilConfig(**encode), ticks, 30)  # type: ignore[arg-type]
    assert isinstance(facts, dict)
    assert (facts["encode_uj"], facts["radio_uj"]) == (1.0, "not measured")
    facts = energy_facts(both, "not measured", 30)
    assert isinstance(facts, dict)
    assert (facts["encode_uj"], facts["radio_uj"]) == ("not measured", 0.15)
    assert energy_facts(HilConfig(), ticks, 30) == "not measured"
    assert energy_facts(HilConfig(**encode), "not measured", 30) == "not measured"  # type: ignore[arg-type]


def ticks_of(values: list[int], source: str = "cycles", hz: int = 16_000_000) -> dict[str, Any]:
    """tick_facts of a board with such a tick source."""
    distribution = Distribution()
    distribution.add(values)
    return tick_facts(Info(2, (1, 0, 0), "00", 4, 0, 0, 1, 3, 4, 256, 20, source, hz), distribution)


def test_ticks_are_told_as_they_are_and_in_microseconds() -> None:
    """At 16 MHz."""
    facts = ticks_of([16, 32, 32, 160])
    ticks, time_us = facts["ticks"], facts["device_time_us"]
    assert (ticks["unit"], ticks["hz"], ticks["count"], ticks["p50"], ticks["max"]) == (
        "cycles",
        16_000_000,
        4,
        32,
        160,
    )
    assert time_us == {"min": 1.0, "mean": 3.75, "p50": 2.0, "p95": 10.0, "p99": 10.0, "max": 10.0}


def test_what_has_no_rate_or_no_ticks_is_not_measured() -> None:
    facts = ticks_of([16, 32], "instructions", 0)
    assert (facts["ticks"]["unit"], facts["ticks"]["hz"]) == ("instructions", None)
    assert facts["device_time_us"] == "not measured"
    nothing = {"ticks": "not measured", "device_time_us": "not measured"}
    assert ticks_of([0, 0], "none") == ticks_of([]) == nothing


def test_times_are_in_microseconds() -> None:
    times = microseconds([0.001, 0.002, 0.0000035])
    assert isinstance(times, dict)
    assert (times["min"], times["p50"], times["max"], times["mean"]) == (3, 1000, 2000, 1001.0)
    assert microseconds([]) == "not measured"


@pytest.mark.parametrize("source", ["cycles", "instructions"])
def test_ticks_that_hold_a_zero_are_not_measured(source: str) -> None:
    """No encode takes no cycle: a zero stands for an answer without a measurement, and would move the quantiles."""
    assert ticks_of([0, 32, 64], source)["ticks"] == "not measured"
    assert ticks_of([1, 32, 64], source)["ticks"]["min"] == 1
    assert ticks_of([0, 32, 64], "timer")["ticks"]["min"] == 0  # of a coarse one


def own_score(codec: Codec, counts: Any, kind: Any = "counts") -> Score:
    """The score of a board that answers the user's own counts as the reference does."""
    vectors = VectorSet(codec, len(counts), kind=kind, data=OwnData(counts, None))
    found = Score(vectors)
    for start in range(0, len(counts), 2):
        values, _ = vectors.part(start, start + 2)
        found.add(start, vectors.expected(values))
    return found


def test_clipped_counts_and_vectors_of_nothing_else_are_counted(codec: Codec, decoding_codec: Codec) -> None:
    """Of 9 vectors 4 are at the ends, and one is but for its last entry."""
    for each in (decoding_codec, codec):
        counts = np.full((9, each.inputs), each.centre, np.int16)
        counts[0], counts[1:4], counts[4, :-1] = -32768, 32767, 32767
        found = own_score(each, counts)
        assert found.saturated() == 4 / 9
        facts = found.clipped_facts()
        assert isinstance(facts, dict)
        assert facts["vectors"] == 9
        assert facts["per_input"] == pytest.approx([5 / 9] * (each.inputs - 1) + [4 / 9])
        assert facts["share"] == pytest.approx(np.mean(facts["per_input"]))
    assert Score(VectorSet(codec, 5)).saturated() == 0
    assert Score(VectorSet(codec, 5)).clipped_facts() == "not measured"


def test_network_inputs_are_clipped_at_their_own_ends(codec: Codec) -> None:
    counts = np.full((4, codec.inputs), codec.centre, np.int16)
    counts[0], counts[1], counts[2, 0] = -32768, 32767, 32767
    found = own_score(codec, counts, "inputs")
    assert found.saturated() == 0.5
    assert found.clipped_facts()["per_input"] == [0.75] + [0.5] * (codec.inputs - 1)  # type: ignore[index]


def test_nmse_is_about_the_training_mean_and_a_flagged_estimate_is_that_mean() -> None:
    """x = 4 about 3: energy 2 a window; an estimate of 3 is an error of 2, and so is a flag."""
    facts = numbers_score([4, 4, 4, 4], [4, 3, 0, 4], offset=3.0).nmse_facts()
    assert facts["device_db"] == pytest.approx(10 * np.log10(4 / 8), abs=1e-6)


def test_what_has_no_known_source_has_no_nmse(decoding_codec: Codec) -> None:
    counts = decoding_codec.bundle.vectors["counts"][:6]
    found, facts = own_score(decoding_codec, counts), own_score(decoding_codec, counts).nmse_facts()
    told = (facts["device_db"], facts["deployed_db"], facts["fidelity"], facts["per_segment_db"])
    assert told == ("not measured", "not measured", "not measured", [])
    assert (facts["frames"], found.mismatches) == (6, 0)


def test_the_fidelity_is_that_of_what_the_board_sent() -> None:
    """The reference is right throughout; of the board's six packets one is off by 1 and one by 2."""
    facts = numbers_score([5] * 6, [5, 5, 4, 5, 3, 5], x=(4.0, 6.0), step=4).nmse_facts()["fidelity"]
    by_hand = fidelity([[4.0, 6.0]] * 6, [[5, 5], [5, 5], [4, 4], [5, 5], [3, 3], [5, 5]])
    assert (facts["distinct"], facts["largest_error"]) == (1, 3.0)
    for name in ("nmse_db", "window_nmse_db", "snr_db", "prd_percent"):
        assert facts[name] == pytest.approx(getattr(by_hand, name))


def test_vectors_of_fewer_windows_are_told_so() -> None:
    assert of_windows(entry()) == ", drawn from 70 windows"
    assert of_windows(entry(nmse__fidelity__distinct=300)) == ""
    assert of_windows(entry(nmse__fidelity="not measured")) == ""


def test_mismatches_of_one_segment_are_one_entry() -> None:
    """However many parts it comes in: a soak adds thousands of rounds."""
    facts = numbers_score([4] * 90, [5] * 90, step=10).mismatch_facts()
    assert facts["segments"] == [[0, 90]]
