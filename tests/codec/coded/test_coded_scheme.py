"""The quantizer against its definition, the theory against closed forms, and the whole codec end to end."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from qcskit.codec import jit
from qcskit.codec.coded import sawtooth, theory
from qcskit.codec.coded.scheme import CodedConfig, CodedScheme
from qcskit.codec.errors import QcsError

ALL_COUNTS = np.arange(-32768, 32768)


@pytest.mark.parametrize("p", [2, 3, 5, 7, 11, 251])
@pytest.mark.parametrize("bits", [9, 12, 15, 16])
@pytest.mark.parametrize("offset", [0, -77, 2048])
def test_integer_sawtooth_is_the_definition_for_all_counts(p, bits, offset):
    device = sawtooth.integer_sawtooth(p, 2**bits, offset)
    # floor(y / a + 1/2) with y = count - offset and a = 2^bits / p, in exact integers.
    exact = ((ALL_COUNTS - offset) * 2 * p + 2**bits) // 2 ** (bits + 1) % p
    assert np.array_equal(device.index(ALL_COUNTS), exact)
    if bits < 16:
        assert np.array_equal(sawtooth.sawtooth(ALL_COUNTS[::7] - offset, 2**bits / p, p), exact[::7])


@pytest.mark.parametrize("p", [2, 3, 5])
@pytest.mark.parametrize("period", [1000.0, 4095.5, 12345.678])
def test_any_period_by_reciprocal(p, period):
    device = sawtooth.integer_sawtooth(p, period)
    position = ALL_COUNTS * p / period + 0.5
    differs = device.index(ALL_COUNTS) != np.floor(position) % p
    edge = np.abs(position - np.rint(position)) * period / p
    assert not differs[edge > period * 2.0**-17].any()


@pytest.mark.parametrize("p", [2, 3, 5, 7])
def test_thresholds_describe_the_quantizer(p):
    device = sawtooth.integer_sawtooth(p, 4096)
    thresholds = device.thresholds()
    assert len(thresholds) == p
    start = math.ceil(-4096 / (2 * p))
    for symbol, (low, high) in enumerate(zip([0, *thresholds], thresholds, strict=False)):
        assert (device.index(np.arange(start + low, start + high)) == symbol).all()


@pytest.mark.parametrize(("p", "snr"), [(2, 0.0), (2, 6.0), (3, 5.0), (5, 3.0), (7, 12.0)])
def test_effective_noise_is_the_folded_gaussian(p, snr):
    sigma = sawtooth.noise_sigma(snr, 1.0, p)
    density = lambda z: math.exp(-0.5 * (z / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))  # noqa: E731
    pmf = sawtooth.effective_noise(p, snr)
    for d in range(p):
        cells = range(-10 * p + d, 10 * p + 1, p)
        assert pmf[d] == pytest.approx(sum(quad(density, c - 0.5, c + 0.5)[0] for c in cells), rel=1e-6, abs=1e-12)
    assert pmf.sum() == pytest.approx(1.0, abs=1e-12)


def test_theory_against_known_values():
    bits = theory.source_bits(2, 511, 5)
    got = [theory.normal_approximation_snr_db(m, 2, bits) for m in (128, 256, 512)]
    assert np.allclose(got, [5.01, 3.06, 1.61], atol=0.01)
    # A binary symmetric channel: capacity 1 - h(e), dispersion e (1 - e) log2²((1 - e) / e).
    e = float(sawtooth.effective_noise(2, 4.0)[1])
    assert theory.capacity_bits(2, 4.0) == pytest.approx(1 + e * math.log2(e) + (1 - e) * math.log2(1 - e))
    assert theory.dispersion_bits2(2, 4.0) == pytest.approx(e * (1 - e) * math.log2((1 - e) / e) ** 2)
    assert theory.noiseless_measurements(2, 511, 5) == 90
    assert theory.theorem1_measurements(2, 511, 5, 5.0) == pytest.approx(90 / theory.capacity_bits(2, 5.0))
    assert theory.capacity_bits(2, -60.0) == 0.0
    assert theory.theorem1_measurements(2, 511, 5, -60.0) == math.inf
    with pytest.raises(QcsError, match="do not fit"):
        theory.normal_approximation_snr_db(16, 2, bits)


CONFIGS = [
    {"m": 128, "n": 511, "k": 5},
    {"m": 64, "n": 100, "k": 3, "guard": False},
    {"m": 256, "n": 511, "k": 5, "rows": "all", "guard": False},
    {"m": 64, "n": 80, "k": 3, "p": 3},
    {"m": 64, "n": 124, "k": 3, "p": 5},
    {"m": 64, "n": 48, "k": 3, "p": 7, "values": "unsigned"},
]


@pytest.mark.parametrize("settings", CONFIGS)
def test_recovers_x_exactly_through_the_real_sensing_matrix(settings):
    scheme = CodedScheme(CodedConfig(**settings))
    rng = np.random.default_rng(1)
    for weight in (0, 1, scheme.config.k):
        x = scheme.draw(300, rng, weight)
        assert ((x != 0).sum(axis=1) == weight).all()
        packed = scheme.packing.pack(scheme.quantize(scheme.measure(x, scheme.design_snr_db + 4, rng)))
        assert packed.shape == (300, scheme.packing.packed_bytes)
        result = scheme.decode_symbols(scheme.packing.unpack(packed))
        assert ((result.x == x).all(axis=1) & result.ok).mean() > 0.99
    low = -(scheme.config.p // 2) if scheme.config.p > 2 and scheme.config.values == "centred" else 0
    assert x.min() == low


@pytest.mark.parametrize("settings", CONFIGS)
def test_measurement_folds_to_the_codeword(settings):
    scheme = CodedScheme(CodedConfig(**settings))
    x = scheme.draw(50, np.random.default_rng(2))
    codeword = scheme.code.astype(int) @ x.T.astype(int) % scheme.config.p
    assert np.array_equal(scheme.quantize(x @ scheme.sensing_matrix.T), codeword.T)


def test_adaptive_is_as_good_as_the_longest_list_and_flags_the_rest():
    scheme = CodedScheme(CodedConfig(m=128, guard=False))
    rng = np.random.default_rng(3)
    x = scheme.draw(3000, rng)
    q = scheme.quantize(scheme.measure(x, 5.2, rng))
    results = {sizes: scheme.decode_symbols(q, sizes) for sizes in ((1,), (32,), (1, 8, 32))}
    perfect = {sizes: (result.x == x).all(axis=1).mean() for sizes, result in results.items()}
    assert perfect[1,] < perfect[32,] - 0.05
    assert perfect[1, 8, 32] > perfect[32,] - 0.004
    assert perfect[1, 8, 32] > 0.97
    adaptive = results[1, 8, 32]
    assert (~adaptive.x.any(axis=1))[~adaptive.ok].all()
    assert {1, 8, 32} == set(np.unique(adaptive.paths))


def test_guard_flags_every_vector_with_one_non_zero_too_many():
    scheme = CodedScheme(CodedConfig(m=128, lists=(1, 8)))
    rng = np.random.default_rng(4)
    x = scheme.draw(500, rng, weight=6)
    result = scheme.decode_symbols(scheme.quantize(scheme.measure(x, 12.0, rng)))
    # Noise-free frames are always flagged; a list may add a wrong but consistent candidate, rarely.
    assert result.ok.mean() < 0.02
    again = scheme.decode_symbols(scheme.quantize(scheme.measure(x[:1], 30.0, rng)))
    assert not again.x.any() if not again.ok[0] else result.ok[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: CodedScheme(CodedConfig(p=4)), "p = 4 is not prime"),
        (lambda: CodedScheme(CodedConfig(n=512, r=9)), "n = 512 does not fit"),
        (lambda: CodedScheme(CodedConfig(n=70_000)), "n = 70000 needs"),
        (lambda: CodedScheme(CodedConfig(m=100)), "power of two"),
        (lambda: CodedScheme(CodedConfig(m=32)), "cannot carry"),
        (lambda: CodedScheme(CodedConfig(lists=(0,))), "list size"),
        (lambda: CodedScheme(CodedConfig(m=128)).decode_symbols(np.zeros((2, 64), np.uint8)), r"shape \(2, 64\)"),
        (lambda: CodedScheme(CodedConfig(m=128)).decode_symbols(np.full((2, 128), 2, np.uint8)), "symbol is 2"),
        (lambda: CodedScheme(CodedConfig(m=128)).quantize(np.full((2, 128), np.nan)), "frame 0 holds NaN"),
        (lambda: sawtooth.integer_sawtooth(2, 4096).index(np.array([40_000])), "outside int16"),
        (lambda: sawtooth.integer_sawtooth(2, 4096).index(np.array([0.5])), "integers in int16"),
        (lambda: sawtooth.integer_sawtooth(7, 8), "period of 8 counts"),
        (lambda: sawtooth.integer_sawtooth(1, 4096), "p = 1: the sawtooth has 2 … "),
        (lambda: CodedScheme(CodedConfig(p=3, gamma=3)), "gamma: a multiple of p = 3 does not polarise; take 1 … 2"),
        (lambda: CodedScheme(CodedConfig(m=128)).quantize(np.zeros((2, 64))), r"measurements have shape \(2, 64\)"),
        (lambda: theory.normal_approximation_snr_db(64, 251, 505.0), "need more than 40 dB; raise m"),
    ],
)
def test_bad_input_is_one_line(call, message):
    with pytest.raises(QcsError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_without_numba_one_line_says_what_to_install():
    def inner():
        return 1

    with pytest.raises(QcsError, match=r"pip install 'qcskit\[speed\]'"):
        jit.missing(inner)()
