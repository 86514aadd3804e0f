"""The training loop: data drawn on the fly inside a compiled loop, many steps per call.

Joint phase: h and β rise, everything learns through the quantizer. Last phase: the decoder alone learns on hard
indices. All randomness is stateless, a function of (seed, step), so a run repeats exactly, and so does one that was
broken off and goes on from its checkpoint.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.signal import SignalConfig, draw_frames, frame_energy, measurement_matrix
from qcskit.training.checkpoint import read_checkpoint, write_checkpoint
from qcskit.training.config import TrainConfig
from qcskit.training.draw import TrainingSet, draw_batch, training_set
from qcskit.training.networks import Parts, parts
from qcskit.training.optimizer import Slot, apply, cosine_rate, make_slot, sqrt_rate

CALL_STEPS = 250
"""Fewest steps per compiled call: progress is shown, and divergence noticed, this often."""
DRAWN_STEPS = 16
"""Steps whose frames are drawn at once: few large draws are faster than many small ones."""
_MOST_CALLS = 100
_MOST_CALL_STEPS = 10_000
CHECKPOINT_S = 15.0
_BETTER_DB = 0.005
_HARD_PEAK = 0.15
"""The decoder-only phase starts where the cosine has already fallen; it gets a small cosine of its own."""
_EVALUATION_FRAMES = 8192

Progress = Callable[[int, float, float], None]
"""progress(step, soft_db, hard_db)"""


@dataclass
class History:
    """Live curve: one entry per call. soft_db is the training NMSE, hard_db that of the hard quantizer."""

    step: list[float] = field(default_factory=list)
    soft_db: list[float] = field(default_factory=list)
    hard_db: list[float] = field(default_factory=list)
    steepness: list[float] = field(default_factory=list)
    mix: list[float] = field(default_factory=list)

    def record(self, step: int, soft_db: float, hard_db: float, steepness: float, mix: float) -> None:
        """Append one entry."""
        for curve, value in zip(vars(self).values(), (step, soft_db, hard_db, steepness, mix), strict=True):
            curve.append(float(value))


@dataclass(frozen=True)
class Phase:
    """A stretch of training. hard: the decoder alone, on hard indices."""

    steps: int
    hard: bool
    peak: float
    batches: tuple[int, ...]

    def part(self, local: int) -> tuple[int, int]:
        """Return the batch size at a local step and the local step at which that part ends."""
        index = min(local * len(self.batches) // self.steps, len(self.batches) - 1)
        return self.batches[index], -(-self.steps * (index + 1) // len(self.batches))


@dataclass
class State:
    """Everything besides the variables that a checkpoint keeps. started: the step at which the phase began."""

    step: int = 0
    phase: int = 0
    started: int = 0
    best_db: float = np.inf
    best_step: int = 0
    seconds: float = 0.0
    history: History = field(default_factory=History)
    best: list[NDArray[Any]] = field(default_factory=list)


def phases(config: TrainConfig) -> list[Phase]:
    """Return the phases of a run; CE-DecNet has nothing but a decoder to train."""
    joint = config.total_steps - round(config.total_steps * config.hard_fraction)
    batches = config.batches or (config.batch,)
    if config.variant == "ce-decnet":
        return [Phase(config.total_steps, True, 1.0, batches)]
    last = Phase(config.total_steps - joint, True, _HARD_PEAK, batches[-1:])
    return [Phase(joint, False, 1.0, batches), *([last] if last.steps else [])]


def train(
    model: Any, config: TrainConfig, signal: SignalConfig, progress: Progress,
    checkpoint: Path | None = None, log: Callable[[int, dict[str, float]], None] = lambda step, values: None,
) -> State:  # fmt: skip
    """Train `model` in place, leave it at its best hard NMSE and return the curve and the best step.

    progress(step, soft_db, hard_db) and log(step, values) are called after each compiled call. checkpoint: file that
    keeps the state while training runs; if it holds a state of the same configuration, training goes on from there.
    Raises QcsError when the loss stops being finite.
    """
    config = config.resolved(signal)
    stages, plan, source = parts(model), phases(config), training_set(signal)
    slots = [_slots(stages, config, decoder_only=phase.hard) for phase in plan]
    variables = [*model.variables, *(kept for group in slots for slot in group for kept in slot.state())]
    state = read_checkpoint(checkpoint, (signal, config), variables) if checkpoint else State()
    x_val, y_val = draw_frames(signal, config.validation_frames, config.seed + 1_000_003, part="validation")
    began, saved = monotonic() - state.seconds, monotonic()
    while state.phase < len(plan):
        phase = plan[state.phase]
        calls: dict[int, Any] = {}
        while (local := state.step - state.started) < phase.steps and not _ends(state, config):
            batch, end = phase.part(local)
            if batch not in calls:
                calls[batch] = _compiled_call(stages, slots[state.phase], config, signal, phase, batch)
            count = min(_call_steps(config), end - local)
            soft_db = _run(calls[batch], source, state, count, config)
            hard_db = hard_nmse_db(stages, x_val, y_val)
            _record(state, model, stages, soft_db, hard_db)
            log(state.step, {name: curve[-1] for name, curve in vars(state.history).items() if name != "step"})
            progress(state.step, soft_db, hard_db)
            if checkpoint and monotonic() - saved > CHECKPOINT_S:
                state.seconds = monotonic() - began
                write_checkpoint(checkpoint, (signal, config), state, variables)
                saved = monotonic()
        state.phase, state.started = state.phase + 1, state.step
        if _reached(state, config):
            break
    state.seconds = monotonic() - began
    for variable, value in zip(model.variables, state.best, strict=True):
        variable.assign(value)
    return state


def _call_steps(config: TrainConfig) -> int:
    return min(_MOST_CALL_STEPS, max(CALL_STEPS, config.total_steps // _MOST_CALLS))


def _run(call: Any, source: TrainingSet, state: State, count: int, config: TrainConfig) -> float:
    error, energy = call(tf.constant(state.step), tf.constant(state.started), tf.constant(count), source.series)
    state.step += count
    loss = float(error / energy)
    if not np.isfinite(loss):
        raise QcsError(
            f"training diverged near step {state.step}: the loss is not finite; lower train.weight_rate "
            f"(now {config.weight_rate}) or raise train.warmup_steps (now {config.warmup_steps})"
        )
    return 10 * float(np.log10(loss))


def _record(state: State, model: Any, stages: Parts, soft_db: float, hard_db: float) -> None:
    steepness, mix = float(stages.shq.steepness.numpy()), float(stages.shq.mix.numpy())
    state.history.record(state.step, soft_db, hard_db, steepness, mix)
    if hard_db < state.best_db - _BETTER_DB or not state.best:
        state.best_db, state.best_step = hard_db, state.step
        state.best = [variable.numpy() for variable in model.variables]


def _ends(state: State, config: TrainConfig) -> bool:
    waited = state.step - max(state.best_step, state.started)
    return _reached(state, config) or bool(config.patience and state.phase == 0 and waited >= config.patience)


def _reached(state: State, config: TrainConfig) -> bool:
    return config.target_db is not None and state.best_db <= config.target_db


def _compiled_call(
    stages: Parts, slots: list[Slot], config: TrainConfig, signal: SignalConfig, phase: Phase, batch: int
) -> Callable[[Any, Any, Any, Any], Any]:
    phi = tf.constant(measurement_matrix(signal), tf.float32)
    energy_per_frame = frame_energy(signal)

    def step(x: Any, y: Any, local: Any) -> Any:
        weight_rate, bias_rate = _rates(config, phase, local)
        if not phase.hard:
            stages.shq.steepness.assign(steepness_at(config, phase.steps, local))
            stages.shq.mix.assign(mix_at(config, phase.steps, local))
        # All at once: XLA then differentiates one graph.
        values = [slot.variable.value for slot in slots]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            a = stages.encnet(y)
            q = tf.stop_gradient(stages.shq.hard(a)) if phase.hard else stages.shq(a)
            error = tf.reduce_sum((x - stages.decnet(q)) ** 2)
            loss = error / (batch * energy_per_frame)
        for slot, gradient in zip(slots, tape.gradient(loss, values), strict=True):
            apply(slot, gradient, weight_rate, bias_rate, local, config.newton_schulz_steps)
        return error

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator]
    def call(first: Any, started: Any, count: Any, series: Any) -> Any:
        error, energy = tf.zeros(()), tf.zeros(())
        done = tf.constant(0)
        while done < count:
            x_all, y_all = draw_batch(signal, phi, DRAWN_STEPS * batch, tf.stack([config.seed, first + done]), series)
            x_all = tf.reshape(x_all, (DRAWN_STEPS, batch, signal.n))
            y_all = tf.reshape(y_all, (DRAWN_STEPS, batch, signal.m))
            place = tf.constant(0)
            while place < DRAWN_STEPS and done < count:
                x, y = x_all[place], y_all[place]
                batch_error = step(x, y, first + done - started)
                error, energy = error + batch_error, energy + tf.reduce_sum(x**2)
                place, done = place + 1, done + 1
        return error, energy

    return call


def _rates(config: TrainConfig, phase: Phase, local: Any) -> tuple[Any, Any]:
    warm = tf.minimum(1.0, tf.cast(local + 1, tf.float32) / max(1.0, config.warmup_steps * config.length))
    peaks = (config.weight_rate * phase.peak * warm, config.bias_rate * phase.peak * warm)
    if config.rate_schedule == "sqrt":
        weight, bias = (sqrt_rate(peak, config.final_rate, local, config.length) for peak in peaks)
        return weight, bias
    share = tf.cast(local, tf.float32) / float(phase.steps)
    weight, bias = (cosine_rate(peak, config.final_rate, share) for peak in peaks)
    return weight, bias


def steepness_at(config: TrainConfig, steps: int, local: Any) -> Any:
    """Return h(t) = min(h_start + α t, h_end) at a step of a joint phase of `steps` steps, linear or in stairs."""
    rise = config.steepness_end - config.steepness_start
    slope = config.steepness_slope
    slope = rise / (steps * config.steepness_share) if slope is None else slope
    climbed = tf.minimum(slope * tf.cast(local, tf.float32), rise)
    if config.steepness_stairs:
        stair = rise / config.steepness_stairs
        climbed = tf.floor(climbed / max(stair, 1e-30) + 1e-5) * stair
    return config.steepness_start + climbed


def mix_at(config: TrainConfig, steps: int, local: Any) -> Any:
    """Return β(t): the schedule, or the constant that the variant means."""
    fixed = {"deepqcs-q": 1.0, "deepqcs-ste": 0.0}.get(config.variant or "")
    if fixed is not None:
        return tf.constant(fixed)
    share = tf.minimum(tf.cast(local, tf.float32) / (steps * config.mix_share), 1.0)
    return config.mix_start + (config.mix_end - config.mix_start) * share


def _slots(stages: Parts, config: TrainConfig, decoder_only: bool) -> list[Slot]:
    rule = config.optimizer
    slots = [make_slot(variable, rule=rule) for variable in stages.decnet.trainable_variables]
    if not decoder_only:
        slots += [make_slot(variable, rule=rule) for variable in stages.encnet.trainable_variables]
        slots += [make_slot(v, config.level_rate, vector=True) for v in stages.shq.trainable_variables]
    return slots


def hard_nmse_db(stages: Parts, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the NMSE with the hard quantizer, the one the device has, in dB; x (frames, N), y (frames, M)."""
    error = 0.0
    for start in range(0, len(y), _EVALUATION_FRAMES):
        part = slice(start, start + _EVALUATION_FRAMES)
        x_hat = stages.decnet(stages.shq.hard(stages.encnet(tf.constant(y[part], tf.float32)))).numpy()
        error += float(((x[part] - x_hat) ** 2).sum())
    return 10.0 * float(np.log10(error / float((x**2).sum())))
