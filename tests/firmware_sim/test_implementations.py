"""Which implementations a run has: boards by name, and why others are left out."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.bundles import learned_bundle
from support.need import need_board

from qcskit.codec.errors import MissingLibraryError, QcsError
from qcskit.codec.interface import Codec
from qcskit.firmware import DoesNotFitError, MissingToolError, boards
from qcskit.firmware_sim import SimulateConfig, simulate
from qcskit.firmware_sim.implementations import board_implementations, oracle_implementations


def test_a_named_board_is_compared(codec: Codec) -> None:
    need_board("cortex-m4")
    found, not_run = board_implementations(codec, " cortex-m4, ", 40)
    assert [(each.name, each.role, each.limit) for each in found] == [("cortex-m4", "must agree", 40)]
    assert not_run == {}
    counts = np.random.default_rng(1).integers(-3000, 3000, (5, codec.inputs)).astype(np.int16)
    assert not found[0].encode(counts).differ(codec.encode_counts(counts)).any()
    verdict = simulate(codec.bundle, SimulateConfig(vectors=50, boards="cortex-m4", board_vectors=20))
    assert [t.vectors for t in verdict.implementations if t.name == "cortex-m4"] == [20 + 64]


def test_a_board_that_cannot_hold_the_model_ends_the_run_that_names_it(tmp_path: Path) -> None:
    need_board("uno")
    large = learned_bundle(tmp_path / "b", widths=(60, 250, 60))
    with pytest.raises(DoesNotFitError, match="uno"):
        board_implementations(large, "uno", 10)
    with pytest.raises(QcsError, match="cortex-m99"):
        board_implementations(large, "cortex-m99", 10)


def test_an_oracle_whose_library_is_missing_is_told_and_not_run() -> None:
    def oracles() -> None:
        raise MissingLibraryError("the oracle needs scipy")

    codec: Any = SimpleNamespace(oracles=oracles)
    assert oracle_implementations(codec, SimulateConfig()) == ([], {"oracle": "the oracle needs scipy"})
    none = SimulateConfig(oracle_vectors=0, reported_vectors=0)
    assert oracle_implementations(codec, none) == ([], {})


def test_of_all_boards_it_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small, other = need_board("uno"), need_board("cortex-m4")
    known = {"native": boards()["native"], small.name: small, other.name: other}
    monkeypatch.setattr("qcskit.firmware.boards", lambda: known)
    large = learned_bundle(tmp_path / "b", widths=(60, 250, 60))
    found, not_run = board_implementations(large, "all", 10)
    assert [each.name for each in found] == ["native", "cortex-m4"]
    assert list(not_run) == ["uno"]


def test_a_board_whose_tools_are_missing_is_listed_among_all_and_refused_by_name(
    codec: Codec, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = MissingToolError("armcc", "armcc", "a compiler")

    def build(*_: Any) -> None:
        raise missing

    monkeypatch.setattr("qcskit.firmware.build", build)
    known = boards()
    monkeypatch.setattr("qcskit.firmware.boards", lambda: {"native": known["native"]})
    assert board_implementations(codec, "all", 10) == ([], {"native": str(missing)})
    with pytest.raises(MissingToolError):
        board_implementations(codec, "native", 10)
    assert board_implementations(codec, " , ", 10) == ([], {})


def test_who_computes_none_is_no_oracle() -> None:
    """An oracle and one that is only reported, each up to its own limit."""
    made: Any = [SimpleNamespace(name=role, role=role, encode=None) for role in ("oracle", "reported")]
    codec: Any = SimpleNamespace(oracles=lambda: made)
    for oracle_vectors, reported_vectors in ((3, 5), (3, 0), (0, 5)):
        config = SimulateConfig(oracle_vectors=oracle_vectors, reported_vectors=reported_vectors)
        found, missing = oracle_implementations(codec, config)
        limits = {"oracle": oracle_vectors, "reported": reported_vectors}
        assert {each.name: each.limit for each in found} == {role: limit for role, limit in limits.items() if limit}
        assert missing == {}
