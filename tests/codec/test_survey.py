"""What is seen of a recording, against signals of which it is known: noise, sines, AR(1), random walks."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from qcskit.codec.errors import QcsError
from qcskit.codec.matrices import sparsity_basis
from qcskit.codec.readers import Samples
from qcskit.codec.sensor import Adc, AdcConfig
from qcskit.codec.signal import SignalConfig
from qcskit.codec.survey import (
    Survey,
    converter,
    largest_left_db,
    regular_places,
    sentences,
    spectrum,
    steps,
    survey,
    warnings,
)

RNG = np.random.default_rng(1)
NOISE = RNG.standard_normal(200_000)
TIME = np.arange(100_000)
RHO = 0.95
AR1 = lfilter([1.0], [1.0, -RHO], RNG.standard_normal(400_000))[1000:]


def look(values: NDArray[np.float64], n: int = 16, m: int = 8, **known: object) -> Survey:
    return survey(Samples(np.asarray(values, np.float64), integers=False, **known), n, m)


def toeplitz(n: int) -> NDArray[np.float64]:
    """The covariance of AR(1), apart from its variance."""
    return RHO ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))


def test_white_noise_has_no_better_basis() -> None:
    found = look(NOISE)
    assert found.floors.klt[0] == pytest.approx(10 * np.log10(8 / 16), abs=0.05)
    assert found.floors.lmmse[0] == pytest.approx(10 * np.log10(8 / 16), abs=0.05)
    # About its own mean a window has (n − 1)/n of the energy.
    assert found.floors.klt[1] - found.floors.klt[0] == pytest.approx(10 * np.log10(16 / 15), abs=0.02)
    assert set(found.floors.counts.values()) == {(16, 16)}
    np.testing.assert_allclose(found.spectrum.bands, (1 / 64, 1 / 16, 1 / 4, 1 / 2), atol=0.01)
    assert found.spectrum.peaks == ()
    assert "compresses little" in sentences(found)[1]


@pytest.mark.parametrize(("n", "m"), [(16, 4), (32, 16)])
def test_ar1_reaches_the_eigenvalues_of_its_covariance(n: int, m: int) -> None:
    eigenvalues = np.linalg.eigvalsh(toeplitz(n))[::-1]
    found = look(AR1, n, m).floors
    assert found.klt[0] == pytest.approx(10 * np.log10(eigenvalues[m:].sum() / n), abs=0.15)
    left = 10 * np.log10(np.append(eigenvalues[::-1].cumsum()[::-1], 0)[:n] / n)
    np.testing.assert_allclose(found.left["KLT"][:n], left, atol=0.25)
    needed = tuple(int(np.argmax(left <= 10 * np.log10(share))) for share in (0.01,))
    assert abs(found.counts["KLT"][0] - needed[0]) <= 1


def test_ar1_from_regular_samples_reaches_the_conditional_variance() -> None:
    places = regular_places(16, 4)
    covariance = toeplitz(16)
    known = covariance[places]
    rest = covariance - known.T @ np.linalg.solve(covariance[np.ix_(places, places)], known)
    found = look(AR1, 16, 4).floors
    assert found.lmmse[0] == pytest.approx(10 * np.log10(np.trace(rest) / 16), abs=0.1)
    assert found.lmmse[0] > found.klt[0]


@pytest.mark.parametrize(
    ("klt", "verdict"), [(4, "compresses well"), (5, "compresses"), (8, "compresses"), (9, "compresses little")]
)
def test_what_a_recording_promises_is_said_of_its_best_basis_and_the_best_fixed_one(klt: int, verdict: str) -> None:
    found = look(NOISE)
    counts = {"KLT": (klt, 1), "DCT": (14, 2), "haar": (11, 3), "db4": (12, 1)}
    told = sentences(replace(found, floors=replace(found.floors, counts=counts)))[1]
    assert f"It {verdict}: of 16 coefficients of a window {klt} carry" in told
    assert told.endswith("in the best basis (KLT), 11 in the best fixed one (haar).")


def test_a_sine_is_two_coefficients_and_a_line() -> None:
    found = look(np.sin(2 * np.pi * TIME / 20.3), 32, 2, rate_hz=203.0)
    assert found.floors.counts["KLT"] == (2, 2)
    assert found.floors.klt[0] < -60
    assert found.floors.lmmse[0] < -60  # two samples of a sine of known frequency say it all
    ((frequency, share),) = found.spectrum.peaks
    assert frequency == pytest.approx(2 / 20.3, abs=1 / 4096)
    assert share > 0.99
    assert "10 Hz (100%)" in sentences(found)[0]
    assert "compresses well" in sentences(found)[1]


def test_a_cosine_of_the_dct_is_one_coefficient_of_it() -> None:
    """Ready windows: the third vector of the DCT, each with its own strength."""
    windows = np.outer(RNG.standard_normal(4000), np.cos(np.pi * 2 * (np.arange(16) + 0.5) / 16))
    found = look(windows).floors
    assert (found.counts["DCT"], found.counts["KLT"]) == ((1, 1), (1, 1))
    assert found.counts["haar"][0] > 1
    assert found.windows == 600


def test_a_random_walk_is_slow_and_drifts() -> None:
    walk = np.cumsum(NOISE[:20_000]) + np.linspace(0, 2000, 20_000)
    found = look(walk)
    assert found.spectrum.bands[0] > 0.95
    assert sentences(found)[0].startswith("It is slow")
    assert any(text.startswith("It drifts") for text in warnings(found))


def test_odd_windows_have_no_wavelet() -> None:
    assert list(look(NOISE, 15, 7).floors.counts) == ["KLT", "DCT"]


def test_an_offset_changes_nothing() -> None:
    first, second = look(AR1).floors, look(AR1 + 1e4).floors
    np.testing.assert_allclose(first.klt + first.lmmse, second.klt + second.lmmse, atol=1e-3)


@pytest.mark.parametrize(
    ("values", "step", "bits"),
    [
        ([0, 1, 2, 8], 1, 4),
        ([0, 4, 8, 12, -4096], 4, 11),
        ([0, 4, 10], 2, 3),
        ([0.3, 0.1, 1.6, 0.2], 0.1, 4),
        ([0, 1, 2**0.5], None, None),
        ([0, 0.2, 0.5], None, None),
    ],
)
def test_the_step_of_a_converter(values: list[float], step: float | None, bits: int | None) -> None:
    found = steps(np.array(values, np.float64))
    assert found.step == (None if step is None else pytest.approx(step))
    assert found.bits == bits


def test_shares_and_runs() -> None:
    found = steps(np.array([1.0, 5, 5, 5, 2, 2, 9]))
    assert (found.low, found.high, found.distinct, found.longest) == (1, 9, 4, 3)
    assert (found.at_low, found.at_high) == (1 / 7, 1 / 7)
    assert steps(np.array([1.0, 2, 2, 2, 2])).longest == 4
    assert steps(np.array([2.0, 2, 2, 1])).longest == 3


@pytest.mark.parametrize("bits", [6, 10, 16])
def test_a_sine_is_clipped_only_when_it_is(bits: int) -> None:
    # The highest code is as wide as the others: a sine stays there 2.4 times as long as in the next.
    sine = np.sin(2 * np.pi * TIME / 97.31) * (2 ** (bits - 1) + 0.49)
    assert not steps(np.rint(sine)).clipped
    for limit in (sine.max() * 0.9, sine.max() * 0.6):
        assert steps(np.rint(np.minimum(sine, limit))).clipped
        assert steps(np.rint(np.maximum(sine, -limit))).clipped


def test_noise_and_two_values_are_not_clipped() -> None:
    assert not steps(np.rint(NOISE * 50)).clipped
    assert not steps((NOISE > 0).astype(float)).clipped


def test_the_energy_of_the_spectrum_is_that_of_the_signal() -> None:
    found = spectrum(NOISE + 100)
    assert found.power.mean() == pytest.approx(NOISE.var(), rel=0.01)


def test_what_stands_in_the_way_is_said() -> None:
    assert warnings(look(AR1)) == []
    assert "Only 9 windows" in warnings(look(NOISE[:1000]))[0]
    for strength in (10, 0.2):
        later = NOISE.copy()
        later[170_000:] *= strength
        assert f"varies {strength} times as much" in warnings(look(later))[0]
    stuck = NOISE.copy()
    stuck[180_000:180_160] = stuck[180_000]
    assert "10 of 1875 test windows hold one value only" in warnings(look(stuck))[0]
    assert "looks clipped" in warnings(look(np.clip(NOISE, -1, 3)))[0]


@pytest.mark.parametrize(
    ("values", "n", "m", "message"),
    [
        (np.ones(1000), 8, 4, "is constant, 1 throughout"),
        (np.arange(100.0), 16, 4, "has 100 samples: windows of n = 16 need at least 107"),
        (np.append(np.ones(900), np.arange(100.0)), 8, 4, "first 70 % of the recording are constant"),
        (np.arange(100.0), 8, 9, "m must lie in 1 … n, got m = 9, n = 8"),
        (NOISE[:1000].reshape(100, 10), 8, 4, "ready windows of 10; set n to it"),
    ],
)
def test_what_cannot_be_surveyed_is_refused(values: NDArray[np.float64], n: int, m: int, message: str) -> None:
    with pytest.raises(QcsError, match=message):
        look(values, n, m)


@pytest.mark.parametrize(
    ("values", "known", "bits", "signed"),
    [
        (TIME % 1024, {"integers": True}, 10, False),
        (TIME % 1024 - 512, {"integers": True}, 10, True),
        (TIME % 1025 - 512, {"integers": True}, 11, True),
        (TIME % 5 - 2, {"integers": True}, 8, True),
        (TIME % 40_000 - 20_000, {"integers": True}, 16, True),
        (TIME % 384 * 0.1 + 37.5, {"unit": "°F"}, 10, False),
        (TIME % 384 * 0.1 - 12.3, {"unit": "no unit <of> a sensor"}, 10, True),
        (TIME % 384 * 0.1 + 0.037, {}, 16, True),
        (TIME % 60_000 + 5.0, {}, 16, True),
        (TIME - 50_000.0, {}, 16, True),
        (NOISE[:9999] + 9.0, {}, 16, True),
        (NOISE[:9999] * 3e-4, {}, 16, True),
    ],
)
def test_the_smallest_converter_holds_every_value(values, known, bits, signed) -> None:
    keys = converter(survey(Samples(np.asarray(values, np.float64), **({"integers": False} | known)), 16, 8))
    assert (keys["bits"], keys["signed"]) == (bits, signed)
    AdcConfig.model_validate(keys)
    adc = Adc.model_validate({"units_per_count": 1.0} | keys)
    apart = 0.5 if bits == 16 else 1e-5
    assert np.abs(adc.values(adc.counts(values)) - values).max() <= apart * adc.units_per_count * (1 + 1e-6)


@pytest.mark.parametrize("values", [TIME % 2000 + 101_000.0, NOISE[:9999] + 1e4])
def test_values_far_from_0_have_a_converter_that_never_reads_0(values) -> None:
    keys = converter(look(values))
    adc = Adc.model_validate(keys)
    assert abs(adc.offset_counts) > 32768
    assert np.abs(adc.values(adc.counts(values)) - values).max() <= 0.5 * adc.units_per_count * (1 + 1e-6)
    assert len(set(adc.counts(values).tolist())) > 1000


def test_a_converter_that_the_file_knows_is_taken() -> None:
    samples = Samples(np.asarray(TIME % 2000, np.float64), True, unit="mV", units_per_count=0.005, zero_count=1024)
    keys = converter(survey(samples, 16, 8))
    assert keys == {"bits": 11, "signed": False, "units_per_count": 0.005, "offset_counts": 1024, "unit": "mV"}


def test_rounding_is_told_beside_the_test_part() -> None:
    values = np.rint(20 * NOISE)
    assert look(values).rounding_db == pytest.approx(10 * np.log10(1 / 12 / 400), abs=0.1)
    # A test part off the training mean has more energy about it.
    shifted = np.append(values[:170_000], values[170_000:] + 20)
    assert look(shifted).rounding_db == pytest.approx(10 * np.log10(1 / 12 / 800), abs=0.1)
    assert look(NOISE).rounding_db is None


def test_what_the_largest_coefficients_leave_out_is_of_each_window_by_itself() -> None:
    """Of squares 9, 4, 1, 0, 0, 4 at turning places the largest leaves 9 of 18, the three largest 1; in any basis."""
    x = np.array([np.roll([3.0, -2, 1, 0, 0, -2], k) for k in range(2000)])
    signal = SignalConfig(n=6, m=6, s=1)
    assert largest_left_db(x, signal) == pytest.approx(10 * np.log10(9 / 18), abs=1e-9)
    assert largest_left_db(x, signal.model_copy(update={"s": 3})) == pytest.approx(10 * np.log10(1 / 18), abs=1e-9)
    turned = x @ sparsity_basis("dct", 6).T
    assert largest_left_db(turned, SignalConfig(n=6, m=6, s=3, basis="dct")) == pytest.approx(-12.55, abs=0.2)
