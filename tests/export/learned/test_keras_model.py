"""A Keras model taken apart: the parts compute what it does; what cannot be exported is one line that says so."""

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the extra 'train': pip install 'qcskit[train]'")
import keras
from keras import layers

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.activations import ACTIVATIONS
from qcskit.export.learned.keras_model import read_keras_model
from qcskit.export.learned.parts import ModelParts
from qcskit.training.shq import SHQ

Y = np.random.default_rng(0).normal(3, 2, (64, 8)).astype(np.float32)


def sequential(*parts: object, shape: tuple[int, ...] = (8,), seed: int = 1) -> keras.Model:
    """Return a model of these layers, every variable of a scaling layer somewhere away from nothing."""
    keras.utils.set_random_seed(seed)
    return shaken(keras.Sequential([keras.Input(shape), *parts], name="it"))


def shaken(model: keras.Model) -> keras.Model:
    rng = np.random.default_rng(2)
    for weight in model.weights:
        if weight.path.rpartition("/")[2] in ("gamma", "beta", "moving_mean", "moving_variance", "bias"):
            weight.assign(rng.uniform(0.3, 1.5, weight.shape))
    return model


def encoded(parts: ModelParts, y: np.ndarray) -> np.ndarray:
    """Return what the parts decode: levels of the hard quantizer, through the decoder."""
    value = y.reshape(len(y), -1).astype(np.float64)
    for layer in parts.layers:
        value = ACTIVATIONS[layer.activation].apply(value @ layer.weights.T + layer.bias)
    q = parts.levels[np.searchsorted(parts.thresholds, value, side="left")].astype(np.float32)
    return q if parts.decoder is None else parts.decoder(q).numpy()


def hard(model: keras.Model, y: np.ndarray) -> np.ndarray:
    """Return the model's output with the hard quantizer."""
    for layer in model._flatten_layers():
        if isinstance(layer, SHQ):
            layer.hard_forward = True
    return model(y, training=False).numpy().reshape(len(y), -1)


def functional() -> keras.Model:
    """A decoder with a branch, which no Sequential has."""
    start = keras.Input((8,))
    scaled = layers.Normalization(mean=Y.mean(axis=0), variance=Y.var(axis=0))(start)
    value = layers.BatchNormalization()(layers.Dense(16)(scaled))
    value = layers.BatchNormalization()(layers.Dropout(0.2)(layers.ReLU()(value)))
    q = SHQ(4)(layers.Dense(6, "tanh")(value))
    end = layers.Add()([layers.Dense(8)(layers.Dense(20, "relu")(q)), layers.Dense(8)(q)])
    return shaken(keras.Model(start, end, name="it"))


def nested() -> keras.Model:
    front = keras.Sequential([keras.Input((8,)), layers.Rescaling(0.2, -0.3), layers.Dense(7, "relu6")])
    middle = keras.Sequential([keras.Input((7,)), layers.Dense(5, "hard_tanh"), SHQ(5), layers.Dense(4)])
    return sequential(front, layers.Dense(7, "sigmoid"), middle, layers.Dense(3))


def operations() -> keras.Model:
    """Functions of keras.ops instead of layers."""
    start = keras.Input((8,))
    value = keras.ops.relu(layers.Dense(5)(start))
    return shaken(keras.Model(start, SHQ(4)(keras.ops.tanh(layers.Dense(4)(value))), name="it"))


MODELS = {
    "scaled, batch normalization, a branch": functional,
    "nested": nested,
    "operations": operations,
    "shaped": lambda: sequential(
        layers.Flatten(), layers.Rescaling(0.5, 0.1), layers.Dense(7, "sigmoid"), layers.Dense(5),
        layers.Rescaling(2.0, 0.3), SHQ(3), layers.Dense(8), layers.Reshape((4, 2)), shape=(4, 2),
    ),
    "scaled by channel": lambda: sequential(
        layers.Normalization(mean=[3.0, 2.0], variance=[4.0, 1.0]), layers.Reshape((8,)), layers.Dense(5, "tanh"),
        SHQ(4), shape=(4, 2),
    ),
    "scaled along axes other than the last": lambda: sequential(
        layers.BatchNormalization(axis=1), layers.BatchNormalization(axis=-2), layers.Flatten(),
        layers.Dense(5, "tanh"), SHQ(4), shape=(2, 2, 2),
    ),
    "scaled behind the last activation": lambda: sequential(
        layers.Dense(5, "tanh"), layers.Rescaling(3.0, 0.5), SHQ(4), layers.Dense(2)
    ),
    "no biases": lambda: sequential(
        layers.Dense(5, "tanh", use_bias=False), SHQ(4, initial_thresholds=[-0.2, 0.1, 0.3])
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_the_parts_compute_what_the_model_does(name: str) -> None:
    keras.utils.set_random_seed(6)
    model = MODELS[name]()
    y = Y.reshape(-1, *model.input_shape[1:])
    parts = read_keras_model(model, "model 'it'")
    expected = hard(model, y)
    assert np.ptp(expected, axis=0).max() > 0
    np.testing.assert_allclose(encoded(parts, y), expected, rtol=0, atol=2e-5)


def subclassed() -> keras.Model:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="own")
            self.dense, self.shq = layers.Dense(4, "tanh"), SHQ(4)

        def call(self, y):
            return self.shq(self.dense(y))

    model = Own()
    model(Y)
    return model


def round_the_quantizer() -> keras.Model:
    start = keras.Input((8,))
    q = SHQ(4)(layers.Dense(8, "tanh")(start))
    return keras.Model(start, layers.Add()([layers.Dense(8)(q), start]))


def two_inputs() -> keras.Model:
    starts = [keras.Input((4,)), keras.Input((4,))]
    return keras.Model(starts, SHQ(4)(layers.Dense(3, "tanh")(layers.Concatenate()(starts))))


def called_twice() -> keras.Model:
    start, shq = keras.Input((8,)), SHQ(4)
    return keras.Model(start, layers.Add()([shq(layers.Dense(8, "tanh")(start)), shq(layers.Dense(8, "tanh")(start))]))


def quantized() -> keras.Model:
    model = keras.Sequential([keras.Input((8,)), layers.Dense(5, "tanh"), SHQ(4)])
    model.layers[0].quantize("int8")
    return model


def two_outputs() -> keras.Model:
    start = keras.Input((8,))
    q = SHQ(4)(layers.Dense(8, "tanh")(start))
    return keras.Model(start, [layers.Dense(8)(q), q])


REFUSED = {
    "an activation": (lambda: sequential(layers.Dense(5, "gelu"), SHQ(4)), "'dense.*not compute the activation 'gelu'"),
    "a layer": (lambda: sequential(layers.Dense(5), layers.LeakyReLU(), SHQ(4)), r"LeakyReLU.*Dense layers with the"),
    "another ReLU": (lambda: sequential(layers.Dense(5), layers.ReLU(3.0), SHQ(4)), r"\(ReLU\) cannot be exported"),
    "convolution": (
        lambda: sequential(layers.Conv1D(4, 3), layers.Flatten(), SHQ(4), shape=(8, 1)), "Conv1D.*BatchNormalization"
    ),
    "Lambda": (lambda: sequential(layers.Dense(5), layers.Lambda(lambda a: a), SHQ(4)), "Lambda.*cannot be exported"),
    "Dense along an axis": (lambda: sequential(layers.Dense(3), SHQ(4), shape=(4, 2)), r"shape \(4, 2\): Flatten"),
    "an activation alone": (
        lambda: sequential(layers.Activation("tanh"), layers.Dense(3), SHQ(4)), "needs a Dense layer of its own"
    ),
    "no SHQ": (lambda: sequential(layers.Dense(5)), "it' has no SHQ layer: put one"),
    "two SHQ": (lambda: sequential(layers.Dense(5), SHQ(4), layers.Dense(4), SHQ(4)), "has 2 SHQ layers"),
    "no encoder": (lambda: sequential(SHQ(4), layers.Dense(4)), "no Dense layer before the SHQ"),
    "a quantizer per output": (lambda: sequential(layers.Dense(5), SHQ(4, per_output=True)), "quantizer per output"),
    "scaled output by output": (
        lambda: sequential(layers.Dense(5, "tanh"), layers.BatchNormalization(), SHQ(4)), "scaled in its own way"
    ),
    "turned round": (lambda: sequential(layers.Dense(5, "tanh"), layers.Rescaling(-1.0), SHQ(4)), "turned round"),
    "unbounded input": (lambda: sequential(layers.Dense(5), SHQ(4), shape=(None, 3)), "fixed number of inputs"),
    "subclassed": (subclassed, "subclassed model"),
    "round the quantizer": (round_the_quantizer, "nothing but the levels"),
    "two inputs": (two_inputs, "takes 2 inputs"),
    "two outputs": (two_outputs, "2 outputs, expected one"),
    "called twice": (called_twice, "the SHQ layer is called 2 times, expected once"),
    "quantized": (quantized, "it is quantized already: export the float model"),
    "rows of outputs": (
        lambda: sequential(layers.Dense(6, "tanh"), layers.Reshape((2, 3)), SHQ(4)), r"shape \(2, 3\), expected one row"
    ),
    "an open end": (
        lambda: sequential(layers.Dense(6, "tanh"), SHQ(4), layers.Lambda(lambda a: a, output_shape=(None,))),
        r"decoder's output has the shape \(None, None\)",
    ),
    "scaling of another shape": (
        lambda: sequential(layers.Rescaling([1.0, 2.0, 3.0]), layers.Dense(3, "tanh"), SHQ(4), shape=(1,)),
        r"does not fit an input of shape \(1,\)",
    ),
    "scaling by NaN": (
        lambda: sequential(layers.Normalization(mean=np.nan, variance=1.0), layers.Dense(3, "tanh"), SHQ(4)),
        r"\(Normalization\) .*it holds NaN or infinity: has it seen data"
    ),
    "not built": (lambda: keras.Sequential([layers.Dense(4), SHQ(4)]), "is not built"),
    "no model": (lambda: layers.Dense(4), "is no Keras model but a Dense"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exported_is_one_line_that_names_it(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(QcsError, match=message) as caught:
        read_keras_model(make(), "model 'it'")
    assert "\n" not in str(caught.value)
    assert "model 'it'" in str(caught.value)
