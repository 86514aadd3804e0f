"""AnnealSHQ: what h and β are at every step of a fit, and the hard NMSE against the quantizer that a device gets."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from qcskit.codec.errors import QcsError
from qcskit.codec.quantizer import hard_index
from qcskit.training import SHQ, AnnealSHQ, Ramp
from qcskit.training.config import TrainConfig
from qcskit.training.loop import mix_at, steepness_at

X = np.random.default_rng(2).standard_normal((48, 4)).astype(np.float32)
BATCH = 8
STEPS = len(X) // BATCH


class Seen(keras.callbacks.Callback):
    """What h and β are when a batch ends."""

    def __init__(self, *layers: SHQ) -> None:
        super().__init__()
        self.layers, self.values = layers, []

    def on_train_batch_end(self, batch, logs=None) -> None:
        self.values.append([(float(layer.steepness.numpy()), float(layer.mix.numpy())) for layer in self.layers])

    def columns(self) -> np.ndarray:
        """h and β of the first layer, by step."""
        return np.array([values[0] for values in self.values]).T


def built(*quantizers: SHQ, **compiled) -> keras.Model:
    layers = [layer for quantizer in quantizers for layer in (keras.layers.Dense(3, "tanh"), quantizer)]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(4)])
    model.compile("adam", "mse", **{"jit_compile": False, **compiled})
    return model


def fitted(callback: AnnealSHQ, epochs: int = 4, **keys) -> tuple[np.ndarray, dict[str, list[float]]]:
    """h and β, by step, and the history of a fit."""
    model = built(SHQ(4), run_eagerly=True)
    seen = Seen(model.layers[1])
    history = model.fit(X, X, BATCH, epochs, 0, callbacks=[callback, seen], **keys).history
    return seen.columns(), history


def test_h_and_beta_rise_linearly_from_the_first_step_to_the_last() -> None:
    (h, beta), history = fitted(AnnealSHQ((5, 50), Ramp(0.1, 0.9, share=0.5)))
    total = 4 * STEPS
    np.testing.assert_allclose(h, np.linspace(5, 50, total), rtol=1e-6)
    np.testing.assert_allclose(beta, np.minimum(0.1 + 0.8 * np.arange(total) / (0.5 * (total - 1)), 0.9), rtol=1e-6)
    np.testing.assert_allclose(history["steepness"], h[STEPS - 1 :: STEPS])
    np.testing.assert_allclose(history["mix"], beta[STEPS - 1 :: STEPS])


def test_by_epoch_and_in_stairs() -> None:
    (h, beta), _ = fitted(AnnealSHQ(Ramp(5, 25, stairs=2), (1.0, 0.0), by="epoch"), epochs=5)
    np.testing.assert_allclose(h, np.repeat([5, 5, 15, 15, 25], STEPS))
    np.testing.assert_allclose(beta, np.repeat([1, 0.75, 0.5, 0.25, 0], STEPS), atol=1e-6)


def test_own_functions_constants_and_what_is_left_alone() -> None:
    (h, beta), _ = fitted(AnnealSHQ(lambda step: 2.0 + step**2, 0.25), epochs=2)
    np.testing.assert_allclose(h, 2.0 + np.arange(2 * STEPS) ** 2)
    np.testing.assert_allclose(beta, 0.25)
    (h, beta), _ = fitted(AnnealSHQ(None, lambda epoch: epoch / 2, by="epoch"), epochs=2)
    np.testing.assert_allclose(h, 5.0)
    np.testing.assert_allclose(beta, np.repeat([0, 0.5], STEPS))


@pytest.mark.parametrize("keys", [{}, {"by": "epoch"}, {"steps": 9}])
def test_a_resumed_fit_goes_on_where_it_was(keys) -> None:
    whole = fitted(AnnealSHQ((5, 50), **keys), epochs=4)[0]
    resumed = fitted(AnnealSHQ((5, 50), **keys), epochs=4, initial_epoch=2)[0]
    np.testing.assert_array_equal(resumed, whole[:, 2 * STEPS :])


def test_every_layer_is_found_wherever_it_is() -> None:
    class Holder(keras.layers.Layer):
        def __init__(self, layer) -> None:
            super().__init__()
            self.layer = layer

        def call(self, a):
            return self.layer(a)

    quantizers = SHQ(2), SHQ(4, per_output=True), SHQ(3)
    nested = keras.Sequential([keras.layers.Dense(3, "tanh"), quantizers[1]])
    model = keras.Sequential([keras.layers.Dense(4), quantizers[0], nested, Holder(quantizers[2])])  # none built yet
    model.add(keras.layers.Dense(4))
    model.compile("adam", "mse", jit_compile=False)
    seen = Seen(*quantizers)
    model.fit(X, X, epochs=1, batch_size=BATCH, verbose=0, callbacks=[AnnealSHQ((6, 11), (0, 0.5)), seen])
    expected = zip(np.linspace(6, 11, STEPS), np.linspace(0, 0.5, STEPS), strict=True)
    np.testing.assert_allclose(seen.values, [[pair] * 3 for pair in expected], atol=1e-6)


def hard_nmse_db(model: keras.Model, x: np.ndarray) -> float:
    """By NumPy, from the exported quantizer and the layers' weights."""
    dense, shq, last = model.layers
    t, g = shq.quantizer()
    a = np.tanh(x @ dense.kernel.numpy() + dense.bias.numpy())
    x_hat = g[hard_index(a, t)] @ last.kernel.numpy() + last.bias.numpy()
    return 10 * np.log10(((x - x_hat) ** 2).sum() / (x**2).sum())


FRESH = np.random.default_rng(3).standard_normal((30, 4)).astype(np.float32)
GIVEN = {
    "arrays": lambda: ({"validation_data": (FRESH, FRESH)}, {}),
    "dataset": lambda: ({"validation_data": tf.data.Dataset.from_tensor_slices((FRESH, FRESH)).batch(7)}, {}),
    "fit's arrays": lambda: ({}, {"validation_data": (FRESH, FRESH)}),
    "fit's dataset": lambda: (
        {}, {"validation_data": tf.data.Dataset.from_tensor_slices((FRESH, FRESH)).batch(7).repeat(),
             "validation_steps": 5}),
    "fit's split": lambda: ({}, {"validation_split": 0.25, "validation_data": None}),
}  # fmt: skip


@pytest.mark.parametrize("given", GIVEN)
def test_the_logged_nmse_is_that_of_the_quantizer_a_device_gets(given: str) -> None:
    own, of_fit = GIVEN[given]()
    model = built(SHQ(4))
    options = {"verbose": 0, "batch_size": BATCH, "shuffle": False, **of_fit}
    history = model.fit(X, X, epochs=2, callbacks=[AnnealSHQ((2, 3), **own)], **options).history
    data = X[36:] if given == "fit's split" else FRESH
    if given == "fit's dataset":
        data = np.concatenate([FRESH] * 2)[: 4 * 7 + 2]  # 4 batches of 7 and one of 2
    assert len(history["val_hard_nmse_db"]) == 2
    hard = hard_nmse_db(model, data)
    assert history["val_hard_nmse_db"][-1] == pytest.approx(hard, abs=1e-4)
    soft = 10 * np.log10(((data - model.predict(data, verbose=0)) ** 2).sum() / (data**2).sum())
    assert abs(hard - soft) > 0.01  # at h = 3 they differ, and the layer is left soft
    assert model.layers[1].hard_forward is False


def test_a_model_that_only_runs_eagerly_is_measured_eagerly() -> None:
    class Asking(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.stages = [keras.layers.Dense(3, "tanh"), SHQ(4), keras.layers.Dense(4)]

        def call(self, x):
            for stage in self.stages:
                x = stage(x)
            return x if tf.reduce_sum(x) > 0.0 else 2.0 * x

    model = Asking()
    model.compile("adam", "mse", run_eagerly=True)
    fit = model.fit(X, X, verbose=0, validation_data=(X, X), callbacks=[AnnealSHQ((2, 3))])
    assert len(fit.history["val_hard_nmse_db"]) == 1


def test_callbacks_behind_it_monitor_the_hard_nmse_when_there_is_one() -> None:
    model = built(SHQ(4))
    stopper = keras.callbacks.EarlyStopping("val_hard_nmse_db", mode="min", patience=0, min_delta=1e9)
    fit = model.fit(X, X, epochs=5, verbose=0, validation_data=(X, X), callbacks=[AnnealSHQ(), stopper])
    assert len(fit.epoch) == 2  # it looks from the second epoch on
    every_second = model.fit(X, X, epochs=4, verbose=0, validation_data=(X, X), validation_freq=2,
                             callbacks=[AnnealSHQ()]).history  # fmt: skip
    assert len(every_second["val_hard_nmse_db"]) == len(every_second["val_loss"]) == 2
    assert "val_hard_nmse_db" not in model.fit(X, X, verbose=0, callbacks=[AnnealSHQ()]).history
    off = model.fit(X, X, verbose=0, validation_data=(X, X), callbacks=[AnnealSHQ(hard_nmse=False)])
    assert "val_hard_nmse_db" not in off.history


def test_it_follows_the_schedules_of_the_kits_own_training() -> None:
    config = TrainConfig(steepness_start=4, steepness_end=44, steepness_stairs=5, steepness_share=0.7, mix_end=0.8)
    steps = np.arange(100)
    h, beta = Ramp(4, 44, share=0.7, stairs=5), Ramp(0, 0.8)
    for ramp, function in ((h, steepness_at), (beta, mix_at)):
        own = [float(function(config.model_copy(update={"variant": "deepqcs"}), 100, t)) for t in steps]
        np.testing.assert_array_equal([float(ramp.at(int(t), 100)) for t in steps], own)


def endless():
    while True:
        yield X[:BATCH], X[:BATCH]


def test_an_epoch_of_unknown_length_is_refused_unless_nothing_depends_on_it() -> None:
    def batches():
        signature = tf.TensorSpec((None, 4))
        return tf.data.Dataset.from_generator(
            lambda: ((X[:BATCH], X[:BATCH]) for _ in range(3)), output_signature=(signature, signature)
        )

    model = built(SHQ(4))
    with pytest.raises(QcsError, match="give fit steps_per_epoch"):
        model.fit(batches(), epochs=2, verbose=0, shuffle=False, callbacks=[AnnealSHQ()])
    with pytest.raises(QcsError, match="give fit steps_per_epoch"):
        model.fit(batches(), epochs=3, initial_epoch=1, verbose=0, shuffle=False, callbacks=[AnnealSHQ(steps=9)])
    seen = Seen(model.layers[1])
    model.fit(batches(), epochs=3, verbose=0, shuffle=False, callbacks=[AnnealSHQ((5, 13), steps=9), seen])
    np.testing.assert_allclose(seen.columns()[0], np.arange(5, 14))
    model.fit(endless(), epochs=2, steps_per_epoch=3, verbose=0, shuffle=False, callbacks=[AnnealSHQ((5, 10)), seen])
    np.testing.assert_allclose(seen.columns()[0][9:], np.arange(5, 11))


class Compiled(keras.Model):
    """A model whose call is compiled once, with whatever its quantizer did then."""

    def __init__(self) -> None:
        super().__init__()
        self.quantize, self.dense = SHQ(4), keras.layers.Dense(4)

    @tf.function
    def call(self, x):
        return self.dense(self.quantize(x))


def compiled() -> keras.Model:
    model = Compiled()
    model.compile("adam", "mse", jit_compile=False)
    model(X)
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AnnealSHQ((0, 50)), "steepness h = 0 must be a finite number above 0"),
        (lambda: AnnealSHQ(mix=(0, 1.5)), "mix β = 1.5 must be"),
        (lambda: AnnealSHQ(-3), "steepness h = -3"),
        (lambda: AnnealSHQ(by="batch"), "by = 'batch', known: 'step', 'epoch'"),
        (lambda: AnnealSHQ(steps=0), "steps = 0"),
        (lambda: Ramp(5, float("nan")), "must be a finite number"),
        (lambda: Ramp(5, 50, share=0), "share must be in (0, 1]"),
        (lambda: Ramp(5, 50, stairs=-1), "stairs and slope not below 0"),
        (lambda: fitted(AnnealSHQ(lambda step: 5 - step)), "AnnealSHQ: at 5: steepness h = 0 must be"),
        (lambda: built().fit(X, X, verbose=0, callbacks=[AnnealSHQ()]), "has no SHQ layer"),
        (lambda: fitted(AnnealSHQ(validation_data=(X, X[:, :1]))), "or say hard_nmse=False"),
        (lambda: fitted(AnnealSHQ(validation_data=(X, 0 * X))), "zero everywhere"),
        (lambda: compiled().fit(X, X, verbose=0, callbacks=[AnnealSHQ(validation_data=(X, X))]), "@tf.function off"),
    ],
)
def test_what_cannot_be_followed_is_refused_in_one_line(make, message: str) -> None:
    with pytest.raises(QcsError, match=re.escape(message)) as refused:
        make()
    assert "\n" not in str(refused.value)
