"""Trainings as points of a sweep."""

import json

import pytest

from qcskit.codec.signal import SignalConfig
from qcskit.training.learned import sweep

SIGNAL = SignalConfig(n=8, m=4, s=1)
TRAIN = {"decoder_widths": (8,), "encoder_widths": (8,), "steps": 40, "warmup_steps": 5, "batch": 50,
         "test_frames": 500, "validation_frames": 200, "hard_fraction": 0.0}  # fmt: skip


def test_a_combination_wins_over_the_table() -> None:
    chosen = {"rate": 1.0, "variant": "deepqcs-ste", "seed": 3}
    config = sweep.configure(chosen, {"train": {**TRAIN, "seed": 1}}, SIGNAL)
    assert (config.outputs, config.levels, config.variant, config.seed) == (4, 4, "deepqcs-ste", 3)
    assert config.packing(SIGNAL).packed_bits == SIGNAL.n
    assert (
        sweep.columns(config, SIGNAL).items()
        >= {"variant": "deepqcs-ste", "recipe": "fast", "seed": 3, "steps": 40}.items()
    )


def test_a_run_gives_the_columns_of_its_metrics(tmp_path) -> None:
    pytest.importorskip("tensorflow", reason="needs the extra 'train': pip install 'qcskit[train]'")
    row = sweep.run(tmp_path / "runs" / "a", sweep.configure({}, {"train": TRAIN}, SIGNAL), SIGNAL)
    metrics = json.loads((tmp_path / "runs" / "a" / "metrics.json").read_text())
    assert row["nmse_hard_db"] == f"{metrics['nmse_hard_db']:.4f}"
    assert (row["best_step"], row["seconds"]) == (str(metrics["best_step"]), str(metrics["train_seconds"]))
