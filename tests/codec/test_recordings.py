"""A recording in parts and windows: offset and scale come from its training part alone; faults are one clear line."""

import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcskit.codec.errors import QcsError
from qcskit.codec.recordings import Recording, read_recording
from qcskit.codec.signal import SignalConfig, draw_frames, recorded_series, recorded_windows

N = 20


def saved(folder: Path, values: object) -> Path:
    np.save(folder / "r.npy", np.asarray(values))
    return folder / "r.npy"


def read(folder: Path, values: object) -> Recording:
    return read_recording(saved(folder, values), "", N)


def test_offset_and_scale_come_from_the_training_part_alone(tmp_path: Path) -> None:
    """The first 70 %; a rest ten times louder and elsewhere changes neither."""
    rng = np.random.default_rng(0)
    quiet, loud = 5.25 + 0.5 * rng.standard_normal(700), 900.0 + 5 * rng.standard_normal(300)
    alone, found = (read(tmp_path / name, x) for name, x in parts(tmp_path, quiet, loud).items())
    assert (found.offset, found.scale) == (quiet.mean(), quiet.std())
    assert found.integers is False
    assert alone.offset != found.offset
    whole = np.concatenate([quiet, loud])
    np.testing.assert_allclose(found.offset + found.scale * found.series, whole, rtol=1e-13)
    assert found.series[:700].std() == pytest.approx(1)
    assert found.series[700:].mean() > 1000


def parts(folder: Path, quiet: np.ndarray, loud: np.ndarray) -> dict[str, np.ndarray]:
    for name in ("a", "b"):
        (folder / name).mkdir()
    return {"a": quiet, "b": np.concatenate([quiet, loud])}


@pytest.mark.parametrize("whole", [True, False])
def test_whole_numbers_have_a_whole_offset(tmp_path: Path, whole: bool) -> None:
    """So that the offset is a count, and every sample a whole number of counts away from it."""
    values = 12_000 + np.random.default_rng(1).integers(-90, 95, 1000) + (0 if whole else 0.5)
    found = read(tmp_path, values)
    mean = values[:700].mean()
    assert mean != round(mean)
    assert found.integers is whole
    assert found.offset == (round(mean) if whole else mean)
    assert found.scale == values[:700].std()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.full(500, 7.5), "is constant: there is nothing to learn"),
        (np.r_[np.full(700, 7.5), np.arange(300)], "is constant in its training part, the first 70%: there is nothing"),
        (np.r_[np.full(700, 1e9) + np.tile([0, 1e-6], 350), np.arange(300)], "is constant in its training part"),
        (np.linspace(-1e200, 1e200, 500), "1e\\+200"),
        (np.arange(3.0), "a window needs n = 20"),
        (np.zeros((30, 7)), "its rows must be windows of n = 20 samples"),
        ([1.0], "has 1 samples: too few; record more"),
    ],
)
def test_what_nothing_can_be_learned_of_is_one_line(tmp_path: Path, values: object, told: str) -> None:
    with pytest.raises(QcsError, match=told) as caught:
        read(tmp_path, values).windows(N, "train", 1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [1e-150, 1e30, 1e90])
def test_any_size_that_a_sensor_may_have_becomes_unit_variance(tmp_path: Path, size: float) -> None:
    found = read(tmp_path, size * np.random.default_rng(0).standard_normal(500))
    assert found.series[:350].std() == pytest.approx(1)


@given(st.integers(150, 400), st.integers(2, 12), st.integers(1, 15))
def test_parts_are_in_order_and_share_no_sample(samples: int, n: int, hop: int) -> None:
    series = np.arange(float(samples))
    found = Recording(series, 0.0, 1.0)
    windows = {part: found.windows(n, part, hop) for part in ("train", "validation", "test")}
    ends = [0, int(0.7 * samples), int(0.85 * samples), samples]
    for (start, end), rows in zip(itertools.pairwise(ends), windows.values(), strict=True):
        expected = [series[k : k + n].tolist() for k in range(start, end - n + 1, hop)]
        assert rows.tolist() == expected


def test_windows_that_were_cut_already_lie_n_apart(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).standard_normal((40, N))
    found = read(tmp_path, rows)
    back = found.offset + found.scale * found.windows(N, "test", 1)
    np.testing.assert_allclose(back, rows[34:], atol=1e-12)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    first = read(tmp_path, np.arange(500.0))
    assert read_recording(tmp_path / "r.npy", "", N) is first
    saved(tmp_path, np.arange(600.0))
    os.utime(tmp_path / "r.npy", ns=(1, 1))
    assert len(read_recording(tmp_path / "r.npy", "", N).series) == 600


def test_drawn_windows_are_of_their_part(tmp_path: Path) -> None:
    config = SignalConfig(source="recorded", recording=str(saved(tmp_path, np.arange(1000.0))), recording_hop=7)
    for part in ("train", "validation", "test"):
        x, y = draw_frames(config, 50, 0, part)
        assert {tuple(row) for row in x} <= {tuple(row) for row in recorded_windows(config, part)}
        assert y.shape == (50, 10)
    samples, count, hop = recorded_series(config, "train")
    assert (len(samples), count, hop) == (700, 98, 7)
    scale = np.arange(700.0).std()
    np.testing.assert_allclose(np.diff(samples), 1 / scale)


def test_a_missing_recording_is_named() -> None:
    with pytest.raises(QcsError, match=r"'nowhere.csv' does not exist"):
        draw_frames(SignalConfig(source="recorded", recording="nowhere.csv"), 1, 0)
    with pytest.raises(QcsError, match="source is not 'recorded': there are no windows"):
        recorded_windows(SignalConfig(), "test")
