"""Sources, bases and matrices: statistics against their definitions; contradictions are one clear line."""

import numpy as np
import pytest
from scipy.io import wavfile

from qcskit.codec import signal
from qcskit.codec.config import load_table
from qcskit.codec.errors import QcsError
from qcskit.codec.matrices import sparsity_basis
from qcskit.codec.signal import (
    DIRECT,
    IN_THE_BUNDLE,
    SignalConfig,
    draw_frames,
    draw_sparse,
    measurement_matrix,
    recorded_windows,
)


@pytest.mark.parametrize("name", ["identity", "dct", "haar", "db4"])
@pytest.mark.parametrize("n", [16, 20, 24, 128])
def test_bases_are_orthonormal(name: str, n: int) -> None:
    basis = sparsity_basis(name, n)
    np.testing.assert_allclose(basis.T @ basis, np.eye(n), atol=1e-12)


def test_dct_basis_is_scipys() -> None:
    from scipy.fft import idct

    np.testing.assert_allclose(sparsity_basis("dct", 12), idct(np.eye(12), axis=0, norm="ortho"), atol=1e-12)


def test_db4_kills_cubics_and_haar_constants() -> None:
    # Four vanishing moments: away from the border all details of a cubic are zero.
    cubic = np.linspace(-1, 1, 64) ** 3
    details = (sparsity_basis("db4", 64).T @ cubic)[32:60]
    assert np.abs(details).max() < 1e-9
    assert np.abs((sparsity_basis("haar", 64).T @ np.ones(64))[1:]).max() < 1e-12


def test_a_wavelet_refuses_an_odd_length() -> None:
    with pytest.raises(QcsError, match="even n"):
        sparsity_basis("haar", 21)


@pytest.mark.parametrize("source", ["gaussian", "signs"])
@pytest.mark.parametrize("basis", ["identity", "dct", "db4"])
def test_sparse_sources_have_s_coefficients_of_unit_energy(source: str, basis: str) -> None:
    config = SignalConfig(n=24, m=12, s=3, source=source, basis=basis)
    x = draw_sparse(config, 20_000, np.random.default_rng(0))
    c = x @ sparsity_basis(basis, 24)
    active = np.abs(c) > 1e-9
    assert set(active.sum(1)) == {3}
    assert (x**2).sum(1).mean() == pytest.approx(3, rel=0.03)
    if source == "signs":
        np.testing.assert_allclose(np.abs(c[active]), 1.0)


@pytest.mark.parametrize("matrix", ["dct", "gaussian", "bernoulli", "subsampling"])
@pytest.mark.parametrize("snr_db", [3.0, 20.0])
def test_snr_is_what_is_drawn(matrix: str, snr_db: float) -> None:
    config = SignalConfig(n=30, m=12, s=3, basis="dct", matrix=matrix, snr_db=snr_db)
    x, y = draw_frames(config, 100_000, 1)
    clean = x @ measurement_matrix(config).T
    assert 10 * np.log10((clean**2).sum() / ((y - clean) ** 2).sum()) == pytest.approx(snr_db, abs=0.1)


@pytest.mark.parametrize("matrix", ["dct", "gaussian", "bernoulli"])
def test_columns_have_unit_norm_and_seeds_matter(matrix: str) -> None:
    phi = measurement_matrix(SignalConfig(matrix=matrix))
    np.testing.assert_allclose(np.linalg.norm(phi, axis=0), 1.0)
    other = measurement_matrix(SignalConfig(matrix=matrix, matrix_seed=1))
    assert (phi == other).all() == (matrix == "dct")


def test_subsampling_picks_distinct_entries() -> None:
    phi = measurement_matrix(SignalConfig(matrix="subsampling", basis="dct"))
    assert (phi.sum(1) == 1).all()
    assert phi.sum(0).max() == 1


def test_a_matrix_file_is_used_as_it_is(tmp_path) -> None:
    phi = np.random.default_rng(3).standard_normal((10, 20))
    for name in ("a.npy", "a.csv", "a.npz"):
        writer = {"npy": np.save, "npz": np.savez}.get(
            name[2:], lambda f, a: np.savetxt(f, a, delimiter=",", fmt="%.17g")
        )
        writer(tmp_path / name, phi)
        config = SignalConfig(matrix="file", matrix_file=str(tmp_path / name))
        np.testing.assert_array_equal(measurement_matrix(config), phi)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.T, "looks transposed"),
        (lambda a: a[:, :7], "expected .m, n. = .10, 20."),
        (lambda a: np.where(np.eye(10, 20) == 1, np.nan, a), "row 0, column 0: no number here"),
        (lambda a: np.where(np.eye(10, 20) == 1, np.inf, a), "row 0, column 0: inf is no"),
        (lambda a: np.repeat(a[:5], 2, 0), "rank 5"),
        (lambda a: a.astype(str), "expected real numbers"),
    ],
)
def test_a_wrong_matrix_is_one_clear_line(tmp_path, change, message: str) -> None:
    np.save(tmp_path / "phi.npy", change(np.random.default_rng(3).standard_normal((10, 20))))
    config = SignalConfig(matrix="file", matrix_file=str(tmp_path / "phi.npy"))
    with pytest.raises(QcsError, match=message) as caught:
        measurement_matrix(config)
    assert "\n" not in str(caught.value)


def recorded(path, **keys: object) -> SignalConfig:
    return SignalConfig(source="recorded", recording=str(path), **keys)


def test_recordings_of_every_kind_give_the_same_windows(tmp_path) -> None:
    series = np.round(np.sin(np.arange(2000) / 9) * 12_000).astype(np.int16)
    np.save(tmp_path / "r.npy", series)
    np.savez(tmp_path / "r.npz", other=np.zeros(3), wanted=series)
    stereo = np.stack([np.zeros_like(series), series], 1)
    wavfile.write(tmp_path / "r.wav", 1000, stereo)
    lines = ["time,value", *(f"{i},{v}" for i, v in enumerate(series))]
    (tmp_path / "r.csv").write_text("\n".join(lines) + "\n")
    expected = recorded_windows(recorded(tmp_path / "r.npy"), "test")
    for name, column in (("r.npz", "wanted"), ("r.csv", "value"), ("r.csv", "1"), ("r.wav", "1")):
        got = recorded_windows(recorded(tmp_path / name, recording_column=column), "test")
        np.testing.assert_allclose(got, expected, atol=1e-9)


@pytest.mark.parametrize("matrix", ["dct", "gaussian", "uniform", "subsampling"])
def test_as_many_measurements_as_samples_are_allowed(matrix: str) -> None:
    phi = measurement_matrix(SignalConfig(n=9, m=9, s=2, matrix=matrix, basis="dct"))
    assert np.linalg.matrix_rank(phi) == 9
    if matrix in DIRECT:
        assert np.array_equal(phi, np.eye(9))


def test_identity_takes_every_sample_and_m_is_then_n() -> None:
    config = SignalConfig(n=7, s=2, matrix="identity")
    assert config.m == 7
    assert np.array_equal(measurement_matrix(config), np.eye(7))
    x, y = draw_frames(config.model_copy(update={"noise_variance": 0.0}), 50, 0)
    assert np.array_equal(x, y)


@pytest.mark.parametrize(("n", "m"), [(20, 10), (32, 8), (24, 7), (20, 1), (5, 4)])
def test_uniform_takes_samples_as_evenly_as_can_be(n: int, m: int) -> None:
    phi = measurement_matrix(SignalConfig(n=n, m=m, s=1, matrix="uniform", basis="dct"))
    assert phi.shape == (m, n)
    assert (phi.sum(axis=1) == 1).all()
    assert set(np.unique(phi)) == {0.0, 1.0}
    places = phi.argmax(axis=1)
    gaps = np.diff(np.append(places, places[0] + n))  # the last one to the next window
    assert set(gaps.tolist()) <= {n // m, -(-n // m)}


@pytest.mark.parametrize("matrix", ["identity", "uniform", "subsampling", "dct", "gaussian"])
def test_what_a_device_samples_itself_of_a_recording_has_no_noise_of_ours(matrix: str) -> None:
    keys = {"matrix": matrix, "m": 20 if matrix == "identity" else 10}
    assert (recorded("a.csv", **keys).noise_variance == 0.0) == (matrix in DIRECT)
    assert recorded("a.csv", **keys, noise_variance=1e-3).noise_variance == 1e-3
    assert SignalConfig(basis="dct", **keys).noise_variance == 1e-4


def test_test_windows_are_spread_over_the_test_part_each_once(tmp_path) -> None:
    np.save(tmp_path / "r.npy", np.random.default_rng(0).standard_normal(1000))
    config = recorded(tmp_path / "r.npy")
    every = recorded_windows(config, "test")
    for most in (1, 2, 50, len(every), 10_000):
        chosen = signal.test_windows(config, most)
        assert len(chosen) == len(np.unique(chosen, axis=0)) == min(most, len(every))
        assert {tuple(row) for row in chosen} <= {tuple(row) for row in every}
        assert np.array_equal(chosen[0], every[0])
        assert most == 1 or np.array_equal(chosen[-1], every[-1])
    x, y = signal.test_frames(config, 10_000, 3)
    assert np.array_equal(x, every)
    assert y.shape == (len(every), 10)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"source": "recorded"}, "go together"),
        ({"matrix": "file"}, "go together"),
        ({"matrix": "subsampling"}, "choose basis"),
        ({"s": 11}, "s must not exceed m"),
        ({"m": 21}, "m must not exceed n, got m = 21, n = 20"),
        ({"matrix": "identity", "m": 10}, "m must equal n where matrix = 'identity', got m = 10, n = 20"),
        ({"matrix": "uniform"}, "choose basis"),
        ({"source": "recorded", "recording": "a.csv", "m": 21}, "m must not exceed n"),
        ({"recording_in": "volts", "source": "recorded", "recording": "a.csv"}, "recording_in"),
        ({"sauce": "signs"}, "did you mean 'source'"),
    ],
)
def test_contradictions_are_refused(keys, message: str) -> None:
    with pytest.raises(QcsError, match=message):
        load_table(SignalConfig, "signal", None, keys)


def test_a_missing_recording_is_named() -> None:
    with pytest.raises(QcsError, match=r"'nowhere.csv' does not exist"):
        draw_frames(recorded("nowhere.csv"), 1, 0)


def test_pairs_are_no_source_and_may_have_no_matrix() -> None:
    with pytest.raises(QcsError, match="pairs of x and y are no source to train on: they come with a model"):
        load_table(SignalConfig, "signal", overrides={"source": "pairs", "matrix": "none", "recording": "x"})
    config = SignalConfig(source="pairs", matrix="none", recording=IN_THE_BUNDLE)
    with pytest.raises(QcsError, match="nobody said how the y of these pairs came of x"):
        measurement_matrix(config)
