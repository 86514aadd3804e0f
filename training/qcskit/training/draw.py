"""Training batches drawn inside the compiled loop: the sources of `qcskit.codec.signal`, in TensorFlow.

Windows of a short recording are blended with others of its training part: networks learn a few thousand windows by
heart, and fail on the next season. Some windows of every recording are enlarged: a sensor leaves the range that it had
in the training part, and networks know nothing beyond what they saw.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import matrices
from qcskit.codec.signal import SignalConfig, draw_frames, recorded_series
from qcskit.training.backend import tf

_LARGEST_BLEND = 0.5
_SMALLEST_BLEND = 0.05
"""Less is not needed, and would be noise above what a good codec loses (ECG, 0.027: 0.4 dB)."""

_ENLARGED_SHARE = 1 / 16
_LARGEST_GAIN = 1.25
"""So many windows grow by up to this factor about the training mean. Twice as many of up to 1.5 cost 2.7 dB
within the range (docs/training.md)."""


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

    def windows(seed: Any) -> Any:
        start = hop * tf.random.stateless_uniform((batch,), seed, 0, count, tf.int32)
        return tf.gather(series, start[:, None] + tf.range(signal.n)[None, :])

    others = tf.random.experimental.stateless_split(seed, 4)
    share, x = blend_share(signal), windows(seed)
    if share:
        x = blend(share, x, windows(others[0]), windows(others[1]))
    chance, grade = (tf.random.stateless_uniform((batch,), other) for other in (others[2], others[3]))
    return x * tf.where(chance < _ENLARGED_SHARE, _LARGEST_GAIN**grade, 1.0)[:, None]


def blend_share(signal: SignalConfig) -> float:
    """Return how much of other windows `blend` adds to one of a recording; 0 for sources that are drawn.

    2 N over the number of windows that do not overlap: from few of them, N entries and how they go together are little
    known. 0 where they are enough.
    """
    if signal.source != "recorded":
        return 0.0
    samples, _, hop = recorded_series(signal, "train")
    share = 2.0 * signal.n * max(signal.n, hop) / len(samples)
    return min(_LARGEST_BLEND, share) if share > _SMALLEST_BLEND else 0.0


def blend(share: float, first: Any, second: Any, third: Any) -> Any:
    """Return first + share · (second − third) / √2, at the variance that it had.

    Linear, so that of x and of y = Φ x + n alike it keeps Φ and the variance of n. The smoothed bootstrap (Efron, Ann.
    Statist. 7, 1979; Silverman & Young, Biometrika 74, 1987), its kernel with the recording's own covariance.
    """
    return (first + share * (second - third) / math.sqrt(2.0)) / math.sqrt(1.0 + share**2)


def draw_training_frames(
    signal: SignalConfig, frames: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x (frames, N), y (frames, M) as `draw_batch` draws them, by NumPy; noise grows with its window."""
    x, y = draw_frames(signal, frames, seed, part="train")
    if signal.source != "recorded":
        return x, y
    share = blend_share(signal)
    if share:
        (x_2, y_2), (x_3, y_3) = (draw_frames(signal, frames, (seed, k), part="train") for k in (1, 2))
        x, y = blend(share, x, x_2, x_3), blend(share, y, y_2, y_3)
    chance, grade = np.random.default_rng((seed, 3)).random((2, frames))
    gain = np.where(chance < _ENLARGED_SHARE, _LARGEST_GAIN**grade, 1.0)[:, None]
    return x * gain, y * gain
