"""The exporter against the TFLM runtime, Keras and exhaustive sweeps."""

import filecmp
import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from tflite_micro import runtime
from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

from qcskit.codec import integer
from qcskit.codec.bundle import read_bundle
from qcskit.codec.decoder import load_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.litert import LiteRt
from qcskit.codec.metrics import nmse_db
from qcskit.codec.signal import SignalConfig, draw_frames
from qcskit.export import int8
from qcskit.export.config import ExportConfig
from qcskit.export.encoder import build_encoder
from qcskit.export.flatbuffer import encoder_flatbuffer, tanh_table
from qcskit.export.read_flatbuffer import read_operators
from qcskit.export.run import export_run

QUICK = ExportConfig(finetune_steps=20, golden_frames=16, test_frames=2000, calibration_frames=1000)


def ignore(stage: str, done: int, total: int) -> None:
    """No progress wanted."""


@pytest.fixture(scope="module")
def exported(run_path, tmp_path_factory):
    """The bundle of the short run, exported twice in two places."""
    paths = [tmp_path_factory.mktemp(name) / "bundle" for name in ("here", "there")]
    for path in paths:
        export_run(run_path, path, QUICK, ignore)
    return paths


def random_encoder(
    rng: np.random.Generator, widths: tuple[int, ...], levels: int, activation: str = "tanh"
) -> int8.FloatEncoder:
    """Return a float encoder with weights large enough to saturate now and then."""
    pairs = list(itertools.pairwise(widths))
    last = "tanh" if activation == "tanh" else "hard_tanh"
    return int8.FloatEncoder(
        tuple(rng.standard_normal((o, i)).astype(np.float32) * 2 / np.sqrt(i).astype(np.float32) for i, o in pairs),
        tuple(rng.standard_normal(o).astype(np.float32) * np.float32(0.3) for _, o in pairs),
        np.sort(rng.uniform(-0.95, 0.95, levels - 1)),
        (activation,) * (len(pairs) - 1) + (last,),
        tuple(rng.uniform(0.5, 9, len(pairs))),
    )


def tflm_outputs(flatbuffer: bytes, inputs: np.ndarray) -> np.ndarray:
    """Run the TFLM runtime vector by vector."""
    interpreter = runtime.Interpreter.from_bytes(flatbuffer)
    rows = []
    for row in inputs:
        interpreter.set_input(row[None, :], 0)
        interpreter.invoke()
        rows.append(interpreter.get_output(0)[0].copy())
    return np.stack(rows)


@pytest.mark.parametrize("activation", ["tanh", "hard_tanh", "relu", "relu6"])
@pytest.mark.parametrize("seed", range(6))
def test_tables_equal_the_tflm_runtime_on_random_models(seed: int, activation: str) -> None:
    rng = np.random.default_rng(seed)
    widths = tuple(int(w) for w in rng.integers(1, 40, rng.integers(2, 5)))
    encoder = random_encoder(rng, widths, int(rng.integers(2, 20)), activation)
    ranges = int8.Ranges(*rng.uniform(1, 5, 3)) if activation == "tanh" else int8.Ranges(2.0, rng.uniform(0.3, 1), 1.0)
    layers = int8.quantize_layers(encoder, ranges)
    tables = int8.integer_tables(layers, encoder.thresholds, int8.front_end_for(0.02, 0.001, 0))
    inputs = rng.integers(-128, 128, (400, widths[0])).astype(np.int8)
    inputs[:2] = [[-128], [127]]
    output = tflm_outputs(encoder_flatbuffer(layers, "random"), inputs)
    # Straight from the definition: thresholds strictly below the dequantized output.
    expected = (output[..., None] > np.floor(encoder.thresholds / float(layers[-1].output_scale))).sum(-1)
    np.testing.assert_array_equal(integer.encode_index(tables, inputs), expected)


def test_folded_thresholds_are_exact_for_every_attainable_accumulator(bundle_path) -> None:
    tables = read_bundle(bundle_path).tables
    rng = np.random.default_rng(0)
    encoder = random_encoder(rng, (12, 5), 16)
    last = int8._dense_tables(int8.quantize_layers(encoder, int8.Ranges(2.0, 3.0, 2.0))[0])
    cuts = int8.output_cuts(encoder.thresholds)
    folded = int8.fold_thresholds(last, cuts)
    reach = 128 * np.abs(last.weights.astype(np.int64)).sum(1)
    for output in range(5):
        acc = np.arange(-reach[output], reach[output] + 1)
        pre = integer.requantize(acc + last.bias[output], last.multiplier[output], last.shift[output])
        q = last.activation[pre.clip(-128, 127) + 128]
        expected = (q[:, None] >= cuts).sum(1)
        np.testing.assert_array_equal((acc[:, None] >= folded[output]).sum(1), expected)
    assert np.all(np.diff(tables.thresholds, axis=1) >= 0)


@pytest.mark.parametrize("activation", ["tanh", "hard_tanh", "relu"])
def test_native_thresholds_are_the_float_boundaries_for_every_attainable_accumulator(activation: str) -> None:
    encoder = random_encoder(np.random.default_rng(3), (12, 9, 5), 24, activation)
    encoder.thresholds[[0, -1]] = [-1.0, 1.0]  # always reached; by tanh never, by hard tanh from 1 on
    layers = int8.quantize_layers(encoder, int8.Ranges(2.0, 1.0, 2.0))
    last = layers[-1]
    folded = int8.integer_tables(layers, encoder.thresholds, int8.front_end_for(0.02, 0.001, 0), "native").thresholds
    reach = 128 * np.abs(last.weights.astype(np.int64)).sum(1)
    sums = last.weights.astype(np.int64).sum(1)
    for output in range(5):
        acc = np.arange(-reach[output], reach[output] + 1)
        # The dequantized last layer, written down as its definition: real = scale · (q − zero point).
        bias = float(last.bias[output]) - last.input_zero_point * sums[output]
        real = (acc + bias) * float(last.input_scale) * float(last.weight_scale[output])
        value = np.tanh(real) if activation == "tanh" else real.clip(-1, 1)
        expected = (value[:, None] >= encoder.thresholds).sum(1)
        np.testing.assert_array_equal((acc[:, None] >= folded[output]).sum(1), expected)


def test_native_indices_differ_from_float_only_where_the_stated_bound_allows() -> None:
    """Bound on the last pre-activation: each hidden value is off by at most half a step of each grid it passes."""
    rng = np.random.default_rng(5)
    encoder = random_encoder(rng, (10, 30, 8), 32, "hard_tanh")
    layers = int8.quantize_layers(encoder, int8.Ranges(2.0, 1.0, 1.0))
    tables = int8.integer_tables(layers, encoder.thresholds, int8.front_end_for(0.02, 0.001, 0), "native")
    x = rng.integers(-127, 128, (4000, 10)).astype(np.int8)
    # Float network on dequantized inputs and weights: what int8 weights alone make of it.
    real = [np.float64(layer.weight_scale)[:, None] * layer.weights for layer in layers]
    biases = [np.float64(layer.input_scale) * np.float64(layer.weight_scale) * layer.bias for layer in layers]
    hidden = (x * float(layers[0].input_scale) @ real[0].T + biases[0]).clip(-1, 1)
    pre = hidden @ real[1].T + biases[1]
    off = 1.01 * float(layers[0].output_scale)  # half a step, and TFLM's second rounding at most another half
    bound = off * np.abs(real[1]).sum(1)
    low = ((pre - bound)[..., None] >= encoder.thresholds).sum(-1)
    high = ((pre + bound)[..., None] >= encoder.thresholds).sum(-1)
    index = integer.encode_index(tables, x)
    assert np.all((low <= index) & (index <= high))
    exact = (pre[..., None] >= encoder.thresholds).sum(-1)
    assert np.abs(index - exact).max() <= 2
    assert np.mean(index == exact) > 0.8


def test_tanh_table_is_close_to_tanh_and_ascends() -> None:
    for scale in (0.01, 3 / 127, 0.1):
        table = tanh_table(float(np.float32(scale)))
        ideal = np.clip(np.rint(128 * np.tanh(np.arange(-128, 128) * scale)), -128, 127)
        assert np.abs(table - ideal).max() <= 1
        assert np.all(np.diff(table.astype(int)) >= 0)


def test_the_bundle_is_reproducible_byte_for_byte(exported) -> None:
    here, there = exported
    names = sorted(str(file.relative_to(here)) for file in here.rglob("*") if file.is_file())
    assert names == sorted(str(file.relative_to(there)) for file in there.rglob("*") if file.is_file())
    _, mismatch, errors = filecmp.cmpfiles(here, there, names, shallow=False)
    assert not mismatch
    assert not errors


def test_the_flatbuffer_holds_only_fully_connected_and_tanh_and_aligned_constants(exported) -> None:
    content = (exported[0] / "encoder.tflite").read_bytes()
    model = schema.Model.GetRootAsModel(content, 0)
    codes = {model.OperatorCodes(i).BuiltinCode() for i in range(model.OperatorCodesLength())}
    assert codes == {schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOperator.TANH}
    for i in range(model.BuffersLength()):
        data = model.Buffers(i).DataAsNumpy()
        if not isinstance(data, int):
            assert (data.__array_interface__["data"][0] - np.frombuffer(content, np.uint8).ctypes.data) % 16 == 0


def test_golden_vectors_come_back_from_the_tflm_runtime(exported) -> None:
    bundle = read_bundle(exported[0])
    vectors = bundle.vectors
    np.testing.assert_array_equal(tflm_outputs(bundle.file("encoder.tflite").read_bytes(), vectors["input"]),
                                  vectors["output"])  # fmt: skip
    np.testing.assert_array_equal(integer.encode_packed(bundle.tables, vectors["input"]), vectors["packed"])
    np.testing.assert_array_equal(bundle.quantize_input(vectors["y"]), vectors["input"])
    np.testing.assert_array_equal(bundle.to_counts(vectors["y"]), vectors["counts"])
    assert np.abs(vectors["counts_input"].astype(int) - vectors["input"]).max() <= 1


def test_decoder_equals_keras_when_it_was_not_fine_tuned(run_path, tmp_path) -> None:
    from qcskit.training.networks import parts
    from qcskit.training.run import read_run

    export_run(run_path, tmp_path / "b", QUICK.model_copy(update={"finetune_steps": 0}), ignore)
    bundle = read_bundle(tmp_path / "b")
    stages = parts(read_run(run_path).model)
    _, levels = stages.shq.quantizer()
    index = np.random.default_rng(0).integers(0, 4, (300, 10)).astype(np.uint8)
    expected = stages.decnet(levels[index].astype(np.float32)).numpy()
    ours = LiteRt(bundle.file("decoder.tflite").read_bytes()).run(index.astype(np.int32))
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_nmse_of_the_manifest_is_what_the_codec_gives(exported) -> None:
    bundle = read_bundle(exported[0])
    codec = load_codec(bundle)
    x, y = draw_frames(bundle_signal(bundle), 20_000, 77)
    assert nmse_db(x, codec.decode(codec.encode(y))) == pytest.approx(bundle.manifest.nmse.int8_db, abs=0.4)


def bundle_signal(bundle):
    """Return the signal configuration of a bundle."""

    return SignalConfig(**bundle.manifest.signal.model_dump())


def test_quantize_multiplier_is_within_one_unit_of_the_real_number() -> None:
    for real in (1e-9, 3.7e-4, 0.4999999999, 0.99999999999, 1.0, 5.5):
        mantissa, shift = int8.quantize_multiplier(real)
        assert 2**30 <= mantissa < 2**31
        assert mantissa * 2.0 ** (shift - 31) == pytest.approx(real, rel=2.0**-31)


def test_nan_weights_are_refused() -> None:
    encoder = random_encoder(np.random.default_rng(0), (4, 3), 4)
    encoder.weights[0][1, 2] = np.nan
    with pytest.raises(QcsError, match="layer 0 holds NaN"):
        int8.quantize_layers(encoder, int8.Ranges(2.0, 3.0, 2.0))


@pytest.mark.parametrize("activation", ["hard_tanh"])
def test_other_activations_are_fused_and_exact_end_to_end(activation, tmp_path) -> None:
    from qcskit.training.config import TrainConfig
    from qcskit.training.run import train_run

    recipe = TrainConfig(levels=4, decoder_widths=(32,), steps=60, warmup_steps=5, batch=200, test_frames=1000,
                         validation_frames=1000, encoder_activation=activation)  # fmt: skip
    train_run(tmp_path / "run", recipe, SignalConfig(), lambda step, soft, hard: None)
    export_run(tmp_path / "run", tmp_path / "b", QUICK, ignore)
    bundle = read_bundle(tmp_path / "b")
    fused = [(op.name, op.fused) for op in read_operators(bundle.file("encoder.tflite").read_bytes())]
    hidden = {"hard_tanh": "RELU_N1_TO_1", "relu6": "RELU6"}[activation]
    assert fused == [("FULLY_CONNECTED", hidden), ("FULLY_CONNECTED", "RELU_N1_TO_1")]
    output = tflm_outputs(bundle.file("encoder.tflite").read_bytes(), bundle.vectors["input"])
    np.testing.assert_array_equal(output, bundle.vectors["output"])
    expected = (output[..., None] > np.floor(np.array(bundle.manifest.thresholds) / np.float32(1 / 127))).sum(-1)
    np.testing.assert_array_equal(bundle.vectors["index"], expected)
    assert bundle.manifest.activation == activation


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"adc_bits": 16, "adc_offset_counts": -1}, "leaves the int16 that a count is"),
        ({"adc_bits": 12, "adc_offset_counts": 31_000}, "subtract the offset in the firmware"),
        ({"input_ranges": (0.0,)}, "greater than 0.000001"),
        ({"hidden_ranges": (float("nan"),)}, "finite number"),
        ({"max_loss_db": float("nan")}, "finite number"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message) -> None:
    with pytest.raises(ValueError, match=message):
        ExportConfig(**settings)


def test_an_encoder_too_wide_for_16_bits_says_so() -> None:
    rng = np.random.default_rng(1)
    encoder = int8.FloatEncoder(
        (rng.uniform(-1, 1, (600, 40)).astype(np.float32), rng.uniform(-1, 1, (600, 600)).astype(np.float32),
         rng.uniform(-1, 1, (3, 600)).astype(np.float32)),
        (np.zeros(600, np.float32), np.zeros(600, np.float32), np.zeros(3, np.float32)), np.array([0.0]),
    )  # fmt: skip
    with pytest.raises(int8.AccumulatorError, match=r"600 inputs of 16 bits .* take export.profile = native"):
        build_encoder(encoder, int8.Ranges(2.0, 1.0, 1.0), ExportConfig(), "tflm16")
    huge = int8.FloatEncoder((np.full((2, 2), 1e18, np.float32),) * 2, (np.zeros(2, np.float32),) * 2, np.array([0.0]))
    for profile in ("tflm", "tflm16"):
        with pytest.raises(int8.AccumulatorError, match="weights"):
            build_encoder(huge, int8.Ranges(2.0, 3.0, 2.0), ExportConfig(), profile)


def test_an_out_that_cannot_be_replaced_is_refused_before_the_work(run_path, tmp_path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(QcsError, match="is not replaced; choose another --out"):
        export_run(run_path, tmp_path / "file", QUICK, lambda stage, done, total: pytest.fail("work was begun"))


def test_profile_native_and_auto(run_path, exported, tmp_path) -> None:
    export_run(run_path, tmp_path / "n", QUICK.model_copy(update={"profile": "native"}), ignore)
    native, tflm = read_bundle(tmp_path / "n"), read_bundle(exported[0])
    assert (native.manifest.profile, tflm.manifest.profile) == ("native", "tflm")
    assert not any("tflm" in name for name in native.manifest.files)
    assert native.manifest.nmse.int8_db <= tflm.manifest.nmse.int8_db + 0.1
    auto = QUICK.model_copy(update={"profile": "auto", "max_loss_db": 50.0})
    assert export_run(run_path, tmp_path / "a", auto, ignore).profile == "tflm"
    coarse = {
        "profile": "auto",
        "max_loss_db": 0.1,
        "input_ranges": (60.0,),
        "finetune_steps": 0,
    }  # 16-bit inputs do not mind
    wide = export_run(run_path, tmp_path / "w", QUICK.model_copy(update=coarse), ignore)
    assert (wide.profile, wide.arithmetic, wide.input_grid) == ("tflm16", "int16", None)
    assert wide.nmse.int8_db <= wide.nmse.float_db + 0.1
    with pytest.raises(QcsError, match="no arithmetic profile keeps the loss"):
        export_run(run_path, tmp_path / "x", auto.model_copy(update={"max_loss_db": -50.0}), ignore)


def test_16_bit_activations_are_exact_end_to_end(run_path, tmp_path) -> None:
    config = QUICK.model_copy(update={"profile": "tflm16", "adc_offset_counts": 100})
    for place in ("here", "there"):
        export_run(run_path, tmp_path / place, config, ignore)
    assert not filecmp.dircmp(tmp_path / "here", tmp_path / "there").diff_files
    bundle = read_bundle(tmp_path / "here")
    output = tflm_outputs(bundle.file("encoder.tflite").read_bytes(), bundle.vectors["counts_input"])
    np.testing.assert_array_equal(output, bundle.vectors["output"])
    expected = (output[..., None] > np.floor(np.array(bundle.manifest.thresholds) * 32768)).sum(-1)
    np.testing.assert_array_equal(bundle.vectors["index"], expected)
    np.testing.assert_array_equal((bundle.vectors["counts"].astype(int) - 100) * 16, bundle.vectors["counts_input"])
    assert "input" not in bundle.vectors
    np.testing.assert_array_equal(bundle.golden_inputs, bundle.vectors["counts"])
    codec = load_codec(bundle)
    x, y = draw_frames(SignalConfig.model_validate(bundle.manifest.signal.model_dump()), 4000, 123)
    assert nmse_db(x, codec.decode(codec.encode(y))) == pytest.approx(bundle.manifest.nmse.int8_db, abs=0.4)
    assert {op.inputs[0].kind for op in read_operators(bundle.file("encoder.tflite").read_bytes())} == {"INT16"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"quantizer": "per-output"}, "a quantizer per output"), ({"variant": "ce-decnet"}, "has no EncNet")],
)
def test_what_the_integers_do_not_cover_is_refused(settings, message) -> None:
    pytest.importorskip("tensorflow", reason="needs the extra 'train': pip install 'qcskit[train]'")
    from qcskit.export.run import read_encoder
    from qcskit.training.config import TrainConfig
    from qcskit.training.networks import build_model, parts

    stages = parts(build_model(TrainConfig(levels=4, decoder_widths=(8,), **settings), SignalConfig()))
    with pytest.raises(QcsError, match=message):
        read_encoder(stages, SimpleNamespace(path="run"), QUICK)


def test_a_run_that_is_missing_or_broken_is_one_clear_line(run_path, tmp_path) -> None:
    with pytest.raises(QcsError, match="does not exist"):
        export_run(tmp_path / "no", tmp_path / "b", QUICK, ignore)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "metrics.json").write_bytes((run_path / "metrics.json").read_bytes())
    (broken / "model.keras").write_bytes((run_path / "model.keras").read_bytes()[:1000])
    with pytest.raises(QcsError, match=r"model\.keras cannot be loaded"):
        export_run(broken, tmp_path / "b", QUICK, ignore)
    assert not (tmp_path / "b").exists()
