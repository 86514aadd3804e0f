"""Batches are drawn from the source that they claim."""

import numpy as np
import pytest
import tensorflow as tf

from qcskit.codec.matrices import sparsity_basis
from qcskit.codec.signal import SignalConfig, draw_frames, measurement_matrix, recorded_windows
from qcskit.training import draw
from qcskit.training.draw import blend_share, draw_batch, draw_training_frames, support, training_series


def test_supports_are_distinct_and_every_one_equally_likely() -> None:
    draws = 60_000
    places = np.stack(support(6, 3, draws, tf.constant([3, 4])), axis=1)
    ordered = np.sort(places, axis=1)
    assert (np.diff(ordered, axis=1) > 0).all()
    assert set(np.unique(places)) == set(range(6))
    counts = np.unique(ordered @ [36, 6, 1], return_counts=True)[1]
    assert len(counts) == 20
    np.testing.assert_allclose(counts, draws / 20, rtol=6 / np.sqrt(draws / 20))


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
def test_drawn_windows_are_the_training_part_and_all_of_it(tmp_path, monkeypatch, cut: bool) -> None:
    monkeypatch.setattr(draw, "blend_share", lambda signal: 0.0)
    monkeypatch.setattr(draw, "_ENLARGED_SHARE", 0.0)
    series = np.random.default_rng(0).standard_normal(600)
    np.save(tmp_path / "r.npy", series.reshape(-1, 20) if cut else series)
    signal = SignalConfig(source="recorded", recording=str(tmp_path / "r.npy"), recording_hop=3)
    samples = training_series(signal)
    phi = tf.constant(measurement_matrix(signal), tf.float32)
    x, _ = draw_batch(signal, phi, 5000, tf.constant([1, 2]), samples)
    expected = {tuple(row) for row in recorded_windows(signal, "train").astype(np.float32)}
    assert {tuple(row) for row in x.numpy()} == expected
    assert len(expected) == (21 if cut else (420 - 20) // 3 + 1)


def recorded(tmp_path, samples: int, **keys) -> SignalConfig:
    walk = np.random.default_rng(samples).standard_normal(samples + 7)
    np.save(tmp_path / f"{samples}.npy", sum(walk[i : samples + i] for i in range(8)))
    return SignalConfig(source="recorded", recording=str(tmp_path / f"{samples}.npy"), **keys)


def drawn(signal: SignalConfig, frames: int) -> list[tuple[np.ndarray, np.ndarray]]:
    phi = tf.constant(measurement_matrix(signal), tf.float32)
    x, y = draw_batch(signal, phi, frames, tf.constant([1, 2]), training_series(signal))
    return [(x.numpy(), y.numpy()), draw_training_frames(signal, frames, 3)]


def test_the_shorter_a_recording_the_more_its_windows_are_blended(tmp_path) -> None:
    assert blend_share(recorded(tmp_path, 40_000)) == 0.0
    assert blend_share(recorded(tmp_path, 20_000)) == pytest.approx(2 * 20**2 / 14_000)
    assert blend_share(recorded(tmp_path, 10_000)) == pytest.approx(2 * 20**2 / 7000)
    assert blend_share(recorded(tmp_path, 40_000, recording_hop=60)) == pytest.approx(2 * 20 * 60 / 28_000)
    assert blend_share(recorded(tmp_path, 600)) == 0.5
    assert blend_share(SignalConfig()) == 0.0


def test_blended_windows_are_new_ones_of_the_same_covariance(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(draw, "_ENLARGED_SHARE", 0.0)
    signal = recorded(tmp_path, 1000, noise_variance=0.01)
    phi, seen = measurement_matrix(signal), recorded_windows(signal, "train")
    for x, y in drawn(signal, 40_000):
        nearest = np.abs(x[:20, None] - seen).max(-1).min(1)
        assert nearest.min() > 0.05
        np.testing.assert_allclose(np.cov(x.T), np.cov(seen.T), atol=0.04)
        assert (y - x @ phi.T).var() == pytest.approx(0.01, rel=0.03)


def test_some_windows_of_a_recording_are_enlarged_by_up_to_a_quarter(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(draw, "blend_share", lambda signal: 0.0)
    np.save(tmp_path / "step.npy", np.repeat([5.0, -5.0, 0.5, -0.5], [350, 350, 150, 150]))
    signal = SignalConfig(source="recorded", recording=str(tmp_path / "step.npy"), recording_hop=350, noise_variance=0)
    phi = measurement_matrix(signal)
    for x, y in drawn(signal, 32_000):
        gain = np.abs(x[:, 0]) / np.abs(recorded_windows(signal, "train")[0, 0])
        grown = gain > 1.0 + 1e-6
        assert grown.mean() == pytest.approx(1 / 16, abs=0.006)
        assert np.quantile(np.log(gain[grown]), [0.0, 0.5, 1.0]) == pytest.approx(
            np.log(1.25) * np.arange(3) / 2, abs=0.01
        )
        np.testing.assert_allclose(x, np.repeat(x[:, :1], signal.n, axis=1))
        np.testing.assert_allclose(y, x @ phi.T, atol=1e-5)


def test_sources_that_are_drawn_are_not_blended() -> None:
    signal = SignalConfig()
    for blended, plain in zip(draw_training_frames(signal, 50, 3), draw_frames(signal, 50, 3), strict=True):
        assert np.array_equal(blended, plain)
