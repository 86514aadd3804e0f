"""EncNet → SHQ → DecNet as one Keras model (DeepQCS paper, Fig. 1)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import seeds
from qcskit.codec.classical.lloyd import lloyd_scalar
from qcskit.codec.learned.activations import ACTIVATIONS
from qcskit.codec.signal import SignalConfig
from qcskit.training.backend import keras, tf
from qcskit.training.config import HARD_FORWARD, WITHOUT_ENCODER, TrainConfig
from qcskit.training.hooks import hooks_of
from qcskit.training.shq import SHQ
from qcskit.training.source import Source

_LLOYD_FRAMES = 50_000


@dataclass(frozen=True)
class Parts:
    """The three stages of a model: encnet (B, M) → (B, K), shq, decnet (B, K) → (B, N)."""

    encnet: Any
    shq: SHQ
    decnet: Any


@keras.saving.register_keras_serializable(package="qcskit")
class Hats(keras.layers.Layer):  # type: ignore[misc]
    """Each input q becomes I hat functions max(0, 1 − |q − c_l| (I−1)/2) on the uniform grid c of [−1, 1].

    (B, K) → (B, K·I). A level on the grid gives a one-hot vector, one between two points its interpolation.
    """

    def __init__(self, levels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.levels = levels

    def call(self, q: Any) -> Any:
        """Return the hats of `q`."""
        centres = tf.constant(np.linspace(-1.0, 1.0, self.levels), tf.float32)
        hats = tf.nn.relu(1.0 - tf.abs(q[..., None] - centres) * ((self.levels - 1) / 2.0))
        return tf.reshape(hats, (-1, q.shape[-1] * self.levels))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "levels": self.levels}


@keras.saving.register_keras_serializable(package="qcskit")
class Side(keras.layers.Layer):  # type: ignore[misc]
    """The sign of the first entry of q: (B, K) → (B, 1), 1 or −1; no gradient.

    x and −x are equally likely, so DecNet need only learn one side: x_hat(q) = side · f(side · q). Where the first
    entry is 0, as it can be for odd I, DecNet sees q as it is.
    """

    def call(self, q: Any) -> Any:
        """Return the side of `q`."""
        return tf.stop_gradient(tf.where(q[..., :1] < 0.0, -1.0, 1.0))


def build_model(train: TrainConfig, signal: SignalConfig) -> Any:
    """Return the untrained model, weights N(0, 1/fan_in) drawn from the seed, biases 0."""
    train = train.resolved(signal)
    source = Source(signal, hooks_of(train.module, train.module_sha256))
    starts = iter(range(train.seed * 1000, train.seed * 1000 + 1000))
    outputs = train.outputs or signal.m
    shapes = {"build_encoder": (signal.m, outputs), "build_decoder": (outputs, signal.n)}
    own = {name: _own(source, name, train, *shape) for name, shape in shapes.items() if source.hooks.has(name)}
    encnet = own.get("build_encoder") or _encnet(train, signal, starts)
    decnet = own.get("build_decoder") or _decnet(train, signal, starts)
    lloyd = train.variant == "lloyd-decnet"
    shq = SHQ(
        train.levels, steepness=train.steepness_start, mix=train.mix_start, train_shifts=train.shifts == "trained",
        per_output=lloyd or train.quantizer == "per-output", hard_forward=train.variant in HARD_FORWARD,
        initial_v=np.full(train.levels - 1, train.level_sum / (train.levels - 1)),
        initial_thresholds=_thresholds(train), name="shq",
    )  # fmt: skip
    measurements = keras.Input((signal.m,), name="y")
    model = keras.Model(measurements, decnet(shq(encnet(measurements))), name=train.name)
    if lloyd:
        _set_lloyd(shq, source, train)
    return model


def _thresholds(train: TrainConfig) -> NDArray[np.float64] | None:
    """Return the thresholds that the quantizer starts with; None for equal cells."""
    if train.shift_span is None:
        return None
    return train.shift_span * np.linspace(-1.0, 1.0, train.levels - 1) if train.levels > 2 else np.zeros(1)


def parts(model: Any) -> Parts:
    """Return the stages of a model made by `build_model` or loaded from its `.keras` file."""
    return Parts(*model.layers[-3:])


def _own(source: Source, name: str, train: TrainConfig, inputs: int, outputs: int) -> Any:
    """Return the model that the user's hook builds, (B, inputs) → (B, outputs). Raises QcsError if it is none."""
    built = source.hooks.call(name, train, source.signal)
    if not isinstance(built, keras.Model):
        raise source.hooks.fail(name, f"must return a Keras model, not {type(built).__name__}")
    shape = source.hooks.guard(name, built, keras.Input((inputs,))).shape
    if tuple(shape) != (None, outputs):
        raise source.hooks.fail(name, f"gives a model (None, {inputs}) → {tuple(shape)}, expected (None, {outputs})")
    return built


def _dense(width: int, activation: str, name: str, seed: int, bias: bool = True) -> Any:
    start = keras.initializers.VarianceScaling(1.0, "fan_in", "untruncated_normal", seed=seed)
    return keras.layers.Dense(width, activation, kernel_initializer=start, use_bias=bias, name=name)


def _encnet(train: TrainConfig, signal: SignalConfig, starts: Any) -> Any:
    if train.variant in WITHOUT_ENCODER:
        return keras.Sequential([keras.layers.Identity()], name="encnet")
    (_, *hidden, outputs), inner = train.encoder_shape(signal), train.encoder_activation
    last = inner if ACTIVATIONS[inner].bounded else "hard_tanh"  # in the quantizer's [−1, 1]
    stages = [*((width, inner) for width in hidden), (outputs, last)]
    layers = [_dense(w, a, f"enc{i}", next(starts), bias=not train.odd) for i, (w, a) in enumerate(stages)]
    return keras.Sequential(layers, name="encnet")


def _decnet(train: TrainConfig, signal: SignalConfig, starts: Any) -> Any:
    hidden = train.decoder_widths or (train.decoder_factor * signal.n,) * train.decoder_hidden
    layers = [_dense(w, train.decoder_activation, f"dec{i}", next(starts)) for i, w in enumerate(hidden)]
    layers.append(_dense(signal.n, "linear", f"dec{len(hidden)}", next(starts)))
    start = keras.Input((train.outputs,), name="levels")
    side = Side(name="side")(start) if train.odd else None
    value = keras.layers.Multiply()([start, side]) if train.odd else start
    value = Hats(train.levels, name="hats")(value) if train.decoder_input == "hats" else value
    for layer in layers:
        out = layer(value)
        skip = train.decoder_residual and layer is not layers[-1] and out.shape[-1] == value.shape[-1]
        value = keras.layers.Add()([value, out]) if skip else out
    value = keras.layers.Multiply()([value, side]) if train.odd else value
    return keras.Model(start, value, name="decnet")


def _set_lloyd(shq: SHQ, source: Source, train: TrainConfig) -> None:
    """Make the layer the Lloyd-Max quantizer of each measurement; its offset is left to DecNet's biases."""
    y = source.frames(_LLOYD_FRAMES, train.seed + seeds.LLOYD, "train")[1]
    y = np.concatenate([y, -y]) if train.odd else y
    g = np.stack([lloyd_scalar(column, train.levels).points for column in y.T])
    shq.v.assign(np.diff(g) / 2.0)
    shq.t.assign((g[:, 1:] + g[:, :-1]) / 2.0)
