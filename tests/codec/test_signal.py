"""Sources, bases, matrices and recordings: statistics against their definitions, bad files against one clear line."""

import itertools

import numpy as np
import pytest
from scipy.io import wavfile

from qcskit.codec.config import load_table
from qcskit.codec.errors import QcsError
from qcskit.codec.matrices import sparsity_basis
from qcskit.codec.signal import SignalConfig, draw_frames, draw_sparse, measurement_matrix, recorded_windows


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
        writer = {"npy": np.save, "npz": np.savez}.get(name[2:], lambda f, a: np.savetxt(f, a, delimiter=",", fmt="%r"))
        writer(tmp_path / name, phi)
        config = SignalConfig(matrix="file", matrix_file=str(tmp_path / name))
        np.testing.assert_array_equal(measurement_matrix(config), phi)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.T, "looks transposed"),
        (lambda a: a[:, :7], "expected .m, n. = .10, 20."),
        (lambda a: np.where(np.eye(10, 20) == 1, np.nan, a), "NaN or infinity at row 0, column 0"),
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


def test_parts_share_no_sample_and_hop_is_kept(tmp_path) -> None:
    np.save(tmp_path / "ramp.npy", np.arange(1000.0))
    config = recorded(tmp_path / "ramp.npy", recording_hop=7)
    parts = [recorded_windows(config, part) for part in ("train", "validation", "test")]
    spans = [(p.min(), p.max()) for p in parts]
    assert all(a[1] < b[0] for a, b in itertools.pairwise(spans))
    scale = 1000 / np.sqrt(12)
    np.testing.assert_allclose(np.diff(parts[0][:, 0]) * scale, 7, rtol=1e-3)
    x, y = draw_frames(config, 50, 0)
    assert {tuple(row) for row in x} <= {tuple(row) for row in parts[2]}
    assert y.shape == (50, 10)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "t,v\n1,2\n3,oops\n", "line 3, column 2: 'oops' is not a number"),
        ("a.csv", "1,2\n3\n", "line 2 has 1 columns"),
        ("a.csv", "", "is empty"),
        ("a.csv", "t,v\n1,2\n3,4\n", "names: t, v"),
        ("a.csv", "1\nnan\n3\n", "sample 1 is NaN"),
        ("a.csv", "4\n4\n4\n", "constant"),
        ("a.csv", "1\n2\n3\n", "a window needs n = 20"),
        ("a.txt", "1\n", "unknown kind of file"),
        ("a.npy", "not numpy", "cannot be read as .npy"),
        ("a.wav", "not a wave", "cannot be read as .wav"),
        ("a.npz", "not a zip", "cannot be read as .npz"),
    ],
)
def test_a_bad_recording_is_one_clear_line(tmp_path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(QcsError, match=message) as caught:
        recorded_windows(recorded(tmp_path / name), "train")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"source": "recorded"}, "go together"),
        ({"matrix": "file"}, "go together"),
        ({"matrix": "subsampling"}, "choose basis"),
        ({"s": 11}, "s must not exceed m"),
        ({"m": 20}, "m must be smaller than n"),
        ({"sauce": "signs"}, "did you mean 'source'"),
    ],
)
def test_contradictions_are_refused(keys, message: str) -> None:
    with pytest.raises(QcsError, match=message):
        load_table(SignalConfig, "signal", None, keys)


def test_a_missing_recording_is_named() -> None:
    with pytest.raises(QcsError, match=r"'nowhere.csv' does not exist"):
        draw_frames(recorded("nowhere.csv"), 1, 0)
