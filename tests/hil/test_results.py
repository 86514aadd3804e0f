"""Mismatches, NMSE and recovery, from packets made wrong on purpose."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.bundles import coded_bundle

from qcskit.codec import codecs
from qcskit.codec.interface import Codec, Packets
from qcskit.codec.metrics import nmse_db
from qcskit.hil.config import HilConfig
from qcskit.hil.link import start_emulated
from qcskit.hil.results import Score, check_schema, energy_facts
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
    assert all(first["outputs"] == [3] for first in facts["first"])
    assert sum(n for _, n in facts["segments"]) == facts["count"]


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
    assert facts["perfect"] == clean["perfect"] - 2
    assert facts["flagged"] + facts["wrong"] == 2 + clean["flagged"] + clean["wrong"]
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


def test_energy_is_an_estimate_from_the_user_s_factors() -> None:
    config = HilConfig(uj_per_kilocycle=2.0, nj_per_bit=5.0)
    facts = energy_facts(config, {"mean": 500.0}, 30)
    assert isinstance(facts, dict)
    assert (facts["kind"], facts["encode_uj"], facts["radio_uj"]) == ("estimate", 1.0, 0.15)
    assert energy_facts(HilConfig(), {"mean": 500.0}, 30) == "not measured"


def test_results_of_another_schema_say_what_to_run() -> None:
    with pytest.raises(Exception, match=r"results 'a\.json': schema version 1, this qcskit reads 2; run 'qcskit hil'"):
        check_schema({"schema_version": 1}, Path("a.json"))
