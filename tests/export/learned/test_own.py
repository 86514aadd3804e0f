"""A model of one's own → a bundle: what the device sees, the user's units, what is measured and what is not."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs the extra 'train': pip install 'qcskit[train]'")
import keras
from keras import layers

from qcskit.cli import main
from qcskit.codec.codecs import open_codec
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.codec.metrics import nmse_db
from qcskit.codec.sensor import UNKNOWN_ADC, AdcConfig
from qcskit.export import export_model
from qcskit.export.config import ExportConfig
from qcskit.export.learned import own
from qcskit.export.learned.job import Pairs, Scales
from qcskit.export.learned.own import holds_counts, model_name, rows_of
from qcskit.firmware_sim.config import SimulateConfig
from qcskit.firmware_sim.run import simulate
from qcskit.training.shq import SHQ

QUICK = ExportConfig(finetune_steps=0, golden_frames=8, profile="tflm", test_windows=50)
RNG = np.random.default_rng(4)
PHI = RNG.normal(size=(7, 12))
X = 100.0 + 5.0 * RNG.normal(size=(600, 12))
Y = 1e-3 * X @ PHI.T + 7.0
"""What an analog front end gives: another number of entries, another unit, far from 0."""


def model_of(y: np.ndarray = Y, outputs: int = 12, decoder: bool = True, name: str = "it") -> keras.Model:
    """Return an untrained model of y; its decoder, if any, gives about 100."""
    keras.utils.set_random_seed(3)
    scaled = layers.Normalization(axis=None, mean=float(y.mean()), variance=float(y.var()))
    behind = [layers.Dense(outputs, bias_initializer=keras.initializers.Constant(100.0))] if decoder else []
    stages = [scaled, layers.Dense(9, "tanh"), layers.Dense(5, "tanh"), SHQ(4), *behind]
    return keras.Sequential([keras.Input((y.shape[1],)), *stages], name=name)


def hard(model: keras.Model, y: np.ndarray) -> np.ndarray:
    (shq,) = (layer for layer in model.layers if isinstance(layer, SHQ))
    shq.hard_forward = True
    found = model(y.astype(np.float32)).numpy()
    shq.hard_forward = False
    return found


def test_pairs_keep_the_units_of_both_sides(tmp_path) -> None:
    model = model_of()
    codec = export_model(model, pairs=(X, Y), test=(X[:200], Y[:200]), out=tmp_path / "b", config=QUICK)
    signal, adc, nmse = codec.bundle.manifest.signal, codec.bundle.manifest.adc, codec.bundle.manifest.nmse
    assert (codec.inputs, codec.width, signal.matrix, signal.model_dump()["source"]) == (7, 12, "none", "pairs")
    assert signal.y_grid == pytest.approx((Y.mean(), Y.std()))
    assert (signal.offset, signal.scale) == pytest.approx((X.mean(), X.std()))
    # A count is worth what the converter says, and the decoder answers in the units of x.
    away = np.abs(adc.values(codec.counts(Y)) - Y)
    assert (away[~codec.clipped(codec.counts(Y))] <= adc.units_per_count).all()
    assert (away > adc.units_per_count).mean() < 0.01
    x_hat = codec.decode(codec.encode(Y))
    assert np.abs(x_hat - hard(model, Y)).mean() < 0.2
    assert np.abs(x_hat.mean() - 100) < 5
    # What the manifest says was measured on those very pairs.
    energy = ((X[:200] - signal.offset) ** 2).sum()
    measured = 10 * np.log10(((codec.decode(codec.encode(Y[:200])) - X[:200]) ** 2).sum() / energy)
    assert nmse.deployed_db == pytest.approx(measured, abs=1e-3)
    floating = 10 * np.log10(((hard(model, Y[:200]) - X[:200]) ** 2).sum() / energy)
    assert nmse.float_db == pytest.approx(floating, abs=1e-3)
    assert nmse.frames == 200


def test_draws_are_pairs_that_belong_together_and_x_cannot_be_sensed(tmp_path) -> None:
    codec = export_model(model_of(), Y, test=(X[:200], Y[:200]), out=tmp_path / "b", config=QUICK)
    x, y = codec.draw(64, 1)
    assert len(codec.sensor.windows) == codec.source_windows == 50
    rows = [int(np.abs(X - one).sum(axis=1).argmin()) for one in x]
    np.testing.assert_allclose(Y[rows], y)
    assert len(set(rows)) > 10
    with pytest.raises(QcsError, match="nobody said how y comes of x: give rows of what the device sees, 7 numbers"):
        codec.sense(X)


def test_whoever_samples_x_itself_gets_a_bundle_of_a_recording(tmp_path) -> None:
    counts = np.rint(12_000 + 300 * RNG.normal(size=(400, 6)))
    codec = export_model(model_of(counts, 6), pairs=(counts, counts), test=(counts, counts), out=tmp_path / "b",
                         config=QUICK, name="recorded")  # fmt: skip
    signal, adc = codec.bundle.manifest.signal, codec.bundle.manifest.adc
    assert (signal.matrix, signal.model_dump()["source"], signal.y_offset) == ("identity", "recorded", None)
    # Whole numbers are counts.
    assert (adc.units_per_count, adc.offset_counts, adc.bits) == (1.0, 0, 16)
    np.testing.assert_array_equal(codec.sense(counts), counts)
    assert codec.bundle.manifest.name == codec.name == "recorded"


def test_a_converter_that_is_given_is_the_one(tmp_path) -> None:
    adc = AdcConfig(bits=12, signed=False, offset_counts=5, units_per_count=0.01, unit="mV")
    codec = export_model(model_of(), Y, out=tmp_path / "b", config=QUICK, adc=adc)
    made = codec.bundle.manifest.adc
    assert made.model_dump() == adc.model_dump()
    np.testing.assert_array_equal(codec.counts(Y), np.rint(Y / 0.01) + 5)


def test_without_x_nothing_is_measured_anywhere(tmp_path) -> None:
    codec = export_model(model_of(), Y, out=tmp_path / "b", config=QUICK)
    nmse = codec.bundle.manifest.nmse
    assert (nmse.float_db, nmse.deployed_db, nmse.fidelity) == (None, None, None)
    assert "against the trained float, by the encoder's outputs" in codec.describe()["profiles tried"]
    assert codec.source_windows == 0
    assert (codec.bundle.manifest.signal.offset, codec.bundle.manifest.signal.scale) == (0, 1)  # of x nothing is known
    assert simulate(codec.bundle, SimulateConfig(vectors=100, oracle_vectors=100, processes=1)).passed
    assert codec.decode(codec.encode(Y)).shape == (600, 12)


def test_without_a_decoder_it_encodes_only(tmp_path) -> None:
    codec = export_model(model_of(decoder=False), Y, out=tmp_path / "b", config=QUICK)
    assert not codec.decodes
    assert codec.bundle.manifest.nmse.deployed_db is None
    assert simulate(codec.bundle, SimulateConfig(vectors=100, oracle_vectors=100, processes=1)).passed


def test_the_decoder_is_tuned_by_ones_own_loss_and_the_model_stays_as_it_was(tmp_path) -> None:
    model = model_of()
    before = [weight.copy() for weight in model.get_weights()]

    def towards_90(x, x_hat):
        return keras.ops.square(x_hat - 90.0)

    config = QUICK.model_copy(update={"finetune_steps": 300, "finetune_rate": 0.05, "allow_loss": True})
    tuned = export_model(model, pairs=(X, Y), out=tmp_path / "b", config=config, loss=towards_90)
    assert np.abs(tuned.decode(tuned.encode(Y)) - 90.0).mean() < 6.0
    squared = export_model(model, pairs=(X, Y), test=(X, Y), out=tmp_path / "c", config=config)
    assert np.abs(squared.decode(squared.encode(Y)) - 90.0).mean() > 8.0
    assert squared.bundle.manifest.nmse.deployed_db < squared.bundle.manifest.nmse.float_db - 0.2
    assert all(np.array_equal(one, other) for one, other in zip(before, model.get_weights(), strict=True))


def test_integers_that_lose_too_much_stop_the_export(tmp_path) -> None:
    coarse = QUICK.model_copy(update={"hidden_ranges": (90.0,), "last_ranges": (90.0,)})
    x = hard(model_of(), Y) + 0.03 * RNG.normal(size=X.shape)
    for given in ({"pairs": (x, Y), "test": (x, Y)}, {"calibration": Y}):
        with pytest.raises(CheckFailedError, match=r"profile tflm lose .* export\.max_loss_db"):
            export_model(model_of(decoder=len(given) > 1), **given, out=tmp_path / "b", config=coarse)
        assert not (tmp_path / "b").exists()


def test_the_same_model_gives_the_same_bytes(tmp_path) -> None:
    config = QUICK.model_copy(update={"finetune_steps": 20})
    made = [export_model(model_of(), pairs=(X, Y), out=tmp_path / name, config=config).bundle for name in "ab"]
    assert made[0].manifest.files == made[1].manifest.files


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give y as the model takes it"),
        ({"calibration": X}, "calibration: y has rows of 12 numbers, the model has 7"),
        ({"pairs": (X, Y[:10])}, "pairs: 600 rows of x and 10 of y"),
        ({"pairs": (Y, Y)}, "pairs: x has rows of 7 numbers, the model has 12"),
        ({"pairs": (X[:9], Y[:9])}, "pairs: 9 rows, fine-tuning needs at least 100"),
        ({"calibration": np.where(np.arange(7) == 3, np.nan, Y)}, "calibration: y: row 0 holds NaN"),
        ({"calibration": [["a"]]}, "is no array of numbers"),
        ({"calibration": 3.0}, r"has the shape \(\), expected \(frames, 7\)"),
        ({"calibration": Y, "adc": AdcConfig(units_per_count=1e-9)}, "the middle of the signal is at count"),
        ({"calibration": np.ones((50, 7))}, "calibration: y holds nothing but 1: give 10 rows or more"),
        ({"calibration": Y[:3]}, "calibration: y holds 3 rows"),
        ({"pairs": X}, r"pairs: give two arrays, \(x, y\), not ndarray"),
        ({"pairs": (X, Y, Y)}, r"pairs: give two arrays, \(x, y\), not tuple"),
        ({"calibration": Y, "test": (0 * X, Y)}, "test: x is 0 everywhere"),
        ({"pairs": (X, Y), "loss": "mae"}, "loss is 'mae', expected a function"),
    ],
)
def test_wrong_data_is_one_line(tmp_path, given, message: str) -> None:
    with pytest.raises(QcsError, match=message) as caught:
        export_model(model_of(), **given, out=tmp_path / "b", config=QUICK)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_another_precision_is_exported_in_float32(tmp_path, policy: str) -> None:
    """Its encoder, its decoder with a layer that has a float16 kernel nowhere, and the fine-tuning."""
    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(policy)
        start = keras.Input((7,))
        value = layers.Normalization(axis=None, mean=float(Y.mean()), variance=float(Y.var()))(start)
        value = layers.BatchNormalization()(layers.Dense(9, "tanh")(value))
        q = SHQ(4)(layers.Dense(5, "tanh")(value))
        model = keras.Model(start, layers.Add()([layers.Dense(12)(layers.Dense(8, "gelu")(q)), layers.Dense(12)(q)]))
        config = QUICK.model_copy(update={"finetune_steps": 5, "allow_loss": True})
        with pytest.warns(UserWarning, match="are x and y in its units, and in this order"):
            codec = export_model(model, pairs=(X, Y), test=(X, Y), out=tmp_path / "b", config=config)
    finally:
        keras.config.set_dtype_policy(before)
    energy = ((X - X.mean()) ** 2).sum()
    floating = 10 * np.log10(((hard(model, Y).astype(float) - X) ** 2).sum() / energy)
    assert codec.bundle.manifest.nmse.float_db == pytest.approx(floating, abs=0.1)
    assert {layer.dtype_policy.name for layer in model.layers if isinstance(layer, SHQ)} == {policy}


def test_entries_in_other_units_are_judged_each_by_its_own_spread(tmp_path) -> None:
    """The pooled NMSE sees the largest alone: grids too coarse for the small ones would pass."""
    scale, offset = np.array([1.0, 1e2, 1.0, 1.0, 1.0, 1.0]), np.array([0.0, 1e3, 0.0, 0.0, 0.0, 0.0])
    z = RNG.normal(size=(800, 6)) * scale + offset
    spread, middle = z.std(axis=0), z.mean(axis=0)
    keras.utils.set_random_seed(2)
    same = keras.initializers.Identity
    stages = [
        layers.Normalization(mean=middle, variance=spread**2),
        layers.Dense(6, "hard_tanh", kernel_initializer=same(0.4)),
        SHQ(32), layers.Dense(6, kernel_initializer=same(2.5)), layers.Rescaling(spread.tolist(), middle.tolist()),
    ]  # fmt: skip
    model = keras.Sequential([keras.Input((6,)), *stages])
    config = QUICK.model_copy(update={"profile": "auto", "finetune_steps": 50})
    codec = export_model(model, pairs=(z, z), test=(z, z), out=tmp_path / "b", config=config)
    lost = (codec.decode(codec.encode(z)) - z).std(axis=0) / spread
    floating = (hard(model, z) - z).std(axis=0) / spread
    assert codec.facts.profile == "tflm16"
    assert codec.facts.skipped_db.keys() == {"tflm", "native"}
    assert (lost < 1.15 * floating).all()


def test_one_number_in_and_one_out(tmp_path) -> None:
    for x, y in ((X[:, :1], Y), (X[:, :1], X[:, :1])):
        keras.utils.set_random_seed(3)
        scaled = layers.Normalization(axis=None, mean=float(y.mean()), variance=float(y.var()))
        stages = [
            scaled,
            layers.Dense(1, "tanh"),
            SHQ(4),
            layers.Dense(1, bias_initializer=keras.initializers.Constant(100)),
        ]
        model = keras.Sequential([keras.Input((y.shape[1],)), *stages])
        codec = export_model(model, pairs=(x, y), test=(x, y), out=tmp_path / "b", config=QUICK)
        assert codec.decode(codec.encode(y)).shape == (600, 1)
        assert simulate(codec.bundle, SimulateConfig(vectors=100, oracle_vectors=100, processes=1)).passed


def test_what_an_encoder_or_decoder_cannot_do_is_one_line(tmp_path) -> None:
    stages = [
        layers.Dense(4, "relu", bias_initializer=keras.initializers.Constant(-1e9)),
        layers.Dense(3, "tanh"),
        SHQ(4),
    ]
    dead = keras.Sequential([keras.Input((7,)), *stages])
    with pytest.raises(QcsError, match="its encoder gives the same for every y of the calibration"):
        export_model(dead, Y, out=tmp_path / "b", config=QUICK)
    stages = [layers.Dense(5, "tanh"), SHQ(4), layers.Reshape((5, 1)), layers.GRU(4), layers.Dense(6)]
    with pytest.raises(QcsError, match=r"the decoder cannot become TensorFlow Lite: tf\.TensorListReserve") as caught:
        export_model(keras.Sequential([keras.Input((7,)), *stages]), Y, out=tmp_path / "b", config=QUICK)
    assert "\n" not in str(caught.value)


def test_a_series_may_be_a_column(tmp_path) -> None:
    codec = export_model(model_of(decoder=False), Y.reshape(-1, 1), out=tmp_path / "b", config=QUICK)
    np.testing.assert_allclose(codec.sensor.windows[0], Y[0])
    with pytest.raises(QcsError, match="encodes only: it holds no decoder"):
        codec.decode(codec.encode(Y))


COLUMN, ROWS = np.arange(7.0).reshape(7, 1), np.arange(12.0).reshape(4, 3)


@pytest.mark.parametrize(
    ("given", "width", "rows"),
    [
        (COLUMN, 3, [[0, 1, 2], [3, 4, 5]]), (COLUMN.ravel(), 7, [[0, 1, 2, 3, 4, 5, 6]]),
        (COLUMN, 1, [[0], [1], [2], [3], [4], [5], [6]]), (COLUMN.ravel()[:2], 1, [[0], [1]]),
        (ROWS, 3, ROWS.tolist()), (ROWS, None, ROWS.tolist()), (ROWS.reshape(2, 2, 3), 6, ROWS.reshape(2, 6).tolist()),
    ],
)  # fmt: skip
def test_rows_are_laid_flat_and_a_series_is_cut(given, width, rows) -> None:
    assert rows_of(given, "y", width).tolist() == rows


@pytest.mark.parametrize(
    ("given", "width", "told"),
    [
        (COLUMN.ravel(), 8, r"y has the shape \(7,\), expected \(frames, 8\)"),
        (COLUMN.ravel(), None, r"y has the shape \(7,\), expected \(frames, n\)"),
        (np.empty((0, 3)), 3, r"y has the shape \(0, 3\)"), (ROWS, 4, "y has rows of 3 numbers, the model has 4"),
        (np.where(ROWS == 7, np.inf, ROWS), 3, "y: row 2 holds NaN or infinity"),
    ],
)  # fmt: skip
def test_what_are_no_rows_says_why(given, width, told) -> None:
    with pytest.raises(QcsError, match=f"^{told}"):
        rows_of(given, "y", width)


@pytest.mark.parametrize(
    ("values", "are"),
    [([-32768, 0, 32767], True), ([-32769, 0], False), ([0, 32768], False), ([0.5, 1], False)],
)
def test_counts_are_whole_numbers_within_int16(values, are: bool) -> None:
    assert holds_counts(np.array(values, float)) == are


def test_scales_are_means_and_deviations_of_what_is_known() -> None:
    x, y = np.array([[1.0, 5.0], [1.0, 9.0]]), np.array([[2.0], [6.0]])
    assert own._scales(y, Pairs(x, y), direct=False) == Scales(4.0, x.std(), 4.0, 2.0)
    assert own._scales(y, None, direct=False) == Scales(0.0, 1.0, 4.0, 2.0)
    assert own._scales(y, Pairs(x, y), direct=True) == Scales(4.0, 2.0, 4.0, 2.0)
    still = own._scales(0 * y, Pairs(0 * x, y), direct=False)
    assert (still.x_scale, still.y_scale) == (1e-12, 1e-12)


def test_entries_are_judged_apart_where_their_spreads_are_not_alike() -> None:
    """Up to twice they are; one that never moves counts as a millionth of the largest."""
    x = np.array([[-1.0], [1.0]])
    assert own._spread_of(None, Scales(0, 1, 0, 1)) is None
    assert own._spread_of(Pairs(x * [1.0, 2.0], x), Scales(0, 1, 0, 1)) is None
    np.testing.assert_allclose(own._spread_of(Pairs(x * [1.0, 2.01, 0.0], x), Scales(0, 2, 0, 1)),
                               [0.5, 1.005, 1.005e-6])  # fmt: skip


def job_of(model: Any, calibration: Any = None, pairs: Any = None, test: Any = None, **settings: Any) -> own.Job:
    config = ExportConfig(calibration_frames=100, **settings)
    return own.own_job(model, calibration, pairs, test, None, config, UNKNOWN_ADC, lambda *told: None)


def test_a_job_is_judged_on_pairs_or_by_what_it_is_calibrated_with() -> None:
    """Evenly spread over all that was given, x and y on their own scales; a name without the number of Keras's."""
    places = np.rint(np.linspace(0, 599, 100)).astype(int)
    own_y = (Y - Y.mean()) / Y.std()
    job = job_of(model_of(name="sequential_7"), pairs=(X, Y))
    assert (job.where, job.name, job.seed, job.spread) == ("model 'sequential_7'", "sequential", 0, None)
    assert job.calibration.x is not None
    np.testing.assert_allclose(job.calibration.x, (X[places] - X.mean()) / X.std())
    np.testing.assert_allclose(job.calibration.y, own_y[places])
    assert (cast(Any, job.source).direct, job.source.test(9)) == (False, None)
    assert job.tools.keys() == {"tensorflow", "keras"}
    bare = job_of(model_of(name="model_12_3"), Y, test=(X[:9], Y[:9]), name="own")
    assert (bare.name, bare.calibration.x, bare.float_db) == ("own", None, None)
    np.testing.assert_allclose(bare.calibration.y, own_y[places])
    tested = bare.source.test(5)
    assert tested is not None
    np.testing.assert_allclose(tested.x, (X[:5] - X[:9].mean()) / X[:9].std())
    # What goes in and comes out is the model's own, on other scales.
    q = np.linspace(-0.9, 0.9, 20, dtype=np.float32).reshape(4, 5)
    plain = model_of().layers[-1](q).numpy()
    np.testing.assert_allclose(job.parts.decoder(q).numpy(), (plain - X.mean()) / X.std(), rtol=1e-3, atol=1e-3)


def test_whoever_gives_x_as_y_or_no_decoder_samples_x_itself() -> None:
    apart = X * np.where(np.arange(12) == 3, 9.0, 1.0)
    for given in ({"pairs": (apart, apart)}, {"calibration": apart, "test": (apart, apart)}):
        job = job_of(model_of(apart), **given)
        assert cast(Any, job.source).direct
        assert job.spread is not None
        np.testing.assert_allclose(job.spread, apart.std(axis=0) / apart.std())
    bare = job_of(model_of(apart, decoder=False), apart)
    assert cast(Any, bare.source).direct
    tested = bare.source.test(7)
    assert tested is not None
    np.testing.assert_allclose(tested.y, (apart[:7] - apart.mean()) / apart.std())
    assert not cast(Any, job_of(model_of(apart), apart).source).direct, "nobody said what x is"


def test_places_are_evenly_spread_each_once() -> None:
    assert own._spread(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert own._spread(9, 3).tolist() == [0, 4, 8]


def test_what_is_measured_and_what_travels() -> None:
    tested, scales = Pairs(X[:10], Y[:10]), Scales(100.0, 5.0, 7.0, 2.0)
    source = own.OwnSource(False, False, 12, scales, tested, None, Y)
    frames = source.test(4)
    assert frames is not None
    np.testing.assert_allclose(frames.x, (X[:4] - 100) / 5)
    np.testing.assert_allclose(frames.y, (Y[:4] - 7) / 2)
    found = source.arrays(cast(Any, None), 2)
    assert (found["phi"].shape, found["windows"].tolist()) == ((0, 12), X[[0, 9]].tolist())
    assert found["measured"].tolist() == Y[[0, 9]].tolist()
    direct = own.OwnSource(True, False, 12, scales, tested, None, Y).arrays(cast(Any, None), 2)
    assert (direct.keys(), direct["phi"].tolist()) == ({"phi", "windows"}, np.eye(12).tolist())
    bare = own.OwnSource(False, False, 12, scales, None, None, Y)
    assert bare.test(4) is None
    assert [part.shape for part in bare.arrays(cast(Any, None), 3).values()] == [(0, 12), (0, 12), (3, 7)]


@pytest.mark.parametrize(("pairs", "batch"), [(100, 85), (3000, 1000)])
def test_a_decoder_is_tuned_on_the_first_pairs_and_chosen_on_the_last(monkeypatch, pairs: int, batch: int) -> None:
    """85 and 15 of a hundred, on the codec's own scale; one's own loss is told units."""
    rng, told = np.random.default_rng(1), {}
    x, y = rng.normal(size=(pairs, 2)) + 3, np.arange(pairs, dtype=float)[:, None]
    monkeypatch.setattr("qcskit.export.learned.tune.tune", lambda *_, **keys: told.update(keys, material=_[3]))
    scales = Scales(3.0, 2.0, 0.0, 1.0)
    source = own.OwnSource(False, False, 2, scales, None, Pairs(x, y), y, lambda x, x_hat: x + 10 * x_hat)
    job: Any = SimpleNamespace(seed=5, spread=None)
    source.finetune(None, cast(Any, None), job)
    border, material = pairs - round(0.15 * pairs), told["material"]
    assert (told["batch"], told["compiled"]) == (batch, False)
    drawn_x, drawn_y = material.draw(20_000, 3)
    places = drawn_y.ravel().astype(int)
    assert (places.min(), places.max()) == (0, border - 1)
    np.testing.assert_allclose(drawn_x, (x[places] - 3) / 2)
    np.testing.assert_array_equal(material.validation[1], y[border:])
    np.testing.assert_allclose(material.validation[0], (x[border:] - 3) / 2)
    assert material.energy == pytest.approx((((x - 3) / 2) ** 2).sum(axis=1).mean())
    assert told["loss"](1.0, 2.0) == (3 + 2) + 10 * (3 + 4)
    told.clear()
    replace(source, learned=None).finetune(None, cast(Any, None), job)
    assert told == {}, "without pairs the decoder stays as it is"
    replace(source, loss=None).finetune(None, cast(Any, None), job)
    assert told["loss"] is None
    job.spread = np.array([0.5, 4.0])
    replace(source, loss=None).finetune(None, cast(Any, None), job)
    np.testing.assert_allclose(told["loss"](np.array([1.0, 1.0]), np.array([0.0, 3.0])), [4.0, 0.25])


@pytest.mark.parametrize(("stem", "name"), [("Äcg", "cg"), ("", "model"), ("9", "model_9"), ("a" * 40, "a" * 31)])
def test_every_file_name_gives_a_model_name(stem: str, name: str) -> None:
    assert model_name(stem) == name


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """A folder with a saved model, x.npy and y.npy."""
    folder = tmp_path_factory.mktemp("files")
    model_of(name="saved").save(folder / "My Net.keras")
    np.save(folder / "x.npy", X)
    np.save(folder / "y.npy", Y)
    (folder / "cut.keras").write_bytes((folder / "My Net.keras").read_bytes()[:3000])
    (folder / "other.keras").write_text("no model")
    own = keras.Sequential([keras.Input((7,)), layers.Dense(5, "tanh"), layers.Lambda(lambda a: a), SHQ(4)])
    own.save(folder / "lambda.keras")
    return folder


def command(monkeypatch, *words: str) -> int:
    """Run a command of `qcskit` in this process, which has TensorFlow already; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["qcskit", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_command_line_exports_a_saved_model(files, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(files)
    out = str(tmp_path / "b")
    settings = ["-s", "export.finetune_steps=20", "-s", "export.golden_frames=8", "--json"]
    pairs = ["--pairs", "x.npy", "y.npy", "--test", "x.npy", "y.npy"]
    assert command(monkeypatch, "export", "My Net.keras", *pairs, "-o", out, *settings) == 0
    told = json.loads(capsys.readouterr().out)
    codec = open_codec(out)
    assert told["name"] == codec.name == "my_net"
    assert nmse_db(X - X.mean(), codec.decode(codec.encode(Y)) - X.mean()) == pytest.approx(
        told["nmse"]["deployed_db"], abs=1e-3
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["My Net.keras"], "give y as the model takes it"),
        (["My Net.keras", "--calibrate", "no.npy"], "no.npy"),
        (
            ["My Net.keras", "--calibrate", "y.npy", "--levels", "4"],
            "--levels goes with a model of yours, a .tflite file",
        ),
        (["no.keras", "--calibrate", "y.npy"], "model 'no.keras' does not exist"),
        (["cut.keras", "--calibrate", "y.npy"], "model 'cut.keras' cannot be loaded"),
        (["other.keras", "--calibrate", "y.npy"], "it is no .keras file, or a damaged one"),
        (["lambda.keras", "--calibrate", "y.npy"], "a Lambda or of another Keras version: load it in Python"),
        (["y.npy"], "a model is a .keras or a .tflite file, not '.npy'"),
        ([".", "--calibrate", "y.npy"], "--calibrate goes with a model of yours"),
    ],
)
def test_wrong_input_on_the_command_line_is_one_line(files, tmp_path, monkeypatch, capsys, words, message: str) -> None:
    monkeypatch.chdir(files)
    assert command(monkeypatch, "export", *words, "-o", str(tmp_path / "b")) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert message in told[-1]
    assert not (tmp_path / "b").exists()
