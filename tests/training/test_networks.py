"""EncNet, SHQ and DecNet as one model: odd codecs, activations, hats, Lloyd-Max levels."""

import numpy as np
import pytest
import tensorflow as tf

from qcskit.codec import seeds
from qcskit.codec.learned.activations import ACTIVATIONS
from qcskit.codec.quantizer import hard_index
from qcskit.codec.signal import SignalConfig, draw_frames
from qcskit.training.config import TrainConfig
from qcskit.training.networks import Hats, build_model, parts

SIGNAL = SignalConfig(n=8, m=4, s=1)
TINY = {"levels": 4, "decoder_widths": (24,), "steps": 300, "warmup_steps": 10, "batch": 200, "test_frames": 2000,
        "validation_frames": 1000, "encoder_widths": (16,), "hard_fraction": 0.0,
        "optimizer": "adam", "weight_rate": 0.01}  # fmt: skip


@pytest.mark.parametrize("variant", ["deepqcs", "ce-decnet", "lloyd-decnet"])
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


def test_trained_shifts_leave_the_one_threshold_of_two_levels_at_zero() -> None:
    model = build_model(TrainConfig(levels=2, shifts="trained"), SIGNAL)
    assert [v.name for v in parts(model).shq.trainable_variables] == ["v"]


def test_hats_of_grid_levels_are_one_hot() -> None:
    grid = np.linspace(-1, 1, 5, dtype=np.float32)
    hats = Hats(5)(tf.constant(grid[None, :])).numpy().reshape(5, 5)
    np.testing.assert_allclose(hats, np.eye(5), atol=1e-6)


@pytest.mark.parametrize("decoder_input", ["levels", "hats"])
@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize("residual", [False, True])
def test_decnet_reads_and_joins_what_its_keys_say(decoder_input: str, odd: bool, residual: bool) -> None:
    keys = {"decoder_input": decoder_input, "odd": odd, "decoder_residual": residual, "decoder_widths": (24, 24, 12)}
    config = TrainConfig(**{**TINY, **keys, "decoder_activation": "tanh"})
    decnet = parts(build_model(config, SIGNAL)).decnet
    q = np.random.default_rng(1).uniform(-1, 1, (50, SIGNAL.m)).astype(np.float32)
    side = np.where(q[:, :1] < 0, -1, 1) if odd else 1
    value = np.asarray(Hats(4)(tf.constant(side * q)) if decoder_input == "hats" else side * q)
    *hidden, last = [layer.get_weights() for layer in decnet.layers if layer.get_weights()]
    assert [w.shape for w, _ in (*hidden, last)] == [(value.shape[1], 24), (24, 24), (24, 12), (12, SIGNAL.n)]
    for number, (w, b) in enumerate(hidden):
        out = np.tanh(value @ w + b)
        value = value + out if residual and number == 1 else out
    np.testing.assert_allclose(decnet(q), side * (value @ last[0] + last[1]), atol=1e-5)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_of_the_integer_encoder_is_what_keras_computes(name: str) -> None:
    encnet = parts(build_model(TrainConfig(encoder_activation=name), SIGNAL)).encnet
    pre = np.linspace(-8, 8, 1001, dtype=np.float32)
    hidden, last = (layer.activation for layer in encnet.layers)
    np.testing.assert_allclose(hidden(tf.constant(pre)), ACTIVATIONS[name].apply(pre), rtol=1e-6, atol=1e-7)
    assert hidden.__name__ == name
    assert last.__name__ == ("tanh" if name == "tanh" else "hard_tanh")


@pytest.mark.parametrize("odd", [False, True])
def test_the_quantizer_of_lloyd_decnet_meets_lloyds_two_conditions(odd: bool) -> None:
    model = build_model(TrainConfig(variant="lloyd-decnet", levels=4, odd=odd), SIGNAL)
    t, g = parts(model).shq.quantizer()
    y = draw_frames(SIGNAL, 50_000, seeds.LLOYD, part="train")[1]
    y = np.concatenate([y, -y]) if odd else y
    index = hard_index(y, t)
    means = np.array([[y[index[:, k] == i, k].mean() for i in range(4)] for k in range(SIGNAL.m)])
    np.testing.assert_allclose(t, (means[:, 1:] + means[:, :-1]) / 2, atol=1e-3)
    # The layer's levels are about 0: what is left of the means is one offset per measurement, DecNet's to learn.
    np.testing.assert_allclose(np.ptp(means - g, axis=1), 0, atol=1e-3)
