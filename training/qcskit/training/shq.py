"""The soft-to-hard quantization layer: a ↦ Σ_i v_i tanh(h a − s_i), with annealed h and mixed gradient.

Source: Leinonen & Codreanu, DeepQCS, section III. The shifts are s_i = h t_i, so that the thresholds t_i of the hard
quantizer (eq. (33)) stay where they are while h grows; t is fixed (the paper's tied shifts) or learned. The gradient to
the input is (1 − β) · straight-through, where the input is within the output's range, + β · true (eq. (32)); those to v
and t are always the true ones.
"""

import math
import numbers
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.quantizer import hard_quantizer
from qcskit.training.backend import keras, tf


@tf.custom_gradient  # type: ignore[untyped-decorator]
def soft_quantize(a: Any, v: Any, t: Any, h: Any, beta: Any) -> Any:
    """Return Σ_i v_i tanh(h (a − t_i)) for a (..., K); v, t of shape (I−1,) or (K, I−1); h and beta scalars.

    Its gradient to `a` is upstream · ((1 − beta) 1{|a| ≤ Σ_i v_i} + beta · Σ_i v_i h sech²(h (a − t_i))); to v and t
    the true one; h and beta get none. In the type of `a`, but differences and sums that need it in that of v and t.
    """
    bend = _bend(a, t, h)
    return _weighted(bend, tf.cast(v, a.dtype)), _gradient(a, bend, bend, v, h, beta)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def hard_quantize(a: Any, v: Any, t: Any, h: Any, beta: Any) -> Any:
    """Return Σ_i v_i sgn(a − t_i), sgn(0) = −1, with the gradients to a and t of `soft_quantize`; to v its own."""
    sign = _sign(a, t)
    return _weighted(sign, tf.cast(v, a.dtype)), _gradient(a, _bend(a, t, h), sign, v, h, beta)


def _weighted(term: Any, v: Any) -> Any:
    """Return Σ_i v_i term_i; of shared v as a product with a vector, which XLA does faster than a sum."""
    return tf.linalg.matvec(term, v) if len(v.shape) == 1 else tf.reduce_sum(v * term, -1)


def _wide(a: Any, t: Any) -> tuple[Any, Any]:
    """Return a (..., K, 1) and t in the wider of their types: on which side of a threshold an entry lies is exact."""
    wide = keras.backend.result_type(a.dtype.name, t.dtype.name)
    return tf.cast(a, wide)[..., None], tf.cast(t, wide)


def _bend(a: Any, t: Any, h: Any) -> Any:
    entry, threshold = _wide(a, t)
    return tf.tanh(tf.cast(h, a.dtype) * tf.cast(entry - threshold, a.dtype))


def _sign(a: Any, t: Any) -> Any:
    entry, threshold = _wide(a, t)
    return 2.0 * tf.cast(entry > threshold, a.dtype) - 1.0


def _gradient(a: Any, bend: Any, term: Any, v: Any, h: Any, beta: Any) -> Any:
    def gradient(upstream: Any) -> tuple[Any, Any, Any, None, None]:
        mix = tf.cast(beta, a.dtype)
        slope = tf.cast(h, a.dtype) * (1.0 - bend * bend)
        entry, reach = _wide(tf.abs(a), tf.reduce_sum(v, -1))
        within = tf.cast(entry[..., 0] <= reach, a.dtype)
        to_a = upstream * ((1.0 - mix) * within + mix * _weighted(slope, tf.cast(v, a.dtype)))
        to_v, to_t = (_total(upstream, factor, v) for factor in (term, slope))
        return to_a, to_v, -v * to_t, None, None

    return gradient


def _total(upstream: Any, factor: Any, v: Any) -> Any:
    """Return the sum of upstream · factor_i over all axes that v has not, in v's type."""
    upstream, factor = tf.cast(upstream, v.dtype), tf.cast(factor, v.dtype)
    if len(v.shape) == 1:
        return tf.linalg.matvec(tf.reshape(factor, (-1, v.shape[0])), tf.reshape(upstream, (-1,)), transpose_a=True)
    return tf.reduce_sum(upstream[..., None] * factor, list(range(len(factor.shape) - len(v.shape))))


@keras.saving.register_keras_serializable(package="qcskit")
class SHQ(keras.layers.Layer):  # type: ignore[misc]
    """Soft-to-hard quantizer with I levels.

    levels: I >= 2. steepness: h > 0 at construction; training raises it, see `AnnealSHQ`. mix: β in [0, 1].
    train_shifts: learn the thresholds t_i as well (the paper ties them); the one threshold of I = 2 stays where it is.
    per_output: every output has its own v and t, shape (K, I−1); else all share one, shape (I−1,).
    hard_forward: the forward pass is the hard staircase, the backward pass stays the soft one's.
    initial_v, initial_thresholds: (I−1,), or (K, I−1) with per_output; thresholds ascend. Not given: the uniform
    quantizer on [−1, 1] with levels −1 … 1. Input and output: (..., K), any float type. Raises QcsError if an argument
    is out of range.

    The example of Fig. 2 of the paper:
    >>> layer = SHQ(4, steepness=50.0, initial_v=[0.15, 0.4, 0.45], initial_thresholds=[-0.2, 0, 2 / 3])
    >>> layer.build((None, 1))
    >>> print(layer.hard(np.array([-0.6, -0.1, 0.3, 0.9], np.float32)).numpy().round(3))
    [-1.  -0.7  0.1  1. ]
    """

    def __init__(
        self, levels: int, steepness: float = 5.0, mix: float = 0.0, train_shifts: bool = False,
        per_output: bool = False, hard_forward: bool = False, initial_v: ArrayLike | None = None,
        initial_thresholds: ArrayLike | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.levels, self.train_shifts = _checked_levels(levels), train_shifts
        self.per_output, self.hard_forward = per_output, hard_forward
        self._initial_steepness, self._initial_mix = checked_steepness(steepness, "SHQ"), checked_mix(mix, "SHQ")
        self._initial_v = self._start("initial_v", initial_v)
        self._initial_thresholds = self._start("initial_thresholds", initial_thresholds)
        if self._initial_thresholds is not None and (np.diff(self._initial_thresholds) <= 0).any():
            raise QcsError(f"SHQ: initial_thresholds must ascend, got {self._initial_thresholds.tolist()}")
        self.supports_masking = True
        self.called_hard = False
        """Whether `call` ran last, or was traced, as the hard staircase."""

    def _start(self, name: str, given: ArrayLike | None) -> NDArray[np.float64] | None:
        if given is None:
            return None
        try:
            values = np.asarray(given, np.float64)
        except (TypeError, ValueError):
            raise QcsError(f"SHQ: {name} must be numbers, got {given!r}") from None
        wanted = "(K, I-1) or (I-1,)" if self.per_output else "(I-1,)"
        if values.ndim not in (1, 1 + self.per_output) or values.shape[-1] != self.levels - 1:
            raise QcsError(f"SHQ: {name} has shape {values.shape}, expected {wanted} with I = {self.levels} levels")
        if not np.isfinite(values).all():
            raise QcsError(f"SHQ: {name} must be finite, got {values.tolist()}")
        return values

    def build(self, input_shape: Any) -> None:
        """Create v and t, (I−1,) or (K, I−1), and the scalars h and β."""
        outputs = input_shape[-1]
        if self.per_output and outputs is None:
            raise QcsError("SHQ: per_output needs the number of outputs; give the layer before it a width")
        shape = (outputs, self.levels - 1) if self.per_output else (self.levels - 1,)
        uniform = -1.0 + 2.0 * np.arange(1, self.levels) / self.levels

        def weight(name: str, shape: tuple[int, ...], start: Any, trainable: bool = False) -> Any:
            if np.ndim(start) == 2 and np.shape(start) != shape:
                raise QcsError(f"SHQ: the initial {name} is for {len(start)} outputs, the input has {outputs}")
            start = np.broadcast_to(start, shape).astype(np.float32 if self.variable_dtype != "float64" else np.float64)
            # Not autocast: in mixed precision v and t stay as exact as they are kept.
            return self.add_weight(name=name, shape=shape, initializer=keras.initializers.Constant(start),
                                   trainable=trainable, autocast=False)  # fmt: skip

        v = 1.0 / (self.levels - 1) if self._initial_v is None else self._initial_v
        t = uniform if self._initial_thresholds is None else self._initial_thresholds
        self.v = weight("v", shape, v, trainable=True)
        self.t = weight("t", shape, t, trainable=self.train_shifts and self.levels > 2)
        self.steepness = weight("h", (), self._initial_steepness)
        self.mix = weight("beta", (), self._initial_mix)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the input's shape."""
        return input_shape

    def call(self, a: Any) -> Any:
        """Return the quantization of `a`: soft, or hard with a soft gradient; in the compute type."""
        self.called_hard = self.hard_forward
        quantize = hard_quantize if self.hard_forward else soft_quantize
        v, t, h, beta = (tf.convert_to_tensor(value) for value in (self.v, self.t, self.steepness, self.mix))
        return quantize(tf.cast(a, self.compute_dtype), v, t, h, beta)

    def hard(self, a: Any) -> Any:
        """Return the hard quantization of `a`, Σ_i v_i sgn(a − t_i), in the compute type; no gradient to `a`.

        sgn(0) = −1: a value on a threshold belongs to the lower cell, as everywhere (`qcskit.codec.quantizer`).
        """
        v, t = tf.convert_to_tensor(self.v), tf.convert_to_tensor(self.t)
        sign = tf.cast(_sign(tf.convert_to_tensor(a), t), v.dtype)
        return tf.cast(tf.reduce_sum(v * sign, -1), self.compute_dtype)

    def hard_values(self, a: NDArray[Any]) -> NDArray[np.float64]:
        """Return `hard` of an array (..., K), by a search for the cell: much faster than a sum where levels are many.

        >>> layer = SHQ(2)
        >>> layer.build((None, 1))
        >>> print(layer.hard_values(np.array([[-0.6], [0.0], [0.3]])).ravel())
        [-1. -1.  1.]
        """
        v, t = (np.atleast_2d(weight.numpy()) for weight in (self.v, self.t))
        rows = [hard_quantizer(*row, 1.0) for row in zip(v, t, strict=True)]
        if not self.per_output:
            ((t, g),) = rows
            return g[np.searchsorted(t, a)]
        return np.stack([g[np.searchsorted(t, a[..., k])] for k, (t, g) in enumerate(rows)], -1)

    def anneal(self, steepness: float | None = None, mix: float | None = None) -> None:
        """Set h, β or both, whether the layer is built yet or not."""
        for name, value in (("steepness", steepness), ("mix", mix)):
            if value is not None:
                setattr(self, f"_initial_{name}", float(value))
                if self.built:
                    getattr(self, name).assign(value)

    def quantizer(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return thresholds t (I−1) and levels g (I) of the hard quantizer this layer has become.

        With per_output one row per output: t (K, I−1), g (K, I).
        """
        h = float(self.steepness.numpy())
        v, s = np.asarray(self.v.numpy(), np.float64), h * np.asarray(self.t.numpy(), np.float64)
        if not self.per_output:
            return hard_quantizer(v, s, h)
        rows = [hard_quantizer(row_v, row_s, h) for row_v, row_s in zip(v, s, strict=True)]
        return np.stack([t for t, _ in rows]), np.stack([g for _, g in rows])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, with the steepness and mix of now."""
        config = {key: getattr(self, key) for key in ("levels", "train_shifts", "per_output", "hard_forward")}
        config["steepness"] = float(self.steepness.numpy()) if self.built else self._initial_steepness
        config["mix"] = float(self.mix.numpy()) if self.built else self._initial_mix
        starts = {"initial_v": self._initial_v, "initial_thresholds": self._initial_thresholds}
        config |= {name: None if start is None else start.tolist() for name, start in starts.items()}
        return {**super().get_config(), **config}


def _checked_levels(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 2:
        raise QcsError(f"SHQ: levels = {value!r}, a quantizer needs an integer of at least 2")
    return int(value)


def checked_steepness(value: Any, where: str) -> float:
    """Return h as a float. Raises QcsError if it is not a finite number above 0."""
    if not is_number(value) or not value > 0:
        raise QcsError(f"{where}: steepness h = {value!r} must be a finite number above 0")
    return float(value)


def checked_mix(value: Any, where: str) -> float:
    """Return β as a float. Raises QcsError if it is not within [0, 1]."""
    if not is_number(value) or not 0 <= value <= 1:
        raise QcsError(f"{where}: mix β = {value!r} must be a number from 0 to 1")
    return float(value)


def is_number(value: Any) -> bool:
    """Tell whether it is a finite real number."""
    return not isinstance(value, bool) and isinstance(value, numbers.Real) and math.isfinite(value)


def shq_layers(model: Any) -> list[SHQ]:
    """Return the SHQ layers of a Keras model, found by type, in nested models and layers too."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, SHQ)]
