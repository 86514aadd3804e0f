"""What a verdict adds up, when it passes, and what is no verdict."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.hostile import RAW, forge_evidence, json_mutants, odd_files, with_each_number

from qcskit.codec.errors import QcsError
from qcskit.codec.evidence import Evidence
from qcskit.firmware_sim.config import SimulateConfig
from qcskit.firmware_sim.verdict import (
    CountsCheck,
    Mismatch,
    RecoveryFacts,
    Tally,
    Verdict,
    read_verdict,
    recovery_of,
)


@pytest.mark.parametrize("wrong", ["definition_mismatches", "front_end_mismatches", "encoded_mismatches"])
def test_one_wrong_count_of_any_kind_fails(wrong: str) -> None:
    clean = {"counts": 65536, "encoded_vectors": 65536, "encoded_mismatches": 0}
    for more in ({}, {"definition_mismatches": 0, "front_end_mismatches": 0}):
        assert CountsCheck.model_validate({**clean, **more}).passed
        assert not CountsCheck.model_validate({**clean, **more, wrong: 1}).passed


def test_tallies_add_up_and_keep_name_and_role() -> None:
    one = Tally(name="c", role="must agree", vectors=5, mismatches=2, seconds=0.5)
    assert one.plus(Tally(name="", role="", vectors=7, mismatches=1, seconds=0.25)) == Tally(
        name="c", role="must agree", vectors=12, mismatches=3, seconds=0.75
    )


def test_recovery_tells_exact_flagged_and_wrong_apart() -> None:
    x = np.array([[3, 4], [0, 2], [1, 0], [0, 0]])
    x_hat = np.array([[3, 4], [np.nan, np.nan], [1, 3], [0, 0]], float)
    facts = recovery_of(x_hat, x)
    assert facts == RecoveryFacts(frames=4, perfect=2, flagged=1, energy=25 + 4 + 1, error=4 + 9)
    assert facts.nmse_db == pytest.approx(10 * np.log10(13 / 30))
    both = facts.plus(RecoveryFacts(frames=10, perfect=9, flagged=0, energy=70, error=0.5))
    assert both == RecoveryFacts(frames=14, perfect=11, flagged=1, energy=100, error=13.5)
    assert recovery_of(x.astype(float), x).nmse_db is None
    assert RecoveryFacts().nmse_db is None
    assert RecoveryFacts(error=1.0).nmse_db is None, "a source of nothing but zeros has no energy to compare with"
    assert RecoveryFacts(energy=10.0, error=1.0).nmse_db == pytest.approx(-10.0)


OWN = {"name": "day.csv", "sha256": "ab" * 32, "packets": 99, "samples_left": 0}
CONFIG = SimulateConfig(vectors=20_000)
TALLY = Tally(name="numpy", role="reference", vectors=20_032, seconds=1.5)
GOOD = Verdict(
    bundle="b", model_id="00", evidence=Evidence.of({"bundle": "1", "image": "2"}), config=CONFIG, passed=True,
    complete=True, vectors=20_032, sets={"golden": 32, "source": 20_000},
    implementations=[
        TALLY, TALLY.model_copy(update={"name": "c-host", "role": "must agree"}),
        Tally(name="litert", role="reported", vectors=99, mismatches=3),
    ],
    counts=CountsCheck(counts=65536, definition_mismatches=0, encoded_vectors=65536, encoded_mismatches=0),
    recovery=RecoveryFacts(frames=8_032, perfect=8_000, flagged=30, energy=70.0, error=0.5),
    not_run={"avr": "needs 9 bytes more"}, chunks_done=[-1, 0, 1],
)  # fmt: skip
WRONG = Verdict.model_validate(
    GOOD.model_dump()
    | {
        "passed": False, "chunks_done": [-1, 0], "sets": {"golden": 32, "source": 10_000}, "vectors": 10_032,
        "implementations": [TALLY.model_copy(update={"vectors": 10_032}), Tally(name="c", role="oracle", mismatches=1)],
        "first_mismatch": Mismatch(chunk=0, frame=7, set="source", input=[1, -2], packets={"numpy": "00", "c": "01"},
                                   explained={"numpy": [0], "c": "no encoder gives it"}),
    }
)  # fmt: skip


@pytest.mark.parametrize("verdict", [GOOD, WRONG], ids=["good", "wrong"])
def test_a_verdict_is_read_as_it_is_written(verdict: Verdict, tmp_path: Path) -> None:
    verdict.write(tmp_path / "v.json")
    assert read_verdict(tmp_path / "v.json") == verdict


def test_the_longest_packet_that_a_bundle_may_have_fits_into_a_verdict() -> None:
    Mismatch(chunk=0, frame=0, set="source", input=[1], packets={"numpy": bytes(65_535).hex()}, explained={"numpy": ""})


@pytest.mark.parametrize("text", [*RAW.values(), "[1]", "{}", "0", '{"schema_version": 1}', "nonsense \N{SNOWMAN}"])
def test_what_is_no_verdict_is_one_clear_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text(text, encoding="utf-8")
    with pytest.raises(QcsError, match=r"^verdict '[^\n]*' is not [^\n]*$"):
        read_verdict(tmp_path / "v.json")


def test_what_is_no_file_is_one_line_at_once(tmp_path: Path) -> None:
    for _, path in odd_files(tmp_path):
        with pytest.raises(QcsError, match=r"^verdict '[^\n]*$"):
            read_verdict(path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"schema_version": 2}, "schema version 2, this qcskit reads 3; run 'qcskit simulate' again"),
        ({"passed": False}, "passed is not what the counts say"),
        ({"counts": GOOD.counts and GOOD.counts.model_dump() | {"encoded_mismatches": 1}}, "passed is not"),
        ({"implementations": [TALLY.model_dump() | {"mismatches": 1}]}, "passed is not what the counts say"),
        ({"first_mismatch": WRONG.model_dump()["first_mismatch"]}, "first_mismatch is not"),
        ({"vectors": 20_033}, "sets do not add up"),
        ({"implementations": []}, "the reference did not compute all"),
        ({"implementations": [TALLY.model_dump()] * 2}, "the reference did not compute all"),
        ({"chunks_done": [-1, 0]}, "called complete"),
        ({"counts": None}, "called complete"),
        ({"chunks_done": [-1, 0, 2]}, "not chunks of this run"),
        ({"chunks_done": [-1, 0, 0]}, "done twice"),
        ({"chunks_done": [-2, 0, 1]}, "not chunks of this run"),
        ({"chunks_done": [], "complete": False}, "the reference did not compute all"),
        ({"first_mismatch": WRONG.model_dump()["first_mismatch"] | {"explained": {"numpy": [0]}}}, "name different"),
        ({"evidence": GOOD.evidence.model_dump() | {"parts": {}}}, "evidence: sha256 is not that of the parts"),
        ({"data": OWN}, "called complete"),
        ({"data": OWN, "chunks_done": [-1, 0, 1, 2, 3]}, "not chunks of this run"),
        ({"data": OWN | {"sha256": "ab"}}, "sha256"),
        ({"clipped": {"source": {"vectors": 9, "share": 1.5, "per_input": [1.0]}}}, "share"),
        ({"environment": {}}, "environment"),
        ({"vectors": "20032"}, "vectors"),
        ({"config": CONFIG.model_dump() | {"vectors": 2**62}}, "called complete"),
        ({"implementations": [TALLY.model_dump() | {"name": 131_071 * "x"}]}, "at most 131070 characters"),
    ],
)
def test_a_verdict_that_contradicts_itself_is_refused(change: dict[str, Any], told: str, tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text(json.dumps(GOOD.model_dump() | change))
    with pytest.raises(QcsError, match=rf"^verdict '[^\n]*{told}"):
        read_verdict(tmp_path / "v.json")


def test_no_number_of_a_verdict_is_below_0_but_that_of_the_golden_chunk(tmp_path: Path) -> None:
    raw = json.loads(GOOD.model_dump_json()) | {"clipped": {"source": {"vectors": 9, "share": 0.5, "per_input": [0.5]}}}
    (tmp_path / "v.json").write_text(json.dumps(raw | {"guarded": {"source": 3}, "source_windows": 7}))
    raw = json.loads(read_verdict(tmp_path / "v.json").model_dump_json())
    for _, made in with_each_number(raw, -1):
        (tmp_path / "v.json").write_text(json.dumps(made))
        if made != raw:
            with pytest.raises(QcsError, match=r"^verdict '[^\n]*$"):
                read_verdict(tmp_path / "v.json")


@pytest.mark.parametrize("verdict", [GOOD, WRONG], ids=["good", "wrong"])
def test_no_mutant_passes_for_another_verdict(verdict: Verdict, tmp_path: Path) -> None:
    path, raw, refused = tmp_path / "v.json", json.loads(verdict.model_dump_json()), []
    for name, content in json_mutants(raw, 3, 200, forge_evidence):
        path.write_bytes(content)
        try:
            read = read_verdict(path)
        except QcsError as error:
            refused.append(str(error))
            continue
        assert read.passed == verdict.passed, name
        assert not (read.complete and read.passed) or set(read.chunks_done) == {-1, 0, 1}, name
    assert len(refused) > 100
    assert not any("\n" in error or len(error) > 400 for error in refused)


def test_a_tally_and_a_recovery_start_at_nothing() -> None:
    assert Tally(name="c", role="oracle") == Tally(name="c", role="oracle", vectors=0, mismatches=0, seconds=0.0)
    assert RecoveryFacts() == RecoveryFacts(frames=0, perfect=0, flagged=0, energy=0.0, error=0.0)
