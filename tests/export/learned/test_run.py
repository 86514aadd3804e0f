"""From a run to a bundle: against the TFLM runtime and Keras, byte for byte reproducible, refusals before the work."""

import filecmp
import json
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from support.float_encoders import tflm_outputs

from qcskit.codec.bundle import NmseFacts, read_bundle
from qcskit.codec.codecs import load_codec, open_codec
from qcskit.codec.errors import CheckFailedError, QcsError
from qcskit.codec.learned.bundle import PROFILES
from qcskit.codec.learned.litert import LiteRt
from qcskit.codec.learned.read_tflite import read_operators
from qcskit.codec.metrics import nmse_db
from qcskit.codec.sensor import UNKNOWN_ADC, AdcConfig, SignalFacts
from qcskit.codec.signal import SignalConfig, draw_frames
from qcskit.export.config import ExportConfig
from qcskit.export.learned import run as run_module
from qcskit.export.learned.fold import ProfileError
from qcskit.export.learned.job import Frames, Job, Scales
from qcskit.export.learned.quantize import FloatEncoder, Ranges
from qcskit.export.learned.run import (
    _FINETUNE_GAIN_DB,
    DrawnSource,
    RunSource,
    choose_profile,
    choose_ranges,
    export_run,
    input_ranges,
    range_candidates,
)

QUICK = ExportConfig(finetune_steps=20, golden_frames=16, test_frames=2000, calibration_frames=1000, profile="tflm",
                     allow_loss=True)  # fmt: skip


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
    # 16-bit activations do not mind how much their grids cover.
    coarse = QUICK.model_copy(update={"profile": "auto", "hidden_ranges": (60.0,), "finetune_steps": 0})
    wide = export_run(run_path, tmp_path / "w", coarse.model_copy(update={"allow_loss": False}), ignore)
    assert (wide.codec.profile, wide.codec.arithmetic, wide.codec.input_grid) == ("tflm16", "int16", None)
    assert wide.nmse.deployed_db <= wide.nmse.float_db + 0.1
    assert wide.codec.loss_db.keys() | wide.codec.skipped_db.keys() == {"tflm", "native", "tflm16"}
    assert wide.codec.loss_db["tflm16"] == pytest.approx(wide.nmse.deployed_db - wide.nmse.float_db, abs=1e-3)


def test_a_loss_that_matters_stops_the_export_and_names_the_cause(run_path, tmp_path) -> None:
    lossy = QUICK.model_copy(update={"hidden_ranges": (60.0,), "finetune_steps": 0, "allow_loss": False})
    with pytest.raises(CheckFailedError, match=r"profile tflm lose .* Largest: the 8-bit grid of hidden activations"):
        export_run(run_path, tmp_path / "x", lossy, ignore)
    assert not (tmp_path / "x").exists()
    kept = export_run(run_path, tmp_path / "x", lossy.model_copy(update={"allow_loss": True}), ignore)
    assert kept.nmse.deployed_db > kept.nmse.float_db + lossy.max_loss_db
    assert kept.codec.loss_db == {"tflm": pytest.approx(kept.nmse.deployed_db - kept.nmse.float_db, abs=1e-3)}


def test_16_bit_activations_are_exact_end_to_end(run_path, tmp_path) -> None:
    config, adc = QUICK.model_copy(update={"profile": "tflm16"}), AdcConfig(offset_counts=100)
    for place in ("here", "there"):
        export_run(run_path, tmp_path / place, config, ignore, adc)
    assert not filecmp.dircmp(tmp_path / "here", tmp_path / "there").diff_files
    bundle = read_bundle(tmp_path / "here")
    codec = load_codec(bundle)
    # The ADC's 12 bits cover what the 16 of the input do.
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


def foreign(shape: int, outputs: int) -> bytes:
    """Return the model.keras of someone else."""
    import keras

    from qcskit.training.run import _model_bytes
    from qcskit.training.shq import SHQ

    layers = [keras.layers.Dense(4, "tanh"), SHQ(4), keras.layers.Dense(outputs)]
    return _model_bytes(keras.Sequential([keras.Input((shape,)), *layers]))


NO_HASHES = {"files": {}}


@pytest.mark.parametrize(
    ("change", "model", "message"),
    [
        ({}, lambda own: own[:1000], r"model\.keras is not the one of this run \(sha256 differs\)"),
        (NO_HASHES, lambda own: own[:1000], r"model\.keras cannot be loaded"),
        (NO_HASHES, lambda own: b"", r"model\.keras cannot be loaded"),
        (
            NO_HASHES,
            lambda own: foreign(3, 20),
            "its model takes 3 and gives 20 numbers, metrics.json says m = 10 and n = 20",
        ),
        (NO_HASHES, lambda own: None, "model.keras cannot be read: No such file"),
        ({"history": None}, None, "metrics.json: history: Input should be a valid dictionary"),
        ({"nmse_hard_db": "low"}, None, "metrics.json: nmse_hard_db: Input should be a valid number"),
        ({"signal": {"n": 20, "colour": 1}}, None, "metrics.json: signal.colour"),
        ({"run_version": [1]}, None, r"is of version \[1\], expected 1"),
        ([], None, "is of version unknown, expected 1"),
        ("no JSON", None, "metrics.json"),
    ],
)
def test_a_run_that_is_broken_or_someone_else_s_is_one_clear_line(
    run_path, tmp_path, change, model, message: str
) -> None:
    metrics, content = json.loads((run_path / "metrics.json").read_text()), (run_path / "model.keras").read_bytes()
    broken = tmp_path / "broken"
    broken.mkdir()
    text = change if isinstance(change, str) else json.dumps({**metrics, **change} if change != [] else [])
    (broken / "metrics.json").write_text(text)
    if (content := model(content) if model else content) is not None:
        (broken / "model.keras").write_bytes(content)
    with pytest.raises(QcsError, match=message) as caught:
        export_run(broken, tmp_path / "b", QUICK, ignore)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "b").exists()


def test_a_run_that_is_missing_is_one_clear_line(tmp_path) -> None:
    with pytest.raises(QcsError, match="does not exist"):
        export_run(tmp_path / "no", tmp_path / "b", QUICK, ignore)


@dataclass(frozen=True)
class Made:
    """What `choose_profile` looks at of a draft."""

    profile: str
    nmse: NmseFacts
    facts: SimpleNamespace


class Trial:
    """Profiles whose losses are given: `after` fine-tuning; `before` it on calibration frames; None: no accumulator."""

    def __init__(self, monkeypatch, after: dict[str, float | None], before: dict[str, float], **settings) -> None:
        self.weights, self.deployed_from, self.told = "trained", [], []
        decnet = SimpleNamespace(get_weights=lambda: self.weights, set_weights=lambda w: setattr(self, "weights", w))
        config, told = ExportConfig(**settings), self.told

        source, parts = SimpleNamespace(test=lambda frames: fresh[:frames]), SimpleNamespace(decoder=decnet)
        self.job = Job("it", "it", 3, parts, source, None, config, UNKNOWN_ADC, lambda *what: told.append(what))

        def choose_ranges(job, network, profile):
            job.progress("choose ranges", 1, 2)
            if after[profile] is None:
                raise ProfileError("too wide")
            return SimpleNamespace(profile=profile)

        def deploy(job, encoder):
            self.deployed_from.append((encoder.profile, self.weights))
            self.weights = "fine-tuned for " + encoder.profile
            nmse = NmseFacts(frames=1, float_db=-20.0, deployed_db=-20.0 + after[encoder.profile])
            facts = SimpleNamespace(model_copy=lambda update: SimpleNamespace(**update))
            return after[encoder.profile], Made(encoder.profile, nmse, facts)

        monkeypatch.setattr(Job, "network", lambda job: None)
        monkeypatch.setattr(run_module, "choose_ranges", choose_ranges)
        monkeypatch.setattr(run_module, "deploy", deploy)
        monkeypatch.setattr(run_module, "calibration_loss_db", lambda job, encoder: before.get(encoder.profile, 0.0))
        fresh = np.arange(30_000)

        def explain(job, encoder, loss_db, frames):
            return f"{encoder.profile} {loss_db:g} {self.weights} {np.array_equal(frames, fresh[:20_000])}"

        monkeypatch.setattr(run_module, "explain_loss", explain)

    def choose(self) -> Made:
        return choose_profile(self.job)


MOST = 0.1 + _FINETUNE_GAIN_DB
MORE = round(MOST + 0.01, 3)
"""What fine-tuning can still bring below `auto_loss_db`."""


@pytest.mark.parametrize(
    ("after", "before", "chosen", "tried", "skipped"),
    [
        ((0.1, 0.0, 0.0), {}, "tflm", {"tflm": 0.1}, {}),  # the first that is good enough, not the best
        ((-0.5, 0.0, 0.0), {}, "tflm", {"tflm": -0.5}, {}),
        ((0.11, 0.05, 0.0), {}, "native", {"tflm": 0.11, "native": 0.05}, {}),
        ((0.3, 0.2, 0.09), {}, "tflm16", {"tflm": 0.3, "native": 0.2, "tflm16": 0.09}, {}),
        ((0.3, 0.2, 0.4), {}, "native", {"tflm": 0.3, "native": 0.2, "tflm16": 0.4}, {}),  # none is: the best
        ((0.0, 0.05, 0.0), {"tflm": MORE}, "native", {"native": 0.05}, {"tflm": MORE}),
        ((0.0, 0.05, 0.0), {"tflm": MOST}, "tflm", {"tflm": 0.0}, {}),
        ((0.0, 0.0, 0.2), {"tflm": 9, "native": 9, "tflm16": 9}, "tflm16", {"tflm16": 0.2}, {"tflm": 9, "native": 9}),
        ((0.3, 0.2, None), {}, "native", {"tflm": 0.3, "native": 0.2}, {}),  # too wide for 16 bits
        ((None, 0.2, 0.0), {}, "tflm16", {"native": 0.2, "tflm16": 0.0}, {}),
    ],
)
def test_auto_takes_the_first_within_its_loss_and_else_the_best(
    monkeypatch, after, before, chosen, tried, skipped
) -> None:
    trial = Trial(monkeypatch, dict(zip(PROFILES, after, strict=True)), before)
    found = trial.choose()
    assert (found.profile, found.facts.loss_db, found.facts.skipped_db) == (chosen, tried, skipped)
    # Each begins with the decoder as it was trained.
    assert trial.deployed_from == [(profile, "trained") for profile in tried]
    assert {stage.partition(":")[0] for stage, _, _ in trial.told} >= tried.keys()


def test_auto_refuses_where_the_best_loses_too_much_and_explains_it_with_the_trained_decoder(monkeypatch) -> None:
    after = {"tflm": 0.9, "native": 0.6, "tflm16": 0.7}
    with pytest.raises(CheckFailedError, match=r"^native 0\.6 trained True$") as refused:
        Trial(monkeypatch, after, {}).choose()
    assert refused.value.exit_code == 1
    assert Trial(monkeypatch, after, {}, allow_loss=True).choose().profile == "native"
    assert Trial(monkeypatch, after, {}, max_loss_db=0.6).choose().profile == "native"


def test_a_profile_that_is_asked_for_is_the_only_one(monkeypatch) -> None:
    after = {"tflm": 0.0, "native": 0.45, "tflm16": None}
    trial = Trial(monkeypatch, after, {"native": 99.0}, profile="native")
    assert trial.choose().facts.loss_db == {"native": 0.45}
    assert {stage for stage, _, _ in trial.told} == {"choose ranges"}
    with pytest.raises(ProfileError):
        Trial(monkeypatch, after, {}, profile="tflm16").choose()
    with pytest.raises(ProfileError):
        Trial(monkeypatch, dict.fromkeys(PROFILES), {}).choose()


@pytest.mark.parametrize("activations", [("tanh", "tanh"), ("relu", "tanh"), ("hard_tanh", "hard_tanh"),
                                         ("tanh", "relu")])  # fmt: skip
def test_ranges_are_searched_where_they_have_an_effect(activations: tuple[str, str]) -> None:
    """In 16 bits no grid needs a choice; the input has twice the room of what was seen."""
    y = np.linspace(-3, 2, 60).reshape(-1, 3)
    weights = (np.ones((4, 3), np.float32), np.ones((2, 4), np.float32))
    encoder = FloatEncoder(weights, (np.zeros(4, np.float32), np.zeros(2, np.float32)), np.zeros(1), activations)
    config, hidden, last = ExportConfig(), *activations
    found = range_candidates(encoder, config, "tflm16", y)
    assert found == {"inputs": ((6.0,),), "hidden": (1.0,), "last": (1.0,), "peak": (1.0,)}
    for profile in ("tflm", "native"):
        found, tflm = range_candidates(encoder, config, profile, y), profile == "tflm"
        assert found == {
            "inputs": tuple(input_ranges(y, quantile) for quantile in config.input_quantiles),
            "hidden": config.hidden_ranges if hidden == "tanh" else (1.0,),
            "last": config.last_ranges if last == "tanh" and tflm else (1.0,),
            "peak": config.relu_ranges if hidden == "relu" or (last == "relu" and tflm) else (1.0,),
        }


def test_inputs_that_are_alike_share_a_range_and_others_have_their_own() -> None:
    y = np.linspace(-1, 1, 2001)[:, None]
    alike = y * [1.0, 1.9, 1.5]
    assert input_ranges(alike, 1.0) == (1.9,)
    shared = input_ranges(alike, 0.9)
    assert len(shared) == 1
    assert (np.abs(alike) <= shared[0]).mean() == pytest.approx(0.9, abs=1e-3)
    own = input_ranges(y * [1.0, 40.0, 0.0], 0.9)
    assert own[:2] == pytest.approx((0.9, 36.0), abs=1e-2)
    assert own[2:] == (1e-6,)  # never moves: any range will do but none
    outlier = np.concatenate([y, [[1000.0]]])
    assert input_ranges(outlier, 0.99) == pytest.approx((0.99,), abs=2e-3)
    assert input_ranges(outlier, 1.0) == (1000.0,)


class Searched:
    """A source whose converter is what it is asked for, and a job that knows the best of every range."""

    def __init__(self, monkeypatch, best: dict[str, Any], **settings) -> None:
        self.tried: list[Ranges] = []
        self.told: list[tuple[Any, ...]] = []

        def built(job, encoder, ranges, profile):
            self.tried.append(ranges)
            return SimpleNamespace(index=lambda y: ranges, ranges=ranges)

        def off(job, ranges, frames):
            return sum(vars(ranges)[key] != value for key, value in best.items())

        monkeypatch.setattr(run_module, "built", built)
        monkeypatch.setattr(Job, "index_db", off)
        y = np.linspace(-3, 2, 60).reshape(-1, 3)
        self.job = Job("it", "it", 0, cast(Any, None), cast(Any, None), Frames(None, y), ExportConfig(**settings),
                       UNKNOWN_ADC, lambda *told: self.told.append(told))  # fmt: skip

    def choose(self, activations: tuple[str, str], profile: Any) -> Ranges:
        weights = (np.ones((4, 3), np.float32), np.ones((2, 4), np.float32))
        network = FloatEncoder(weights, (np.zeros(4, np.float32), np.zeros(2, np.float32)), np.zeros(1), activations)
        return choose_ranges(self.job, network, profile).ranges


def test_ranges_are_searched_one_after_the_other_from_the_middle(monkeypatch) -> None:
    config = {"input_quantiles": (0.7, 0.9, 1.0), "hidden_ranges": (1.0, 2.0, 3.0, 4.0), "last_ranges": (5.0, 6.0)}
    inputs = [input_ranges(np.linspace(-3, 2, 60).reshape(-1, 3), quantile) for quantile in (0.7, 0.9, 1.0)]
    search = Searched(monkeypatch, {"inputs": inputs[2], "hidden": 1.0, "last": 5.0}, **config)
    assert search.choose(("tanh", "tanh"), "tflm") == Ranges(inputs[2], 1.0, 5.0)
    asked = [(own.inputs, own.hidden, own.last, own.peak) for own in search.tried]
    assert asked == [
        *((own, 3.0, 6.0, 1.0) for own in inputs), *((inputs[2], own, 6.0, 1.0) for own in (1.0, 2.0, 3.0, 4.0)),
        *((inputs[2], 1.0, own, 1.0) for own in (5.0, 6.0)), (inputs[2], 1.0, 5.0, 1.0),
    ]  # fmt: skip
    assert search.told == [("choose ranges", done, 9) for done in range(1, 10)]


def test_a_range_without_a_choice_is_not_searched(monkeypatch) -> None:
    search = Searched(monkeypatch, {}, input_quantiles=(0.9,))
    assert search.choose(("hard_tanh", "hard_tanh"), "native").hidden == 1.0
    assert (len(search.tried), search.told) == (1, [])


@dataclass(frozen=True)
class Drafted:
    """What `deploy` looks at of a draft."""

    weights: str
    nmse: Any = None

    def codec(self) -> str:
        return f"codec of {self.weights}"


class Deployed:
    """A job of scripted figures: by index, and by whether entries are judged apart."""

    def __init__(self, monkeypatch, *, test: Any, decoder: bool = True, steps: int = 9, **keys: Any) -> None:
        self.weights, self.asked = "trained", []
        figures = {("float", True): -19.0, ("int", True): -18.0, ("float", False): -9.0, ("int", False): -7.0}
        monkeypatch.setattr(Job, "float_index", lambda job, y: "float")
        monkeypatch.setattr(
            Job, "index_db", lambda job, index, frames: figures[index, job.spread is None] - len(frames.y)
        )
        monkeypatch.setattr(run_module, "drafted", lambda job, encoder: Drafted(self.weights))
        monkeypatch.setattr(run_module, "measured", self.measured)
        source = SimpleNamespace(test=lambda frames: self.asked.append(frames) or test, finetune=self.finetune)
        self.job = Job("it", "it", 0, cast(Any, SimpleNamespace(decoder=decoder or None)), cast(Any, source),
                       Frames(None, np.zeros((3, 1))), ExportConfig(finetune_steps=steps, test_frames=500), UNKNOWN_ADC,
                       lambda *told: None, **keys)  # fmt: skip

    def finetune(self, decoder, encode, job) -> None:
        assert encode(None) == "int"
        self.weights = "tuned"

    def measured(self, codec, x, y, float_db=None):
        return NmseFacts(frames=len(y), float_db=float_db, deployed_db=None if x is None else -17.0)

    def deploy(self) -> tuple[float, str, NmseFacts]:
        loss_db, draft = run_module.deploy(self.job, cast(Any, SimpleNamespace(index=lambda y: "int")))
        assert set(self.asked) == {500}
        return loss_db, draft.codec(), draft.nmse


FIVE = Frames(np.zeros((5, 2)), np.zeros((5, 1)))


@pytest.mark.parametrize(
    ("keys", "loss_db", "codec", "nmse"),
    [
        # The training's own figure where it is of as many frames, else measured: −19 less 5 frames.
        ({"test": FIVE, "float_db": (-20.0, 5)}, 3.0, "tuned", (5, -20.0, -17.0)),
        ({"test": FIVE, "float_db": (-20.0, 6)}, 7.0, "tuned", (5, -24.0, -17.0)),
        ({"test": FIVE, "steps": 0}, 7.0, "trained", (5, -24.0, -17.0)),
        # Entries judged apart: the loss is theirs, the manifest's figure that of all.
        ({"test": FIVE, "spread": np.ones(2)}, 2.0, "tuned", (5, -24.0, -17.0)),
        # Without x or a decoder: by the encoder's outputs, of the calibration where there is no test.
        ({"test": None}, 1.0, "tuned", (3, None, None)),
        ({"test": Frames(None, np.zeros((4, 1)))}, 1.0, "tuned", (4, None, None)),
        ({"test": FIVE, "decoder": False}, 1.0, "trained", (5, None, None)),
    ],
)
def test_a_deployed_encoder_is_measured_by_what_is_known(monkeypatch, keys, loss_db, codec, nmse) -> None:
    found = Deployed(monkeypatch, **keys).deploy()
    assert found == (loss_db, f"codec of {codec}", NmseFacts(frames=nmse[0], float_db=nmse[1], deployed_db=nmse[2]))


def test_what_integers_cost_before_fine_tuning_is_screened_on_some_frames(monkeypatch) -> None:
    monkeypatch.setattr(run_module, "_SCREENED_FRAMES", 2)
    job = Deployed(monkeypatch, test=None).job
    encoder: Any = SimpleNamespace(index=lambda y: "int" if len(y) == 2 else "all")
    assert run_module.calibration_loss_db(job, encoder) == 1.0
    both = replace(job, calibration=Frames(np.zeros((3, 2)), np.zeros((3, 1))))
    monkeypatch.setattr(Job, "index_db", lambda job, index, frames: float(len(frames.x)) * (2 if index == "int" else 1))
    assert run_module.calibration_loss_db(both, encoder) == 2.0


@pytest.mark.parametrize("fails", [False, True])
def test_an_export_leaves_the_model_as_it_was_and_tells_when_it_writes(monkeypatch, tmp_path, fails: bool) -> None:
    weights, told = ["trained"], []
    decoder = SimpleNamespace(get_weights=lambda: list(weights), set_weights=lambda w: weights.__setitem__(0, w[0]))
    job = replace(Deployed(monkeypatch, test=None).job, parts=cast(Any, SimpleNamespace(decoder=decoder)), seed=4,
                  progress=lambda *what: told.append(what))  # fmt: skip

    def choose(job):
        weights[0] = "tuned"
        if fails:
            raise CheckFailedError("too much")
        return "draft"

    monkeypatch.setattr(run_module, "choose_profile", choose)
    monkeypatch.setattr(run_module, "write_bundle", lambda *given: given)
    if fails:
        with pytest.raises(CheckFailedError):
            run_module.export_job(tmp_path / "b", job)
    else:
        assert run_module.export_job(tmp_path / "b", job) == (tmp_path / "b", "draft", job.config.golden_frames, 4)
    assert weights == ["trained"]
    assert told == ([] if fails else [("write", 0, 1), ("write", 1, 1)])


def test_fine_tuning_takes_the_settings_of_the_export_and_tells_its_steps(monkeypatch) -> None:
    from qcskit.export.learned import tune as tune_module

    given: list[Any] = []
    monkeypatch.setattr(tune_module, "finetune_decoder", lambda *args, **keys: given.append((args, keys)))
    told: list[Any] = []
    config = ExportConfig(finetune_steps=70, finetune_rate=0.25)
    job = Job("it", "it", 0, cast(Any, SimpleNamespace(levels="levels")), cast(Any, None), cast(Any, None), config,
              UNKNOWN_ADC, lambda *what: told.append(what))  # fmt: skip
    tune_module.tune(job, "decoder", cast(Any, "encode"), cast(Any, "material"))
    ((args, keys),) = given
    assert args == ("decoder", "levels", "encode", "material", 70, 0.25)
    assert (keys["loss"], keys["batch"], keys["compiled"]) == (None, 1000, True)
    keys["progress"](30)
    assert told == [("fine-tune decoder", 30, 70)]


@pytest.mark.parametrize("seed", [0, 5, 12_345])
def test_an_export_is_tested_on_the_frames_of_its_training(seed: int) -> None:
    def test(frames: int, asked: int) -> tuple[np.ndarray, np.ndarray]:
        return np.full((frames, 2), 1.0 * asked), np.full((frames, 1), 2.0 * asked)

    run = SimpleNamespace(train=SimpleNamespace(seed=seed), signal=SignalConfig(), source=SimpleNamespace(test=test))
    for source in (RunSource(run), DrawnSource(run, Scales(0.0, 1.0, 0.0, 1.0))):
        x, y = source.test(3)
        np.testing.assert_array_equal(x, np.full((3, 2), seed + 2_000_003))
        np.testing.assert_array_equal(y, np.full((3, 1), 2 * (seed + 2_000_003)))
    assert (
        source.arrays(SignalFacts(n=2, m=1, s=1, noise_variance=0, matrix="none"), 4)["windows"] == seed + 2_000_003
    ).all()


def test_a_run_whose_user_draws_the_frames_takes_them_along_as_pairs(tmp_path) -> None:
    """Nobody knows how y comes of x; calibration, fine-tuning, test and bundle all see what `draw` draws."""
    from qcskit.training.config import TrainConfig
    from qcskit.training.run import train_run

    module = tmp_path / "my_train.py"
    module.write_text(
        "import tensorflow as tf\n"
        "def draw(frames, seed, part):\n"
        "    x = tf.random.stateless_uniform((frames, 6), seed) + 3.0\n"
        "    return x, 0.5 * x[:, :4]\n"
    )
    recipe = TrainConfig(levels=4, decoder_widths=(16,), steps=60, warmup_steps=5, batch=100, test_frames=500,
                         validation_frames=500, module=str(module))  # fmt: skip
    train_run(tmp_path / "run", recipe, SignalConfig(n=6, m=4, s=2), lambda step, soft, hard: None)
    export_run(tmp_path / "run", tmp_path / "b", QUICK, ignore)
    module.unlink()
    codec = open_codec(tmp_path / "b")
    manifest = codec.bundle.manifest
    assert (manifest.signal.matrix, codec.source_windows) == ("none", QUICK.test_windows)
    for x, y in (codec.draw(100, 1), (codec.bundle.vectors["x"], codec.bundle.vectors["y"])):
        assert 3.0 <= x.min() < x.max() <= 4.0
        np.testing.assert_allclose(y, 0.5 * x[:, :4])
    x, y = codec.draw(3000, 2)
    assert nmse_db(x, codec.decode(codec.encode(y))) == pytest.approx(manifest.nmse.deployed_db, abs=0.5)
    assert np.mean(manifest.nmse.clipped) < 0.03


def test_a_decoder_of_drawn_pairs_is_tuned_on_y_of_its_own_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(run_module.RunSource, "finetune", lambda source, *what: given.append(what))
    source = DrawnSource(cast(Any, SimpleNamespace()), Scales(0.0, 1.0, 3.0, 2.0))
    source.finetune("decoder", lambda y: y.astype(int), cast(Any, "job"))
    ((decoder, encode, job),) = given
    assert (decoder, job) == ("decoder", "job")
    assert encode(np.array([[3.0, 9.0]])).tolist() == source.scales.own_y(np.array([[3.0, 9.0]])).tolist() == [[0, 3]]
