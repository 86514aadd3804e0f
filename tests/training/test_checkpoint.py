"""A training killed with SIGKILL goes on from its checkpoint and ends as the same model."""

import json
import os
import signal as signals
import subprocess
import sys

import numpy as np
import pytest

from qcskit.codec.signal import SignalConfig
from qcskit.training import loop
from qcskit.training.checkpoint import checkpoint_path
from qcskit.training.config import TrainConfig
from qcskit.training.run import read_run, train_run

KEYS = {"levels": 4, "decoder_widths": (24,), "steps": 2000, "warmup_steps": 10, "batch": 200, "test_frames": 2000,
        "validation_frames": 1000, "encoder_widths": (16,), "hard_fraction": 0.3, "patience": 1000,
        "optimizer": "adam", "weight_rate": 0.01}  # fmt: skip
SIGNAL = SignalConfig(n=8, m=4, s=1)

CHILD = """
import json, sys
from pathlib import Path
from qcskit.codec.signal import SignalConfig
from qcskit.training import loop
from qcskit.training.config import TrainConfig
from qcskit.training.run import train_run
loop.CHECKPOINT_S = 0.0
def progress(step, soft, hard):
    print(step, flush=True)
    sys.stdin.readline()
keys, signal = json.loads(sys.argv[2])
train_run(Path(sys.argv[1]), TrainConfig(**keys), SignalConfig(**signal), progress)
"""


def ignore(step: int, soft: float, hard: float) -> None:
    """No progress wanted."""


@pytest.mark.slow
@pytest.mark.parametrize("train_frames", [0, 500])
def test_a_killed_training_resumes_to_the_same_model(tmp_path, train_frames: int) -> None:
    keys = {**KEYS, "train_frames": train_frames}
    kill_after = 1000
    path = tmp_path / "broken"
    job = [sys.executable, "-c", CHILD, str(path), json.dumps([keys, SIGNAL.model_dump()])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(job, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    for line in child.stdout:
        if line.strip().isdecimal() and int(line) >= kill_after + 250:
            child.send_signal(signals.SIGKILL)
            break
        print(file=child.stdin, flush=True)  # it waits after every step
    assert child.wait() == -signals.SIGKILL
    assert not path.exists()
    assert checkpoint_path(path).is_file()
    steps = []
    train_run(path, TrainConfig(**keys), SIGNAL, lambda step, soft, hard: steps.append(step))
    assert min(steps) > kill_after  # it went on, it did not start again
    assert not checkpoint_path(path).exists()
    train_run(tmp_path / "whole", TrainConfig(**keys), SIGNAL, ignore)
    broken, whole = (read_run(tmp_path / name) for name in ("broken", "whole"))
    for a, b in zip(broken.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for key in ("nmse_hard_db", "history", "best_step"):
        assert broken.metrics[key] == whole.metrics[key]


def test_a_checkpoint_of_another_configuration_is_not_used(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_S", 0.0)

    class StoppedError(Exception):
        pass

    def stop(step: int, soft: float, hard: float) -> None:
        if step >= 500:
            raise StoppedError

    with pytest.raises(StoppedError):
        train_run(tmp_path / "run", TrainConfig(**KEYS), SIGNAL, stop)
    steps: list[int] = []
    other = TrainConfig(**{**KEYS, "seed": 1, "steps": 300, "hard_fraction": 0.0})
    train_run(tmp_path / "run", other, SIGNAL, lambda step, soft, hard: steps.append(step))
    assert steps[0] == 250


def test_a_damaged_checkpoint_is_started_over(tmp_path) -> None:
    checkpoint_path(tmp_path / "run").write_bytes(b"PK\x03\x04 torn")
    short = TrainConfig(**{**KEYS, "steps": 300, "hard_fraction": 0.0})
    steps: list[int] = []
    train_run(tmp_path / "run", short, SIGNAL, lambda step, soft, hard: steps.append(step))
    assert steps == [250, 300]
    assert not checkpoint_path(tmp_path / "run").exists()
