"""The SHQ layer against automatic differentiation, finite differences and the definition of its quantizer."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from support.memory_model import MemoryCodec

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.bundle import ARITHMETICS
from qcskit.codec.learned.chain import front_end_for
from qcskit.codec.quantizer import hard_index, hard_quantizer
from qcskit.export.learned.fold import int8_tables
from qcskit.export.learned.quantize import FloatEncoder, Ranges, quantize_layers
from qcskit.firmware.host import build_host_library
from qcskit.training.shq import SHQ, hard_quantize, shq_layers, soft_quantize

RNG = np.random.default_rng(5)


def case(levels: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return a (7, 3), v and t of a random quantizer, in float64."""
    a = RNG.uniform(-1, 1, (7, 3))
    return a, RNG.uniform(0.1, 1, levels - 1), np.sort(RNG.uniform(-1, 1, levels - 1))


def plain(a: tf.Tensor, v: tf.Tensor, t: tf.Tensor, h: float) -> tf.Tensor:
    """The definition, left to TensorFlow's own differentiation."""
    return tf.add_n([v[i] * tf.tanh(h * a - h * t[i]) for i in range(v.shape[0])])


@pytest.mark.parametrize("levels", [2, 3, 8])
@pytest.mark.parametrize("h", [1.0, 5.0, 30.0])
def test_forward_and_true_gradients_equal_automatic_differentiation(levels: int, h: float) -> None:
    a, v, t = (tf.constant(value) for value in case(levels))
    upstream = tf.constant(RNG.standard_normal(a.shape))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([a, v, t])
        ours = soft_quantize(a, v, t, tf.constant(h, tf.float64), tf.constant(1.0, tf.float64))
        reference = plain(a, v, t, h)
    np.testing.assert_allclose(ours, reference, rtol=1e-12, atol=1e-12)
    for variable in (a, v, t):
        got = tape.gradient(ours, variable, output_gradients=upstream)
        expected = tape.gradient(reference, variable, output_gradients=upstream)
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_true_gradients_equal_finite_differences(which: int) -> None:
    values = list(case(4))
    h, step = 6.0, 1e-6
    with tf.GradientTape() as tape:
        tensors = [tf.constant(value) for value in values]
        tape.watch(tensors)
        total = tf.reduce_sum(soft_quantize(*tensors, tf.constant(h, tf.float64), tf.constant(1.0, tf.float64)))
    gradient = tape.gradient(total, tensors[which]).numpy()

    def value_at(shift: NDArray[np.float64]) -> float:
        moved = [x + shift if i == which else x for i, x in enumerate(values)]
        bend = np.tanh(h * (moved[0][..., None] - moved[2]))
        return float((moved[1] * bend).sum())

    for position in np.ndindex(values[which].shape):
        shift = np.zeros_like(values[which])
        shift[position] = step
        slope = (value_at(shift) - value_at(-shift)) / (2 * step)
        assert gradient[position] == pytest.approx(slope, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_input_gradient_is_the_stated_mixture(beta: float) -> None:
    a, _, t = case(4)
    v = np.array([0.3, 0.5, 0.4])  # it reaches beyond every entry: the straight-through part is whole
    h = 7.0
    with tf.GradientTape() as tape:
        x = tf.constant(a)
        tape.watch(x)
        args = (tf.constant(value, tf.float64) for value in (v, t, h, beta))
        total = tf.reduce_sum(soft_quantize(x, *args))
    slope = (v * h / np.cosh(h * (a[..., None] - t)) ** 2).sum(-1)
    np.testing.assert_allclose(tape.gradient(total, x), (1 - beta) + beta * slope, rtol=1e-9)


@pytest.mark.parametrize("per_output", [False, True])
def test_gradients_equal_the_papers_expressions(per_output: bool) -> None:
    """Directly from the formulas: to v (28), to s (29), to a by (25) and mixed as training uses it (32)."""
    a = case(5)[0]
    v = RNG.integers(4, 13, (3, 4) if per_output else 4) / 64  # any order of summation gives the same
    t = np.sort(RNG.uniform(-1, 1, v.shape))
    a[0], a[1] = v.sum(-1), -v.sum(-1)  # the border itself is within
    h, beta, s = 9.0, 0.4, 9.0 * t
    upstream = RNG.standard_normal(a.shape)
    with tf.GradientTape() as tape:
        tensors = [tf.constant(value) for value in (a, v, s)]
        tape.watch(tensors)
        x, levels, shifts = tensors
        out = soft_quantize(x, levels, shifts / h, tf.constant(h, tf.float64), tf.constant(beta, tf.float64))
    to_a, to_v, to_s = tape.gradient(out, tensors, output_gradients=tf.constant(upstream))
    bend = np.empty((7, 3, 4))
    for frame, k, i in np.ndindex(bend.shape):
        bend[frame, k, i] = np.tanh(h * a[frame, k] - (s[k, i] if per_output else s[i]))
    frames_only = (0,) if per_output else (0, 1)
    np.testing.assert_allclose(to_v, (upstream[..., None] * bend).sum(frames_only), rtol=1e-9)
    sech2 = 1 - bend**2
    np.testing.assert_allclose(to_s, -(upstream[..., None] * v * sech2).sum(frames_only), rtol=1e-9)
    indicator = np.zeros(a.shape)  # zero where the magnitude of the input exceeds the output's range
    for frame, k in np.ndindex(a.shape):
        reach = sum(v[k] if per_output else v)
        indicator[frame, k] = 1.0 if abs(a[frame, k]) <= reach else 0.0
    assert indicator[:2].all()
    assert 0 < indicator[2:].sum() < indicator[2:].size
    true = (v * h * sech2).sum(-1)
    np.testing.assert_allclose(to_a, (1 - beta) * upstream * indicator + beta * upstream * true, rtol=1e-9)


def test_hard_forward_keeps_the_soft_backward() -> None:
    a, v, t = case(4)
    h, beta = 6.0, 0.7
    gradients, values = [], []
    for quantize in (soft_quantize, hard_quantize):
        with tf.GradientTape() as tape:
            tensors = [tf.constant(value) for value in (a, v, t)]
            tape.watch(tensors)
            out = quantize(*tensors, tf.constant(h, tf.float64), tf.constant(beta, tf.float64))
        values.append(out.numpy())
        gradients.append(tape.gradient(out, tensors))
    sign = np.where(a[..., None] > t, 1.0, -1.0)
    np.testing.assert_allclose(values[1], (v * sign).sum(-1), rtol=1e-12)
    np.testing.assert_array_equal(gradients[0][0], gradients[1][0])
    np.testing.assert_array_equal(gradients[0][2], gradients[1][2])
    np.testing.assert_allclose(gradients[1][1], sign.sum((0, 1)))


def test_the_example_of_figure_2() -> None:
    layer = SHQ(4, steepness=50.0, train_shifts=True)
    layer.build((None, 1))
    layer.v.assign([0.15, 0.4, 0.45])
    layer.t.assign([-0.2, 0.0, 2 / 3])
    t, g = layer.quantizer()
    np.testing.assert_allclose(t, [-0.2, 0.0, 2 / 3], atol=1e-6)
    np.testing.assert_allclose(g, [-1.0, -0.7, 0.1, 1.0], atol=1e-6)
    middles = np.array([[-0.6], [-0.1], [0.3], [0.9]], np.float32)
    np.testing.assert_allclose(layer.hard(middles).numpy().ravel(), g, atol=1e-6)
    layer.steepness.assign(1e4)
    np.testing.assert_allclose(layer(middles).numpy().ravel(), g, atol=1e-5)


@pytest.mark.parametrize("levels", [2, 3, 4, 16])
def test_the_hard_forward_is_the_limit_of_the_soft_one(levels: int) -> None:
    layer = SHQ(levels, steepness=1e6, mix=1.0)
    layer.build((None, 5))
    layer.v.assign(RNG.uniform(0.1, 1, levels - 1))
    a = RNG.uniform(-1, 1, (500, 5)).astype(np.float32)
    t, g = layer.quantizer()
    away = np.abs(a[..., None] - t).min(-1) > 1e-4
    np.testing.assert_allclose(layer.hard(a).numpy()[away], layer(a).numpy()[away], atol=1e-5)
    np.testing.assert_allclose(g[hard_index(a, t)][away], layer.hard(a).numpy()[away], atol=1e-5)


@pytest.mark.parametrize("per_output", [False, True])
def test_a_value_on_a_threshold_belongs_to_the_lower_cell(per_output: bool) -> None:
    layer = SHQ(4, per_output=per_output, hard_forward=True)
    layer.build((None, 2))
    steps = np.array([[-0.5, 0.0, 0.25], [-0.25, 0.5, 0.75]])
    layer.t.assign(steps if per_output else steps[0])
    t, g = layer.quantizer()
    np.testing.assert_array_equal(t, layer.t.numpy())  # ties are exact: the quantizer has these very thresholds
    a = (steps if per_output else steps[[0, 0]]).T.astype(np.float32)
    lower = np.tile(np.arange(3)[:, None], 2)
    np.testing.assert_array_equal(hard_index(a, t), lower)
    levels = np.take_along_axis(g, lower.T, axis=1).T if per_output else g[lower]
    np.testing.assert_allclose(layer.hard(a), levels, atol=1e-6)
    np.testing.assert_allclose(layer(a), levels, atol=1e-6)
    just_above = a + np.float32(1e-6)
    np.testing.assert_array_equal(hard_index(just_above, t), lower + 1)
    np.testing.assert_allclose(layer.hard(just_above), layer(just_above))
    assert (layer.hard(just_above).numpy() > levels).all()


def test_ties_fall_in_c_and_in_its_integers_as_in_the_layer() -> None:
    # Steps of 1/128 and 1/64, |w| = 127/128: every pre-activation is exact in float32, and every third one a threshold.
    every = np.arange(-128, 128).astype(np.int8)[:, None]
    a = (every * (127 / 128) / 64).astype(np.float32)
    thresholds = np.arange(-60, 61, 3) * (127 / 128) / 64
    network = FloatEncoder((np.full((1, 1), 127 / 128, np.float32),), (np.zeros(1, np.float32),), thresholds,
                           ("hard_tanh",))  # fmt: skip
    layers = quantize_layers(network, Ranges((127 / 64,)))
    tables = int8_tables(layers, thresholds, front_end_for([1 / 64], 1 / 1024, 0), "native")
    layer = SHQ(len(thresholds) + 1, train_shifts=True)
    layer.build((None, 1))
    layer.t.assign(thresholds)
    index = hard_index(a, thresholds)
    on_one = np.isin(a, thresholds.astype(np.float32))
    assert on_one.sum() == len(thresholds)
    np.testing.assert_array_equal(index[on_one], np.arange(len(thresholds)))
    np.testing.assert_allclose(layer.hard(a), layer.quantizer()[1][index], atol=1e-5)
    np.testing.assert_array_equal(ARITHMETICS["int8"].encode_index(tables, every), index)
    packets = MemoryCodec(build_host_library(), tables).encode(every)
    np.testing.assert_array_equal(tables.packing.unpack(packets.rows), index)


@pytest.mark.parametrize(
    ("v", "s", "h", "message"),
    [
        ([1.0, 1.0], [0.0], 1.0, r"v has shape \(2,\), s \(1,\): both must be"),
        ([], [], 1.0, "both must be"),
        ([np.nan], [0.0], 1.0, "the training has diverged"),
        ([1.0], [0.0], 0.0, "h > 0"),
    ],
)
def test_what_makes_no_hard_quantizer_is_refused(v, s, h: float, message: str) -> None:
    with pytest.raises(QcsError, match=message):
        hard_quantizer(v, s, h)


def test_quantizer_follows_the_definition_cell_by_cell() -> None:
    v, s, h = np.array([0.5, 0.2, 0.9]), np.array([8.0, -3.0, 1.0]), 10.0
    t, g = hard_quantizer(v, s, h)
    middles = np.concatenate([[t[0] - 1], (t[:-1] + t[1:]) / 2, [t[-1] + 1]])
    expected = [sum(vi * np.sign(a - si / h) for vi, si in zip(v, s, strict=True)) for a in middles]
    np.testing.assert_allclose(g, expected)
    np.testing.assert_array_equal(hard_index(middles, t), np.arange(4))


def test_two_levels_have_one_threshold_at_zero() -> None:
    layer = SHQ(2)
    layer.build((None, 1))
    t, g = layer.quantizer()
    assert t.tolist() == [0.0]
    np.testing.assert_allclose(g, [-1.0, 1.0])


POLICIES = ("float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16")
TOLERANCE = {"float16": 4e-3, "bfloat16": 4e-2, "float32": 1e-5, "float64": 1e-12}


def same_quantizer(first: SHQ, second: SHQ) -> None:
    for a, b in zip(first.quantizer(), second.quantizer(), strict=True):
        np.testing.assert_array_equal(a, b)


def built(kind: str, layer: SHQ) -> keras.Model:
    """A model (B, 3) → (B, 2) with this layer in it, of one of the kinds that Keras knows."""
    if kind == "sequential":
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "tanh"), layer, keras.layers.Dense(2)])
    if kind == "functional":
        start = keras.Input((3,))
        return keras.Model(start, keras.layers.Dense(2)(layer(keras.layers.Dense(4, "tanh")(start))))
    model = Subclassed(layer)
    model(np.zeros((1, 3), np.float32))
    return model


@keras.saving.register_keras_serializable(package="test_shq")
class Subclassed(keras.Model):
    def __init__(self, layer: SHQ | dict, **kwargs) -> None:
        super().__init__(**kwargs)
        layer = keras.saving.deserialize_keras_object(layer) if isinstance(layer, dict) else layer
        self.before, self.quantize, self.after = keras.layers.Dense(4, "tanh"), layer, keras.layers.Dense(2)

    def call(self, x):
        return self.after(self.quantize(self.before(x)))

    def get_config(self):
        return {**super().get_config(), "layer": keras.saving.serialize_keras_object(self.quantize)}


@pytest.mark.parametrize(("kind", "policy"), [("sequential", "float32"), ("functional", "float32"),
                                              ("subclassed", "mixed_float16")])  # fmt: skip
def test_every_kind_of_model_fits_and_is_read_back_the_same(tmp_path, kind: str, policy: str) -> None:
    model = built(kind, SHQ(4, steepness=9.0, mix=0.25, train_shifts=True, initial_v=[0.2, 0.5, 0.2], dtype=policy))
    [layer] = shq_layers(model)
    before = layer.v.numpy(), layer.t.numpy(), model.get_weights()[0]
    model.compile(keras.optimizers.Adam(0.05), "mse", jit_compile=True)
    x = RNG.standard_normal((64, 3)).astype(np.float32)
    model.fit(x, x[:, :2], epochs=1, batch_size=16, verbose=0)
    for value, now in zip(before, (layer.v.numpy(), layer.t.numpy(), model.get_weights()[0]), strict=True):
        assert np.isfinite(now).all()
        assert not np.array_equal(value, now)
    layer.steepness.assign(42.0)
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    [again] = shq_layers(loaded)
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(loaded(x), model(x))
    same_quantizer(again, layer)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("hard_forward", [False, True])
@pytest.mark.parametrize("policy", POLICIES)
def test_every_float_type_computes_the_formula(policy: str, hard_forward: bool, compiled: bool) -> None:
    v, t, h, beta = np.array([0.25, 0.125, 0.25]), np.array([-0.5, 0.0, 0.375]), 4.0, 0.5
    layer = SHQ(4, h, beta, True, hard_forward=hard_forward, initial_v=v, initial_thresholds=t, dtype=policy)
    compute, kept = layer.compute_dtype, layer.variable_dtype
    a = RNG.integers(-64, 64, (9, 3)) / 64 + 1 / 128  # exact in every type, none on a threshold

    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            out = layer(x)
        return out, *tape.gradient(out, [x, layer.v.value, layer.t.value])

    layer.build(a.shape)
    out, to_a, to_v, to_t = tf.function(run, jit_compile=compiled)(tf.constant(a, compute))
    assert (out.dtype.name, to_a.dtype.name, to_v.dtype.name, to_t.dtype.name) == (compute, compute, kept, kept)
    assert layer.compute_output_spec(keras.KerasTensor((None, 3), compute)).dtype == compute
    bend = np.tanh(h * (a[..., None] - t))
    sign, slope = np.sign(a[..., None] - t), v * h * (1 - bend**2)
    expected = [(v * (sign if hard_forward else bend)).sum(-1),
                (1 - beta) * (np.abs(a) <= v.sum()) + beta * slope.sum(-1),
                (sign if hard_forward else bend).sum((0, 1)), -slope.sum((0, 1))]  # fmt: skip
    for got, wanted in zip((out, to_a, to_v, to_t), expected, strict=True):
        got = np.asarray(got.numpy(), np.float64)
        np.testing.assert_allclose(got, wanted, rtol=TOLERANCE[compute], atol=4 * TOLERANCE[compute])
    np.testing.assert_array_equal(np.asarray(layer.hard(tf.constant(a, compute)), np.float64), (v * sign).sum(-1))


@pytest.mark.parametrize("levels", [2, 3, 256])
@pytest.mark.parametrize("per_output", [False, True])
def test_a_search_for_the_cell_gives_what_the_sum_over_the_thresholds_gives(levels: int, per_output: bool) -> None:
    """Thresholds that training has left out of order or on each other, and values on them, included."""
    rng = np.random.default_rng(levels)
    shape = (4, levels - 1) if per_output else (levels - 1,)
    layer = SHQ(levels, train_shifts=True, per_output=per_output, steepness=300.0)
    layer.build((None, 4))
    layer.t.assign(np.round(rng.normal(size=shape), 1))
    layer.v.assign(rng.normal(size=shape))
    a = rng.normal(size=(5, 30, 4)).astype(np.float32)
    on = np.broadcast_to(layer.t.numpy().T if per_output else layer.t.numpy()[:, None], (levels - 1, 4))
    for values in (a, on.astype(np.float32)):
        np.testing.assert_allclose(layer.hard_values(values), layer.hard(values), atol=2e-5)


@pytest.mark.parametrize(("policy", "entry"), [("mixed_float16", "float16"), ("mixed_bfloat16", "bfloat16"),
                                               ("float32", "float64")])  # fmt: skip
def test_an_entry_lies_on_the_side_of_a_threshold_that_its_own_digits_say(policy: str, entry: str) -> None:
    """Rounding entry or threshold to the coarser of their types would put them on each other."""
    a = tf.constant([1 / 3], entry)
    exact = float(np.asarray(a, np.float64)[0])
    finer = np.float32 if entry != "float64" else np.float64
    near = finer(exact) + np.array([-1, 1]) * (finer(1e-5) if finer is np.float32 else 0)
    for threshold in near:
        layer = SHQ(2, steepness=1e4, hard_forward=True, initial_thresholds=[threshold], dtype=policy)
        layer.build((None, 1))
        kept = float(layer.t.numpy()[0])
        side = 1.0 if exact > kept else -1.0
        assert kept != exact
        assert float(layer.hard(a)[0]) == side
        if entry != "float64":  # Keras itself casts a layer's input
            assert float(layer(a)[0]) == side
            layer.hard_forward = False
            assert np.sign(float(layer(a)[0])) == side


def test_initial_values_are_kept_in_the_configuration() -> None:
    v, t = [[0.1, 0.2], [0.3, 0.4]], [-0.25, 0.5]
    layer = SHQ(3, 7.0, 0.5, True, True, True, v, t, name="mine", dtype="mixed_bfloat16")
    layer.build((None, 2))
    np.testing.assert_allclose(layer.v.numpy(), v, rtol=1e-6)
    np.testing.assert_array_equal(layer.t.numpy(), [t, t])
    config = layer.get_config()
    assert {key: config[key] for key in ("initial_v", "initial_thresholds", "name")} == {
        "initial_v": v, "initial_thresholds": t, "name": "mine"}  # fmt: skip
    again = SHQ.from_config(config)
    assert again.get_config() == config
    again.build((None, 2))
    same_quantizer(again, layer)


def test_shapes_are_known_before_anything_is_computed() -> None:
    assert SHQ(4).compute_output_shape((None, 7, 5)) == (None, 7, 5)
    assert SHQ(4)(keras.Input((7, 5))).shape == (None, 7, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"levels": 1}, "SHQ: levels = 1, a quantizer needs an integer of at least 2"),
        ({"levels": 4.0}, "SHQ: levels = 4.0,"),
        ({"levels": True}, "SHQ: levels = True,"),
        ({"levels": "4"}, "SHQ: levels = '4',"),
        ({"steepness": 0.0}, "SHQ: steepness h = 0.0 must be a finite number above 0"),
        ({"steepness": float("nan")}, "steepness h = nan"),
        ({"steepness": float("inf")}, "steepness h = inf"),
        ({"mix": -0.1}, "SHQ: mix β = -0.1 must be a number from 0 to 1"),
        ({"mix": 1.5}, "mix β = 1.5"),
        ({"mix": float("nan")}, "mix β = nan"),
        ({"mix": None}, "mix β = None"),
        ({"initial_v": [1.0, 2.0]}, "initial_v has shape (2,), expected (I-1,) with I = 4 levels"),
        ({"initial_v": [[0.1] * 3] * 2}, "initial_v has shape (2, 3)"),
        ({"initial_v": [0.1, 0.2, np.inf]}, "SHQ: initial_v must be finite"),
        ({"initial_v": ["a", "b", "c"]}, "SHQ: initial_v must be numbers"),
        ({"initial_thresholds": [0.0, 0.0, 0.5]}, "SHQ: initial_thresholds must ascend"),
        ({"initial_thresholds": [[0, 1, 2], [0, 2, 1]], "per_output": True}, "initial_thresholds must ascend"),
        ({"initial_thresholds": 0.0}, "initial_thresholds has shape ()"),
    ],
)
def test_what_is_no_quantizer_is_refused_in_one_line(arguments, message: str) -> None:
    with pytest.raises(QcsError, match=re.escape(message)) as refused:
        SHQ(**{"levels": 4, **arguments})
    assert "\n" not in str(refused.value)


def test_a_quantizer_per_output_needs_their_number() -> None:
    with pytest.raises(QcsError, match="per_output needs the number of outputs; give the layer before it a width"):
        SHQ(4, per_output=True).build((None, None))


def test_initial_values_for_other_outputs_than_the_input_has_are_refused() -> None:
    with pytest.raises(QcsError, match="the initial v is for 2 outputs, the input has 5"):
        SHQ(3, per_output=True, initial_v=[[0.5, 0.5]] * 2)(np.zeros((1, 5), np.float32))
