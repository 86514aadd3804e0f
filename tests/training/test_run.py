"""Runs on disk: every variant and option learns and is read back, repeats exactly, refuses nonsense."""

import json
import shutil
import signal as signals
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorflow import make_ndarray

from qcskit.codec import seeds
from qcskit.codec.errors import QcsError
from qcskit.codec.metrics import nmse_db
from qcskit.codec.quantizer import hard_index
from qcskit.codec.signal import SignalConfig, draw_frames
from qcskit.training import networks
from qcskit.training.config import TrainConfig
from qcskit.training.networks import parts
from qcskit.training.run import load_keras, read_run, train_run

SIGNAL = SignalConfig(n=8, m=4, s=1)
TINY = {"levels": 4, "decoder_widths": (24,), "steps": 300, "warmup_steps": 10, "batch": 200, "test_frames": 2000,
        "validation_frames": 1000, "encoder_widths": (16,), "hard_fraction": 0.0,
        "optimizer": "adam", "weight_rate": 0.01}  # fmt: skip
FAST = TrainConfig(levels=2, decoder_widths=(16,), steps=60, warmup_steps=10, batch=100, test_frames=1000,
                   validation_frames=200)  # fmt: skip


def ignore(step: int, soft: float, hard: float) -> None:
    """No progress wanted."""


def test_training_beats_the_trivial_estimate_and_keeps_a_curve(run_path) -> None:
    metrics = json.loads((run_path / "metrics.json").read_text())
    run = read_run(run_path)
    assert metrics["rate_bits"] == run.train.packing(run.signal).packed_bits / run.signal.n == 1.0
    assert metrics["nmse_hard_db"] < -3.0  # 0 dB is x_hat = 0
    curve = metrics["history"]
    assert curve["step"][-1] == 500
    assert {len(values) for values in curve.values()} == {len(curve["step"])}


@pytest.mark.parametrize("variant", ["deepqcs-q", "ce-decnet"])
def test_a_run_of_before_a_key_or_a_meaning_of_a_variant_was_added_opens(run_path, tmp_path, variant: str) -> None:
    shutil.copytree(run_path, tmp_path / "run")
    metrics = json.loads((run_path / "metrics.json").read_text())
    for key in ("level_sum", "shift_span", "train_frames", "steepness_hold", "mix_slope"):
        del metrics["train"][key]
    metrics["train"]["variant"] = variant
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(metrics))
    run = read_run(tmp_path / "run")
    assert run.train.variant == variant
    assert run.train.level_sum == 1
    assert all(map(np.array_equal, run.model.get_weights(), read_run(run_path).model.get_weights()))


def test_a_run_that_is_not_there_is_said_not_to_be_there(tmp_path) -> None:
    with pytest.raises(QcsError, match=r"^run '.*none' does not exist; train one with 'qcskit train'$"):
        read_run(tmp_path / "none")


def test_a_model_is_loaded_whatever_it_was_compiled_with(tmp_path) -> None:
    """A loss of the user's own is in nobody else's process."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(loss=lambda x, x_hat: (x - x_hat) ** 2)
    model.save(tmp_path / "m.keras")
    found = load_keras((tmp_path / "m.keras").read_bytes(), "model 'm'", "export again")
    np.testing.assert_array_equal(found.layers[0].kernel, model.layers[0].kernel)


def test_the_same_seed_gives_the_same_model(tmp_path) -> None:
    files = []
    for name in ("a", "b"):
        train_run(tmp_path / name, FAST, SignalConfig(), ignore)
        files.append(read_run(tmp_path / name).model.get_weights())
    train_run(tmp_path / "c", FAST.model_copy(update={"seed": 1}), SignalConfig(), ignore)
    other = read_run(tmp_path / "c").model.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(*files, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(files[0], other, strict=True))


def test_divergence_is_one_clear_line_and_leaves_nothing(tmp_path) -> None:
    wild = FAST.model_copy(update={"weight_rate": 1e30, "bias_rate": 1e30, "warmup_steps": 0})
    with pytest.raises(QcsError, match="diverged"):
        train_run(tmp_path / "run", wild, SignalConfig(), ignore)
    assert not (tmp_path / "run").exists()


def test_a_directory_that_is_no_run_is_not_replaced(tmp_path) -> None:
    (tmp_path / "thesis.txt").write_text("irreplaceable")
    with pytest.raises(QcsError, match="so it is not replaced"):
        train_run(tmp_path, FAST, SignalConfig(), ignore)
    assert (tmp_path / "thesis.txt").read_text() == "irreplaceable"


def test_what_cannot_be_written_or_read_is_refused_before_anything_is_trained(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("qcskit.training.run._trained", lambda *_: pytest.fail("it trains"))
    (tmp_path / "thesis.txt").touch()
    np.save(tmp_path / "short.npy", np.arange(30.0))
    (tmp_path / "other").mkdir()
    files = {"files": {}, "train": {"name": "theirs"}}
    (tmp_path / "other" / "metrics.json").write_text(json.dumps(files))
    recorded = SignalConfig(source="recorded", recording=str(tmp_path / "none.npy"))
    short = recorded.model_copy(update={"recording": str(tmp_path / "short.npy")})
    for path, signal, told in (
        (tmp_path, SIGNAL, "so it is not replaced"),
        (tmp_path / "other", SIGNAL, "holds model 'theirs' and not 'demo'"),
        (tmp_path / "new", recorded, "none.npy"),
        (tmp_path / "new", short, "the validation part has 4 samples"),
        (tmp_path / "new", SignalConfig(matrix="file", matrix_file=str(tmp_path / "phi.npy")), "phi.npy"),
    ):
        with pytest.raises(QcsError, match=told):
            train_run(path, FAST, signal, ignore)
    assert not (tmp_path / "new").exists()


def test_a_gpu_is_left_room_for_others_and_one_in_use_already_is_left_as_it_is(tmp_path, monkeypatch) -> None:
    told = []

    def grow(gpu: str, wanted: bool) -> None:
        told.append((gpu, wanted))
        if gpu == "used":
            raise RuntimeError

    def stop(*_) -> None:
        raise StopIteration

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["used", "free"] if kind == "GPU" else [])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", grow)
    monkeypatch.setattr(networks, "build_model", stop)
    with pytest.raises(StopIteration):
        train_run(tmp_path / "run", FAST, SIGNAL, ignore)
    assert told == [("used", True), ("free", True)]


CHILD = """
import json, os, signal, sys
from pathlib import Path
from qcskit.codec import files
from qcskit.codec.signal import SignalConfig
from qcskit.training.config import TrainConfig
from qcskit.training.run import train_run
path, word, keys, signal_keys = json.loads(sys.argv[1])
step = files._step
def until(operation, *arguments):
    if word in " ".join((operation.__name__, *map(str, arguments))):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(operation, *arguments)
files._step = until
train_run(Path(path), TrainConfig(**keys), SignalConfig(**signal_keys), lambda *progress: None)
"""


def test_a_training_killed_while_it_writes_its_run_is_run_again(tmp_path, source_env) -> None:
    run, other = tmp_path / "run", FAST.model_copy(update={"seed": 1})
    train_run(run, FAST, SIGNAL, ignore)
    points = {f"rename {tmp_path}/.run.qcskit-new": 0, f"unlink {tmp_path}/.run.checkpoint.npz": 1}
    for point, seed in points.items():  # each training finds what the one before it left
        job = json.dumps([str(run), point, other.model_dump(mode="json"), SIGNAL.model_dump()])
        child = subprocess.run([sys.executable, "-c", CHILD, job], env=source_env, capture_output=True, check=False)
        assert child.returncode == -signals.SIGKILL, child.stderr
        assert read_run(run).metrics["train"]["seed"] == seed
    again = train_run(run, other, SIGNAL, ignore)
    assert read_run(run).metrics["nmse_hard_db"] == again["nmse_hard_db"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_what_the_user_added_to_a_run_is_kept(tmp_path) -> None:
    train_run(tmp_path / "run", FAST, SIGNAL, ignore)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(QcsError, match=r"holds notes\.txt, not listed in its metrics\.json"):
        train_run(tmp_path / "run", FAST, SIGNAL, ignore)
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_a_recording_is_learned(tmp_path) -> None:
    t = np.arange(6000)
    np.savetxt(tmp_path / "r.csv", np.sin(t / 7) + 0.3 * np.sin(t / 3.1), header="v", comments="", fmt="%.6f")
    signal = SignalConfig(source="recorded", recording=str(tmp_path / "r.csv"))
    metrics = train_run(tmp_path / "run", FAST.model_copy(update={"levels": 8, "steps": 400}), signal, ignore)
    assert metrics["nmse_hard_db"] < -6.0


@pytest.mark.parametrize("variant", ["deepqcs", "deepqcs-q", "hard-ste", "ce-decnet", "lloyd-decnet"])
def test_every_variant_learns_and_is_read_back(tmp_path, variant: str) -> None:
    metrics = train_run(tmp_path / "run", TrainConfig(variant=variant, **TINY), SIGNAL, ignore)
    assert metrics["nmse_hard_db"] < -2.0
    run = read_run(tmp_path / "run")
    if variant.endswith("decnet"):
        with pytest.raises(QcsError, match="no encoder to export"):
            run.require_exportable()
    stages = parts(run.model)
    assert stages.shq.hard_forward == variant.startswith(("hard", "lloyd"))
    # The NMSE again, from the exported quantizer alone: index → level → decoder.
    x, y = draw_frames(SIGNAL, 2000, seeds.TEST)
    a = stages.encnet(y.astype(np.float32)).numpy()
    t, g = stages.shq.quantizer()
    index = hard_index(a, t)
    levels = g[index] if g.ndim == 1 else np.take_along_axis(g, index.T, 1).T
    assert nmse_db(x, stages.decnet(levels.astype(np.float32)).numpy()) == pytest.approx(
        metrics["nmse_hard_db"], abs=0.05
    )


@pytest.mark.parametrize(
    "keys",
    [
        {"quantizer": "per-output", "shifts": "trained", "level_rate": 1.0},
        {"decoder_input": "hats", "decoder_widths": (24, 24), "decoder_residual": True},
        {"optimizer": "orthogonal", "weight_rate": 0.02, "hard_fraction": 0.1, "rate_schedule": "sqrt"},
        {"encoder_widths": (16, 12), "outputs": 3, "levels": 2, "decoder_activation": "gelu", "batches": (100, 200)},
    ],
)
def test_options_train_and_are_read_back(tmp_path, keys) -> None:
    metrics = train_run(tmp_path / "run", TrainConfig(**{**TINY, **keys}), SIGNAL, ignore)
    assert metrics["nmse_hard_db"] < -1.0
    run = read_run(tmp_path / "run")
    shq = parts(run.model).shq
    shape = (4, 3) if shq.per_output else (run.train.levels - 1,)
    assert shq.v.shape == shape
    uniform = np.linspace(-1, 1, run.train.levels + 1)[1:-1]
    assert np.allclose(shq.t.numpy(), uniform) == (not shq.train_shifts)


def test_the_event_files_hold_the_curve(tmp_path) -> None:
    short = TrainConfig(**{**TINY, "steps": 500})
    metrics = train_run(tmp_path / "run", short, SIGNAL, ignore, tmp_path / "logs")
    events = EventAccumulator(str(tmp_path / "logs"))
    events.Reload()
    for name, curve in metrics["history"].items():
        if name != "step":
            logged = events.Tensors(name)
            np.testing.assert_allclose([float(make_ndarray(e.tensor_proto)) for e in logged], curve, rtol=1e-5)
            assert [event.step for event in logged] == metrics["history"]["step"]
