"""From the sensor's units to counts and the codec's own scale, and back: against the words of `[adc]`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.bundles import drifting_counts
from support.bundles import recorded as recorded_source

from qcskit.codec.config import load_table
from qcskit.codec.errors import QcsError
from qcskit.codec.sensor import (
    UNKNOWN_ADC,
    Adc,
    AdcConfig,
    Sensor,
    SignalFacts,
    grid_of,
    sensed,
    source_arrays,
)
from qcskit.codec.signal import SignalConfig, recorded_windows


def facts(**keys: Any) -> SignalFacts:
    return SignalFacts(**{"n": 4, "m": 4, "s": 1, "noise_variance": 0.0, "matrix": "identity"} | keys)


def source(folder: Path, values: Any, **keys: Any) -> SignalConfig:
    np.save(folder / "r.npy", np.asarray(values))
    return SignalConfig(**{"source": "recorded", "recording": str(folder / "r.npy"), "n": 8, "m": 4} | keys)


UNITS = 0.25 + np.random.default_rng(3).standard_normal(1000) / 8
COUNTS = drifting_counts()


# ---- Adc ----


@given(
    st.integers(-32768, 32767), st.integers(8, 16), st.booleans(), st.integers(-3000, 3000), st.floats(1e-5, 1e3)
)  # fmt: skip
def test_counts_and_values_are_each_other_s_inverse(
    count: int, bits: int, signed: bool, offset: int, step: float
) -> None:
    adc = Adc(bits=bits, signed=signed, offset_counts=offset, units_per_count=step)
    inside = min(max(count, adc.low), adc.high)
    assert adc.counts(adc.values(count)) == inside
    assert adc.high - adc.low == 2**bits - 1
    assert adc.low == (-(2 ** (bits - 1)) if signed else 0)


def test_values_are_in_units() -> None:
    adc = Adc(units_per_count=0.5, offset_counts=10, unit="mV")
    assert adc.values([10, 12, -2]).tolist() == [0.0, 1.0, -6.0]
    assert adc.describe() == "16 bits signed, -32768 … 32767, one count 0.5 mV, 0 mV at 10"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"bits": 7}, "bits"),
        ({"bits": 17}, "bits"),
        ({"bits": 16, "signed": False}, "subtract 32768 in the firmware and set signed = true"),
        ({"units_per_count": 0}, "units_per_count"),
        ({"units_per_count": float("inf")}, "units_per_count"),
        ({"offset_counts": 2**31}, "offset_counts"),
        ({"unit": "a\nb"}, "unit"),
        ({"unit": 'mV" /*'}, "unit"),
        ({"unit": "x" * 17}, "unit"),
        ({"bit": 12}, "did you mean 'bits'"),
    ],
)
def test_an_adc_that_cannot_be_is_one_line(keys: dict[str, Any], told: str) -> None:
    with pytest.raises(QcsError, match=rf"\[adc\].*{told}") as caught:
        load_table(AdcConfig, "adc", None, keys)
    assert "\n" not in str(caught.value)


# ---- grids ----


@pytest.mark.parametrize("matrix", ["identity", "dct"])
def test_a_grid_is_the_way_by_units(matrix: str) -> None:
    signal, adc = facts(matrix=matrix, offset=11.5, scale=4.0), Adc(units_per_count=0.5, offset_counts=-7)
    grid, counts = grid_of(signal, adc), np.arange(-50, 50)
    units = adc.values(counts)
    own = (units - (11.5 if matrix == "identity" else 0.0)) / 4.0
    np.testing.assert_allclose((counts - grid.centre) * grid.step, own)
    np.testing.assert_allclose(signal.y_units(own), units)
    assert grid.centre_counts == round(grid.centre)


@pytest.mark.parametrize("matrix", ["identity", "dct"])
def test_what_is_sensed_is_phi_of_what_is_left_of_the_offset(matrix: str) -> None:
    """A front end delivers Φ (x − offset); a device that samples x sees x itself."""
    rng = np.random.default_rng(0)
    phi = np.eye(4) if matrix == "identity" else rng.standard_normal((4, 4))
    signal = facts(matrix=matrix, offset=11.5, scale=4.0)
    sensor = Sensor(signal, Adc(units_per_count=1.0), phi, np.empty((0, 4)))
    own = rng.standard_normal((9, 4))
    np.testing.assert_allclose(sensor.sense(11.5 + 4.0 * own), signal.y_units(own @ phi.T), atol=1e-12)


def test_draws_of_a_recording_are_its_windows_or_noise_of_its_scale() -> None:
    windows = np.arange(12.0).reshape(3, 4)
    config = SignalConfig(source="recorded", recording="gone.npy", n=4, m=4, matrix="identity")
    signal, adc = facts(offset=500.0, scale=20.0), Adc(units_per_count=1.0)
    x, y = Sensor(signal, adc, np.eye(4), windows).draw(config, 200, 1)
    assert {tuple(row) for row in x} == {tuple(row) for row in windows}
    assert np.array_equal(x, y)
    x, _ = Sensor(signal, adc, np.eye(4), windows[:0]).draw(config, 5000, 1)
    assert x.mean() == pytest.approx(500, abs=1)
    assert x.std() == pytest.approx(20, rel=0.05)
    noisy = facts(offset=500.0, scale=20.0, noise_variance=0.25)
    x, y = Sensor(noisy, adc, np.eye(4), windows).draw(config, 5000, 1)
    assert (y - x).std() == pytest.approx(20 * 0.5, rel=0.05)


# ---- sensed: what an export makes of `[adc]` and a recording ----


def test_whole_numbers_are_counts_one_count_one_unit(tmp_path: Path) -> None:
    signal, adc = sensed(source(tmp_path, COUNTS, matrix="identity", m=8), UNKNOWN_ADC, reach=7.0)
    assert adc == Adc(bits=16, signed=True, offset_counts=0, units_per_count=1.0)
    train = COUNTS[: int(0.7 * len(COUNTS))]
    assert (signal.offset, signal.scale) == (round(train.mean()), train.std())
    assert grid_of(signal, adc).centre == signal.offset


def test_counts_of_a_known_converter_have_their_units(tmp_path: Path) -> None:
    config = source(tmp_path, COUNTS, matrix="subsampling", recording_in="counts")
    signal, adc = sensed(config, AdcConfig(units_per_count=0.01, offset_counts=2000, unit="mV"))
    train = COUNTS[: int(0.7 * len(COUNTS))]
    assert signal.offset == pytest.approx((round(train.mean()) - 2000) * 0.01)
    assert signal.scale == pytest.approx(train.std() * 0.01)
    assert (adc.offset_counts, adc.units_per_count, adc.unit) == (2000, 0.01, "mV")
    assert grid_of(signal, adc).centre == pytest.approx(round(train.mean()))
    # The windows that travel are in units: the converter makes the recording's counts of them again.
    windows = source_arrays(config, signal, 5)["windows"]
    raw = signal.offset + signal.scale * recorded_windows(config, "test")
    assert set(adc.counts(windows).ravel()) <= set(COUNTS[-len(COUNTS) // 5 :])
    np.testing.assert_allclose(windows[0], raw[0])


@pytest.mark.parametrize("holds", ["counts", "units"])
def test_whole_numbers_before_a_known_converter_are_ambiguous(tmp_path: Path, holds: str) -> None:
    config, adc = source(tmp_path, COUNTS, matrix="identity", m=8), AdcConfig(units_per_count=0.5)
    with pytest.raises(QcsError, match=r"set signal\.recording_in to counts or to units$") as caught:
        sensed(config, adc)
    assert "\n" not in str(caught.value)
    signal, made = sensed(config.model_copy(update={"recording_in": holds}), adc)
    middle = round(COUNTS[: int(0.7 * len(COUNTS))].mean())
    assert signal.offset == (0.5 * middle if holds == "counts" else middle)
    assert grid_of(signal, made).centre == (middle if holds == "counts" else 2 * middle)
    plain = sensed(config, AdcConfig(units_per_count=1.0))[1]  # not ambiguous
    assert plain.units_per_count == 1.0


def test_the_adc_behind_an_analog_front_end_counts_y(tmp_path: Path) -> None:
    """Whole numbers are x in units, whatever a count of y is; only who says so has x in counts of this ADC."""
    config, adc = source(tmp_path, COUNTS), AdcConfig(units_per_count=0.5)
    middle = round(COUNTS[: int(0.7 * len(COUNTS))].mean())
    assert sensed(config, adc)[0].offset == sensed(config, UNKNOWN_ADC)[0].offset == middle
    assert sensed(config.model_copy(update={"recording_in": "counts"}), adc)[0].offset == 0.5 * middle


@pytest.mark.parametrize("bits", [None, 8, 12])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("matrix", ["identity", "dct"])
def test_an_adc_left_to_be_chosen_reaches_as_far_as_asked(
    tmp_path: Path, matrix: str, signed: bool, bits: int | None
) -> None:
    if bits is None and not signed:
        bits = 15
    config = source(tmp_path, UNITS, matrix=matrix, m=8)
    signal, adc = sensed(config, AdcConfig(bits=bits, signed=signed), reach=3.0)
    assert (adc.bits, adc.signed) == (bits or 16, signed)
    grid = grid_of(signal, adc)
    assert abs(grid.centre - (adc.low + adc.high + 1) / 2) <= 0.5
    assert (adc.high + 1 - grid.centre) * grid.step == pytest.approx(3.0, rel=0.51 / 2 ** (adc.bits - 1))
    synthetic = sensed(SignalConfig(), UNKNOWN_ADC, reach=2.0)[1]
    assert (synthetic.bits, synthetic.units_per_count, synthetic.offset_counts) == (12, 2.0 / 2048, 0)


def test_the_reading_at_zero_that_a_user_gives_is_kept() -> None:
    """A supply's middle: an unsigned converter of 10 bits reads 512 at 0."""
    adc = sensed(SignalConfig(), AdcConfig(bits=10, signed=False, offset_counts=512))[1]
    assert (adc.offset_counts, adc.low, adc.high) == (512, 0, 1023)


@pytest.mark.parametrize(
    ("values", "keys", "told"),
    [
        (COUNTS, {"bits": 12}, "the middle of the signal is at count 117"),
        (COUNTS, {"bits": 8, "signed": False}, "the middle of the signal is at count"),
        (UNITS, {"bits": 10, "offset_counts": 1000}, "the middle of the signal is at count 2065, outside -512 … 511"),
        (UNITS + 1e6, {}, "no converter of 16 bits fits a signal of offset 1e[+]06 .*set adc.units_per_count"),
    ],
)
def test_a_converter_that_the_signal_leaves_is_one_line(
    tmp_path: Path, values: Any, keys: dict[str, Any], told: str
) -> None:
    with pytest.raises(QcsError, match=rf"^\[adc\]: {told}") as caught:
        sensed(source(tmp_path, values, matrix="identity", m=8), AdcConfig(**keys))
    assert "\n" not in str(caught.value)


def test_what_travels_of_a_source() -> None:
    with recorded_source(n=8, m=4) as config:
        signal, _ = sensed(config, UNKNOWN_ADC)
        arrays = source_arrays(config, signal, 6)
        assert (arrays["phi"].shape, arrays["windows"].shape) == ((4, 8), (6, 8))
        assert {tuple(row) for row in np.rint(arrays["windows"]).astype(int)} <= {
            tuple(row) for row in np.lib.stride_tricks.sliding_window_view(COUNTS, 8).astype(int)
        }
        assert source_arrays(config, signal, 0)["windows"].shape == (0, 8)
        stored = signal.model_dump()
        assert "recording" not in stored
        assert "recording_in" not in stored
    synthetic = source_arrays(SignalConfig(), sensed(SignalConfig(), UNKNOWN_ADC)[0], 50)
    assert synthetic["windows"].shape == (0, 20)


def test_values_far_from_zero_in_small_steps(tmp_path) -> None:
    """A barometer in Pa: 0 lies far outside of what the converter reads."""
    pascal = 101_325 + np.random.default_rng(0).standard_normal(2000) * 3
    np.save(tmp_path / "p.npy", pascal)
    config = SignalConfig(n=8, matrix="identity", source="recorded", recording=str(tmp_path / "p.npy"))
    signal, adc = sensed(config, UNKNOWN_ADC, 10.0)
    counts = adc.counts(pascal)
    assert adc.offset_counts < -32768
    assert (counts.min() > adc.low, counts.max() < adc.high) == (True, True)
    np.testing.assert_allclose(adc.values(counts), pascal, atol=adc.units_per_count)
    assert abs(grid_of(signal, adc).centre_counts) < 500
