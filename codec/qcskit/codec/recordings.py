"""Recorded signals as source vectors: .npy, .npz, .csv and .wav files cut into windows.

A recording keeps its time order: its first 70 % is for training, the next 15 % for validation, the last 15 % for tests,
and no window crosses a border, so no test sample was ever seen in training.
"""

import csv
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError

Part = Literal["train", "validation", "test"]
SPLIT = {"train": (0.0, 0.7), "validation": (0.7, 0.85), "test": (0.85, 1.0)}
MAX_BYTES = 1 << 30
"""A recording larger than this is refused, so that memory stays bounded."""


@dataclass(frozen=True)
class Recording:
    """Samples in units of their own standard deviation: x = (raw − offset) / scale.

    series: 1-D, cut into windows as wanted; or 2-D (windows, N), cut already.
    """

    series: NDArray[np.float64]
    offset: float
    scale: float

    def part(self, n: int, part: Part, hop: int) -> tuple[NDArray[np.float64], int, int]:
        """Return (samples, windows, hop): window k of this part is samples[k·hop : k·hop + n].

        hop: samples from one window to the next; windows that were cut already lie n apart.
        """
        start, end = (int(share * len(self.series)) for share in SPLIT[part])
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


def read_recording(path: Path, column: str, n: int) -> Recording:
    """Read a recording. column: .npz array name, .csv column (name or number from 0), .wav channel; "" = the only one.

    A 2-D array whose rows have n entries is taken as ready windows. Raises QcsError that names file, place and remedy.
    """
    try:
        stamp = path.stat()
    except OSError:
        raise QcsError(f"recording '{path}' does not exist; set signal.recording to a file") from None
    if stamp.st_size > MAX_BYTES:
        raise QcsError(f"recording '{path}' has {stamp.st_size / 1e9:.1f} GB, more than 1 GB; cut it into parts")
    return _read(path, column, n, stamp.st_mtime_ns)


@lru_cache(maxsize=4)
def _read(path: Path, column: str, n: int, stamp: int) -> Recording:
    series = _samples(path, column, n)
    bad = ~np.isfinite(series.reshape(len(series), -1)).all(axis=1)
    if bad.any():
        place = f"{'sample' if series.ndim == 1 else 'window'} {bad.argmax()}"
        raise QcsError(
            f"recording '{path}': {place} is NaN or infinite ({bad.sum()} in all); cut it out or interpolate"
        )
    offset, scale = float(series.mean()), float(series.std())
    if scale == 0.0:
        raise QcsError(f"recording '{path}' is constant: there is nothing to learn")
    series = (series - offset) / scale
    series.setflags(write=False)
    return Recording(series, offset, scale)


def _samples(path: Path, column: str, n: int) -> NDArray[np.float64]:
    data = read_numbers(path, column if path.suffix == ".npz" else "")
    if data.ndim == 1:
        return data
    if data.ndim != 2:
        raise QcsError(f"recording '{path}' has shape {data.shape}: expected samples, or (windows, n)")
    if 1 in data.shape:
        return data.ravel()
    if path.suffix in {".csv", ".wav"} and (column or data.shape[1] != n):
        return data[:, _column_number(path, column, data.shape[1])]
    if data.shape[1] != n:
        raise QcsError(f"recording '{path}' has shape {data.shape}: its rows must be windows of n = {n} samples, "
                       "or give one 1-D array")  # fmt: skip
    return data


def _column_number(path: Path, column: str, count: int) -> int:
    names = _header(path) if path.suffix == ".csv" else []
    if column in names:
        return names.index(column)
    if column.isdecimal() and int(column) < count:
        return int(column)
    known = f"; names: {', '.join(names)}" if names else ""
    raise QcsError(f"recording '{path}' has {count} columns and signal.recording_column is '{column}': "
                   f"give one, 0 … {count - 1}{known}")  # fmt: skip


def read_numbers(path: Path, key: str = "") -> NDArray[np.float64]:
    """Return the numbers of a .npy, .npz (array `key`, or the only one), .csv or .wav file as float64.

    A .wav's integer samples are scaled to [−1, 1), channels are columns. Raises QcsError naming the file and the place.
    """
    readers = {".npy": np.load, ".npz": lambda p: _read_npz(p, key), ".csv": _read_csv, ".wav": _read_wav}
    if path.suffix not in readers:
        raise QcsError(f"'{path}': unknown kind of file '{path.suffix}'; known: .npy, .npz, .csv, .wav")
    try:
        data = readers[path.suffix](path)
    except FileNotFoundError:
        raise QcsError(f"'{path}' does not exist") from None
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise QcsError(f"'{path}' cannot be read as {path.suffix}: {error}") from None
    if data.dtype.kind not in "fiub":
        raise QcsError(f"'{path}' holds {data.dtype}, expected real numbers")
    if data.size == 0:
        raise QcsError(f"'{path}' is empty")
    return data.astype(np.float64)


def _read_npz(path: Path, key: str) -> NDArray[np.generic]:
    with np.load(path, allow_pickle=False) as archive:
        name = key or (archive.files[0] if len(archive.files) == 1 else "")
        if name not in archive.files:
            raise ValueError(f"choose one of its arrays by name: {', '.join(archive.files)}")
        return archive[name]


def _read_wav(path: Path) -> NDArray[np.generic]:
    from scipy.io import wavfile

    data: NDArray[Any] = wavfile.read(path)[1]
    if data.dtype == np.uint8:
        return (data.astype(np.float64) - 128.0) / 128.0
    return data / -float(np.iinfo(data.dtype).min) if data.dtype.kind == "i" else data


def _read_csv(path: Path) -> NDArray[np.generic]:
    rows: list[list[float]] = []
    with path.open(newline="", encoding="utf-8") as stream:
        for number, cells in enumerate(csv.reader(stream), start=1):
            if not any(cell.strip() for cell in cells) or (number == 1 and _is_header(cells)):
                continue
            for column, cell in enumerate(cells, start=1):
                if not _is_number(cell):
                    raise ValueError(f"line {number}, column {column}: '{cell.strip()}' is not a number")
            if rows and len(cells) != len(rows[0]):
                raise ValueError(f"line {number} has {len(cells)} columns, the lines before {len(rows[0])}")
            rows.append([float(cell) for cell in cells])
    return np.array(rows)


def _header(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as stream:
        cells = next(csv.reader(stream), [])
    return [cell.strip() for cell in cells] if _is_header(cells) else []


def _is_header(cells: list[str]) -> bool:
    return not any(_is_number(cell) for cell in cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
