"""EncNet → SHQ → DecNet as one Keras model (DeepQCS paper, Fig. 1)."""

from dataclasses import dataclass
from typing import Any

import keras

from qcskit.codec.signal import SignalConfig
from qcskit.training.config import TrainConfig
from qcskit.training.shq import SHQ


@dataclass(frozen=True)
class Parts:
    """The three stages of a model: encnet (B, M) → (B, K), shq, decnet (B, K) → (B, N)."""

    encnet: Any
    shq: SHQ
    decnet: Any


def encoder_widths(train: TrainConfig, signal: SignalConfig) -> tuple[int, ...]:
    """Return EncNet's hidden widths and K."""
    outputs = train.outputs or signal.m
    return (*(train.encoder_widths or (5 * outputs,)), outputs)


def encoder_activations(train: TrainConfig, layers: int) -> tuple[str, ...]:
    """Return the activation of each EncNet layer; the last one is bounded to the quantizer's [−1, 1]."""
    last = "tanh" if train.encoder_activation == "tanh" else "hard_tanh"
    return (train.encoder_activation,) * (layers - 1) + (last,)


def decoder_widths(train: TrainConfig, signal: SignalConfig) -> tuple[int, ...]:
    """Return DecNet's hidden widths and N."""
    return (*(train.decoder_widths or (10 * signal.n,) * 3), signal.n)


def build_model(train: TrainConfig, signal: SignalConfig) -> Any:
    """Return the untrained model, weights N(0, 1/fan_in) drawn from the seed, biases 0."""
    seeds = iter(range(train.seed * 1000, train.seed * 1000 + 1000))

    def dense(width: int, activation: str, name: str) -> Any:
        start = keras.initializers.VarianceScaling(1.0, "fan_in", "untruncated_normal", seed=next(seeds))
        return keras.layers.Dense(width, activation, kernel_initializer=start, name=name)

    widths = encoder_widths(train, signal)
    activations = encoder_activations(train, len(widths))
    encnet = keras.Sequential(
        [dense(w, a, f"enc{i}") for i, (w, a) in enumerate(zip(widths, activations, strict=True))], name="encnet"
    )
    *hidden, last = decoder_widths(train, signal)
    layers = [dense(w, train.decoder_activation, f"dec{i}") for i, w in enumerate(hidden)]
    decnet = keras.Sequential([*layers, dense(last, "linear", f"dec{len(hidden)}")], name="decnet")
    encnet.build((None, signal.m))
    decnet.build((None, widths[-1]))
    shq = SHQ(train.levels, steepness=train.steepness_start, name="shq")
    measurements = keras.Input((signal.m,), name="y")
    return keras.Model(measurements, decnet(shq(encnet(measurements))), name=train.name)


def parts(model: Any) -> Parts:
    """Return the stages of a model made by `build_model` or loaded from its `.keras` file."""
    return Parts(model.get_layer("encnet"), model.get_layer("shq"), model.get_layer("decnet"))
