"""Sparse codecs as points of a sweep."""

from types import SimpleNamespace
from typing import Any

import pytest
from support.bundles import sparse_bundle

from qcskit.codec.errors import QcsError
from qcskit.codec.signal import SignalConfig
from qcskit.export.sparse import sweep as room
from qcskit.training.sweep import SweepConfig, grid

SIGNAL = {"n": 8, "m": 6}


def test_a_rate_is_bits_of_a_vector_and_a_method_its_code() -> None:
    """In one grid beside a method of another family, whose tables it does not read."""
    sweep = SweepConfig(rates=(2.0, 3.0), variants=("sparse", "sparse-plane", "ce-usq-omp"), seeds=(0, 1))
    tables: dict[str, Any] = {"sparse": {"guard": False}, "adc": {"bits": 9}, "classical": {"test_frames": 500}}
    points = [p for p in grid(sweep, {"n": 8, "m": 8}, tables) if p.columns()["variant"].startswith("sparse")]
    found = {(p.config.sparse.code, p.config.sparse.bits, p.config.sparse.seed) for p in points}
    assert found == {(code, bits, seed) for code in ("lloyd", "plane") for bits in (16, 24) for seed in (0, 1)}
    assert {(p.config.sparse.guard, p.config.adc.bits) for p in points} == {(False, 9)}
    assert {(c["variant"], c["rate_bits"], c.get("outputs", "")) for p in points
            if (c := p.columns())} == {("sparse-lloyd", "2", ""), ("sparse-lloyd", "3", ""),
                                       ("sparse-plane", "2", ""), ("sparse-plane", "3", "")}  # fmt: skip


def test_without_a_rate_the_bits_are_those_of_its_table() -> None:
    points = grid(SweepConfig(variants=("sparse",)), SIGNAL, {"sparse": {"bits": 13, "windows": 2}})
    assert [(p.config.sparse.bits, p.config.sparse.windows) for p in points] == [(13, 2)]


@pytest.mark.parametrize(
    ("sweep", "signal", "told"),
    [
        ({"rates": (1.3,)}, {}, r"rate = 1.3: 10.4 bits of a vector of n = 8; nearest: 1.25"),
        ({"rates": (0.001,)}, {}, r"rate = 0.001: .* nearest: 0.125"),
        ({"rates": (0.5,)}, {}, r"bits = 4: 28 supports and the guard take at least"),
        ({"rates": (9.0,)}, {}, r"bits: .*less than or equal to 32"),
        ({}, {"s": 3}, r"\[signal\] s = 3: the exact search is for s <= 2"),
        ({"outputs": (4,)}, {}, r"outputs: a sparse codec sends a support"),
    ],
)
def test_a_point_that_cannot_be_is_named_in_one_line(sweep: Any, signal: Any, told: str) -> None:
    with pytest.raises(QcsError, match=rf"^\[sweep\] the point [^\n]*{told}[^\n]*$"):
        grid(SweepConfig(variants=("sparse",), **sweep), SIGNAL | signal, {})


def test_the_bytes_of_a_vector_are_those_of_its_packets(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two vectors of 13 bits share four bytes."""
    clock = iter([1000.0, 1002.5])
    monkeypatch.setattr(room, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    table = {"bits": 13, "windows": 2, "train_frames": 2000, "test_frames": 500}
    config = room.configure({"variant": "sparse"}, {"sparse": table}, SignalConfig(**SIGNAL))
    row = room.run(tmp_path / "p", config, SignalConfig(**SIGNAL))
    same = sparse_bundle(tmp_path / "b")
    assert (row["vector_bytes"], row["rate_bits"], row["macs"]) == ("2", "1.625", f"{6 * 8 + 3 * 28}")
    nmse = same.bundle.manifest.nmse
    assert (row["nmse_hard_db"], row["nmse_float_db"]) == (f"{nmse.deployed_db:.4f}", f"{nmse.float_db:.4f}")
    assert row["seconds"] == "2.5"
