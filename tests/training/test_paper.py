"""recipe = "paper" against Leinonen & Codreanu, DeepQCS: every number and formula here is typed from the paper."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from qcskit.codec.signal import SignalConfig
from qcskit.training.config import RECIPES, TrainConfig
from qcskit.training.loop import Call, make_slots, mix_at, phases, steepness_at
from qcskit.training.networks import build_model, parts
from qcskit.training.source import Source

ROOT = Path(__file__).parents[2]
SIGNAL = SignalConfig(n=20, m=10, s=2)
TIMES = (1, 100, 10_000, 1_000_000, 10_000_000)

SECTION_V_A2 = {
    "variant": "deepqcs",
    "decoder_hidden": 3, "decoder_factor": 4,  # "L = 5 layers with d_2 = d_3 = d_4 = 4N"
    "decoder_activation": "tanh",  # "activation functions ... are tanh; ... sigma_L identity"
    "odd": False,  # biases in every layer
    "level_sum": 0.8,  # "v = 0.8 / (I - 1) 1"
    "shift_span": 0.8,  # "s = h [-0.8 : 1.6 / (I - 2) : 0.8]"
    "batch": 100,  # "B = 100"
    "train_frames": 5 * 10**5,  # "N_tr = 5 x 10^5"
    "validation_frames": 3 * 10**5, "test_frames": 3 * 10**5,  # "N_va = N_te = 3 x 10^5"
    "steepness_start": 5, "steepness_end": 300, "steepness_slope": 1e-5,  # "h_init = 5, alpha = 10^-5, h_max = 300"
    "mix_slope": 1e-7,  # "beta = 10^-7"
    "optimizer": "adam", "rate_schedule": "sqrt",  # "Adam", "max{eta_min, eta / sqrt(t)}"
    "warmup_steps": 0,  # none is mentioned
    "weight_rate": 1e-2, "bias_rate": 1e-2, "final_rate": 1e-4,  # "eta = 10^-2 and eta_min = 10^-4"
    "level_rate": 5e-5 / 1e-2,  # "eta_v = 5 x 10^-5 and eta_v_min = 5 x 10^-7": both 1/200 of the others
    "steps": 10**7,  # "or the maximum number of iterations 10^7 is reached"
    "patience": 10**6,  # "until D_va does not significantly decrease": no number is printed, this one is ours
    "hard_fraction": 0,  # one phase
}  # fmt: skip


def test_the_recipe_is_the_papers_table() -> None:
    assert RECIPES["paper"] == pytest.approx(SECTION_V_A2)
    config = TrainConfig(recipe="paper")
    assert {key: getattr(config, key) for key in SECTION_V_A2} == pytest.approx(SECTION_V_A2)
    # What the recipe leaves at the kit's defaults, as the paper has it.
    assert (config.mix_start, config.mix_end, config.shifts, config.quantizer) == (0, 1, "tied", "shared")
    assert (config.decoder_input, config.decoder_residual, config.batches) == ("levels", False, ())
    assert [phase.hard for phase in phases(config)] == [False]


def stages_of(levels: int, **keys) -> tuple[TrainConfig, object]:
    config = TrainConfig(recipe="paper", levels=levels, **keys).resolved(SIGNAL)
    return config, parts(build_model(config, SIGNAL))


@pytest.mark.parametrize("levels", [2, 3, 4, 16])
def test_networks_and_initial_values(levels: int) -> None:
    n, m = SIGNAL.n, SIGNAL.m
    k = m  # "The SHQ layer width is K = M"
    stages = stages_of(levels)[1]
    encoder, decoder = stages.encnet.layers, [layer for layer in stages.decnet.layers if layer.weights]
    assert [layer.units for layer in encoder] == [5 * k, k]  # J = 3 with e_2 = 5K
    assert [layer.units for layer in decoder] == [4 * n, 4 * n, 4 * n, n]
    assert [layer.activation.__name__ for layer in (*encoder, *decoder)] == ["tanh"] * 5 + ["linear"]
    for layer in (*encoder, *decoder):
        weights, fan_in = layer.kernel.numpy(), layer.kernel.shape[0]
        assert abs(weights).max() > 2.5 / math.sqrt(fan_in)  # not truncated
        assert fan_in * weights.var() == pytest.approx(1, abs=5 * math.sqrt(2 / weights.size))
        assert not layer.bias.numpy().any()
    np.testing.assert_allclose(stages.shq.v.numpy(), 0.8 / (levels - 1) * np.ones(levels - 1), rtol=1e-6)
    shifts = [0] if levels == 2 else [-0.8 + 1.6 / (levels - 2) * i for i in range(levels - 1)]
    np.testing.assert_allclose(stages.shq.t.numpy(), shifts, atol=1e-6)
    assert not stages.shq.hard_forward
    assert [v.name for v in stages.shq.trainable_variables] == ["v"]  # s stays h times that


@pytest.mark.parametrize("length", [1.0, 0.1])
@pytest.mark.parametrize(
    ("variant", "alpha", "beta"),
    [
        ("deepqcs", lambda t: min(5 + 1e-5 * t, 300), lambda t: min(1e-7 * t, 1)),
        ("deepqcs-qg", lambda t: min(5 + 1e-4 * t, 300), lambda t: min(1e-6 * t, 1)),
        ("deepqcs-q", lambda t: min(5 + 0.05 * math.ceil(t / 100), 300), lambda t: 1),
        ("deepqcs-ste", lambda t: 400, lambda t: 0),
        ("ce-decnet", lambda t: min(5 + 1e-5 * t, 300), lambda t: min(1e-7 * t, 1)),
    ],
)
def test_h_and_beta_of_every_variant(variant: str, alpha, beta, length: float) -> None:
    """Equations (31) and (32) with the schedules of sections V-A2 and V-B2; a shorter run does not squeeze them."""
    config, stages = stages_of(4, variant=variant, length=length)
    assert not stages.shq.hard_forward
    for t in (*TIMES, 101, 250):
        local = tf.constant(t - 1)
        assert float(steepness_at(config, config.total_steps, local)) == pytest.approx(alpha(t), rel=1e-6)
        assert float(mix_at(config, config.total_steps, local)) == pytest.approx(beta(t), rel=1e-6)


@pytest.mark.parametrize("t", TIMES)
@pytest.mark.parametrize("length", [1.0, 0.1])
def test_one_step_of_every_parameter(t: int, length: float) -> None:
    """Adam's step from zero moments with max{eta_min, eta / sqrt(t)}: for weights and biases, and for v."""
    config, stages = stages_of(4, length=length)
    slots = make_slots(stages, config, phases(config)[0])
    call = Call(stages, slots, config, Source(SIGNAL), phases(config)[0], 50)
    x, y = (tf.constant(values, tf.float32) for values in Source(SIGNAL).training(50, 1))
    before = [slot.variable.numpy() for slot in slots]
    call.step(x, y, tf.constant(t - 1))
    for slot, old in zip(slots, before, strict=True):
        level = slot.variable is stages.shq.v
        eta, eta_min = (5e-5, 5e-7) if level else (1e-2, 1e-4)
        gradient = slot.first.numpy() / (1 - 0.9)
        first, second = 0.1 * gradient / (1 - 0.9**t), 0.001 * gradient**2 / (1 - 0.999**t)
        step = max(eta_min, eta / math.sqrt(t)) * first / (np.sqrt(second) + 1e-8)
        seen = abs(gradient) > 1e-3  # where eps, added before the bias correction here, does not matter
        assert seen.any()
        np.testing.assert_allclose((old - slot.variable.numpy())[seen], step[seen], rtol=2e-2, atol=2e-7)


def test_the_gradients_of_backpropagation() -> None:
    """Algorithms 2 and 3: equations (19), (24) to (29) and (32) over a batch, against what a step differentiates."""
    signal = SignalConfig(n=6, m=4, s=1)  # E|x|^2 = 1: the loss is the cost (20)
    config = TrainConfig(recipe="paper", levels=4, shifts="trained").resolved(signal)
    stages, source, frames = parts(build_model(config, signal)), Source(signal), 30
    assert source.energy == 1
    h, beta = 9.0, 0.4
    stages.shq.anneal(h, beta)
    rng = np.random.default_rng(0)
    for network in (stages.encnet, stages.decnet):
        network.set_weights([w + 0.1 * rng.standard_normal(w.shape) for w in network.get_weights()])
    x, y = source.training(frames, 1)
    variables = [*stages.encnet.variables, stages.shq.v, stages.shq.t, *stages.decnet.variables]
    with tf.GradientTape() as tape:
        x_hat = stages.decnet(stages.shq(stages.encnet(tf.constant(y, tf.float32))))
        loss = source.loss(tf.constant(x, tf.float32), x_hat)
    got = [gradient.numpy() for gradient in tape.gradient(loss, variables)]

    F, b = stages.encnet.get_weights()[::2], stages.encnet.get_weights()[1::2]
    W, r = stages.decnet.get_weights()[::2], stages.decnet.get_weights()[1::2]
    v, s = stages.shq.v.numpy(), h * stages.shq.t.numpy()
    a = [y]
    for weight, bias in zip(F, b, strict=True):
        a.append(np.tanh(a[-1] @ weight + bias))
    bend = np.tanh(h * a[-1][..., None] - s)
    p = [bend @ v]
    for number, (weight, bias) in enumerate(zip(W, r, strict=True)):
        z = p[-1] @ weight + bias
        p.append(np.tanh(z) if number < len(W) - 1 else z)
    delta = 2 * (p[-1] - x)
    decoder = []
    for number in range(len(W) - 1, -1, -1):
        decoder = [p[number].T @ delta / frames, delta.sum(0) / frames, *decoder]  # (27)
        delta = delta @ W[number].T * (1 - p[number] ** 2 if number else 1)  # (24); sigma_1 is the identity
    to_v = (delta[..., None] * bend).sum((0, 1)) / frames  # (28)
    derivative = -4 / (np.exp(h * a[-1][..., None] - s) + np.exp(-h * a[-1][..., None] + s)) ** 2
    to_s = (delta[..., None] * v * derivative).sum((0, 1)) / frames  # (29)
    slope = (v * h * -derivative).sum(-1)
    xi = (1 - beta) * delta * (abs(a[-1]) <= v.sum()) + beta * delta * slope  # (32); (25) is its last term
    assert 0 < (abs(a[-1]) > v.sum()).mean() < 1
    encoder = []
    for number in range(len(F) - 1, -1, -1):
        xi = xi * (1 - a[number + 1] ** 2)  # of c_j, from that of a_j
        encoder = [a[number].T @ xi / frames, xi.sum(0) / frames, *encoder]  # (27)
        xi = xi @ F[number].T  # (26)
    expected = [*encoder, to_v, h * to_s, *decoder]  # t = s / h
    for ours, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * abs(theirs).max())


def test_the_quantizer_that_is_built_from_the_layer() -> None:
    """Equation (33), for ordered v and s."""
    config, stages = stages_of(5)
    v, h = np.array([0.05, 0.1, 0.25, 0.3]), 105.0
    stages.shq.v.assign(v)
    stages.shq.anneal(steepness=h)
    s = h * np.array([-0.8 + 1.6 / 3 * i for i in range(4)])
    t, g = stages.shq.quantizer()
    np.testing.assert_allclose(t, s / h, atol=1e-6)
    levels = [-sum(v), *(sum(v) - 2 * sum(v[i - 1 :]) for i in range(2, config.levels)), sum(v)]
    np.testing.assert_allclose(g, levels, atol=1e-6)


def test_ce_decnet_is_algorithm_1_without_encnet() -> None:
    config, stages = stages_of(4, variant="ce-decnet")
    y = np.random.default_rng(0).standard_normal((5, SIGNAL.m)).astype(np.float32)
    np.testing.assert_array_equal(stages.encnet(y), y)
    (joint,) = phases(config)
    learned = {id(slot.variable) for slot in make_slots(stages, config, joint)}
    assert not joint.hard
    assert learned == {id(variable) for variable in (stages.shq.v, *stages.decnet.trainable_variables)}
    np.testing.assert_allclose(stages.shq.v.numpy(), 0.8 / 3, rtol=1e-6)


def test_what_the_page_names_exists() -> None:
    page = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?", page)
    assert len(named) > 30
    for file, test in named:
        where = "tests" if "test_" in file else "." if file.startswith("benchmarks/") else "*/qcskit"
        (path,) = ROOT.glob(f"{where}/{file}")
        assert not test or f"def {test}(" in path.read_text(encoding="utf-8"), (file, test)
    for link in re.findall(r"\]\(([\w/.]+)", page):
        assert (ROOT / "docs" / link).is_file(), link
