"""The soft-to-hard quantization layer: a ↦ Σ_i v_i tanh(h a − s_i), with annealed h and mixed gradient.

Source: Leinonen & Codreanu, DeepQCS, section III. The shifts are tied to the steepness, s_i = h t_i, so that the
thresholds t_i of the hard quantizer (eq. (33)) stay where they are while h grows. The gradient to the input is
(1 − β) · straight-through + β · true; the gradients to v and t are always the true ones.
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
    """Return Σ_i v_i tanh(h (a − t_i)) for a of any shape; v, t of shape (I−1,); h and beta scalars.

    Its gradient to `a` is upstream · ((1 − beta) + beta · Σ_i v_i h sech²(h (a − t_i))); to v and t the true one; h and
    beta get none.
    """
    bend = tf.tanh(h * (a[..., None] - t))

    def gradient(upstream: Any) -> tuple[Any, Any, Any, None, None]:
        slope = v * h * (1.0 - bend * bend)
        to_a = upstream * ((1.0 - beta) + beta * tf.reduce_sum(slope, -1))
        axes = list(range(len(a.shape)))
        to_v = tf.reduce_sum(upstream[..., None] * bend, axes)
        to_t = -tf.reduce_sum(upstream[..., None] * slope, axes)
        return to_a, to_v, to_t, None, None

    return tf.reduce_sum(v * bend, -1), gradient


@keras.saving.register_keras_serializable(package="qcskit")
class SHQ(keras.layers.Layer):  # type: ignore[misc]
    """Soft-to-hard quantizer with I levels, shared by all outputs.

    levels: I >= 2. steepness: h at construction; training raises it by `steepness.assign`. mix: β in [0, 1].
    train_shifts: learn the thresholds t_i as well (the paper keeps them tied).
    Starts as the uniform quantizer on [−1, 1] with levels −1 … 1; I = 2 has its one threshold at 0.
    Input and output: (..., K) float.
    """

    def __init__(
        self, levels: int, steepness: float = 5.0, mix: float = 0.0, train_shifts: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if levels < 2:
            raise QcsError(f"SHQ: levels = {levels}, a quantizer needs at least 2")
        self.levels, self.train_shifts = levels, train_shifts
        self._initial_steepness, self._initial_mix = float(steepness), float(mix)

    def build(self, input_shape: Any) -> None:
        """Create v (I−1,), t (I−1,) and the scalars h and β."""
        terms = self.levels - 1
        constant = keras.initializers.Constant
        self.v = self.add_weight(name="v", shape=(terms,), initializer=constant(1.0 / terms))
        uniform = (-1.0 + 2.0 * np.arange(1, self.levels) / self.levels).astype(np.float32)
        self.t = self.add_weight(
            name="t", shape=(terms,), initializer=lambda shape, dtype: tf.constant(uniform), trainable=self.train_shifts
        )
        self.steepness = self.add_weight(
            name="h", shape=(), initializer=constant(self._initial_steepness), trainable=False
        )
        self.mix = self.add_weight(name="beta", shape=(), initializer=constant(self._initial_mix), trainable=False)

    def call(self, a: Any) -> Any:
        """Return the soft quantization of `a`."""
        return soft_quantize(a, tf.convert_to_tensor(self.v), tf.convert_to_tensor(self.t), self.steepness, self.mix)

    def hard(self, a: Any) -> Any:
        """Return the hard quantization of `a`, Σ_i v_i sgn(a − t_i) with sgn(0) = 1; no gradient to `a`."""
        above = tf.cast(a[..., None] >= tf.convert_to_tensor(self.t), tf.float32)
        return tf.reduce_sum(tf.convert_to_tensor(self.v) * (2.0 * above - 1.0), -1)

    def quantizer(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return thresholds t (I−1) and levels g (I) of the hard quantizer this layer has become."""
        h = float(self.steepness.numpy())
        return hard_quantizer(self.v.numpy(), h * np.asarray(self.t.numpy(), np.float64), h)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, with the steepness and mix of now."""
        built = self.built
        return {
            **super().get_config(),
            "levels": self.levels,
            "steepness": float(self.steepness.numpy()) if built else self._initial_steepness,
            "mix": float(self.mix.numpy()) if built else self._initial_mix,
            "train_shifts": self.train_shifts,
        }
