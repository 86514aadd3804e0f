"""The training loop: data drawn on the fly inside a compiled loop, many steps per call.

Joint phase: h and β rise, everything learns through the quantizer. Last phase: the decoder alone learns on hard
indices. All randomness is stateless, a function of (seed, step), so a run repeats exactly, and so does one that was
broken off and goes on from its checkpoint.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from qcskit.codec import seeds
from qcskit.codec.errors import QcsError
from qcskit.codec.signal import SignalConfig, draw_frames, frame_energy, measurement_matrix
from qcskit.training.checkpoint import Checkpoint, State, fingerprint
from qcskit.training.config import TrainConfig
from qcskit.training.draw import draw_batch, training_series
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


def phases(config: TrainConfig) -> list[Phase]:
    """Return the phases of a run; CE-DecNet has nothing but a decoder to train."""
    joint = config.total_steps - round(config.total_steps * config.hard_fraction)
    batches = config.batches or (config.batch,)
    if config.variant == "ce-decnet":
        return [Phase(config.total_steps, True, 1.0, batches)]
    last = Phase(config.total_steps - joint, True, _HARD_PEAK, batches[-1:])
    return [Phase(joint, False, 1.0, batches), *([last] if last.steps else [])]


def train(
    model: Any,
    config: TrainConfig,
    signal: SignalConfig,
    progress: Progress,
    checkpoint: Path | None = None,
    tensorboard: Path | None = None,
) -> State:
    """Train `model` in place, leave it at its best hard NMSE and return the curve and the best step.

    progress(step, soft_db, hard_db) is called after each compiled call. checkpoint: file that keeps the state while
    training runs; if it holds a state of the same configuration, training goes on from there. tensorboard: folder of
    event files of the curve. Raises QcsError when the loss stops being finite.
    """
    config, stages = config.resolved(signal), parts(model)
    plan = [(phase, _slots(stages, config, phase)) for phase in phases(config)]
    variables = [*model.variables, *(kept for _, slots in plan for slot in slots for kept in slot.state())]
    file = Checkpoint(checkpoint, fingerprint(signal, config), variables) if checkpoint else None
    state = file.read() if file else State()
    events = tf.summary.create_file_writer(str(tensorboard)) if tensorboard else tf.summary.create_noop_writer()
    validation = draw_frames(signal, config.validation_frames, config.seed + seeds.VALIDATION, part="validation")
    began, saved = monotonic() - state.seconds, monotonic()
    for soft_db in _calls(stages, plan, config, signal, state):
        entry = {"soft_db": soft_db, "hard_db": hard_nmse_db(stages, *validation)}
        entry |= {"steepness": float(stages.shq.steepness.numpy()), "mix": float(stages.shq.mix.numpy())}
        _record(state, model, entry, events)
        progress(state.step, soft_db, entry["hard_db"])
        if file and monotonic() - saved > CHECKPOINT_S:
            saved = monotonic()
            state.seconds = saved - began
            file.write(state)
    state.seconds = monotonic() - began
    for variable, value in zip(model.variables, state.best, strict=True):
        variable.assign(value)
    return state


def _calls(
    stages: Parts, plan: list[tuple[Phase, list[Slot]]], config: TrainConfig, signal: SignalConfig, state: State
) -> Iterator[float]:
    """Make the compiled calls that are left, and yield after each the training NMSE in dB; the caller records it."""
    series = training_series(signal)
    call_steps = min(_MOST_CALL_STEPS, max(CALL_STEPS, config.total_steps // _MOST_CALLS))
    for phase, slots in plan[state.phase :]:
        compiled: dict[int, Any] = {}
        while (local := state.step - state.started) < phase.steps and not _ends(state, config):
            batch, end = phase.part(local)
            if batch not in compiled:
                call = Call(stages, slots, config, signal, phase, batch)
                compiled[batch] = tf.function(call.run, jit_compile=True)
            count = min(call_steps, end - local)
            error, energy = compiled[batch](*(tf.constant(n) for n in (state.step, state.started, count)), series)
            state.step += count
            loss = float(error / energy)
            if not np.isfinite(loss):
                raise QcsError(
                    f"training diverged near step {state.step}: the loss is not finite; lower train.weight_rate (now "
                    f"{config.weight_rate}) or raise train.warmup_steps (now {config.warmup_steps})"
                )
            yield 10 * float(np.log10(loss))
        state.phase, state.started = state.phase + 1, state.step


def _record(state: State, model: Any, entry: dict[str, float], events: Any) -> None:
    with events.as_default(state.step):
        for name, value in entry.items():
            tf.summary.scalar(name, value)
    events.flush()
    for name, value in {"step": float(state.step), **entry}.items():
        state.history.setdefault(name, []).append(value)
    if entry["hard_db"] < state.best_db - _BETTER_DB or not state.best:
        state.best_db, state.best_step = entry["hard_db"], state.step
        state.best = [variable.numpy() for variable in model.variables]


def _ends(state: State, config: TrainConfig) -> bool:
    reached = config.target_db is not None and state.best_db <= config.target_db
    waited = state.step - max(state.best_step, state.started)
    return reached or bool(config.patience and state.phase == 0 and waited >= config.patience)


@dataclass(frozen=True, repr=False)
class Call:
    """What one compiled call does: steps of a phase with one batch size, on the variables in `slots`."""

    stages: Parts
    slots: list[Slot]
    config: TrainConfig
    signal: SignalConfig
    phase: Phase
    batch: int

    def run(self, first: Any, started: Any, count: Any, series: Any) -> tuple[Any, Any]:
        """Return the sums of |x − x̂|² and |x|² over `count` steps from step `first` of a phase begun at `started`."""
        signal, shape = self.signal, (DRAWN_STEPS, self.batch, -1)
        phi = tf.constant(measurement_matrix(signal), tf.float32)
        error, energy, done = tf.zeros(()), tf.zeros(()), tf.constant(0)
        while done < count:
            seed = tf.stack([self.config.seed, first + done])
            drawn = draw_batch(signal, phi, DRAWN_STEPS * self.batch, seed, series)
            x_all, y_all = (tf.reshape(values, shape) for values in drawn)
            place = tf.constant(0)
            while place < DRAWN_STEPS and done < count:
                x = x_all[place]
                error += self.step(x, y_all[place], first + done - started)
                energy += tf.reduce_sum(x**2)
                place, done = place + 1, done + 1
        return error, energy

    def step(self, x: Any, y: Any, local: Any) -> Any:
        """Update the variables by one batch at a step of the phase; return its |x − x̂|² before."""
        stages, config, phase = self.stages, self.config, self.phase
        weight_rate, bias_rate = (_rate(config, phase, local, r) for r in (config.weight_rate, config.bias_rate))
        if not phase.hard:
            stages.shq.steepness.assign(steepness_at(config, phase.steps, local))
            stages.shq.mix.assign(mix_at(config, phase.steps, local))
        # All at once: XLA then differentiates one graph.
        values = [slot.variable.value for slot in self.slots]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            a = stages.encnet(y)
            q = tf.stop_gradient(stages.shq.hard(a)) if phase.hard else stages.shq(a)
            error = tf.reduce_sum((x - stages.decnet(q)) ** 2)
            loss = error / (self.batch * frame_energy(self.signal))
        for slot, gradient in zip(self.slots, tape.gradient(loss, values), strict=True):
            apply(slot, gradient, weight_rate, bias_rate, local, config.newton_schulz_steps)
        return error


def _rate(config: TrainConfig, phase: Phase, local: Any, largest: float) -> Any:
    warm = tf.minimum(1.0, tf.cast(local + 1, tf.float32) / max(1.0, config.warmup_steps * config.length))
    peak = largest * phase.peak * warm
    if config.rate_schedule == "sqrt":
        return sqrt_rate(peak, config.final_rate, local, config.length)
    return cosine_rate(peak, config.final_rate, tf.cast(local, tf.float32) / float(phase.steps))


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


def _slots(stages: Parts, config: TrainConfig, phase: Phase) -> list[Slot]:
    networks = (stages.decnet,) if phase.hard else (stages.decnet, stages.encnet)
    slots = [make_slot(v, rule=config.optimizer) for network in networks for v in network.trainable_variables]
    if not phase.hard:
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
