"""The user's own file as the device sees it: counts or units, windows by a hop, rows, an analog front end."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import toy
from support.bundles import drifting_counts, recorded_bundle, sampled_bundle

from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec
from qcskit.codec.own_data import read_own_data
from qcskit.codec.sensor import AdcConfig

COUNTS = drifting_counts(203).astype(int)


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    """The device samples x; one count is one unit."""
    return sampled_bundle(tmp_path_factory.mktemp("sampled") / "b")


@pytest.fixture(scope="module")
def in_mv(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    """The device takes every other sample, in counts of 0.01 mV, 0 mV at 2000."""
    adc = AdcConfig(units_per_count=0.01, offset_counts=2000, unit="mV")
    path = tmp_path_factory.mktemp("mv") / "b"
    return sampled_bundle(path, adc=adc, matrix="uniform", m=4, recording_in="counts")


@pytest.fixture(scope="module")
def analog(tmp_path_factory: pytest.TempPathFactory) -> Codec:
    """A front end delivers y = Φ (x − offset); x of 12 samples, 6 counts."""
    return recorded_bundle(tmp_path_factory.mktemp("analog") / "b")


@pytest.fixture
def file(tmp_path: Path) -> Callable[[Any], Path]:
    def write(values: Any) -> Path:
        np.save(tmp_path / "own.npy", np.asarray(values))
        return tmp_path / "own.npy"

    return write


Write = Callable[[Any], Path]


@pytest.mark.parametrize("hop", [None, 1, 3, 8, 20])
def test_a_series_is_cut_by_the_hop_and_what_is_left_is_told(sampled: Codec, file: Write, hop: int | None) -> None:
    found = read_own_data(sampled, str(file(COUNTS)), hop=hop)
    starts = range(0, len(COUNTS) - 8 + 1, hop or 8)
    expected = [COUNTS[start : start + 8].tolist() for start in starts]
    assert found.counts.dtype == np.int16
    assert found.counts.tolist() == expected
    assert found.x.tolist() == expected
    assert found.rest == len(COUNTS) - starts[-1] - 8


def test_counts_and_units_of_the_same_samples_are_the_same_counts(in_mv: Codec, file: Write) -> None:
    units = (COUNTS - 2000) * 0.01
    by_counts, by_units = (
        read_own_data(in_mv, file(values), holds=holds) for values, holds in ((COUNTS, "counts"), (units, "units"))
    )
    assert by_counts.counts.tolist() == COUNTS[:200].reshape(-1, 8)[:, ::2].tolist()
    assert np.array_equal(by_counts.counts, by_units.counts)
    np.testing.assert_allclose(by_counts.x, units[:200].reshape(-1, 8))
    np.testing.assert_allclose(by_units.x, by_counts.x)
    # Numbers that are not whole can only be units.
    assert np.array_equal(read_own_data(in_mv, file(units)).counts, by_units.counts)


def test_whole_numbers_before_a_converter_are_ambiguous(in_mv: Codec, sampled: Codec, file: Write) -> None:
    path = file(COUNTS)
    with pytest.raises(QcsError, match=r"a count is 0\.01 mV: give --in counts or --in units$") as caught:
        read_own_data(in_mv, path)
    assert "\n" not in str(caught.value)
    assert np.array_equal(read_own_data(sampled, path).counts, read_own_data(sampled, path, holds="counts").counts)
    far = read_own_data(in_mv, path, holds="units")
    assert far.counts[0, 0] == 32767  # 12,000 mV is beyond this converter


@pytest.mark.parametrize("values", [COUNTS + 0.5, COUNTS + 40_000, -COUNTS * 4])
def test_what_is_no_count_is_refused_as_counts(sampled: Codec, file: Write, values: np.ndarray) -> None:
    with pytest.raises(QcsError, match=r"no ADC counts .*give --in units$"):
        read_own_data(sampled, file(values), holds="counts")


def test_rows_of_n_are_windows_and_of_inputs_what_the_device_sees(in_mv: Codec, file: Write) -> None:
    windows = COUNTS[:80].reshape(10, 8)
    found = read_own_data(in_mv, file(windows), holds="counts", hop=1)  # a hop is that of a series
    assert (found.counts.tolist(), found.rest) == (windows[:, ::2].tolist(), 0)
    np.testing.assert_allclose(found.x, (windows - 2000) * 0.01)
    seen = read_own_data(in_mv, file(windows[:, ::2]), holds="counts")
    assert (seen.counts.tolist(), seen.x, seen.rest) == (windows[:, ::2].tolist(), None, 0)
    units = read_own_data(in_mv, file((windows[:, ::2] - 2000) * 0.01), holds="units")
    assert np.array_equal(units.counts, seen.counts)
    with pytest.raises(QcsError, match=r"rows of 5 numbers: give one column .* rows of n = 8, or .* sees, 4$"):
        read_own_data(in_mv, file(COUNTS[:50].reshape(10, 5)), holds="counts")


def test_one_row_of_samples_is_a_series(sampled: Codec, file: Write) -> None:
    for shape in ((1, -1), (-1, 1)):
        assert read_own_data(sampled, file(COUNTS.reshape(shape))).counts.shape == (25, 8)


def test_an_analog_front_end_measures_the_samples(analog: Codec, file: Write) -> None:
    sensor, adc = analog.sensor, analog.bundle.manifest.adc
    found = read_own_data(analog, file(COUNTS))  # whole numbers are x in units: this ADC counts y
    x = COUNTS[: len(COUNTS) // 12 * 12].reshape(-1, 12).astype(float)
    y = [[sum(phi * (value - sensor.signal.offset) for phi, value in zip(row, each, strict=True)) for row in sensor.phi]
         for each in x]  # fmt: skip
    expected = np.clip(np.rint(np.array(y) / adc.units_per_count) + adc.offset_counts, adc.low, adc.high)
    assert np.array_equal(found.x, x)
    assert np.abs(found.counts - expected).max() <= 1  # of a tie
    assert (found.counts != expected).mean() < 0.01
    counted = read_own_data(analog, file(COUNTS), holds="counts")
    np.testing.assert_allclose(counted.x, adc.values(x))
    with pytest.raises(QcsError, match="give --in counts or --in units"):
        read_own_data(analog, file(np.arange(30).reshape(5, 6)))
    rows = read_own_data(analog, file(np.arange(30).reshape(5, 6)), holds="counts")
    assert (rows.counts.tolist(), rows.x) == (np.arange(30).reshape(5, 6).tolist(), None)


def test_too_few_samples_are_one_line(sampled: Codec, file: Write) -> None:
    with pytest.raises(QcsError, match=r"has 7 samples, a packet needs 8$"):
        read_own_data(sampled, file(COUNTS[:7]))


@pytest.fixture
def two_windows(tmp_path: Path) -> Iterator[Codec]:
    with toy.registered():
        yield toy.toy_bundle(tmp_path / "toy", n=4)


def test_a_packet_of_two_windows_takes_two_and_leaves_what_makes_none(two_windows: Codec, file: Write) -> None:
    adc = two_windows.bundle.manifest.adc
    assert (two_windows.width, two_windows.inputs) == (4, 8)
    found = read_own_data(two_windows, file(COUNTS), holds="counts", hop=3)
    starts = range(0, len(COUNTS) - 8 + 1, 3)
    assert found.counts.tolist() == [COUNTS[start : start + 8].tolist() for start in starts]
    assert np.array_equal(found.x, adc.values(found.counts).reshape(-1, 4))
    assert read_own_data(two_windows, file(COUNTS), holds="counts").rest == len(COUNTS) % 8
    windows = COUNTS[:28].reshape(7, 4)
    found = read_own_data(two_windows, file(windows), holds="counts")
    assert found.counts.tolist() == windows[:6].reshape(3, 8).tolist()
    assert (found.x.shape, found.rest) == ((6, 4), 4)
    with pytest.raises(QcsError, match=r"has 4 samples, a packet needs 8$"):
        read_own_data(two_windows, file(COUNTS[None, :4]), holds="counts")
    units = read_own_data(two_windows, file(adc.values(windows)), holds="units")
    assert np.array_equal(units.counts, found.counts)
