"""The learned codecs of `qcskit advise --train`: trained for a given time, exported, measured like all others."""

import time
from pathlib import Path
from typing import Any

from qcskit.cli.bar import Bar
from qcskit.cli.common import native_chatter_hidden
from qcskit.codec.errors import QcsError
from qcskit.export.compare import EXPORT, Point, Row, merged

_LEVELS, _BITS = 16, 4
"""Of each output."""
_TRIAL_STEPS, _LEAST_STEPS = 600, 400
_FINETUNE_STEPS = 2000


def trained(folder: Path, base: Any, n: int, rates: list[float], minutes: float, quiet: bool) -> Row:
    """Return the row of learned codecs with windows of n samples, trained for so long in all."""
    points: list[Point] = []
    refused = ""
    with native_chatter_hidden() as terminal, Bar(terminal, quiet, transient=True) as bar:
        task = bar.add_task("train: how fast is it here?", total=len(rates) + 1)
        speed, compiling_s = _speed(folder / "trial", settings(base, n, 1.0, _TRIAL_STEPS))
        bar.advance(task)
        for rate in rates:
            bar.update(task, description=f"train at {rate:g} bits, {minutes:g} min for all rates")
            steps = max(_LEAST_STEPS, round((60 * minutes / len(rates) - compiling_s) * speed))
            try:
                points.append(_trained(folder / f"trained-{rate:g}", rate, settings(base, n, rate, steps)))
            except QcsError as error:
                refused = refused or str(error)
            bar.advance(task)
    return Row(f"learned-{n}", "", tuple(points), n, refused)


def settings(base: Any, n: int, rate: float, steps: int) -> dict[str, dict[str, Any]]:
    """Return the tables of a training whose outputs of 16 levels send a rate."""
    signal = {"n": n, "m": n, "matrix": "identity"}
    train = {"outputs": max(1, round(rate * n / _BITS)), "levels": _LEVELS, "steps": steps}
    export = {"finetune_steps": _FINETUNE_STEPS, "allow_loss": True}
    return merged(base, {"signal": signal, "train": train, "export": export})


def _speed(out: Path, chosen: Any) -> tuple[float, float]:
    """Return how many steps a second holds, and the seconds before the first one."""
    start = time.monotonic()
    calls: list[tuple[int, float]] = []
    _train(out, chosen, lambda step, soft, hard: calls.append((step, time.monotonic() - start)))
    (first, begun), (second, ended) = calls[:2]  # later ones may compile again
    speed = (second - first) / max(ended - begun, 1e-3)
    return speed, max(0.0, begun - first / speed)


def _train(out: Path, chosen: Any, progress: Any) -> None:
    from qcskit.codec.signal import SignalConfig
    from qcskit.training.config import TrainConfig
    from qcskit.training.run import train_run

    train_run(out, TrainConfig.model_validate(chosen["train"]), SignalConfig.model_validate(chosen["signal"]), progress)


def _trained(out: Path, rate: float, chosen: Any) -> Point:
    """Return what a codec that is trained and exported now does on the test part."""
    from qcskit.cli.export import run_export
    from qcskit.codec.codecs import open_codec
    from qcskit.codec.sensor import AdcConfig
    from qcskit.export.compare import measure

    bundle = out.with_name(f"{out.name}-bundle")
    _train(out, chosen, lambda step, soft, hard: None)
    export = EXPORT.model_copy(update=chosen["export"])
    run_export(out, bundle, export, AdcConfig.model_validate(chosen["adc"]), quiet=True)
    return measure(open_codec(bundle), rate, chosen)
