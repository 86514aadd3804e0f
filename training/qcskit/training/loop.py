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
from numpy.typing import NDArray

from qcskit.codec import seeds
from qcskit.codec.errors import QcsError
from qcskit.codec.metrics import nmse_db
from qcskit.codec.signal import SignalConfig
from qcskit.training.anneal import Ramp
from qcskit.training.backend import tf
from qcskit.training.checkpoint import Checkpoint, State, fingerprint
from qcskit.training.config import TrainConfig
from qcskit.training.draw import training_series
from qcskit.training.hooks import hooks_of
from qcskit.training.networks import Parts, parts
from qcskit.training.optimizer import Slot, apply, cosine_rate, make_slot, sqrt_rate
from qcskit.training.source import Source

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
    """Return the phases of a run; of lloyd-decnet the decoder alone learns."""
    joint = config.total_steps - round(config.total_steps * config.hard_fraction)
    batches = config.batches or (config.batch,)
    if config.variant == "lloyd-decnet":
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
    event files of the curve. Raises QcsError when the loss stops being finite, or a function of the user's fails.
    """
    config, stages = config.resolved(signal), parts(model)
    source = Source(signal, hooks_of(config.module, config.module_sha256))
    source.check(DRAWN_STEPS * max(config.batches or (config.batch,)))
    plan = [(phase, make_slots(stages, config, phase)) for phase in phases(config)]
    variables = [*model.variables, *(kept for _, slots in plan for slot in slots for kept in slot.state())]
    file = Checkpoint(checkpoint, fingerprint(signal, config), variables) if checkpoint else None
    state = file.read() if file else State()
    events = tf.summary.create_file_writer(str(tensorboard)) if tensorboard else tf.summary.create_noop_writer()
    x, y = source.frames(config.validation_frames, config.seed + seeds.VALIDATION, "validation")
    began, saved = monotonic() - state.seconds, monotonic()
    for soft_db in _calls(stages, plan, config, source, state):
        x_hat = hard_estimate(stages, y)
        entry = {"soft_db": soft_db, "hard_db": nmse_db(x, x_hat)}
        entry |= {"steepness": float(stages.shq.steepness.numpy()), "mix": float(stages.shq.mix.numpy())}
        metric = source.metric(x, x_hat)
        entry |= {} if metric is None else {"metric": metric}
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
    stages: Parts, plan: list[tuple[Phase, list[Slot]]], config: TrainConfig, source: Source, state: State
) -> Iterator[float]:
    """Make the compiled calls that are left, and yield after each the training NMSE in dB; the caller records it."""
    data = training_data(source, config)
    call_steps = min(_MOST_CALL_STEPS, max(CALL_STEPS, config.total_steps // _MOST_CALLS))
    for phase, slots in plan[state.phase :]:
        compiled: dict[int, Any] = {}
        while (local := state.step - state.started) < phase.steps and not _ends(state, config):
            batch, end = phase.part(local)
            if batch not in compiled:
                call = Call(stages, slots, config, source, phase, batch)
                compiled[batch] = tf.function(call.run, jit_compile=True)
            count = min(call_steps, end - local)
            error, energy = compiled[batch](*(tf.constant(n) for n in (state.step, state.started, count)), data)
            state.step += count
            loss = float(error / energy)
            if not np.isfinite(loss):
                raise QcsError(
                    f"training diverged near step {state.step}: the loss is not finite; lower train.weight_rate (now "
                    f"{config.weight_rate}) or raise train.warmup_steps (now {config.warmup_steps})"
                )
            yield 10 * float(np.log10(loss))
        state.phase, state.started = state.phase + 1, state.step


def training_data(source: Source, config: TrainConfig) -> tuple[Any, ...]:
    """Return the tensors that frames are drawn from: x and y of the fixed set, or the samples of a recording."""
    if not config.train_frames:
        return (training_series(source.signal),)
    frames = source.training(config.train_frames, config.seed + seeds.TRAINING_SET)
    return tuple(tf.constant(values, tf.float32) for values in frames)


def _record(state: State, model: Any, entry: dict[str, float], events: Any) -> None:
    with events.as_default(state.step):
        for name, value in entry.items():
            tf.summary.scalar(name, value)
    events.flush()
    for name, value in {"step": float(state.step), **entry}.items():
        state.history.setdefault(name, []).append(value)
    score, margin = (entry["metric"], 0.0) if "metric" in entry else (entry["hard_db"], _BETTER_DB)
    if score < state.best_score - margin or not state.best:
        state.best_score, state.best_step = score, state.step
        state.best = [variable.numpy() for variable in model.variables]


def _ends(state: State, config: TrainConfig) -> bool:
    reached = config.target_db is not None and state.best_score <= config.target_db
    waited = state.step - max(state.best_step, state.started)
    return reached or bool(config.patience and state.phase == 0 and waited >= config.patience)


@dataclass(frozen=True, repr=False)
class Call:
    """What one compiled call does: steps of a phase with one batch size, on the variables in `slots`."""

    stages: Parts
    slots: list[Slot]
    config: TrainConfig
    source: Source
    phase: Phase
    batch: int

    def run(self, first: Any, started: Any, count: Any, data: tuple[Any, ...]) -> tuple[Any, Any]:
        """Return the sums of |x − x̂|² and |x|² over `count` steps from step `first` of a phase begun at `started`.

        data: of `training_data`.
        """
        shape = (DRAWN_STEPS, self.batch, -1)
        error, energy, done = tf.zeros(()), tf.zeros(()), tf.constant(0)
        while done < count:
            seed = tf.stack([self.config.seed, first + done])
            drawn = self.draw(seed, data)
            x_all, y_all = (tf.reshape(values, shape) for values in drawn)
            place = tf.constant(0)
            while place < DRAWN_STEPS and done < count:
                x = x_all[place]
                error += self.step(x, y_all[place], first + done - started)
                energy += tf.reduce_sum(x**2)
                place, done = place + 1, done + 1
        return error, energy

    def draw(self, seed: Any, data: tuple[Any, ...]) -> tuple[Any, Any]:
        """Return x, y of DRAWN_STEPS batches: fresh ones, or some of the fixed set, each frame equally likely."""
        frames = DRAWN_STEPS * self.batch
        if not self.config.train_frames:
            return self.source.batch(frames, seed, *data)
        place = tf.random.stateless_uniform((frames,), seed, 0, self.config.train_frames, tf.int32)
        x, y = (tf.gather(values, place) for values in data)
        return x, y

    def step(self, x: Any, y: Any, local: Any) -> Any:
        """Update the variables by one batch at a step of the phase; return its |x − x̂|² before."""
        stages, config, phase = self.stages, self.config, self.phase
        weight_rate, bias_rate = (rate_at(config, phase, local, r) for r in (config.weight_rate, config.bias_rate))
        if not phase.hard:
            stages.shq.steepness.assign(steepness_at(config, phase.steps, local))
            stages.shq.mix.assign(mix_at(config, phase.steps, local))
        # All at once: XLA then differentiates one graph.
        values = [slot.variable.value for slot in self.slots]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(values)
            a = stages.encnet(y)
            q = tf.stop_gradient(stages.shq.hard(a)) if phase.hard else stages.shq(a)
            x_hat = stages.decnet(q)
            loss = self.source.loss(x, x_hat)
        for slot, gradient in zip(self.slots, tape.gradient(loss, values), strict=True):
            apply(slot, gradient, weight_rate, bias_rate, local, config.newton_schulz_steps)
        return tf.reduce_sum((x - x_hat) ** 2)


def rate_at(config: TrainConfig, phase: Phase, local: Any, largest: float) -> Any:
    """Return the step size at a step (0 ...) of a phase of what has `largest` at the peak."""
    warm = tf.minimum(1.0, tf.cast(local + 1, tf.float32) / max(1.0, config.warmup_steps * config.length))
    peak = largest * phase.peak * warm
    if config.rate_schedule == "sqrt":
        return sqrt_rate(peak, config.final_rate, local)
    return cosine_rate(peak, config.final_rate, tf.cast(local, tf.float32) / float(phase.steps))


def steepness_at(config: TrainConfig, steps: int, local: Any) -> Any:
    """Return h at a step (0 ...) of a joint phase of `steps` steps: linear, in stairs or (eq. (31)) by a slope."""
    c = config
    ramp = Ramp(c.steepness_start, c.steepness_end, c.steepness_share, c.steepness_stairs, c.steepness_slope)
    return ramp.at(local if c.steepness_slope is None else (local // c.steepness_hold + 1) * c.steepness_hold, steps)


def mix_at(config: TrainConfig, steps: int, local: Any) -> Any:
    """Return β at a step (0 ...) of a joint phase of `steps` steps."""
    c = config
    return Ramp(c.mix_start, c.mix_end, c.mix_share, slope=c.mix_slope).at(
        local if c.mix_slope is None else local + 1, steps
    )


def make_slots(stages: Parts, config: TrainConfig, phase: Phase) -> list[Slot]:
    """Return fresh optimizer state of what a phase trains."""
    networks = (stages.decnet,) if phase.hard else (stages.decnet, stages.encnet)
    slots = [make_slot(v, rule=config.optimizer) for network in networks for v in network.trainable_variables]
    if not phase.hard:
        slots += [make_slot(v, config.level_rate, vector=True) for v in stages.shq.trainable_variables]
    return slots


def hard_nmse_db(stages: Parts, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the NMSE with the hard quantizer, the one the device has, in dB; x (frames, N), y (frames, M)."""
    return nmse_db(x, hard_estimate(stages, y))


def hard_estimate(stages: Parts, y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return x̂ (frames, N) with the hard quantizer; y (frames, M)."""
    pieces = []
    for start in range(0, len(y), _EVALUATION_FRAMES):
        a = stages.encnet(tf.constant(y[start : start + _EVALUATION_FRAMES], tf.float32)).numpy()
        pieces.append(stages.decnet(tf.constant(stages.shq.hard_values(a), stages.shq.compute_dtype)).numpy())
    return np.concatenate(pieces).astype(np.float64)
