"""The recording as the device sees it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.bundles import drifting_counts

from qcskit.codec.errors import QcsError
from qcskit.codec.sensor import UNKNOWN_ADC, AdcConfig
from qcskit.codec.signal import SignalConfig
from qcskit.export.transform.source import Source

COUNTS = drifting_counts(1000)


def source(folder: Path, values: Any = COUNTS, adc: AdcConfig = UNKNOWN_ADC, **keys: Any) -> Source:
    np.save(folder / "r.npy", np.asarray(values))
    return Source.of(SignalConfig(source="recorded", recording=str(folder / "r.npy"), **{"n": 8, "m": 8} | keys), adc)


def test_the_centre_is_the_mean_of_the_training_part_in_counts(tmp_path: Path) -> None:
    assert source(tmp_path).centre == np.rint(COUNTS[:700].astype(float).mean())
    adc = AdcConfig(units_per_count=0.5, offset_counts=100)
    in_units = source(tmp_path, COUNTS * 0.25 + 0.1, adc)
    assert in_units.centre == np.rint(np.rint((COUNTS[:700] * 0.25 + 0.1) / 0.5 + 100).mean())


def test_packets_are_consecutive_samples_of_one_part(tmp_path: Path) -> None:
    made = source(tmp_path)
    beside = made.counts(made.packets("validation", 3))
    assert (beside == COUNTS[700 : 700 + 144].reshape(6, 24)).all()
    spread = made.counts(made.packets("test", 3, 4))
    starts = np.rint(np.linspace(0, 150 - 24, 4)).astype(int)
    assert (spread == [COUNTS[850 + start : 874 + start] for start in starts]).all()
    assert len(made.packets("test", 3, 10_000)) == 150 - 24 + 1


def test_ready_windows_are_never_cut_again(tmp_path: Path) -> None:
    rows = COUNTS.reshape(-1, 8)
    made = source(tmp_path, rows)
    starts = {tuple(row) for row in rows.tolist()}
    assert {tuple(row) for row in made.training_windows().tolist()} == {tuple(row) for row in rows[:87].tolist()}
    assert made.training.shape == (87, 8)
    packets = made.counts(made.packets("test", 2, 100)).reshape(-1, 8)
    assert {tuple(row) for row in packets.tolist()} <= starts
    assert made.counts(made.packets("test", 2, 100)).shape == (18, 16)


def test_training_windows_are_spread_over_the_whole_part(tmp_path: Path) -> None:
    made = source(tmp_path)
    assert (made.training_windows() == np.lib.stride_tricks.sliding_window_view(COUNTS[:700], 8)).all()
    assert made.training.shape == (1, 700)
    long = source(tmp_path, np.arange(60_000) % 30_000)
    windows = long.training_windows()
    assert windows.shape == (20_000, 8)
    assert windows[-1, -1] == 41_999 % 30_000


def test_a_part_that_is_shorter_than_a_packet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(QcsError, match=r"the test part has 150 samples, a packet of 19 windows needs 152"):
        source(tmp_path).packets("test", 19)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"matrix": "gaussian", "m": 4}, "leave matrix out"),
        ({"noise_variance": 0.1}, "leave noise_variance and"),
        ({"snr_db": 20.0}, "leave noise_variance and"),
        ({"n": 9}, "even number of samples"),
        ({"n": 6, "m": 6}, "8 … 512"),
        ({"n": 514}, "8 … 512"),
        ({"m": 4}, "m must equal n"),
    ],
)
def test_what_contradicts_plain_windows_is_refused_in_one_line(tmp_path: Path, keys: Any, words: str) -> None:
    with pytest.raises(QcsError, match=words) as refusal:
        source(tmp_path, **keys)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("[signal] ")


def test_a_source_that_is_no_recording_is_refused() -> None:
    with pytest.raises(QcsError, match="designed from a recording"):
        Source.of(SignalConfig(), UNKNOWN_ADC)


def test_identity_may_be_said_and_is_meant_otherwise(tmp_path: Path) -> None:
    np.save(tmp_path / "r.npy", COUNTS)
    config = SignalConfig(source="recorded", recording=str(tmp_path / "r.npy"), n=12)
    for said in ({}, {"matrix": "identity"}):
        signal = Source.of(config.model_validate({**config.model_dump(exclude_unset=True), **said}), UNKNOWN_ADC).signal
        assert (signal.matrix, signal.m, signal.direct) == ("identity", 12, True)


def test_a_converter_that_nobody_described_does_not_clip(tmp_path: Path) -> None:
    """Values in units: its full scale leaves room beyond the loudest sample of the training part."""
    values = np.random.default_rng(3).standard_normal(1000) * 0.01 + 5.0
    values[10], values[900] = 5.09, 4.85
    found = source(tmp_path, values, AdcConfig.model_validate({}))
    counts = found.counts((values - found.signal.offset) / found.signal.scale)
    assert counts.max() < found.adc.high
    assert counts.min() > found.adc.low
    assert np.ptp(counts) > 0.3 * 2**found.adc.bits
