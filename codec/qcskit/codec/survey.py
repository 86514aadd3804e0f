"""What a recording is like before a codec is chosen: range, clipping, drift, spectrum, what linear codecs can reach.

Bases and estimators are learned from the first 70 % and measured on the last 15 %, as a codec is trained and tested.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks, welch

from qcskit.codec.errors import QcsError
from qcskit.codec.matrices import sparsity_basis
from qcskit.codec.metrics import decibels
from qcskit.codec.readers import Samples
from qcskit.codec.recordings import SPLIT
from qcskit.codec.sensor import UNIT
from qcskit.codec.signal import SignalConfig

Array = NDArray[np.float64]

SHARES = (0.99, 0.999)
"""Shares of the energy for which coefficients are counted."""
BANDS = (1 / 64, 1 / 16, 1 / 4, 1 / 2)
"""Frequencies, as parts of half the sampling rate, below which the share of the energy is told."""

_WINDOWS = {"train": 100_000, "test": 20_000}
"""Windows that statistics are taken from at most: more would not change them."""
_SPECTRUM_SAMPLES = 4096
_TINY = float(np.finfo(float).tiny)
_PEAK_SHARE = 0.05
_CLIPPED_RATIO, _CLIPPED_SAMPLES = 5, 10
_LEAST_BITS, _MOST_BITS, _HALF = 8, 16, 1 << 15
"""Of a converter: 8 … 16 bits, and the counts of int16."""
_APART = 0.02
"""Of a step: a converter stands for no halves of it."""
_FAR = 4.0
"""Of the range: values further from 0 would lose too many of 16 bits."""


@dataclass(frozen=True)
class Steps:
    """The values that occur: multiples of `step` from `low` to `high`, or any (step None).

    at_low, at_high: shares of the samples at the extreme values. clipped: far more of them than of their neighbours.
    longest: samples of the longest run of one value.
    """

    low: float
    high: float
    distinct: int
    step: float | None
    at_low: float
    at_high: float
    clipped: bool
    longest: int

    @property
    def bits(self) -> int | None:
        """Bits of a converter that gives these values; None if they are no multiples of a step."""
        return None if self.step is None else math.ceil(math.log2(round((self.high - self.low) / self.step) + 1))


@dataclass(frozen=True)
class Spectrum:
    """Power over frequency; frequencies are parts of half the sampling rate. bands: energy below each of BANDS.

    peaks: (frequency, share of the energy) of lines with 5 % or more, the strongest first.
    """

    frequencies: Array
    power: Array
    bands: tuple[float, ...]
    peaks: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Floors:
    """What linear codecs of M numbers lose in windows of N, in dB: about the training mean, and the window's own mean.

    klt: the best M-dimensional subspace; lmmse: M samples at regular places, the others by linear estimation.
    left: basis → energy in dB that k coefficients leave out, k = 0 … N, the same ones in all windows.
    counts: basis → k for SHARES of the energy about the training mean.
    windows: test windows that share no sample. repeated: windows of one value among them.
    """

    n: int
    m: int
    klt: tuple[float, float]
    lmmse: tuple[float, float]
    left: Mapping[str, Array]
    counts: Mapping[str, tuple[int, ...]]
    windows: int
    repeated: int


@dataclass(frozen=True)
class Survey:
    """Everything about a recording. parts: train, validation, test → (mean, standard deviation)."""

    samples: Samples
    steps: Steps
    parts: Mapping[str, tuple[float, float]]
    spectrum: Spectrum
    floors: Floors

    @property
    def rounding_db(self) -> float | None:
        """What rounding to the step costs, step² / 12, relative to the test part about the training mean, in dB."""
        (mean, _), (test_mean, deviation) = self.parts["train"], self.parts["test"]
        energy = deviation**2 + (test_mean - mean) ** 2
        return None if self.steps.step is None else decibels(self.steps.step**2 / 12, energy)


def converter(found: Survey) -> dict[str, Any]:
    """Return the keys of [adc] of the smallest converter that gives these values; without a step, one of 16 bits."""
    samples, steps = found.samples, found.steps
    unit = {"unit": samples.unit} if re.match(UNIT, samples.unit) and 0 < len(samples.unit) <= 16 else {}
    if samples.integers:
        given = {"units_per_count": samples.units_per_count, "offset_counts": samples.zero_count}
        known = given if samples.units_per_count != 1.0 or samples.zero_count else {}
        return {**_holding(round(steps.low), round(steps.high)), **known, **unit}
    step = _count_step(steps)
    low, high = round(steps.low / step), round(steps.high / step)
    offset = 0 if low >= -_HALF and high < _HALF else -((low + high + 1) // 2)
    return {**_holding(low + offset, high + offset), "units_per_count": step, "offset_counts": offset, **unit}


def _count_step(steps: Steps) -> float:
    """Return what one count is: the step of the values if 16 bits hold them, else 16 bits for their range."""
    if steps.step and (steps.bits or 0) <= _MOST_BITS and abs(math.remainder(steps.low / steps.step, 1.0)) <= _APART:
        return float(f"{steps.step:.12g}")
    span = steps.high - steps.low
    reach = max(span, abs(steps.low), abs(steps.high))
    return (reach if reach <= _FAR * span else span) / (2 * _HALF - 2)


def _holding(low: int, high: int) -> dict[str, Any]:
    """Return bits and sign of the smallest converter that has these counts.

    >>> _holding(0, 1023), _holding(-129, 90), _holding(-5, 40)
    ({'bits': 10, 'signed': False}, {'bits': 9, 'signed': True}, {'bits': 8, 'signed': True})
    """
    signed = low < 0
    bits = max(high.bit_length(), (-low - 1).bit_length()) + 1 if signed else high.bit_length()
    return {"bits": max(_LEAST_BITS, bits), "signed": signed}


def survey(samples: Samples, n: int, m: int) -> Survey:
    """Look at a recording. n: entries of a window. m: numbers that a linear codec sends of it, 1 … n.

    Raises QcsError if the recording is constant, too short, or holds ready windows of another length.
    """
    values = samples.values
    if not 1 <= m <= n:
        raise QcsError(f"m must lie in 1 … n, got m = {m}, n = {n}")
    if values.ndim == 2 and values.shape[1] != n:
        raise QcsError(f"the recording has shape {values.shape}: ready windows of {values.shape[1]}; set n to it")
    if values.min() == values.max():
        raise QcsError(f"the recording is constant, {values.flat[0]:g} throughout: there is nothing to code")
    pieces = {part: _piece(values, part) for part in SPLIT}
    parts = {part: (float(piece.mean()), float(piece.std())) for part, piece in pieces.items() if piece.size}
    if any(piece.size < n for piece in (pieces["train"], pieces["test"])):
        raise QcsError(
            f"the recording has {values.size:,} samples: windows of n = {n} need at least {math.ceil(n / 0.15)}"
        )
    if parts["train"][1] == 0:
        raise QcsError("the first 70 % of the recording are constant: there is nothing to learn; cut them off")
    return Survey(samples, steps(values.ravel()), parts, spectrum(values.ravel()), floors(pieces, n, m))


def steps(values: Array) -> Steps:
    """Return which values (T,) occur, and how often the extreme ones do."""
    distinct, counts = np.unique(values, return_counts=True)
    clipped = any(_stands_out(edge) for edge in (counts, counts[::-1]))
    changes = np.flatnonzero(np.diff(values) != 0)
    longest = int(np.diff(changes, prepend=-1, append=len(values) - 1).max())
    at_low, at_high = float(counts[0] / len(values)), float(counts[-1] / len(values))
    low, high = float(distinct[0]), float(distinct[-1])
    return Steps(low, high, len(distinct), _step(distinct), at_low, at_high, clipped, longest)


def _stands_out(counts: NDArray[np.int64]) -> bool:
    """Tell whether the first value occurs far more often than its neighbours (a sine's extreme: 2.4 times)."""
    near = counts[1:5]
    return len(near) == 4 and bool(counts[0] >= max(_CLIPPED_SAMPLES, _CLIPPED_RATIO * near.max()))


def _step(distinct: Array) -> float | None:
    """Return the largest step of which all differences between values are multiples, if the values show one."""
    span = float(distinct[-1] - distinct[0])
    gaps = np.diff(distinct)
    if span == 0.0 or len(distinct) > 1 << 17 or span / gaps.min() > 1 << 24:
        return None
    if np.all(distinct == np.rint(distinct)):
        return float(np.gcd.reduce(gaps.astype(np.int64)))
    step = span / round(span / float(gaps.min()))
    multiples = (distinct - distinct[0]) / step
    return step if float(np.abs(multiples - np.rint(multiples)).max()) < 0.02 else None


def spectrum(values: Array) -> Spectrum:
    """Return the spectrum (Welch) of values (T,) about their mean."""
    size = min(_SPECTRUM_SAMPLES, len(values))
    frequencies, power = welch(values - values.mean(), fs=2.0, nperseg=size, detrend=False)
    total = float(power.sum()) or 1.0
    bands = tuple(float(power[frequencies < band].sum() / total) for band in BANDS)
    # A Hann window spreads a line over four bins; what is slower than these is drift.
    places = [k for k in find_peaks(power, distance=4)[0] if k > 3]
    strength = [(float(power[max(0, k - 2) : k + 3].sum() / total), float(frequencies[k])) for k in places]
    lines = sorted((pair for pair in strength if pair[0] >= _PEAK_SHARE), reverse=True)[:3]
    return Spectrum(frequencies, power, bands, tuple((frequency, share) for share, frequency in lines))


def floors(pieces: Mapping[str, Array], n: int, m: int) -> Floors:
    """Return what linear codecs lose. pieces: train and test parts, series (T,) or ready windows (rows, n)."""
    mean = float(pieces["train"].mean())
    train = _windows(pieces["train"] - mean, n, _WINDOWS["train"])
    test = _windows(pieces["test"] - mean, n, _WINDOWS["test"])
    moments = train.T @ train / len(train)
    klt = np.linalg.eigh(moments)[1][:, ::-1]
    bases = {"KLT": klt} | {name.upper() if name == "dct" else name: basis for name, basis in _bases(n).items()}
    left = {name: _left_db(test @ basis, train @ basis) for name, basis in bases.items()}
    counts = {name: tuple(_needed(curve, share) for share in SHARES) for name, curve in left.items()}
    apart = _windows(pieces["test"], n, math.inf)
    return Floors(
        n, m,
        klt=_loss_db(test, test @ klt[:, :m] @ klt[:, :m].T),
        lmmse=_loss_db(test, _estimate(test, moments, m)),
        left=left, counts=counts, windows=len(apart), repeated=int((apart.min(1) == apart.max(1)).sum()),
    )  # fmt: skip


def largest_left_db(values: Array, signal: SignalConfig) -> float:
    """Return the energy in dB that the S largest coefficients of each test window leave out, about the training mean.

    Whatever is rebuilt of S coefficients in this basis comes no closer. values: as of a survey. Raises QcsError if
    ready windows are not of N.
    """
    if values.ndim == 2 and values.shape[1] != signal.n:
        raise QcsError(f"[signal] n = {signal.n}, the windows there have {values.shape[1]} samples")
    mean = float(_piece(values, "train").mean())
    windows = _windows(_piece(values, "test") - mean, signal.n, math.inf)
    energy = np.sort((windows @ sparsity_basis(signal.basis, signal.n)) ** 2, axis=1)
    return _db(float(energy[:, : signal.n - signal.s].sum()), float(energy.sum()))


def regular_places(n: int, m: int) -> NDArray[np.int64]:
    """Return m places among n at regular distances.

    >>> regular_places(8, 4).tolist(), regular_places(5, 2).tolist()
    ([1, 3, 5, 7], [1, 3])
    """
    return ((np.arange(m) + 0.5) * n / m).astype(np.int64)


def _piece(values: Array, part: str) -> Array:
    start, end = (int(share * len(values)) for share in SPLIT[part])
    return values[start:end]


def _windows(piece: Array, n: int, most: float) -> Array:
    """Return windows (frames, n), about `most` at equal distances at most; inf: those that share no sample."""
    if piece.ndim == 2:
        return piece if math.isinf(most) else piece[:: max(1, math.ceil(len(piece) / most))]
    hop = n if math.isinf(most) else max(1, math.ceil(len(piece) / most))
    return np.lib.stride_tricks.sliding_window_view(piece, n)[::hop]


def _bases(n: int) -> dict[str, Array]:
    """Return the fixed bases that fit windows of n: a wavelet needs an even n, and not a short one."""
    found = {}
    for name in ("dct", "haar", "db4"):
        try:
            found[name] = sparsity_basis(name, n)
        except QcsError:
            continue
    return found


def _left_db(test: Array, train: Array) -> Array:
    """Return the energy (N + 1,) in dB that k coefficients leave out, the strongest of training first."""
    order = np.argsort(-(train**2).sum(0))
    energy = (test**2).sum(0)[order]
    left = np.append(energy[::-1].cumsum()[::-1], 0.0) / max(float(energy.sum()), _TINY)
    return 10 * np.log10(np.maximum(left, 1e-16))


def _needed(left_db: Array, share: float) -> int:
    return int(np.argmax(left_db <= 10 * math.log10(1 - share)))


def _estimate(test: Array, moments: Array, m: int) -> Array:
    """Return the linear estimate of windows from m regular samples of each, given second moments about the mean."""
    places = regular_places(test.shape[1], m)
    weights = np.linalg.lstsq(moments[np.ix_(places, places)], moments[places], rcond=1e-12)[0]
    return test[:, places] @ weights


def _loss_db(x: Array, estimate: Array) -> tuple[float, float]:
    """Return the error in dB relative to the energy of x, and to its energy about each window's own mean."""
    error = float(((x - estimate) ** 2).sum())
    energies = float((x**2).sum()), float(((x - x.mean(1, keepdims=True)) ** 2).sum())
    first, second = (_db(error, energy) for energy in energies)
    return first, second


def _db(error: float, energy: float) -> float:
    """Return the ratio in dB, not below −160: what is left there is rounding."""
    return 10 * math.log10(max(error / max(energy, _TINY), 1e-16))


def warnings(found: Survey) -> list[str]:
    """Return what stands in the way of a codec, a sentence each."""
    floors, steps, (mean, deviation) = found.floors, found.steps, found.parts["train"]
    test_mean, test_deviation = found.parts["test"]
    words = []
    if floors.windows < 100:
        words.append(
            f"Only {floors.windows} windows of the test part share no sample: figures will be rough; record more."
        )
    if steps.clipped:
        words.append(
            f"It looks clipped: {steps.at_low + steps.at_high:.2%} of the samples stand at its lowest or highest "
            "value; lower the gain of the sensor."
        )
    if floors.repeated:
        words.append(
            f"{floors.repeated} of {floors.windows} test windows hold one value only: a stuck sensor, or pauses."
        )
    if abs(test_mean - mean) > 0.5 * deviation:
        words.append(
            f"It drifts: the test part lies {(test_mean - mean) / deviation:+.1f} standard deviations from the "
            "training part; record longer, or take the mean of each window away before coding."
        )
    if not 0.5 < test_deviation / deviation < 2.0:
        words.append(
            f"Its strength changes: the test part varies {test_deviation / deviation:.2g} times as much as the "
            "training part; ranges that fit training will not fit later."
        )
    return words


def sentences(found: Survey) -> list[str]:
    """Return what is seen, in plain words: the spectrum, sparsity and floors, then the warnings."""
    return [_of_spectrum(found), _of_sparsity(found.floors), _of_floors(found.floors), *warnings(found)]


def _of_spectrum(found: Survey) -> str:
    spectrum, rate = found.spectrum, found.samples.rate_hz
    band, share = next(((b, s) for b, s in zip(BANDS, spectrum.bands, strict=True) if s >= 0.9), (1.0, 1.0))
    if band < 1.0:
        text = f"It is slow: {share:.0%} of its energy is below {_frequency(band, rate)}"
    else:
        text = "Its energy reaches up to high frequencies: neighbouring samples say little about each other"
    lines = [f"{_frequency(frequency, rate)} ({share:.0%})" for frequency, share in spectrum.peaks]
    return f"{text}; the strongest lines: {', '.join(lines)}." if lines else f"{text}."


def _frequency(part: float, rate_hz: float | None) -> str:
    return f"one cycle in {2 / part:.3g} samples" if rate_hz is None else f"{part * rate_hz / 2:.3g} Hz"


def _of_sparsity(floors: Floors) -> str:
    fixed = {name: counts[0] for name, counts in floors.counts.items() if name != "KLT"}
    best = min(fixed, key=lambda name: fixed[name])
    klt = floors.counts["KLT"][0]
    verdict = "compresses well" if 4 * klt <= floors.n else "compresses little" if 2 * klt > floors.n else "compresses"
    return (
        f"It {verdict}: of {floors.n} coefficients of a window {klt} carry 99 % of the energy in the best basis (KLT), "
        f"{fixed[best]} in the best fixed one ({best})."
    )


def _of_floors(floors: Floors) -> str:
    gain = floors.lmmse[0] - floors.klt[0]
    compared = "as good as" if gain < 0.5 else f"{gain:.1f} dB worse than"
    return (
        f"With M = {floors.m} of N = {floors.n} a linear codec gets to {floors.klt[0]:.1f} dB at best, before "
        f"quantization; the estimate from {floors.m} regular samples to {floors.lmmse[0]:.1f} dB, {compared} that."
    )
