"""The soft-to-hard quantization layer: a ↦ Σ_i v_i tanh(h a − s_i), with annealed h and mixed gradient.

Source: Leinonen & Codreanu, DeepQCS, section III. The shifts are s_i = h t_i, so that the thresholds t_i of the hard
quantizer (eq. (33)) stay where they are while h grows; t is fixed (the paper's tied shifts) or learned. The gradient to
the input is (1 − β) · straight-through + β · true; those to v and t are always the true ones.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.quantizer import hard_quantizer


@tf.custom_gradient  # type: ignore[untyped-decorator]
def soft_quantize(a: Any, v: Any, t: Any, h: Any, beta: Any) -> Any:
    """Return Σ_i v_i tanh(h (a − t_i)) for a (..., K); v, t of shape (I−1,) or (K, I−1); h and beta scalars.

    Its gradient to `a` is upstream · ((1 − beta) + beta · Σ_i v_i h sech²(h (a − t_i))); to v and t the true one; h and
    beta get none.
    """
    bend = tf.tanh(h * (a[..., None] - t))
    return tf.reduce_sum(v * bend, -1), _gradient(bend, bend, v, h, beta)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def hard_quantize(a: Any, v: Any, t: Any, h: Any, beta: Any) -> Any:
    """Return Σ_i v_i sgn(a − t_i), sgn(0) = −1, with the gradients to a and t of `soft_quantize`; to v its own."""
    bend = tf.tanh(h * (a[..., None] - t))
    sign = 2.0 * tf.cast(a[..., None] > t, a.dtype) - 1.0
    return tf.reduce_sum(v * sign, -1), _gradient(bend, sign, v, h, beta)


def _gradient(bend: Any, term: Any, v: Any, h: Any, beta: Any) -> Any:
    def gradient(upstream: Any) -> tuple[Any, Any, Any, None, None]:
        slope = v * h * (1.0 - bend * bend)
        to_a = upstream * ((1.0 - beta) + beta * tf.reduce_sum(slope, -1))
        shared = list(range(len(bend.shape) - len(v.shape)))
        to_v = tf.reduce_sum(upstream[..., None] * term, shared)
        to_t = -tf.reduce_sum(upstream[..., None] * slope, shared)
        return to_a, to_v, to_t, None, None

    return gradient


@keras.saving.register_keras_serializable(package="qcskit")
class SHQ(keras.layers.Layer):  # type: ignore[misc]
    """Soft-to-hard quantizer with I levels.

    levels: I >= 2. steepness: h at construction; training raises it by `steepness.assign`. mix: β in [0, 1].
    train_shifts: learn the thresholds t_i as well (the paper ties them); the one threshold of I = 2 stays at 0.
    per_output: every output has its own v and t, shape (K, I−1); else all share one, shape (I−1,).
    hard_forward: the forward pass is the hard staircase, the backward pass stays the soft one's.
    Starts as the uniform quantizer on [−1, 1] with levels −1 … 1. Input and output: (..., K) float.
    """

    def __init__(
        self, levels: int, steepness: float = 5.0, mix: float = 0.0, train_shifts: bool = False,
        per_output: bool = False, hard_forward: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        if levels < 2:
            raise QcsError(f"SHQ: levels = {levels}, a quantizer needs at least 2")
        self.levels, self.train_shifts = levels, train_shifts
        self.per_output, self.hard_forward = per_output, hard_forward
        self._initial_steepness, self._initial_mix = float(steepness), float(mix)

    def build(self, input_shape: Any) -> None:
        """Create v and t, (I−1,) or (K, I−1), and the scalars h and β."""
        shape = (input_shape[-1], self.levels - 1) if self.per_output else (self.levels - 1,)
        uniform = (-1.0 + 2.0 * np.arange(1, self.levels) / self.levels).astype(np.float32)

        def weight(name: str, shape: tuple[int, ...], start: Any, trainable: bool = False) -> Any:
            return self.add_weight(
                name=name, shape=shape, initializer=keras.initializers.Constant(start), trainable=trainable
            )

        self.v = weight("v", shape, 1.0 / (self.levels - 1), trainable=True)
        self.t = weight("t", shape, uniform, trainable=self.train_shifts and self.levels > 2)
        self.steepness = weight("h", (), self._initial_steepness)
        self.mix = weight("beta", (), self._initial_mix)

    def call(self, a: Any) -> Any:
        """Return the quantization of `a`: soft, or hard with a soft gradient."""
        quantize = hard_quantize if self.hard_forward else soft_quantize
        return quantize(a, tf.convert_to_tensor(self.v), tf.convert_to_tensor(self.t), self.steepness, self.mix)

    def hard(self, a: Any) -> Any:
        """Return the hard quantization of `a`, Σ_i v_i sgn(a − t_i); no gradient to `a`.

        sgn(0) = −1: a value on a threshold belongs to the lower cell, as everywhere (`qcskit.codec.quantizer`).
        """
        above = tf.cast(a[..., None] > tf.convert_to_tensor(self.t), tf.float32)
        return tf.reduce_sum(tf.convert_to_tensor(self.v) * (2.0 * above - 1.0), -1)

    def quantizer(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return thresholds t (I−1) and levels g (I) of the hard quantizer this layer has become.

        With per_output one row per output: t (K, I−1), g (K, I).
        """
        h = float(self.steepness.numpy())
        v, s = self.v.numpy(), h * np.asarray(self.t.numpy(), np.float64)
        if not self.per_output:
            return hard_quantizer(v, s, h)
        rows = [hard_quantizer(row_v, row_s, h) for row_v, row_s in zip(v, s, strict=True)]
        return np.stack([t for t, _ in rows]), np.stack([g for _, g in rows])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, with the steepness and mix of now."""
        config = {key: getattr(self, key) for key in ("levels", "train_shifts", "per_output", "hard_forward")}
        config["steepness"] = float(self.steepness.numpy()) if self.built else self._initial_steepness
        config["mix"] = float(self.mix.numpy()) if self.built else self._initial_mix
        return {**super().get_config(), **config}
