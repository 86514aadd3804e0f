"""What a verdict adds up, when it passes, and what is no verdict."""

from pathlib import Path

import numpy as np
import pytest

from qcskit.codec.errors import QcsError
from qcskit.firmware_sim.verdict import CountsCheck, RecoveryFacts, Tally, read_verdict, recovery_of


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


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"schema_version": 1}', "nonsense \N{SNOWMAN}"])
def test_what_is_no_verdict_is_one_clear_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(QcsError, match="does not exist: nothing to resume"):
        read_verdict(tmp_path / "v.json")
    (tmp_path / "v.json").write_text(text, encoding="utf-8")
    with pytest.raises(QcsError, match=r"is not a verdict .*choose another --out") as caught:
        read_verdict(tmp_path / "v.json")
    assert "\n" not in str(caught.value)
