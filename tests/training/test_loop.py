"""The loop: schedules against their formulas, phases, the best weights, stopping."""

import numpy as np
import pytest
import tensorflow as tf

from qcskit.codec import seeds
from qcskit.codec.metrics import nmse_db
from qcskit.codec.signal import SignalConfig, draw_frames
from qcskit.training.config import TrainConfig
from qcskit.training.loop import mix_at, phases, steepness_at, train
from qcskit.training.networks import build_model, parts

SIGNAL = SignalConfig(n=8, m=4, s=1)
TINY = {"levels": 4, "decoder_widths": (24,), "steps": 300, "warmup_steps": 10, "batch": 200, "test_frames": 2000,
        "validation_frames": 1000, "encoder_widths": (16,), "hard_fraction": 0.0,
        "optimizer": "adam", "weight_rate": 0.01}  # fmt: skip


def ignore(step: int, soft: float, hard: float) -> None:
    """No progress wanted."""


def schedule(function, config: TrainConfig, steps: int) -> np.ndarray:
    return np.array([float(function(config, steps, tf.constant(t))) for t in range(steps + 1)])


def test_steepness_rises_linearly_up_to_its_cap() -> None:
    t = np.arange(101)
    config = TrainConfig(steepness_start=5, steepness_end=50, steepness_slope=0.75)
    np.testing.assert_allclose(schedule(steepness_at, config, 100), np.minimum(5 + 0.75 * t, 50), rtol=1e-5)
    half = TrainConfig(steepness_start=5, steepness_end=45, steepness_share=0.5)
    np.testing.assert_allclose(schedule(steepness_at, half, 100), np.minimum(5 + 0.8 * t, 45), rtol=1e-5)


def test_stepped_steepness_has_that_many_stairs() -> None:
    config = TrainConfig(steepness_start=5, steepness_end=45, steepness_stairs=4)
    h = schedule(steepness_at, config, 100)
    np.testing.assert_allclose(np.unique(np.round(h, 4)), [5, 15, 25, 35, 45])
    assert (np.diff(h) >= 0).all()


@pytest.mark.parametrize(("variant", "ends"), [("deepqcs", (0.2, 0.9)), ("deepqcs-qg", (0.2, 0.9)),
                                               ("deepqcs-q", (1, 1)), ("deepqcs-ste", (0, 0))])  # fmt: skip
def test_gradient_mix_of_each_variant(variant: str, ends) -> None:
    config = TrainConfig(variant=variant, mix_start=0.2, mix_end=0.9, mix_share=0.5)
    beta = schedule(mix_at, config, 100)
    expected = np.interp(np.arange(101), [0, 50, 100], [ends[0], ends[1], ends[1]])
    np.testing.assert_allclose(beta, expected, atol=1e-6)


def test_batches_split_the_joint_phase_evenly() -> None:
    joint, last = phases(TrainConfig(steps=1000, batches=(10, 20, 40), hard_fraction=0.1))
    assert [joint.part(t) for t in (0, 299, 300, 599, 600, 899)] == [
        (10, 300), (10, 300), (20, 600), (20, 600), (40, 900), (40, 900)]  # fmt: skip
    assert last.part(0) == (40, 100)


def test_the_best_weights_are_kept() -> None:
    # A rate that wrecks the model towards the end: the result must be the best validated one, not the last.
    config = TrainConfig(**{**TINY, "steps": 1500, "steepness_start": 1.0, "steepness_end": 2.0})
    model = build_model(config, SIGNAL)
    state = train(model, config, SIGNAL, ignore)
    assert state.best_db == min(state.history["hard_db"])
    x, y = draw_frames(SIGNAL, config.validation_frames, config.seed + seeds.VALIDATION)
    stages = parts(model)
    again = nmse_db(x, stages.decnet(stages.shq.hard(stages.encnet(y.astype(np.float32)))).numpy())
    assert again == pytest.approx(state.best_db, abs=1e-4)


def test_stopping_by_target_and_by_patience() -> None:
    longer = {**TINY, "steps": 5000}
    config = TrainConfig(**longer, target_db=-1.0)
    state = train(build_model(config, SIGNAL), config, SIGNAL, ignore)
    assert state.best_db <= -1.0
    assert state.step < 5000
    stuck = TrainConfig(**{**longer, "patience": 500, "weight_rate": 1e-30, "bias_rate": 1e-30, "final_rate": 1e-30})
    state = train(build_model(stuck, SIGNAL), stuck, SIGNAL, ignore)
    assert state.step <= 1000
