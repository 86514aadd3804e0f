"""The search for rows and step, on a recording made here."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.sensor import UNKNOWN_ADC
from qcskit.codec.signal import SignalConfig
from qcskit.codec.transform.config import TransformConfig
from qcskit.codec.transform.forward import accumulate
from qcskit.codec.transform.packet import decode, encode
from qcskit.codec.transform.tables import Tables
from qcskit.export.transform.search import Candidate, Search, _last_try_fits
from qcskit.export.transform.source import Source
from qcskit.export.transform.step import step_of


def breathing(samples: int = 4000) -> NDArray[np.int16]:
    """Return counts of a smooth signal that is loud now and then."""
    rng, time = np.random.default_rng(6), np.arange(samples)
    loud = 1 + 5 * (np.sin(time / 150) > 0.8)
    return np.rint(np.convolve(rng.standard_normal(samples), np.hanning(9), "same") * 60 * loud).astype(np.int16)


def search(folder: Path, n: int = 16, values: Any = None, **keys: Any) -> Search:
    np.save(folder / "r.npy", breathing() if values is None else values)
    config = SignalConfig(source="recorded", recording=str(folder / "r.npy"), n=n)
    return Search(TransformConfig(**keys), Source.of(config, UNKNOWN_ADC))


def bits(tables: Tables, counts: NDArray[np.int64]) -> float:
    return 8 * float(encode(tables, counts).lengths.sum()) / counts.size


def error(candidate: Candidate, rows: NDArray[np.int64]) -> float:
    """Return the squared error of the training windows with midpoints, rows that are not sent included."""
    sent = candidate.index * candidate.step.size
    return float(((rows[:, : sent.shape[1]] - sent) ** 2).sum() + (rows[:, sent.shape[1] :] ** 2).sum())


@pytest.mark.parametrize("keys", [{}, {"coder": "rice"}, {"basis": "dct", "decimate": 2}, {"crc": True, "windows": 2}])
def test_validation_packets_take_what_was_asked_for_and_no_more(tmp_path: Path, keys: Any) -> None:
    made = search(tmp_path, bits_per_sample=1.5, **keys)
    found = made.chosen().tables
    assert bits(found, made.validation) <= 1.5
    # A byte of these few packets is half a percent.
    assert bits(found, made.validation) >= 1.5 * 0.985
    assert made.validation.shape[1] == found.inputs


def test_the_finest_steps_still_say_every_index(tmp_path: Path) -> None:
    values = np.rint(np.random.default_rng(1).normal(0, 3, 4000)).astype(np.int16)
    values[200:4000:400] = 30_000  # few bits on average, and more steps than an index says if the step were the finest
    made = search(tmp_path, values=values, bits_per_sample=16)
    found = made.chosen()
    off = np.abs(found.acc) - np.abs(found.index) * found.step.size
    assert np.abs(off).max() < found.step.size
    assert found.tables.step < 30_000 / 8191
    # Drift beyond what the training part saw is seen in the validation part.
    drift = search(tmp_path, values=np.arange(4000, dtype=np.int16) * 5, bits_per_sample=8)
    tables = drift.chosen().tables
    sent = decode(tables, encode(tables, drift.validation)).index.reshape(-1, tables.rows)
    acc = accumulate(tables, drift.validation) / 2**tables.fraction_bits
    assert np.abs(acc - sent * tables.step).max() < tables.step


def test_rows_left_out_lose_next_to_nothing(tmp_path: Path) -> None:
    some = search(tmp_path, bits_per_sample=1.0).chosen()
    step = some.step.size
    every = search(tmp_path, bits_per_sample=1.0, rows=16)
    assert 1 <= some.tables.rows < 16
    number = next(number for number in range(18_000, 40_000) if step_of(number, 2**31 - 1).size == step)
    whole = every.candidate(number)
    assert whole.step == some.step
    assert error(some, every.acc) <= 1.001 * error(whole, every.acc)
    fewer = search(tmp_path, bits_per_sample=1.0, rows=some.tables.rows - 1).candidate(number)
    assert error(fewer, every.acc) > 1.001 * error(whole, every.acc)


def test_one_row_is_sent_where_it_says_all(tmp_path: Path) -> None:
    """Windows that each stand still: with the DCT the first row is their level, and no other has anything to say."""
    levels = np.rint(np.random.default_rng(2).normal(0, 900, 250)).astype(np.int16)
    np.save(tmp_path / "w.npy", np.repeat(levels[:, None], 16, axis=1))
    config = SignalConfig(source="recorded", recording=str(tmp_path / "w.npy"), n=16)
    made = Search(TransformConfig(basis="dct", bits_per_sample=0.5), Source.of(config, UNKNOWN_ADC))
    assert made.chosen().tables.rows == 1


def test_a_fast_dct_has_at_least_the_rows_that_make_it_worth_while(tmp_path: Path) -> None:
    slow = np.rint(900 * np.sin(np.arange(4000) / 300)).astype(np.int16)
    found = search(tmp_path, n=128, values=slow, basis="dct", windows=1).candidate(44_000).tables
    assert (found.rows, found.fast) == (8, True)
    few = search(tmp_path, n=128, values=slow, basis="dct", windows=1, rows=3).candidate(44_000).tables
    assert (few.rows, few.fast) == (3, False)


def test_as_many_rows_are_sent_as_asked_for(tmp_path: Path) -> None:
    assert search(tmp_path, rows=5).chosen().tables.rows == 5
    with pytest.raises(QcsError, match=r"rows = 9: a window keeps 8 samples"):
        search(tmp_path, rows=9, decimate=2)


def test_no_packet_is_longer_than_max_bytes_and_the_step_has_the_least_error(tmp_path: Path) -> None:
    made = search(tmp_path, max_bytes=5, windows=2, rows=5)
    found = made.chosen()
    assert found.tables.packed_bytes_max == 5
    sent = decode(found.tables, encode(found.tables, made.validation))
    assert sent.good.all()
    assert 0 < (sent.quality > 0).mean() < 1  # the quiet ones gain more than the loud ones lose
    around = [made.candidate(number) for number in range(30_000, 36_000, 512)]
    tried = [validation_error(made, candidate) for candidate in around]
    assert validation_error(made, found) <= 1.03 * min(tried)


@pytest.mark.parametrize(("windows", "max_bytes"), [(8, 2), (6, 3)])
def test_a_step_at_which_not_even_nothing_would_fit_is_never_taken(
    tmp_path: Path, windows: int, max_bytes: int
) -> None:
    """Where hardly a window is empty, the end of an empty one is dear: eight of them need more than two bytes."""
    made = search(tmp_path, max_bytes=max_bytes, windows=windows, rows=5)
    assert not _last_try_fits(made.candidate(made.low).tables)
    found = made.chosen()
    assert _last_try_fits(found.tables)
    assert max(encode(found.tables, made.validation).lengths) <= max_bytes


def validation_error(made: Search, candidate: Candidate) -> float:
    """Return the squared error of validation packets, in counts, with midpoints and transposed rows."""
    tables = candidate.tables
    sent = decode(tables, encode(tables, made.validation))
    rebuilt = (sent.index * np.exp2(sent.quality)[:, None, None]).reshape(-1, tables.rows)
    x = made.validation.reshape(-1, tables.samples) - tables.centre
    return float(((x - rebuilt * tables.step @ tables.matrix / 2**tables.fraction_bits) ** 2).sum())


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"bits_per_sample": 0.1}, "a packet has at least a byte, 0.125 bits"),
        ({"bits_per_sample": 0.2, "crc": True}, "a packet has at least a byte, 0.25 bits"),
        ({"max_bytes": 129}, "nothing to control"),
        ({"max_bytes": 1, "crc": True}, "not even empty ones"),
    ],
)
def test_a_rate_that_cannot_be_is_refused_in_one_line(tmp_path: Path, keys: Any, words: str) -> None:
    with pytest.raises(QcsError, match=words) as refusal:
        search(tmp_path, **keys).chosen()
    assert "\n" not in str(refusal.value)
