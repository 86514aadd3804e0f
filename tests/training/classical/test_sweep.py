"""Classical codecs as points of a sweep."""

import json
from typing import Any

import pytest

from qcskit.codec.errors import QcsError
from qcskit.training.sweep import SweepConfig, grid, run_sweep

SIGNAL = {"n": 8, "m": 4, "s": 1}
TRAIN = {"decoder_widths": (8,), "encoder_widths": (8,), "steps": 40, "warmup_steps": 5, "batch": 50}


def ignore(row: dict[str, str]) -> None:
    """No progress wanted."""


def test_classical_codecs_share_the_table_with_trained_ones(tmp_path) -> None:
    sweep = SweepConfig(rates=(0.5, 1.0), variants=("ce-decnet", "ce-usq-omp", "ec-vq"), seeds=(0, 1))
    few = {"train_frames": 2000, "test_frames": 500}
    points = grid(sweep, SIGNAL, {"train": TRAIN, "classical": few})
    assert len(points) == 12
    found = {
        (p.columns()["variant"], p.columns()["outputs"], p.columns()["levels"], p.columns()["rate_bits"])
        for p in points
    }
    assert ("ce-usq-omp", "4", "4", "1") in found
    assert ("ec-vq", "8", "2", "1") in found
    chosen = [p for p in points if p.columns()["variant"] != "ce-decnet" and p.config.seed == 1]
    rows = run_sweep(chosen, tmp_path, 1, None, ignore)
    assert {row["status"] for row in rows} == {"done"}
    reached = {(row["variant"], row["rate_bits"]): float(row["nmse_hard_db"]) for row in rows}
    # A vector quantizer of the estimate is at least as good as scalar ones of the measurements, and bits help.
    assert reached["ec-vq", "1"] < reached["ec-vq", "0.5"] < 0
    assert reached["ec-vq", "1"] < reached["ce-usq-omp", "1"] < 0
    metrics = json.loads((tmp_path / "runs" / rows[0]["point"] / "metrics.json").read_text())
    assert f"{metrics['nmse_hard_db']:.4f}" == rows[0]["nmse_hard_db"]
    assert run_sweep(chosen, tmp_path, 1, None, lambda row: pytest.fail("ran again")) == rows


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"variants": ("ce-vq-l1",), "rates": (4.0,)}, "more than the 16384"),
        ({"variants": ("ce-usq-l1",), "rates": (0.3,)}, "0.6 bits"),
        ({"variants": ("1-bit-pv",), "rates": (1.0,)}, "R = M / N = 0.5"),
        ({"variants": ("ce-usq-l1",), "outputs": (3,)}, "outputs: ce-usq-l1 quantizes the m = 4 measurements; leave"),
    ],
)
def test_a_classical_point_that_cannot_be_is_named(axes: dict[str, Any], message: str) -> None:
    with pytest.raises(QcsError, match=message) as caught:
        grid(SweepConfig(**axes), SIGNAL, {})
    assert "\n" not in str(caught.value)
