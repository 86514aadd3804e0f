"""Decoder fine-tuning on the indices of the exact int8 encoder, encoder frozen: gives back what int8 costs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from qcskit.codec import seeds
from qcskit.codec.errors import QcsError
from qcskit.training.optimizer import apply, make_slot
from qcskit.training.source import Source

CALL_STEPS = 100
_LOOK_STEPS = 1000
"""From one look at the validation part to the next."""
_VALIDATION_FRAMES = 10_000
_BIAS_RATE_RATIO = 0.25
"""Biases move slower than the orthogonalised matrices, as in training."""

Array = NDArray[np.float64]
Loss = Callable[[Any, Any], Any]
"""loss(x, x_hat) of tensors (frames, N) → any shape; its mean counts."""


@dataclass(frozen=True)
class Material:
    """What a decoder is fine-tuned on. draw(frames, step): x (frames, N) and y (frames, M) of a step, always the same.

    validation: frames that are not drawn. energy: E|x|², by which the squared error is divided.
    """

    draw: Callable[[int, int], tuple[Array, Array]]
    validation: tuple[Array, Array]
    energy: float


def material_of(source: Source, seed: int) -> Material:
    """Return fresh frames of a source, of its training part if it is a recording."""
    return Material(
        lambda frames, step: source.training(frames, seed + seeds.FINETUNE + step),
        source.frames(_VALIDATION_FRAMES, seed + seeds.VALIDATION, "validation"),
        source.energy,
    )


def finetune_decoder(
    decnet: Any,
    levels: Array,
    encode: Callable[[Array], NDArray[np.uint8]],
    material: Material,
    steps: int,
    rate: float,
    *,
    loss: Loss | None = None,
    batch: int = 1000,
    compiled: bool = True,
    progress: Callable[[int], None] = lambda step: None,
) -> None:
    """Train `decnet` in place. encode: y (frames, M) → indices (frames, K); levels: g (I,) or (K, I).

    loss: None: the squared error. It ends as what was best on the validation frames, as it came in if nothing was
    better: a recording's training part can be learned by heart. compiled: by XLA, which not every layer of Keras bears.
    progress(step) is called every CALL_STEPS. Raises QcsError when the loss is not finite.
    """
    slots = [make_slot(variable) for variable in decnet.trainable_variables]

    def lost(x: Any, x_hat: Any) -> Any:
        if loss is not None:
            return tf.reduce_mean(tf.cast(loss(x, x_hat), tf.float32))
        return tf.reduce_sum((x - x_hat) ** 2) / (tf.cast(tf.shape(x)[0], tf.float32) * material.energy)

    @tf.function(jit_compile=compiled)  # type: ignore[untyped-decorator]
    def call(first: Any, a: Any, x: Any) -> Any:
        total = tf.zeros(())
        for i in tf.range(a.shape[0]):
            share = tf.cast(first + i, tf.float32) / steps
            step_rate = rate * 0.5 * (1.0 + tf.cos(np.pi * share)) * tf.minimum(1.0, 20.0 * share + 0.01)
            values = [slot.variable.value for slot in slots]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                value = lost(x[i], decnet(a[i]))
            for slot, gradient in zip(slots, tape.gradient(value, values), strict=True):
                apply(slot, gradient, step_rate, step_rate * _BIAS_RATE_RATIO, first + i)
            total += value
        return total

    g = levels.astype(np.float32)

    def received(y: Array) -> NDArray[np.float32]:
        index = encode(y)
        chosen: NDArray[np.float32] = g[index] if g.ndim == 1 else g[np.arange(len(g)), index]
        return chosen

    x_seen = tf.constant(material.validation[0], tf.float32)
    a_seen = tf.constant(received(material.validation[1]))
    best = float(lost(x_seen, decnet(a_seen))), decnet.get_weights()
    for start in range(0, steps, CALL_STEPS):
        count = min(CALL_STEPS, steps - start)
        x, y = material.draw(count * batch, start)
        a = received(y)
        a, x = (tf.constant(values.reshape(count, batch, -1), tf.float32) for values in (a, x))
        total = call(tf.constant(start), a, x)
        if not np.isfinite(float(total)):
            raise QcsError("decoder fine-tuning diverged; lower export.finetune_rate or set export.finetune_steps = 0")
        progress(start + count)
        if (start + count) % _LOOK_STEPS and start + count < steps:
            continue
        reached = float(lost(x_seen, decnet(a_seen)))
        if reached < best[0]:
            best = reached, decnet.get_weights()
    decnet.set_weights(best[1])
