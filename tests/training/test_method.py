"""Schedules, variants, budgets and stopping of the method, against their formulas."""

import numpy as np
import pytest
import tensorflow as tf

from qcskit.codec.config import load_table
from qcskit.codec.errors import QcsError
from qcskit.codec.metrics import nmse_db
from qcskit.codec.signal import SignalConfig, draw_frames
from qcskit.training.config import TrainConfig, choose_quantizer
from qcskit.training.draw import _support
from qcskit.training.loop import mix_at, phases, steepness_at, train
from qcskit.training.networks import Hats, build_model, lloyd_levels, parts
from qcskit.training.optimizer import apply, cosine_rate, make_slot, sqrt_rate
from qcskit.training.run import read_run, train_run

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


def test_variant_not_given_is_the_hard_forward_from_8_levels_on() -> None:
    few, many = (TrainConfig(levels=levels).resolved(SIGNAL) for levels in (4, 8))
    assert (few.variant, few.steepness_end) == ("deepqcs", 105)
    assert (many.variant, many.steepness_end) == ("deepqcs-q", 30)
    assert TrainConfig(levels=64, steepness_end=50).resolved(SIGNAL).steepness_end == 50
    assert TrainConfig(levels=64, variant="deepqcs").resolved(SIGNAL).steepness_end == 105
    assert TrainConfig(levels=64, recipe="paper").resolved(SIGNAL).variant == "deepqcs"


@pytest.mark.parametrize("variant", ["deepqcs", "ce-decnet"])
@pytest.mark.parametrize("decoder_input", ["levels", "hats"])
def test_an_odd_codec_negates_its_output_with_its_input(variant: str, decoder_input: str) -> None:
    config = TrainConfig(**{**TINY, "variant": variant, "decoder_input": decoder_input, "odd": True})
    stages = parts(build_model(config, SIGNAL))
    y = draw_frames(SIGNAL, 500, 1)[1].astype(np.float32)
    a = stages.encnet(y).numpy()
    np.testing.assert_array_equal(stages.encnet(-y).numpy(), -a)
    q = stages.shq.hard(a)
    np.testing.assert_allclose(stages.decnet(-q).numpy(), -stages.decnet(q).numpy(), atol=1e-6)
    assert len({float(s) for s in stages.decnet.get_layer("side")(q).numpy().ravel()}) == 2


def test_odd_is_chosen_where_the_source_and_the_activation_allow_it(tmp_path) -> None:
    assert TrainConfig().resolved(SIGNAL).odd
    assert not TrainConfig(encoder_activation="relu").resolved(SIGNAL).odd
    assert not TrainConfig(levels=2).resolved(SIGNAL).odd
    assert not TrainConfig(recipe="paper").resolved(SIGNAL).odd
    np.save(tmp_path / "r.npy", np.zeros(100))
    recorded = SIGNAL.model_copy(update={"source": "recorded", "recording": str(tmp_path / "r.npy")})
    assert not TrainConfig().resolved(recorded).odd
    with pytest.raises(ValueError, match="odd needs one of the activations tanh, hard_tanh"):
        TrainConfig(odd=True, encoder_activation="relu")


def test_supports_are_distinct_and_every_one_equally_likely() -> None:
    draws = 60_000
    places = np.stack(_support(6, 3, draws, tf.constant([3, 4])), axis=1)
    ordered = np.sort(places, axis=1)
    assert (np.diff(ordered, axis=1) > 0).all()
    assert set(np.unique(places)) == set(range(6))
    counts = np.unique(ordered @ [36, 6, 1], return_counts=True)[1]
    assert len(counts) == 20
    np.testing.assert_allclose(counts, draws / 20, rtol=6 / np.sqrt(draws / 20))


def test_step_sizes() -> None:
    t = np.arange(0, 5000, 7)
    got = [float(sqrt_rate(0.01, 2e-4, tf.constant(int(i)), 1.0)) for i in t]
    np.testing.assert_allclose(got, np.maximum(2e-4, 0.01 / np.sqrt(1 + t)), rtol=1e-5)
    assert float(cosine_rate(0.02, 1e-5, 0.0)) == pytest.approx(0.02)
    assert float(cosine_rate(0.02, 1e-5, 1.0)) == pytest.approx(1e-5)


def test_adam_is_kerass() -> None:
    import keras

    rng = np.random.default_rng(0)
    ours, theirs = (keras.Variable(np.ones((3, 2), np.float32)) for _ in range(2))
    slot, reference = make_slot(ours, rule="adam"), keras.optimizers.Adam(0.05, epsilon=1e-8)
    for step in range(20):
        gradient = tf.constant(rng.standard_normal((3, 2)), tf.float32)
        apply(slot, gradient, tf.constant(0.05), tf.constant(9.0), tf.constant(step))
        reference.apply([gradient], [theirs])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-4)


def test_batches_split_the_joint_phase_evenly() -> None:
    joint, last = phases(TrainConfig(steps=1000, batches=(10, 20, 40), hard_fraction=0.1))
    assert [joint.part(t) for t in (0, 299, 300, 599, 600, 899)] == [
        (10, 300), (10, 300), (20, 600), (20, 600), (40, 900), (40, 900)]  # fmt: skip
    assert last.part(0) == (40, 100)


@pytest.mark.parametrize("variant", ["deepqcs", "deepqcs-ste", "ce-decnet"])
def test_every_variant_learns_and_is_read_back(tmp_path, variant: str) -> None:
    metrics = train_run(tmp_path / "run", TrainConfig(variant=variant, **TINY), SIGNAL, ignore)
    assert metrics["nmse_hard_db"] < -2.0
    run = read_run(tmp_path / "run")
    if variant == "ce-decnet":
        with pytest.raises(QcsError, match="no encoder to export"):
            run.require_exportable()
    stages = parts(run.model)
    assert stages.shq.hard_forward == (variant != "deepqcs")
    # The NMSE again, from the exported quantizer alone: index → level → decoder.
    x, y = draw_frames(SIGNAL, 2000, 2_000_003)
    a = stages.encnet(y.astype(np.float32)).numpy()
    t, g = stages.shq.quantizer()
    index = (a[..., None] >= t).sum(-1)
    levels = g[index] if g.ndim == 1 else np.take_along_axis(g, index.T, 1).T
    assert nmse_db(x, stages.decnet(levels.astype(np.float32)).numpy()) == pytest.approx(
        metrics["nmse_hard_db"], abs=0.05
    )


@pytest.mark.parametrize(
    "keys",
    [
        {"quantizer": "per-output", "shifts": "trained", "level_rate": 1.0},
        {"decoder_input": "hats", "decoder_widths": (24, 24), "decoder_residual": True},
        {"optimizer": "orthogonal", "weight_rate": 0.02, "hard_fraction": 0.1, "rate_schedule": "sqrt"},
        {"encoder_widths": (16, 12), "outputs": 3, "levels": 2, "decoder_activation": "gelu", "batches": (100, 200)},
    ],
)
def test_options_train_and_are_read_back(tmp_path, keys) -> None:
    metrics = train_run(tmp_path / "run", TrainConfig(**{**TINY, **keys}), SIGNAL, ignore)
    assert metrics["nmse_hard_db"] < -1.0
    run = read_run(tmp_path / "run")
    shq = parts(run.model).shq
    shape = (4, 3) if shq.per_output else (run.train.levels - 1,)
    assert shq.v.shape == shape
    uniform = np.linspace(-1, 1, run.train.levels + 1)[1:-1]
    assert np.allclose(shq.t.numpy(), uniform) == (not shq.train_shifts)


def test_trained_shifts_leave_the_one_threshold_of_two_levels_at_zero() -> None:
    model = build_model(TrainConfig(levels=2, shifts="trained"), SIGNAL)
    assert [v.name for v in parts(model).shq.trainable_variables] == ["v"]


def test_the_best_weights_are_kept() -> None:
    # A rate that wrecks the model towards the end: the result must be the best validated one, not the last.
    config = TrainConfig(**{**TINY, "steps": 1500, "steepness_start": 1.0, "steepness_end": 2.0})
    model = build_model(config, SIGNAL)
    state = train(model, config, SIGNAL, ignore)
    curve = state.history
    assert state.best_db == min(curve.hard_db)
    x, y = draw_frames(SIGNAL, config.validation_frames, config.seed + 1_000_003)
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


@pytest.mark.parametrize("levels", [2, 4])
def test_lloyd_levels_of_a_gaussian_are_max_s_table(levels: int) -> None:
    # J. Max, Quantizing for minimum distortion (1960), table I.
    table = {2: [0.7980], 4: [0.4528, 1.510]}[levels]
    samples = np.sort(np.random.default_rng(0).standard_normal(400_000))
    np.testing.assert_allclose(lloyd_levels(samples, levels), [*(-np.array(table[::-1])), *table], atol=0.02)


def test_hats_of_grid_levels_are_one_hot() -> None:
    grid = np.linspace(-1, 1, 5, dtype=np.float32)
    hats = Hats(5)(tf.constant(grid[None, :])).numpy().reshape(5, 5)
    np.testing.assert_allclose(hats, np.eye(5), atol=1e-6)


def test_recipes_are_defaults_that_given_keys_win_over() -> None:
    best = TrainConfig(recipe="best")
    assert (best.decoder_hidden, best.decoder_factor) == (5, 10)
    assert TrainConfig(recipe="best", decoder_factor=3).decoder_factor == 3
    paper = TrainConfig(recipe="paper", length=0.01)
    assert (paper.optimizer, paper.batch, paper.total_steps) == ("adam", 100, 10_000)
    assert TrainConfig(**paper.model_dump()) == paper


@pytest.mark.parametrize(
    ("rate", "outputs", "levels", "expected"),
    [(0.5, None, None, (10, 2)), (3, None, None, (10, 64)), (1, 5, None, (5, 16)), (1.5, None, 4, (15, 4))],
)
def test_a_rate_chooses_the_quantizer(rate, outputs, levels, expected) -> None:
    k, i = choose_quantizer(rate, 20, outputs, levels, 10)
    assert (k, i) == expected
    assert k * np.log2(i) == rate * 20


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"levels": 1}, r"levels: .*greater than or equal to 2"),
        ({"outputs": 0}, r"outputs: .*greater than or equal to 1"),
        ({"rate": 0.33}, "no quantizer sends 0.33 bits per entry .6.6 bits per frame of n = 20.; nearest: 0.3, 0.35"),
        ({"rate": 1.5, "outputs": 7}, "with K = 7; nearest: 1.4, 1.75"),
        ({"rate": 1, "levels": 4, "outputs": 4}, "at most two of the three"),
        ({"variant": "deepqcs-st"}, "variant"),
        ({"variant": "ce-decnet", "outputs": 3}, "leave it out"),
        ({"recipe": "slow"}, "recipe"),
        ({"length": 1e-6}, "at least 10 steps"),
        ({"widths": 3}, "unknown key 'widths'"),
    ],
)
def test_a_bad_configuration_is_one_clear_line(keys, message: str) -> None:
    with pytest.raises(QcsError, match=message) as caught:
        load_table(TrainConfig, "train", None, keys).resolved(SignalConfig())
    assert "\n" not in str(caught.value)
