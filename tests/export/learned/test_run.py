"""From a run to a bundle: against the TFLM runtime and Keras, byte for byte reproducible, refusals before the work."""

import filecmp
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from support.float_encoders import tflm_outputs

from qcskit.codec.bundle import read_bundle
from qcskit.codec.codecs import load_codec, open_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.learned.litert import LiteRt
from qcskit.codec.learned.read_tflite import read_operators
from qcskit.codec.metrics import nmse_db
from qcskit.codec.signal import SignalConfig, draw_frames
from qcskit.export.config import ExportConfig
from qcskit.export.learned.run import export_run

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


def test_the_bundle_is_reproducible_byte_for_byte(exported) -> None:
    here, there = exported
    names = sorted(str(file.relative_to(here)) for file in here.rglob("*") if file.is_file())
    assert names == sorted(str(file.relative_to(there)) for file in there.rglob("*") if file.is_file())
    _, mismatch, errors = filecmp.cmpfiles(here, there, names, shallow=False)
    assert not mismatch
    assert not errors


def test_golden_vectors_come_back_from_the_tflm_runtime(exported) -> None:
    codec = open_codec(exported[0])
    vectors, flatbuffer = codec.bundle.vectors, codec.bundle.read("encoder.tflite")
    thresholds = np.array(codec.bundle.manifest.codec.thresholds)
    for inputs, packed in ((vectors["input"], "input_packed"), (codec.network_input(vectors["counts"]), "packed")):
        output = tflm_outputs(flatbuffer, inputs)
        expected = (output[..., None] > np.floor(thresholds * 128)).sum(-1).astype(np.uint8)
        np.testing.assert_array_equal(codec.packing.pack(expected).ravel(), vectors[packed])
    np.testing.assert_array_equal(codec.counts(vectors["y"]), vectors["counts"])


def test_decoder_equals_keras_when_it_was_not_fine_tuned(run_path, tmp_path) -> None:
    from qcskit.training.networks import parts
    from qcskit.training.run import read_run

    export_run(run_path, tmp_path / "b", QUICK.model_copy(update={"finetune_steps": 0}), ignore)
    bundle = read_bundle(tmp_path / "b")
    stages = parts(read_run(run_path).model)
    _, levels = stages.shq.quantizer()
    index = np.random.default_rng(0).integers(0, 4, (300, 10)).astype(np.uint8)
    expected = stages.decnet(levels[index].astype(np.float32)).numpy()
    ours = LiteRt(bundle.read("decoder.tflite")).run(index.astype(np.int32))
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_nmse_of_the_manifest_is_what_the_codec_gives(exported) -> None:
    bundle = read_bundle(exported[0])
    codec = load_codec(bundle)
    x, y = draw_frames(bundle.signal, 20_000, 77)
    assert nmse_db(x, codec.decode(codec.encode(y))) == pytest.approx(bundle.manifest.nmse.deployed_db, abs=0.4)


def test_a_fused_activation_is_exact_end_to_end(tmp_path) -> None:
    from qcskit.training.config import TrainConfig
    from qcskit.training.run import train_run

    recipe = TrainConfig(levels=4, decoder_widths=(32,), steps=60, warmup_steps=5, batch=200, test_frames=1000,
                         validation_frames=1000, encoder_activation="hard_tanh")  # fmt: skip
    train_run(tmp_path / "run", recipe, SignalConfig(), lambda step, soft, hard: None)
    export_run(tmp_path / "run", tmp_path / "b", QUICK, ignore)
    bundle = read_bundle(tmp_path / "b")
    fused = [(op.name, op.fused) for op in read_operators(bundle.read("encoder.tflite"))]
    assert fused == [("FULLY_CONNECTED", "RELU_N1_TO_1")] * 2
    output = tflm_outputs(bundle.read("encoder.tflite"), bundle.vectors["input"])
    expected = (output[..., None] > np.floor(np.array(bundle.manifest.codec.thresholds) / np.float32(1 / 127))).sum(-1)
    packed = load_codec(bundle).packing.pack(expected.astype(np.uint8))
    np.testing.assert_array_equal(packed.ravel(), bundle.vectors["input_packed"])
    assert bundle.manifest.codec.activation == "hard_tanh"


def test_an_out_that_cannot_be_replaced_is_refused_before_the_work(run_path, tmp_path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(QcsError, match="is not replaced; choose another --out"):
        export_run(run_path, tmp_path / "file", QUICK, lambda stage, done, total: pytest.fail("work was begun"))


def test_profile_native_and_auto(run_path, exported, tmp_path) -> None:
    export_run(run_path, tmp_path / "n", QUICK.model_copy(update={"profile": "native"}), ignore)
    native, tflm = read_bundle(tmp_path / "n"), read_bundle(exported[0])
    assert (native.manifest.codec.profile, tflm.manifest.codec.profile) == ("native", "tflm")
    assert not any("tflm" in name for name in native.manifest.files)
    assert native.manifest.nmse.deployed_db <= tflm.manifest.nmse.deployed_db + 0.1
    auto = QUICK.model_copy(update={"profile": "auto", "max_loss_db": 50.0})
    assert export_run(run_path, tmp_path / "a", auto, ignore).codec.profile == "tflm"
    coarse = {
        "profile": "auto",
        "max_loss_db": 0.1,
        "input_ranges": (60.0,),
        "finetune_steps": 0,
    }  # 16-bit inputs do not mind
    wide = export_run(run_path, tmp_path / "w", QUICK.model_copy(update=coarse), ignore)
    assert (wide.codec.profile, wide.codec.arithmetic, wide.codec.input_grid) == ("tflm16", "int16", None)
    assert wide.nmse.deployed_db <= wide.nmse.float_db + 0.1
    with pytest.raises(QcsError, match="no arithmetic profile keeps the loss"):
        export_run(run_path, tmp_path / "x", auto.model_copy(update={"max_loss_db": -50.0}), ignore)


def test_16_bit_activations_are_exact_end_to_end(run_path, tmp_path) -> None:
    config = QUICK.model_copy(update={"profile": "tflm16", "adc_offset_counts": 100})
    for place in ("here", "there"):
        export_run(run_path, tmp_path / place, config, ignore)
    assert not filecmp.dircmp(tmp_path / "here", tmp_path / "there").diff_files
    bundle = read_bundle(tmp_path / "here")
    codec = load_codec(bundle)
    inputs = ((bundle.vectors["counts"].astype(int) - 100) * 16).astype(np.int16)
    output = tflm_outputs(bundle.read("encoder.tflite"), inputs)
    expected = (output[..., None] > np.floor(np.array(bundle.manifest.codec.thresholds) * 32768)).sum(-1)
    packed = codec.packing.pack(expected.astype(np.uint8))
    np.testing.assert_array_equal(packed.ravel(), bundle.vectors["packed"])
    assert "input" not in bundle.vectors
    x, y = draw_frames(bundle.signal, 4000, 123)
    assert nmse_db(x, codec.decode(codec.encode(y))) == pytest.approx(bundle.manifest.nmse.deployed_db, abs=0.4)
    assert {op.inputs[0].kind for op in read_operators(bundle.read("encoder.tflite"))} == {"INT16"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"quantizer": "per-output"}, "one quantizer per output"), ({"variant": "ce-decnet"}, "no encoder to export")],
)
def test_what_the_integers_do_not_cover_is_refused(run_path, settings, message, monkeypatch, tmp_path) -> None:
    from qcskit.training import run

    made = run.read_run(run_path)
    other = replace(made, train=made.train.model_copy(update=settings))
    monkeypatch.setattr(run, "read_run", lambda path: other)
    with pytest.raises(QcsError, match=message):
        export_run(run_path, tmp_path / "b", QUICK, ignore)


def test_an_activation_without_integers_is_refused(run_path, tmp_path) -> None:
    from qcskit.export.learned.run import Job, read_encoder

    layers = [SimpleNamespace(activation=SimpleNamespace(__name__=name)) for name in ("gelu", "tanh")]
    stages = SimpleNamespace(
        encnet=SimpleNamespace(layers=layers), shq=SimpleNamespace(quantizer=lambda: (np.zeros(1), np.zeros(2)))
    )
    frames = (np.zeros((1, 20)), np.zeros((1, 10)))
    with pytest.raises(QcsError, match=r"EncNet layer 0 ends in 'gelu'.*train with one of: tanh, hard_tanh, relu"):
        read_encoder(Job(SimpleNamespace(path="run"), stages, frames, QUICK, ignore))
    layers[0].activation.__name__, layers[1].activation.__name__ = "relu", "relu"
    with pytest.raises(QcsError, match=r"layer 1 ends in 'relu'.*train with one of: tanh, hard_tanh$"):
        read_encoder(Job(SimpleNamespace(path="run"), stages, frames, QUICK, ignore))


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
