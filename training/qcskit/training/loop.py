"""The training loop: data drawn on the fly inside a compiled loop, many steps per call.

Joint phase: h and β rise linearly, everything learns from the soft quantizer. Last phase: the decoder alone learns on
hard indices. All randomness is stateless, a function of (seed, step), so a run repeats exactly.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.metrics import nmse_db
from qcskit.codec.signal import SignalConfig, draw_frames, measurement_matrix
from qcskit.training.config import TrainConfig
from qcskit.training.networks import Parts, parts
from qcskit.training.optimizer import Slot, apply, make_slot

CALL_STEPS = 250
"""Steps per compiled call: progress is shown, and divergence noticed, this often."""


@dataclass
class History:
    """Live curve: one entry per call. soft_db is the training NMSE, hard_db that of the hard quantizer."""

    step: list[float] = field(default_factory=list)
    soft_db: list[float] = field(default_factory=list)
    hard_db: list[float] = field(default_factory=list)
    steepness: list[float] = field(default_factory=list)


def draw_batch(signal: SignalConfig, phi: Any, batch: int, seed: Any) -> tuple[Any, Any]:
    """Return x (batch, N), y (batch, M) drawn from the source model; `seed` is an int32 pair."""
    seeds = tf.random.experimental.stateless_split(seed, 3)
    key = tf.random.stateless_uniform((batch, signal.n), seeds[0])
    support = tf.zeros_like(key)
    for _ in range(signal.s):  # S largest of N uniform keys: a uniform random support
        hit = tf.one_hot(tf.argmax(key, 1), signal.n)  # one entry even where two keys are equal
        support, key = support + hit, key - 2.0 * hit
    x = support * tf.random.stateless_normal((batch, signal.n), seeds[1])
    noise = tf.random.stateless_normal((batch, signal.m), seeds[2]) * signal.noise_variance**0.5
    return x, tf.matmul(x, phi, transpose_b=True) + noise


def train(
    model: Any, config: TrainConfig, signal: SignalConfig, progress: Callable[[int, float, float], None]
) -> History:
    """Train `model` in place and return its curve. progress(step, soft_db, hard_db) is called after each compiled call.

    Raises QcsError when the loss stops being finite.
    """
    stages = parts(model)
    joint_steps = config.steps - round(config.steps * config.hard_fraction)
    x_val, y_val = draw_frames(signal, config.validation_frames, config.seed + 1_000_003)
    history = History()
    step = 0
    for hard, end in ((False, joint_steps), (True, config.steps)):
        call = _compiled_call(stages, config, signal, joint_steps, hard)
        while step < end:
            count = min(CALL_STEPS, end - step)
            error, energy = call(tf.constant(step), tf.constant(count))
            step += count
            loss = float(error / energy)
            if not np.isfinite(loss):
                raise QcsError(
                    f"training diverged near step {step}: the loss is not finite; lower train.weight_rate "
                    f"(now {config.weight_rate}) or raise train.warmup_steps (now {config.warmup_steps})"
                )
            history.step.append(step)
            history.soft_db.append(10 * float(np.log10(loss)))
            history.hard_db.append(hard_nmse_db(stages, x_val, y_val))
            history.steepness.append(float(stages.shq.steepness.numpy()))
            progress(step, history.soft_db[-1], history.hard_db[-1])
    return history


def _compiled_call(
    stages: Parts, config: TrainConfig, signal: SignalConfig, joint_steps: int, hard: bool
) -> Callable[[Any, Any], Any]:
    phi = tf.constant(measurement_matrix(signal), tf.float32)
    slots = _slots(stages, config, decoder_only=hard)
    variables = [slot.variable for slot in slots]
    start = joint_steps if hard else 0
    # The hard phase starts where the cosine has already fallen; it gets a small cosine of its own.
    peak = 0.15 if hard else 1.0
    length = float(max(1, (config.steps if hard else joint_steps) - start))

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def call(first: Any, count: Any) -> Any:
        error, energy = tf.zeros(()), tf.zeros(())
        for i in tf.range(count):
            step = first + i
            share = tf.cast(step - start, tf.float32) / length
            cosine = peak * 0.5 * (1.0 + tf.cos(np.pi * share))
            warm = tf.minimum(1.0, tf.cast(step - start + 1, tf.float32) / max(1, config.warmup_steps))
            weight_rate = config.final_rate + (config.weight_rate - config.final_rate) * cosine * warm
            bias_rate = config.final_rate + (config.bias_rate - config.final_rate) * cosine * warm
            if not hard:
                stages.shq.steepness.assign(
                    config.steepness_start + (config.steepness_end - config.steepness_start) * share
                )
                stages.shq.mix.assign(share)
            x, y = draw_batch(signal, phi, config.batch, tf.stack([config.seed, step]))
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch([variable.value for variable in variables])
                a = stages.encnet(y)
                x_hat = stages.decnet(tf.stop_gradient(stages.shq.hard(a)) if hard else stages.shq(a))
                batch_error = tf.reduce_sum((x - x_hat) ** 2)
                loss = batch_error / (config.batch * signal.s)
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            for slot, gradient in zip(slots, gradients, strict=True):
                apply(slot, gradient, weight_rate, bias_rate, step - start)
            error, energy = error + batch_error, energy + tf.reduce_sum(x**2)
        return error, energy

    return call


def _slots(stages: Parts, config: TrainConfig, decoder_only: bool) -> list[Slot]:
    slots = [make_slot(variable) for variable in stages.decnet.trainable_variables]
    if not decoder_only:
        slots += [make_slot(variable) for variable in stages.encnet.trainable_variables]
        slots += [make_slot(variable, config.level_rate) for variable in stages.shq.trainable_variables]
    return slots


def hard_nmse_db(stages: Parts, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the NMSE with the hard quantizer, the one the device has, in dB; x (frames, N), y (frames, M)."""
    a = stages.encnet(tf.constant(y, tf.float32))
    return nmse_db(x, stages.decnet(stages.shq.hard(a)).numpy())
