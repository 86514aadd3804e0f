"""Decoder fine-tuning on the indices of the exact int8 encoder, encoder frozen: gives back what int8 costs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from qcskit.codec import seeds
from qcskit.codec.errors import QcsError
from qcskit.codec.metrics import nmse_db
from qcskit.codec.signal import SignalConfig, draw_frames, frame_energy
from qcskit.training.draw import draw_training_frames
from qcskit.training.optimizer import apply, make_slot

CALL_STEPS = 100
_LOOK_STEPS = 1000
"""From one look at the validation part to the next."""
_VALIDATION_FRAMES = 10_000
_BIAS_RATE_RATIO = 0.25
"""Biases move slower than the orthogonalised matrices, as in training."""


def finetune_decoder(
    decnet: Any,
    levels: NDArray[np.float64],
    encode: Callable[[NDArray[np.float64]], NDArray[np.uint8]],
    signal: SignalConfig,
    steps: int,
    rate: float,
    seed: int,
    batch: int = 1000,
    progress: Callable[[int], None] = lambda step: None,
) -> None:
    """Train `decnet` in place on fresh frames. encode: y (frames, M) → indices (frames, K); levels: g (I,) or (K, I).

    It ends as what was best on the validation part, as it came in if nothing was better: a recording's training part
    can be learned by heart. progress(step) is called every CALL_STEPS. Raises QcsError when the loss is not finite.
    """
    slots = [make_slot(variable) for variable in decnet.trainable_variables]

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def call(first: Any, a: Any, x: Any) -> Any:
        total = tf.zeros(())
        for i in tf.range(a.shape[0]):
            share = tf.cast(first + i, tf.float32) / steps
            step_rate = rate * 0.5 * (1.0 + tf.cos(np.pi * share)) * tf.minimum(1.0, 20.0 * share + 0.01)
            values = [slot.variable.value for slot in slots]
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                loss = tf.reduce_sum((x[i] - decnet(a[i])) ** 2) / (batch * frame_energy(signal))
            for slot, gradient in zip(slots, tape.gradient(loss, values), strict=True):
                apply(slot, gradient, step_rate, step_rate * _BIAS_RATE_RATIO, first + i)
            total += loss
        return total

    g = levels.astype(np.float32)

    def received(y: NDArray[np.float64]) -> NDArray[np.float32]:
        index = encode(y)
        chosen: NDArray[np.float32] = g[index] if g.ndim == 1 else g[np.arange(len(g)), index]
        return chosen

    x_seen, y_seen = draw_frames(signal, _VALIDATION_FRAMES, seed + seeds.VALIDATION, part="validation")
    a_seen = received(y_seen)
    best = nmse_db(x_seen, decnet(a_seen).numpy()), decnet.get_weights()
    for start in range(0, steps, CALL_STEPS):
        count = min(CALL_STEPS, steps - start)
        x, y = draw_training_frames(signal, count * batch, seed + seeds.FINETUNE + start)
        a = received(y)
        a, x = (tf.constant(values.reshape(count, batch, -1), tf.float32) for values in (a, x))
        total = call(tf.constant(start), a, x)
        if not np.isfinite(float(total)):
            raise QcsError("decoder fine-tuning diverged; lower export.finetune_rate or set export.finetune_steps = 0")
        progress(start + count)
        if (start + count) % _LOOK_STEPS and start + count < steps:
            continue
        reached = nmse_db(x_seen, decnet(a_seen).numpy())
        if reached < best[0]:
            best = reached, decnet.get_weights()
    decnet.set_weights(best[1])
