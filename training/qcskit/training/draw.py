"""Training batches drawn inside the compiled loop: the sources of `qcskit.codec.signal`, in TensorFlow."""

from typing import Any

import tensorflow as tf

from qcskit.codec import matrices
from qcskit.codec.signal import SignalConfig, recorded_series


def training_series(signal: SignalConfig) -> Any:
    """Return the samples of the training part of a recording; none for sources that are drawn."""
    if signal.source != "recorded":
        return tf.zeros((0,))
    return tf.constant(recorded_series(signal, "train")[0], tf.float32)


def draw_batch(signal: SignalConfig, phi: Any, batch: int, seed: Any, series: Any = None) -> tuple[Any, Any]:
    """Return x (batch, N), y (batch, M) drawn from the source model; `seed` is an int32 pair."""
    seeds = tf.random.experimental.stateless_split(seed, 3)
    x = _recorded(signal, batch, seeds[0], series) if signal.source == "recorded" else _sparse(signal, batch, seeds)
    noise = tf.random.stateless_normal((batch, signal.m), seeds[2]) * signal.noise_variance**0.5
    return x, tf.matmul(x, phi, transpose_b=True) + noise


def _sparse(signal: SignalConfig, batch: int, seeds: Any) -> Any:
    values = tf.random.stateless_normal((batch, signal.s), seeds[1])
    if signal.source == "signs":
        values = tf.where(values < 0.0, -1.0, 1.0)
    entry = tf.range(signal.n)
    c = tf.zeros((batch, signal.n))
    for k, place in enumerate(support(signal.n, signal.s, batch, seeds[0])):
        c += tf.where(place[:, None] == entry, values[:, k, None], 0.0)
    if signal.basis == "identity":
        return c
    return tf.matmul(c, tf.constant(matrices.sparsity_basis(signal.basis, signal.n), tf.float32), transpose_b=True)


def support(n: int, s: int, batch: int, seed: Any) -> list[Any]:
    """Return `s` distinct places of 0 … n − 1, each (batch,): Floyd's algorithm (Bentley & Floyd, CACM 1987)."""
    uniform = tf.random.stateless_uniform((batch, s), seed)
    places: list[Any] = []
    for k, last in enumerate(range(n - s, n)):
        place = tf.minimum(tf.cast(uniform[:, k] * float(last + 1), tf.int32), last)
        for other in places:
            place = tf.where(place == other, last, place)
        places.append(place)
    return places


def _recorded(signal: SignalConfig, batch: int, seed: Any, series: Any) -> Any:
    count, hop = recorded_series(signal, "train")[1:]
    start = hop * tf.random.stateless_uniform((batch,), seed, 0, count, tf.int32)
    return tf.gather(series, start[:, None] + tf.range(signal.n)[None, :])
