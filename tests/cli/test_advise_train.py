"""The learned row of `qcskit advise --train`, all but the training itself: its settings, and how long it may last."""

import sys
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


def test_a_training_gets_its_tables_and_its_bundle_lies_beside_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Any] = []
    chosen = advise_train.settings(BASE, 32, 1.0, 450)
    fake = SimpleNamespace(train_run=lambda *given: asked.append(given))
    monkeypatch.setitem(sys.modules, "qcskit.training.run", fake)
    monkeypatch.setattr("qcskit.cli.export.run_export", lambda *given, **more: asked.append((*given, more)))
    monkeypatch.setattr("qcskit.codec.codecs.open_codec", lambda path: f"codec of {path.name}")
    monkeypatch.setattr("qcskit.export.compare.measure", lambda *given: given)
    assert advise_train._trained(tmp_path / "run", 1.0, chosen) == ("codec of run-bundle", 1.0, chosen)
    (out, recipe, signal, progress), (run, bundle, export, adc, quiet) = asked
    assert (out, recipe.steps, recipe.outputs, recipe.levels) == (tmp_path / "run", 450, 8, 16)
    assert (signal.n, signal.m, signal.matrix, progress(1, 2, 3)) == (32, 32, "identity", None)
    assert (run, bundle, adc.bits, quiet) == (tmp_path / "run", tmp_path / "run-bundle", 10, {"quiet": True})
    assert (export.finetune_steps, export.allow_loss, export.golden_frames) == (2000, True, 16)


def test_a_speed_is_measured_between_the_first_two_reports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Compiling takes no less than nothing, and no time is not divided by."""
    for seconds, wanted in (((0.0, 5.0, 5.0, 9.0), (40 / 1e-3, 5.0 - 200e-3 / 40)), ((0.0, 1.0, 3.0), (20.0, 0.0))):
        now = iter(seconds)
        monkeypatch.setattr(advise_train, "time", SimpleNamespace(monotonic=lambda now=now: next(now)))
        steps = (200, 240, 600)[: len(seconds) - 1]
        monkeypatch.setattr(
            advise_train,
            "_train",
            lambda out, chosen, progress, steps=steps: [progress(step, 0.0, 0.0) for step in steps],
        )
        assert advise_train._speed(tmp_path, {}) == pytest.approx(wanted)
