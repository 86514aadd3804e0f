"""The learned row of `qcskit advise --train`, all but the training itself: its settings, and how long it may last."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qcskit.cli import advise_train
from qcskit.codec.errors import CheckFailedError
from qcskit.codec.signal import SignalConfig
from qcskit.export.compare import EXPORT, RATES
from qcskit.training.config import TrainConfig

BASE = {"signal": {"source": "recorded", "recording": "x.npy"}, "adc": {"bits": 10}}


@pytest.mark.parametrize("rate", RATES)
def test_outputs_send_the_rate_that_is_asked_for(rate: float) -> None:
    chosen = advise_train.settings(BASE, 32, rate, 400)
    signal = SignalConfig.model_validate(chosen["signal"])
    made = TrainConfig.model_validate(chosen["train"]).resolved(signal)
    assert (made.packing(signal).packed_bits, made.steps) == (32 * rate, 400)
    assert (signal.m, signal.noise_variance, chosen["adc"]) == (32, 0.0, {"bits": 10})
    EXPORT.model_validate({**EXPORT.model_dump(), **chosen["export"]})


def test_the_minutes_are_shared_and_what_fails_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    now = iter((0.0, 12.0, 14.0, 90.0))  # 2 s of compiling, 20 steps a second, then the decoder compiles again
    monkeypatch.setattr(advise_train, "time", SimpleNamespace(monotonic=lambda: next(now)))
    asked: list[tuple[float, int]] = []

    def train(out: Path, chosen: Any, progress: Any) -> None:
        for step in (200, 240, 600):
            progress(step, -1.0, -1.0)

    def trained(out: Path, rate: float, chosen: Any) -> Any:
        asked.append((rate, chosen["train"]["steps"]))
        if rate == 2.0:
            raise CheckFailedError("integers cost too much")
        return f"point at {rate:g}"

    monkeypatch.setattr(advise_train, "_train", train)
    monkeypatch.setattr(advise_train, "_trained", trained)
    row = advise_train.trained(tmp_path, BASE, 32, [1.0, 2.0], 2.0, quiet=True)
    assert asked == [(1.0, 20 * 58), (2.0, 20 * 58)]
    assert (row.name, row.codec, row.samples) == ("learned-32", "", 32)
    assert (row.points, row.refused) == (("point at 1",), "integers cost too much")
    now = iter((0.0, 12.0, 14.0, 90.0))
    advise_train.trained(tmp_path, BASE, 32, [1.0], 1e-3, quiet=True)
    assert asked[-1] == (1.0, 400)
