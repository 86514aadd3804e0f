"""Training batches drawn inside the compiled loop: the sources of `qcskit.codec.signal`, in TensorFlow."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from qcskit.codec import matrices
from qcskit.codec.signal import SignalConfig, recorded_series


@dataclass(frozen=True)
class TrainingSet:
    """What a batch needs besides random numbers. series: samples of a recording, or empty."""

    series: Any


def training_set(signal: SignalConfig) -> TrainingSet:
    """Return the training part of a recording; an empty one for sources that are drawn."""
    if signal.source != "recorded":
        return TrainingSet(tf.zeros((0,)))
    return TrainingSet(tf.constant(recorded_series(signal, "train")[0], tf.float32))


def draw_batch(signal: SignalConfig, phi: Any, batch: int, seed: Any, series: Any = None) -> tuple[Any, Any]:
    """Return x (batch, N), y (batch, M) drawn from the source model; `seed` is an int32 pair."""
    seeds = tf.random.experimental.stateless_split(seed, 3)
    if signal.source == "recorded":
        x = _recorded(signal, batch, seeds[0], series)
    else:
        x = _sparse(signal, batch, seeds)
    noise = tf.random.stateless_normal((batch, signal.m), seeds[2]) * signal.noise_variance**0.5
    return x, tf.matmul(x, phi, transpose_b=True) + noise


def _sparse(signal: SignalConfig, batch: int, seeds: Any) -> Any:
    key = tf.random.stateless_uniform((batch, signal.n), seeds[0])
    support = tf.zeros_like(key)
    for _ in range(signal.s):  # S largest of N uniform keys: a uniform random support
        hit = tf.one_hot(tf.argmax(key, 1), signal.n)  # one entry even where two keys are equal
        support, key = support + hit, key - 2.0 * hit
    values = tf.random.stateless_normal((batch, signal.n), seeds[1])
    if signal.source == "signs":
        values = tf.where(values < 0.0, -1.0, 1.0)
    c = support * values
    if signal.basis == "identity":
        return c
    return tf.matmul(c, tf.constant(matrices.sparsity_basis(signal.basis, signal.n), tf.float32), transpose_b=True)


def _recorded(signal: SignalConfig, batch: int, seed: Any, series: Any) -> Any:
    count, hop = recorded_series(signal, "train")[1:]
    start = hop * tf.random.stateless_uniform((batch,), seed, 0, count, tf.int32)
    return tf.gather(series, start[:, None] + tf.range(signal.n)[None, :])
