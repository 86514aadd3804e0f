"""Lloyd against tabulated optima, Blahut–Arimoto against closed forms, and every codec by name."""

import numpy as np
import pytest
from scipy.stats import norm

from qcskit.codec.classical import NAMES, make, printed_mu
from qcskit.codec.classical.codecs import GenieCodec, cells
from qcskit.codec.classical.lloyd import MAX_CODEWORDS, lloyd_scalar, lloyd_vector, on_grid, uniform_scalar
from qcskit.codec.classical.mixture import mmse_floor
from qcskit.codec.classical.rdf import _dual_bound, blahut_arimoto, remote_rdf
from qcskit.codec.errors import QcsError
from qcskit.codec.matrices import sparsity_basis
from qcskit.codec.metrics import nmse_db
from qcskit.codec.signal import SignalConfig, draw_frames, measurement_matrix

SMALL = SignalConfig(n=7, m=4, s=1, noise_variance=0.01)


def reached_db(codec, x, y):
    packed = codec.encode(y)
    estimate = codec.decode_with_source(packed, x) if isinstance(codec, GenieCodec) else codec.decode(packed)
    return nmse_db(x, estimate)


# Max, "Quantizing for minimum distortion", 1960, tables I and II; more digits from Lloyd's condition solved by others.
@pytest.mark.parametrize(("levels", "optimum"), [(2, 0.363380), (4, 0.117482), (8, 0.0345479), (16, 0.00950054)])
def test_lloyd_reaches_the_gaussian_optimum(levels, optimum):
    source = norm.ppf((np.arange(1_000_000) + 0.5) / 1_000_000)
    quantizer = lloyd_scalar(source, levels)
    assert quantizer.distortion == pytest.approx(optimum, rel=1e-3)
    assert np.all(np.diff(quantizer.history) <= 1e-15)


@pytest.mark.parametrize(("levels", "optimum"), [(2, 0.36338), (4, 0.11885), (8, 0.03744), (16, 0.01154)])
def test_uniform_quantizer_has_the_tabulated_step(levels, optimum):
    source = norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    assert uniform_scalar(source, levels).distortion == pytest.approx(optimum, rel=2e-3)


def test_vector_lloyd_never_rises_and_is_no_worse_than_scalar():
    rng = np.random.default_rng(0)
    samples = rng.standard_normal((20_000, 2))
    for size in (16, 1024):
        codebook = lloyd_vector(samples, size)
        assert np.all(np.diff(codebook.history) <= 1e-12)
        distance = ((samples[:300, None] - codebook.points) ** 2).sum(axis=2)
        assert np.array_equal(codebook.nearest(samples[:300]), distance.argmin(axis=1))
    assert lloyd_vector(samples, 16).distortion < 2 * 0.1175  # 4 x 4 scalar cells
    high = rng.standard_normal((2_000, 12))  # beyond the k-d tree
    codebook = lloyd_vector(high, 8)
    assert np.all(np.diff(codebook.history) <= 1e-12)
    assert codebook.distortion == pytest.approx(np.min(((high[:, None] - codebook.points) ** 2).sum(2), 1).mean())


@pytest.mark.parametrize("distortion", [0.5, 0.2, 0.05, 0.01])
def test_blahut_arimoto_gives_the_gaussian_distortion_rate_function(distortion):
    grid = np.linspace(-6, 6, 601)
    weights = norm.pdf(grid) / norm.pdf(grid).sum()
    point = blahut_arimoto((grid[:, None] - grid) ** 2, 1 / (2 * distortion), weights, passes=400)
    assert point.distortion == pytest.approx(4.0**-point.rate_bits, rel=5e-3)
    assert point.gap_bits[-1] <= point.gap_bits[0]


def test_remote_rdf_is_enclosed_and_below_every_method():
    points = remote_rdf(SMALL, [4.0, 20.0, 80.0], codewords=64, samples=2_000, fresh=4_000, passes=15)
    rates, levels = [p.rate_bits for p in points], [p.nmse_db for p in points]
    assert np.all(np.diff(rates) > 0)
    assert np.all(np.diff(levels) < 0)
    assert all(0 <= p.lower_rate_bits <= p.rate_bits for p in points)
    assert points[0].rate_bits - points[0].lower_rate_bits < 0.02
    assert points[1].rate_bits - points[1].lower_rate_bits < 0.1
    assert min(levels) > mmse_floor(SMALL, 5_000).nmse_db - 0.2
    x, y = draw_frames(SMALL, 20_000, 77)
    for bits in (4, 5):
        for name in ("ec-vq", "ce-vq-l1"):
            codec = make(name, SMALL, 2**bits)
            assert np.interp(codec.rate_bits, rates, levels) < reached_db(codec, x, y)


def test_the_lower_bound_meets_the_rate_of_a_gaussian_source_from_below():
    """R + sD of N(0, I) in two dimensions is ln(2s) + 1 nats; the bound starts from a poor codebook."""
    u = np.random.default_rng(3).standard_normal((4_000, 2))
    for slope in (1.0, 4.0):
        bound = _dual_bound(u, u[:16], np.full(16, 1 / 16), slope)
        exact = np.log(2 * slope) + 1
        assert exact - 0.15 < bound < exact + 0.05


def test_the_outermost_of_256_cells_is_open_above():
    thresholds = np.arange(255.0)[None, :]
    low, high = cells(thresholds, np.array([[0], [7], [255]], np.uint8))
    assert low.ravel().tolist() == [-np.inf, 6.0, 254.0]
    assert high.ravel().tolist() == [0.0, 7.0, np.inf]


def test_ec_vq_at_seven_bits():
    x, y = draw_frames(SMALL, 50_000, 78)
    codec = make("ec-vq", SMALL, 128)
    assert codec.rate_bits == 1.0
    assert reached_db(codec, x, y) <= -15.8


def test_every_name_is_a_codec_and_round_trips():
    x, y = draw_frames(SMALL, 300, 5)
    for name in NAMES:
        levels = 2 if name.startswith("1-bit") else 16 if "vq" in name else 4
        codec = make(name, SMALL, levels, train_frames=2_000)
        assert codec.name == name
        packed = codec.encode(y)
        assert packed.dtype == np.uint8
        assert 8 * packed.shape[1] >= codec.rate_bits * SMALL.n > 8 * (packed.shape[1] - 1)
        assert reached_db(codec, x, y) < 0.0
        again = make(name, SMALL, levels, train_frames=2_000)
        assert np.array_equal(again.encode(y), packed)


def test_genie_is_no_worse_than_its_codec_and_refuses_to_decode_blindly():
    x, y = draw_frames(SMALL, 2_000, 6)
    genie, plain = make("ce-usq-l1*", SMALL, 4), make("ce-usq-l1", SMALL, 4)
    assert reached_db(genie, x, y) <= reached_db(plain, x, y) + 0.05
    with pytest.raises(QcsError, match="decode_with_source"):
        genie.decode(genie.encode(y))
    with pytest.raises(QcsError, match=r"source has shape \(1999, 7\), expected \(2000, 7\)"):
        genie.decode_with_source(genie.encode(y), x[:-1])


def test_best_mu_beats_the_printed_one():
    x, y = draw_frames(SignalConfig(), 4_000, 6)
    best = reached_db(make("ce-usq-l1", SignalConfig(), 4), x, y)
    for mu in ("printed", "printed-variance"):
        assert best <= reached_db(make("ce-usq-l1", SignalConfig(), 4, mu=mu), x, y) + 0.05
    assert printed_mu(1e-4, 2) == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("name", "levels", "kwargs", "says"),
    [
        ("ce-usq-l2", 4, {}, "did you mean 'ce-usq-l1'"),
        ("ce-usq-l1", 1, {}, "levels = 1"),
        ("ce-usq-l1", 300, {}, "levels = 300"),
        ("ce-usq-l1", 4, {"mu": -1.0}, "mu = -1.0"),
        ("ce-usq-l1", 4, {"mu": "bets"}, "mu = 'bets'"),
        ("ce-usq-l1", 4, {"train_frames": 10}, "train_frames"),
        ("ec-vq", 100, {}, "power of two"),
        ("ec-vq", 2 * MAX_CODEWORDS, {}, "15 bits"),
        ("1-bit-biht", 4, {}, "levels must be 2"),
    ],
)
def test_bad_input_is_one_clear_line(name, levels, kwargs, says):
    with pytest.raises(QcsError, match=says) as caught:
        make(name, SMALL, levels, **kwargs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: uniform_scalar(np.arange(9.0), 4, widen=0.0), "widen = 0.0: the factor on the quantizer step"),
        (lambda: on_grid(uniform_scalar(np.arange(9.0), 4), np.arange(9.0), np.nan), "count = nan: the measurement"),
        (lambda: lloyd_scalar(np.ones(9), 2), "at least as many finite, differing training samples"),
        (lambda: lloyd_scalar(np.arange(3.0), 4), "at least as many finite, differing training samples"),
        (lambda: lloyd_vector(np.ones((7, 2)), 4), "4 codewords need at least 8 training vectors, got 7"),
        (lambda: blahut_arimoto(np.full((2, 2), np.inf), 1.0), "needs a finite distortion matrix"),
        (lambda: blahut_arimoto(1 - np.eye(2), 0.0), "a positive slope"),
        (lambda: blahut_arimoto(1 - np.eye(2), 1.0, [0.5, 0.6]), "weights must be one probability per source letter"),
        (lambda: remote_rdf(SMALL, [0.0], codewords=16, samples=100, fresh=100), "slope = 0.0, must be positive"),
    ],
)
def test_what_no_quantizer_or_bound_can_be_fitted_to_is_one_clear_line(call, says):
    with pytest.raises(QcsError, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_basis_is_the_same_problem_in_other_coordinates(tmp_path):
    signal = SignalConfig(n=16, m=8, s=2, basis="dct", matrix="gaussian", matrix_seed=3)
    psi = sparsity_basis("dct", 16)
    np.save(tmp_path / "phi.npy", measurement_matrix(signal) @ psi)
    plain = SignalConfig(n=16, m=8, s=2, matrix="file", matrix_file=str(tmp_path / "phi.npy"))
    (x, y), (c, _) = draw_frames(signal, 500, 9), draw_frames(plain, 500, 9)
    assert np.allclose(x, c @ psi.T)
    for name in ("ce-usq-l1", "ce-sq-omp", "ce-usq-mmse", "ce-usq-l1*", "1-bit-pv"):
        levels = 2 if name == "1-bit-pv" else 16
        ours, theirs = (make(name, s, levels, train_frames=2_000) for s in (signal, plain))
        assert np.array_equal(ours.encode(y), theirs.encode(y))
        assert reached_db(ours, x, y) == pytest.approx(reached_db(theirs, c, y), abs=1e-3)


def test_the_exact_mixture_refuses_another_source():
    signs = SignalConfig(source="signs")
    for call in (lambda: make("ec-vq", signs, 16), lambda: make("ce-usq-mmse", signs, 4), lambda: mmse_floor(signs)):
        with pytest.raises(QcsError, match="source = 'gaussian'"):
            call()
    x, y = draw_frames(signs, 500, 3)
    assert reached_db(make("ce-usq-l1", signs, 16, train_frames=2_000), x, y) < -8.0


def test_damaged_measurements_are_named():
    codec = make("ce-usq-omp", SMALL, 4, train_frames=1_000)
    y = np.zeros((3, 4))
    y[1, 2] = np.nan
    with pytest.raises(QcsError, match="frame 1 holds NaN"):
        codec.encode(y)
    with pytest.raises(QcsError, match=r"expected \(frames, 4\)"):
        codec.encode(y[:, :2])
