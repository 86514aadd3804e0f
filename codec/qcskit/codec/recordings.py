"""Recorded signals as source vectors: a file cut into windows.

A recording keeps its time order: its first 70 % is for training, the next 15 % for validation, the last 15 % for tests,
and no window crosses a border, so no test sample was ever seen in training.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.readers import Fill, read_samples

Part = Literal["train", "validation", "test"]
SPLIT = {"train": (0.0, 0.7), "validation": (0.7, 0.85), "test": (0.85, 1.0)}


@dataclass(frozen=True)
class Recording:
    """Samples on the codec's own scale: (raw − offset) / scale.

    offset, scale: mean and standard deviation of the training part; a whole offset for whole numbers, so that it is an
    ADC count. series: 1-D, cut into windows as wanted; or 2-D (windows, N), cut already. integers: whether all samples
    are whole numbers within int16.
    """

    series: NDArray[np.float64]
    offset: float
    scale: float
    integers: bool = False

    def part(self, n: int, part: Part, hop: int) -> tuple[NDArray[np.float64], int, int]:
        """Return (samples, windows, hop): window k of this part is samples[k·hop : k·hop + n].

        hop: samples from one window to the next; windows that were cut already lie n apart.
        """
        start, end = _bounds(len(self.series), part)
        piece = self.series[start:end]
        if piece.ndim == 2:
            piece, hop = piece.ravel(), n
        if len(piece) < n:
            raise QcsError(f"recording: the {part} part has {len(piece)} samples, a window needs n = {n}; record more")
        return piece, (len(piece) - n) // hop + 1, hop

    def windows(self, n: int, part: Part, hop: int) -> NDArray[np.float64]:
        """Return the windows (frames, n) of one part, read-only."""
        samples, _, hop = self.part(n, part, hop)
        return np.lib.stride_tricks.sliding_window_view(samples, n)[::hop]


def read_recording(path: Path, column: str, n: int, gaps: Fill = "refuse") -> Recording:
    """Read a recording. column: as `read_samples` takes it. A 2-D array whose rows have n entries is ready windows.

    Raises QcsError that names file, place and remedy.
    """
    stamp = path.stat().st_mtime_ns if path.is_file() else 0
    return _read(path, column, n, gaps, stamp)


@lru_cache(maxsize=4)
def _read(path: Path, column: str, n: int, gaps: Fill, stamp: int) -> Recording:
    samples = read_samples(path, column, gaps, n)
    raw = samples.values
    if raw.ndim == 2 and 1 in raw.shape:
        raw = raw.ravel()
    if raw.ndim == 2 and raw.shape[1] != n:
        raise QcsError(f"recording '{path}' has shape {raw.shape}: its rows must be windows of n = {n} samples, "
                       "or give one column")  # fmt: skip
    train = raw[slice(*_bounds(len(raw), "train"))]
    if not train.size:
        raise QcsError(f"recording '{path}' has {len(raw)} samples: too few; record more")
    offset, scale = float(train.mean()), float(train.std())
    if scale <= 1e-12 * abs(offset):
        where = (
            "is constant"
            if np.ptp(raw) == 0
            else f"is constant in its training part, the first {SPLIT['train'][1]:.0%}"
        )
        raise QcsError(f"recording '{path}' {where}: there is nothing to learn")
    if samples.integers:
        offset = float(np.rint(offset))
    series = (raw - offset) / scale
    series.setflags(write=False)
    return Recording(series, offset, scale, samples.integers)


def _bounds(count: int, part: Part) -> tuple[int, int]:
    start, end = (int(share * count) for share in SPLIT[part])
    return start, end
