"""Where the frames of a training come from: the source that `[signal]` describes, or the user's own `draw`."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.recordings import Part
from qcskit.codec.signal import SignalConfig, draw_frames, frame_energy, measurement_matrix, test_frames
from qcskit.training.backend import tf
from qcskit.training.draw import draw_batch, draw_training_frames
from qcskit.training.hooks import NO_HOOKS, Hooks

Frames = tuple[NDArray[np.float64], NDArray[np.float64]]
"""x (frames, N), y (frames, M)"""
_ENERGY_FRAMES = 10_000


@dataclass(frozen=True)
class Source:
    """Frames of a signal, on the codec's own scale. Seeds are the user's plus an offset of `qcskit.codec.seeds`."""

    signal: SignalConfig
    hooks: Hooks = NO_HOOKS

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def batch(self, frames: int, seed: Any, series: Any) -> tuple[Any, Any]:
        """Return x (frames, N), y (frames, M) of the training part as float32 tensors; seed: an int32 pair."""
        if self.hooks.has("draw"):
            x, y = self.hooks.draw(frames, seed, "train")
            return tf.cast(x, tf.float32), tf.cast(y, tf.float32)
        return draw_batch(self.signal, tf.constant(measurement_matrix(self.signal), tf.float32), frames, seed, series)

    def frames(self, frames: int, seed: int, part: Part = "test") -> Frames:
        """Return x and y drawn with this seed, of a part of a recording."""
        return self._own(frames, seed, part) if self.hooks.has("draw") else draw_frames(self.signal, frames, seed, part)

    def training(self, frames: int, seed: int) -> Frames:
        """Return x and y as training sees them."""
        own = self.hooks.has("draw")
        return self._own(frames, seed, "train") if own else draw_training_frames(self.signal, frames, seed)

    def test(self, frames: int, seed: int) -> Frames:
        """Return x and y to measure on: fresh ones; of a recording each test window once."""
        return self._own(frames, seed, "test") if self.hooks.has("draw") else test_frames(self.signal, frames, seed)

    @cached_property
    def energy(self) -> float:
        """E|x|²."""
        if not self.hooks.has("draw"):
            return frame_energy(self.signal)
        with tf.init_scope():  # asked for while a step is compiled, too
            return float((self._own(_ENERGY_FRAMES, 0, "train")[0] ** 2).sum(axis=1).mean())

    def check(self, frames: int) -> None:
        """Try out the user's hooks, compiled as training does. Raises QcsError that names the line at fault."""
        if self.hooks.has("draw"):
            self._check_draw(frames)
        if self.hooks.has("loss"):
            self._check_loss(frames)

    def _check_draw(self, frames: int) -> None:
        draw = self._compiled("draw", lambda seed: self.hooks.draw(frames, seed, "train"))
        first, again, other = (draw(tf.constant([0, step])) for step in (0, 0, 1))
        self._check_shapes(frames, *first)
        for values, same in zip(first, again, strict=True):
            if not np.isfinite(values).all():
                raise self.hooks.fail("draw", "gives values that are not finite")
            if not np.array_equal(values, same):
                raise self.hooks.fail("draw", "gives other frames for the same seed; draw with tf.random.stateless_*")
        if not np.any(first[0]):
            raise self.hooks.fail("draw", "gives x that is zero everywhere")
        if np.array_equal(first[0], other[0]):
            raise self.hooks.fail("draw", "gives the same frames for every seed; draw with tf.random.stateless_*")

    def _check_loss(self, frames: int) -> None:
        def gradient(x: Any) -> Any:
            with tf.GradientTape() as tape:
                x_hat = 0.5 * x
                tape.watch(x_hat)
                loss = self.loss(x, x_hat)
            return tape.gradient(loss, x_hat)

        if self._compiled("loss", gradient)(tf.ones((frames, self.signal.n))) is None:
            raise self.hooks.fail("loss", "has no gradient to x_hat; compute it with TensorFlow operations")

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def loss(self, x: Any, x_hat: Any) -> Any:
        """Return what a batch loses, a float32 scalar: the user's loss, or |x − x̂|² over that of x, as expected."""
        if self.hooks.has("loss"):
            return tf.reduce_mean(tf.cast(self.hooks.call("loss", x, x_hat), tf.float32))
        return tf.reduce_sum((x - x_hat) ** 2) / (x.shape[0] * self.energy)

    def metric(self, x: NDArray[np.float64], x_hat: NDArray[np.float64]) -> float | None:
        """Return the user's metric of frames (frames, N), None without one. Raises QcsError if it is no number."""
        if not self.hooks.has("metric"):
            return None
        value = np.asarray(self.hooks.call("metric", x, x_hat))
        if value.size != 1 or not np.isfinite(value.astype(np.float64)).all():
            raise self.hooks.fail("metric", f"must return one finite number, not {value!s:.80}")
        return float(value.reshape(()))

    def _own(self, frames: int, seed: int, part: Part) -> Frames:
        x, y = self.hooks.draw(frames, tf.constant([seed % 2**31, 0], tf.int32), part)
        self._check_shapes(frames, x, y)
        return np.asarray(x, np.float64), np.asarray(y, np.float64)

    def _check_shapes(self, frames: int, x: Any, y: Any) -> None:
        wanted, got = ((frames, self.signal.n), (frames, self.signal.m)), (tuple(np.shape(x)), tuple(np.shape(y)))
        if wanted != got:
            raise self.hooks.fail("draw", f"gives x and y of shapes {got[0]} and {got[1]}, expected {wanted[0]} and "
                                          f"{wanted[1]}: (frames, signal.n) and (frames, signal.m)")  # fmt: skip

    def _compiled(self, name: str, function: Any) -> Any:
        compiled = tf.function(function, autograph=False, jit_compile=True)

        def run(*arguments: Any) -> Any:
            try:
                return compiled(*arguments)
            except (tf.errors.OpError, NotImplementedError) as error:
                words = " ".join(str(error).split())[:200]
                raise self.hooks.fail(name, f"cannot be compiled by XLA: {words}") from error

        return run
