"""The loop: schedules against their formulas, phases, the best weights, stopping."""

import numpy as np
import pytest
import tensorflow as tf

from qcskit.codec import seeds
from qcskit.codec.metrics import nmse_db
from qcskit.codec.signal import SignalConfig, draw_frames
from qcskit.training.config import TrainConfig
from qcskit.training.loop import DRAWN_STEPS, Call, Phase, mix_at, phases, steepness_at, train, training_data
from qcskit.training.networks import build_model, parts
from qcskit.training.source import Source

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
    np.testing.assert_allclose(schedule(steepness_at, config, 100), np.minimum(5 + 0.75 * (t + 1), 50), rtol=1e-5)
    half = TrainConfig(steepness_start=5, steepness_end=45, steepness_share=0.5)
    np.testing.assert_allclose(schedule(steepness_at, half, 100), np.minimum(5 + 0.8 * t, 45), rtol=1e-5)


def test_stepped_steepness_has_that_many_stairs() -> None:
    config = TrainConfig(steepness_start=5, steepness_end=45, steepness_stairs=4)
    h = schedule(steepness_at, config, 100)
    np.testing.assert_allclose(np.unique(np.round(h, 4)), [5, 15, 25, 35, 45])
    assert (np.diff(h) >= 0).all()


def test_beta_changes_linearly_by_share_or_by_slope() -> None:
    t = np.arange(101)
    config = TrainConfig(mix_start=0.2, mix_end=0.9, mix_share=0.5)
    np.testing.assert_allclose(schedule(mix_at, config, 100), np.interp(t, [0, 50, 100], [0.2, 0.9, 0.9]), atol=1e-6)
    config = TrainConfig(mix_start=0.2, mix_end=0.9, mix_slope=0.02)
    np.testing.assert_allclose(schedule(mix_at, config, 100), np.minimum(0.2 + 0.02 * (t + 1), 0.9), atol=1e-6)


@pytest.mark.parametrize(
    ("variant", "h", "beta"),
    [
        ("deepqcs", lambda t: 5 + 1e-5 * t, lambda t: 1e-7 * t),
        ("deepqcs-qg", lambda t: min(5 + 1e-4 * t, 300), lambda t: min(1e-6 * t, 1)),
        ("deepqcs-q", lambda t: min(5 + 5e-4 * t, 300), lambda t: 1),
        ("deepqcs-ste", lambda t: 400, lambda t: 0),
        ("hard-mixed", lambda t: 5 + 1e-5 * t, lambda t: 1e-7 * t),
        ("hard-surrogate", lambda t: 5 + 1e-5 * t, lambda t: 1),
        ("hard-ste", lambda t: 5 + 1e-5 * t, lambda t: 0),
    ],
)
def test_short_recipes_squeeze_the_papers_ten_million_steps_into_theirs(variant: str, h, beta) -> None:
    config = TrainConfig(variant=variant)
    at = np.arange(101) * 1e5
    np.testing.assert_allclose(schedule(steepness_at, config, 100), [h(t) for t in at], rtol=1e-5)
    np.testing.assert_allclose(schedule(mix_at, config, 100), [beta(t) for t in at], atol=1e-6)


def test_batches_are_drawn_from_the_fixed_set_each_frame_equally_likely() -> None:
    config = TrainConfig(**{**TINY, "train_frames": 20, "batch": 500, "seed": 3}).resolved(SIGNAL)
    source = Source(SIGNAL)
    x, y = (tf.constant(part, tf.float32) for part in source.training(20, 3 + seeds.TRAINING_SET))
    assert all(np.array_equal(a, b) for a, b in zip(training_data(source, config), (x, y), strict=True))
    call = Call(parts(build_model(config, SIGNAL)), [], config, source, phases(config)[0], config.batch)
    drawn_x, drawn_y = call.draw(tf.constant([3, 0]), (x, y))
    place = np.argmax((drawn_x[:, None] == x[None]).numpy().all(-1), axis=1)
    np.testing.assert_array_equal(drawn_x, x.numpy()[place])
    np.testing.assert_array_equal(drawn_y, y.numpy()[place])
    counts = np.bincount(place, minlength=20)
    assert abs(counts - 400).max() < 100  # five standard deviations
    other = call.draw(tf.constant([3, DRAWN_STEPS]), (x, y))[0]
    assert not np.array_equal(drawn_x, other)


def test_every_drawn_batch_is_stepped_on_once_and_every_sum_is_over_all_steps(monkeypatch) -> None:
    config = TrainConfig(**{**TINY, "seed": 3}).resolved(SIGNAL)
    call = Call(parts(build_model(config, SIGNAL)), [], config, Source(SIGNAL), phases(config)[0], 2)
    drawn, stepped = [], []

    def draw(self: Call, seed, data) -> tuple:
        drawn.append(seed.numpy().tolist())
        place = tf.repeat(tf.range(DRAWN_STEPS) + seed[1], 2)
        x = tf.cast(place, tf.float32)[:, None] * tf.ones(SIGNAL.n)
        return x, x[:, : SIGNAL.m]

    def step(self: Call, x, y, local):
        assert len(np.unique(x)) == len(np.unique(y)) == 1
        stepped.append((float(x[0, 0]), float(y[0, 0]), int(local)))
        return tf.constant(0.5)

    monkeypatch.setattr(Call, "draw", draw)
    monkeypatch.setattr(Call, "step", step)
    count = 2 * DRAWN_STEPS + 3
    error, energy = call.run(tf.constant(100), tf.constant(90), tf.constant(count), ())
    assert drawn == [[3, 100 + DRAWN_STEPS * k] for k in range(3)]
    assert stepped == [(t, t, t - 90) for t in range(100, 100 + count)]
    assert error == 0.5 * count
    assert energy == sum(2 * SIGNAL.n * t**2 for t in range(100, 100 + count))


@pytest.mark.parametrize("hard_fraction", [0.0, 0.25])
def test_of_lloyds_quantizer_nothing_is_learned(hard_fraction: float) -> None:
    """One phase of the decoder alone, at the whole rate."""
    config = TrainConfig(variant="lloyd-decnet", steps=900, batch=50, hard_fraction=hard_fraction, length=2.0)
    assert phases(config) == [Phase(1800, True, 1.0, (50,))]


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
    assert state.best_score == min(state.history["hard_db"])
    x, y = draw_frames(SIGNAL, config.validation_frames, config.seed + seeds.VALIDATION)
    stages = parts(model)
    again = nmse_db(x, stages.decnet(stages.shq.hard(stages.encnet(y.astype(np.float32)))).numpy())
    assert again == pytest.approx(state.best_score, abs=1e-4)


def test_stopping_by_target_and_by_patience() -> None:
    longer = {**TINY, "steps": 5000}
    config = TrainConfig(**longer, target_db=-1.0)
    state = train(build_model(config, SIGNAL), config, SIGNAL, ignore)
    assert state.best_score <= -1.0
    assert state.step < 5000
    stuck = TrainConfig(**{**longer, "patience": 500, "weight_rate": 1e-30, "bias_rate": 1e-30, "final_rate": 1e-30})
    state = train(build_model(stuck, SIGNAL), stuck, SIGNAL, ignore)
    assert state.step <= 1000
