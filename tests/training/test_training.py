"""The loop: learns, repeats exactly, refuses nonsense, and draws the source it claims."""

import json

import numpy as np
import pytest
import tensorflow as tf

from qcskit.codec.errors import QcsError
from qcskit.codec.matrices import sparsity_basis
from qcskit.codec.signal import SignalConfig, measurement_matrix, recorded_windows
from qcskit.training.config import TrainConfig
from qcskit.training.draw import draw_batch, training_set
from qcskit.training.optimizer import orthogonalize
from qcskit.training.run import read_run, train_run

TINY = TrainConfig(levels=2, decoder_widths=(16,), steps=60, warmup_steps=10, batch=100, test_frames=1000,
                   validation_frames=200)  # fmt: skip


def ignore(step: int, soft: float, hard: float) -> None:
    """No progress wanted."""


def test_training_beats_the_trivial_estimate_and_keeps_a_curve(run_path) -> None:
    metrics = json.loads((run_path / "metrics.json").read_text())
    assert metrics["nmse_hard_db"] < -3.0  # 0 dB is x_hat = 0
    curve = metrics["history"]
    assert curve["step"][-1] == 500
    assert {len(values) for values in curve.values()} == {len(curve["step"])}


def test_the_same_seed_gives_the_same_model(tmp_path) -> None:
    files = []
    for name in ("a", "b"):
        train_run(tmp_path / name, TINY, SignalConfig(), ignore)
        files.append(read_run(tmp_path / name).model.get_weights())
    train_run(tmp_path / "c", TINY.model_copy(update={"seed": 1}), SignalConfig(), ignore)
    other = read_run(tmp_path / "c").model.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(*files, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(files[0], other, strict=True))


def test_divergence_is_one_clear_line_and_leaves_nothing(tmp_path) -> None:
    wild = TINY.model_copy(update={"weight_rate": 1e30, "bias_rate": 1e30, "warmup_steps": 0})
    with pytest.raises(QcsError, match="diverged"):
        train_run(tmp_path / "run", wild, SignalConfig(), ignore)
    assert not (tmp_path / "run").exists()


def test_a_directory_that_is_no_run_is_not_replaced(tmp_path) -> None:
    (tmp_path / "thesis.txt").write_text("irreplaceable")
    with pytest.raises(QcsError, match="is not a training run"):
        train_run(tmp_path, TINY, SignalConfig(), ignore)
    assert (tmp_path / "thesis.txt").read_text() == "irreplaceable"


def test_drawn_frames_follow_the_source_model() -> None:
    signal = SignalConfig(noise_variance=0.01)
    phi = measurement_matrix(signal)
    x, y = (value.numpy() for value in draw_batch(signal, tf.constant(phi, tf.float32), 50_000, tf.constant([1, 2])))
    assert set(np.count_nonzero(x, axis=1)) == {signal.s}
    np.testing.assert_allclose((x != 0).mean(0), signal.s / signal.n, atol=0.01)
    assert x[x != 0].var() == pytest.approx(1.0, abs=0.02)
    assert (y - x @ phi.T).var() == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("source", ["gaussian", "signs"])
@pytest.mark.parametrize("basis", ["dct", "db4"])
def test_drawn_frames_are_sparse_in_their_basis(source: str, basis: str) -> None:
    signal = SignalConfig(n=16, m=8, s=3, source=source, basis=basis, snr_db=20, matrix="gaussian")
    phi = tf.constant(measurement_matrix(signal), tf.float32)
    x, y = (value.numpy() for value in draw_batch(signal, phi, 20_000, tf.constant([1, 2])))
    c = x @ sparsity_basis(basis, 16)
    active = np.abs(c) > 1e-4
    assert np.quantile(active.sum(1), [0.01, 1.0]).tolist() == [3, 3]
    clean = x @ phi.numpy().T
    assert 10 * np.log10((clean**2).sum() / ((y - clean) ** 2).sum()) == pytest.approx(20, abs=0.15)
    if source == "signs":
        np.testing.assert_allclose(np.abs(c[active]), 1.0, atol=1e-5)


@pytest.mark.parametrize("cut", [False, True])
def test_drawn_windows_are_the_training_part_and_all_of_it(tmp_path, cut: bool) -> None:
    series = np.random.default_rng(0).standard_normal(600)
    np.save(tmp_path / "r.npy", series.reshape(-1, 20) if cut else series)
    signal = SignalConfig(source="recorded", recording=str(tmp_path / "r.npy"), recording_hop=3)
    samples = training_set(signal).series
    phi = tf.constant(measurement_matrix(signal), tf.float32)
    x, _ = draw_batch(signal, phi, 5000, tf.constant([1, 2]), samples)
    expected = {tuple(row) for row in recorded_windows(signal, "train").astype(np.float32)}
    assert {tuple(row) for row in x.numpy()} == expected
    assert len(expected) == (21 if cut else (420 - 20) // 3 + 1)


def test_a_recording_is_learned(tmp_path) -> None:
    t = np.arange(6000)
    np.savetxt(tmp_path / "r.csv", np.sin(t / 7) + 0.3 * np.sin(t / 3.1), header="v", comments="", fmt="%.6f")
    signal = SignalConfig(source="recorded", recording=str(tmp_path / "r.csv"))
    metrics = train_run(tmp_path / "run", TINY.model_copy(update={"levels": 8, "steps": 400}), signal, ignore)
    assert metrics["nmse_hard_db"] < -6.0


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
def test_orthogonalize_pulls_singular_values_together(shape) -> None:
    matrix = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    singular = np.linalg.svd(orthogonalize(tf.constant(matrix)).numpy(), compute_uv=False)
    assert singular.min() > 0.5
    assert singular.max() < 1.3
