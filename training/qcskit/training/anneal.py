"""Schedules of h and β, and the Keras callback that follows them while `model.fit` runs."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from qcskit.codec.errors import QcsError
from qcskit.training.backend import keras, tf
from qcskit.training.config import TrainConfig
from qcskit.training.shq import SHQ, checked_mix, checked_steepness, is_number, shq_layers

_DEFAULTS = TrainConfig.model_validate({})
_VALIDATED_FRAMES = 8192
"""Frames of one call of the model."""


@dataclass(frozen=True)
class Ramp:
    """A value that goes from start to end, linearly or in equal stairs (DeepQCS paper, eq. (31)).

    share: part of the steps after which it is at its end. slope: change per step, instead of share. stairs: how many;
    0 = linear. Raises QcsError if one is out of range.
    """

    start: float
    end: float
    share: float = 1.0
    stairs: int = 0
    slope: float | None = None

    def __post_init__(self) -> None:
        given = (self.start, self.end, self.share, self.stairs, self.slope or 0.0)
        if not all(is_number(value) for value in given):
            raise QcsError(f"{self}: every value must be a finite number")
        if not 0 < self.share <= 1 or self.stairs < 0 or (self.slope or 0.0) < 0:
            raise QcsError(f"{self}: share must be in (0, 1], stairs and slope not below 0")

    def at(self, step: Any, steps: int) -> Any:
        """Return the value at a step (0 …, a number or an integer tensor) of `steps`, as a float32 tensor."""
        rise = abs(self.end - self.start)
        slope = rise / (steps * self.share) if self.slope is None else self.slope
        climbed = tf.minimum(slope * tf.cast(step, tf.float32), rise)
        if self.stairs:
            stair = rise / self.stairs
            climbed = tf.floor(climbed / max(stair, 1e-30) + 1e-5) * stair
        return self.start + math.copysign(1.0, self.end - self.start) * climbed


Schedule = Ramp | tuple[float, float] | float | Callable[[int], float]
"""A ramp, its start and end, a constant, or a function of the step (or epoch), which counts from 0."""


class AnnealSHQ(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets h and β of every SHQ layer of the model while `fit` runs, and logs how the *hard* quantizer does.

    steepness, mix: schedules of h and β; None leaves it as it is. A ramp is at its end in the last step. by: what a
    schedule counts, "step" or "epoch". steps: how many of them a ramp takes; not given: those of the whole `fit`, so
    that one resumed with initial_epoch goes on where it was. validation_data: (x, y) or a dataset of such batches; not
    given: that of `fit`. hard_nmse: log it, for models with one output.

    Each epoch's logs, and so `history`, get "steepness", "mix" and "val_hard_nmse_db": 10 log10(Σ|y − ŷ|² / Σ|y|²) over
    the validation data with the hard quantizer, the one a device has. Callbacks behind this one in the list can monitor
    it. Raises QcsError if the model has no SHQ layer, or a schedule leaves its range.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_normal((64, 4)).astype(np.float32)
    >>> model = keras.Sequential([keras.layers.Dense(3, "tanh"), SHQ(4), keras.layers.Dense(4)])
    >>> model.compile("adam", "mse")
    >>> fitted = model.fit(x, x, epochs=2, verbose=0, validation_data=(x, x), callbacks=[AnnealSHQ((5, 50))])
    >>> fitted.history["steepness"][-1], fitted.history["val_hard_nmse_db"][-1] < 3
    (50.0, True)
    """

    def __init__(
        self,
        steepness: Schedule | None = Ramp(_DEFAULTS.steepness_start, _DEFAULTS.steepness_end),
        mix: Schedule | None = Ramp(_DEFAULTS.mix_start, _DEFAULTS.mix_end),
        *,
        by: Literal["step", "epoch"] = "step",
        steps: int | None = None,
        validation_data: Any = None,
        hard_nmse: bool = True,
    ) -> None:
        super().__init__()
        if by not in ("step", "epoch"):
            raise QcsError(f"AnnealSHQ: by = {by!r}, known: 'step', 'epoch'")
        if steps is not None and steps < 1:
            raise QcsError(f"AnnealSHQ: steps = {steps}, a schedule needs at least 1")
        self._steepness, self._mix = _schedule(steepness, checked_steepness), _schedule(mix, checked_mix)
        self._by, self._steps, self._data, self._hard_nmse = by, steps, validation_data, hard_nmse
        self._layers: list[SHQ] = []
        self._first = self._seen = 0
        self._sums: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Find the layers."""
        self._layers = shq_layers(self.model)
        if not self._layers:
            raise QcsError(
                f"AnnealSHQ: model '{self.model.name}' has no SHQ layer; put one between encoder and decoder"
            )
        own = self._error_and_energy
        self._sums = own if self.model.run_eagerly else tf.function(own, autograph=False, reduce_retracing=True)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set what goes by epochs, and note the epoch's first step."""
        if self._by == "epoch":
            self._set(epoch, self._steps or self.params["epochs"])
            return
        if epoch and not self._epoch_steps():
            raise self._unknown_length()
        self._first = epoch * self._epoch_steps()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Set what goes by steps."""
        if self._by == "step":
            self._set(self._first + batch, self._steps or self.params["epochs"] * (self.params["steps"] or 0))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count the steps of an epoch, which fit does not always know."""
        self._seen = max(self._seen, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add what this epoch reached to the logs."""
        logs, layer = {} if logs is None else logs, self._layers[0]
        logs["steepness"], logs["mix"] = (float(value.numpy()) for value in (layer.steepness, layer.mix))
        batches = self._validation(logs) if self._hard_nmse else None
        if batches is not None:
            logs["val_hard_nmse_db"] = self._hard_nmse_db(batches)

    def _epoch_steps(self) -> int:
        return int(self.params["steps"] or self._seen)

    def _set(self, step: int, steps: int) -> None:
        for schedule, name in ((self._steepness, "steepness"), (self._mix, "mix")):
            if schedule is None:
                continue
            if not steps and isinstance(schedule, _Ramped) and schedule.ramp.slope is None:
                raise self._unknown_length()
            value = schedule(step, steps)
            for layer in self._layers:
                layer.anneal(**{name: value})

    def _unknown_length(self) -> QcsError:
        return QcsError("AnnealSHQ: fit does not know how many steps an epoch has; give fit steps_per_epoch, or "
                        "AnnealSHQ by='epoch'")  # fmt: skip

    def _validation(self, logs: dict[str, Any]) -> Iterable[Any] | None:
        if isinstance(self._data, tuple | list):
            return tf.data.Dataset.from_tensor_slices(tuple(self._data)).batch(_VALIDATED_FRAMES)
        if self._data is not None:
            return self._data
        if not any(name.startswith("val_") for name in logs):
            return None
        # Keras hands its callbacks no validation data: this is where fit keeps it.
        kept = self.model._eval_epoch_iterator
        batches = kept.data_adapter.get_tf_dataset()
        return batches if kept.steps_per_epoch is None else batches.take(kept.steps_per_epoch)

    def _hard_nmse_db(self, batches: Iterable[Any]) -> float:
        error = energy = 0.0
        for batch in batches:
            x, target, _ = keras.utils.unpack_x_y_sample_weight(batch)
            sums = self._sums(x, target)
            error, energy = error + float(sums[0]), energy + float(sums[1])
        if not energy > 0:
            raise QcsError("AnnealSHQ: the validation data are empty or zero everywhere; NMSE needs targets")
        return 10.0 * math.log10(max(error, 1e-300) / energy)

    def _error_and_energy(self, x: Any, target: Any) -> tuple[Any, Any]:
        with _hard(self._layers):
            output = self.model(x, training=False)
            if not any(layer.called_hard for layer in self._layers):
                raise QcsError("AnnealSHQ: the model was compiled with its quantizer soft: it has no hard NMSE; "
                               "take @tf.function off its call, or say hard_nmse=False")  # fmt: skip
        if not tf.is_tensor(output) or not tf.is_tensor(target) or not output.shape.is_compatible_with(target.shape):
            raise QcsError("AnnealSHQ: the hard NMSE needs a model with one output, and targets of its shape; or say "
                           "hard_nmse=False")  # fmt: skip
        output, target = tf.cast(output, tf.float32), tf.cast(target, tf.float32)
        return tf.reduce_sum((target - output) ** 2), tf.reduce_sum(target**2)


@dataclass(frozen=True)
class _Ramped:
    """A ramp as a function of the step and their number; at its end in the last one."""

    ramp: Ramp

    def __call__(self, step: int, steps: int) -> float:
        return float(self.ramp.at(step, max(steps - 1, 1)))


def _schedule(given: Schedule | None, checked: Callable[[Any, str], float]) -> Callable[[int, int], float] | None:
    """Return a schedule as a function of the step and their number. checked: refuses what leaves the range."""
    if given is None:
        return None
    if isinstance(given, tuple):
        given = Ramp(*given)
    if isinstance(given, Ramp):
        for value in (given.start, given.end):
            checked(value, "AnnealSHQ")
        return _Ramped(given)
    if callable(given):
        return lambda step, steps: checked(given(step), f"AnnealSHQ: at {step}")
    constant = checked(given, "AnnealSHQ")
    return lambda step, steps: constant


@contextmanager
def _hard(layers: list[SHQ]) -> Iterator[None]:
    """Let the layers quantize hard inside."""
    before = [layer.hard_forward for layer in layers]
    try:
        for layer in layers:
            layer.hard_forward, layer.called_hard = True, False
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            layer.hard_forward = value
