"""Recordings from files: NumPy arrays, text tables, audio, PhysioNet records and Parquet, as one kind of samples.

What a file is shows in its content; its suffix decides for text alone. A missing value is refused or, if the caller
wants it, interpolated; nothing is left out silently. Whatever is wrong is one QcsError with file and place.
"""

import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError
from qcskit.codec.optional import optional
from qcskit.codec.text_tables import TextTable, open_table, read_all, read_column
from qcskit.codec.wav import read_wav

Fill = Literal["refuse", "interpolate"]

MAX_BYTES = 1 << 30
"""A file larger than this is refused, so that memory stays bounded."""
LARGEST = 1e100
"""Values beyond this are refused: their squares must stay numbers, and no sensor gives them."""

KINDS = ".npy, .npz, .csv, .tsv, .txt, .wav, .flac and other audio, .hea (PhysioNet), .parquet"


@dataclass(frozen=True)
class Samples:
    """What a file holds: a series (T,), or an array (rows, columns) that the file holds as such.

    integers: every value is an integer within int16. columns: names that the file gives, () if none.
    rate_hz, unit: None and "" where the file does not know them. A value is (value − zero_count) · units_per_count in
    that unit: PhysioNet records are read as the counts of their converter.
    """

    values: NDArray[np.float64]
    integers: bool
    columns: tuple[str, ...] = ()
    rate_hz: float | None = None
    unit: str = ""
    units_per_count: float = 1.0
    zero_count: int = 0


@dataclass(frozen=True)
class _Raw:
    """Values before they are checked, NaN for gaps; place: words for where index (i,) or (row, column) stands.

    known: fields of Samples that the file knows.
    """

    values: NDArray[np.float64]
    place: Callable[[tuple[int, ...]], str]
    columns: tuple[str, ...] = ()
    known: Mapping[str, Any] = field(default_factory=dict)


def read_samples(path: str | Path, column: str = "", fill: Fill = "refuse", n: int = 0) -> Samples:
    """Read a recording, and check every value.

    column: name of a column or array, or number of a column or channel from 0; "" takes the only one of numbers.
    fill: what to do about gaps: refuse, or interpolate between the neighbours (at the ends: the nearest value).
    n: a text table of n columns of which none is chosen is taken whole, as ready windows; arrays are always.
    Raises QcsError of one line that names file, place and remedy.
    """
    path = Path(path)
    check_readable(path)
    kind = _kind(path)
    raw = _read_text(path, column, n) if kind == "text" else _READERS[kind](path, column)
    values = _filled(raw, fill, path)
    integers = bool(np.all(values == np.rint(values)) and np.abs(values).max() <= 1 << 15 and values.max() < 1 << 15)
    values.setflags(write=False)
    return Samples(values, integers, raw.columns, **raw.known)


def read_array(path: str | Path) -> NDArray[np.float64]:
    """Read a file as the array that it holds: an .npy, an .npz of one array, or every column of a text table.

    Raises QcsError of one line that names file and place; gaps are wrong, too.
    """
    path = Path(path)
    check_readable(path)
    kind = _kind(path)
    if kind == "text":
        return _filled(_whole_table(open_table(path)), "refuse", path)
    if kind not in _ARRAYS:
        raise QcsError(f"'{path}' is a recording; an array is expected: .npy, .npz or .csv")
    return _filled(_Raw(_ARRAYS[kind](path, "").astype(np.float64), _index_place(path)), "refuse", path)


def check_readable(path: Path) -> None:
    """Raise QcsError unless `path` is a file, not empty and not larger than MAX_BYTES."""
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            raise QcsError(f"'{path}' does not exist; give the file of your data") from None
        raise QcsError(f"'{path}' cannot be read: {error}") from None
    if not stat.S_ISREG(found.st_mode):
        what = "a directory" if stat.S_ISDIR(found.st_mode) else "no regular file"
        raise QcsError(f"'{path}' is {what}; give the file of your data")
    if found.st_size == 0:
        raise QcsError(f"'{path}' is empty: 0 bytes")
    if found.st_size > MAX_BYTES:
        raise QcsError(f"'{path}' has {found.st_size / 1e9:.1f} GB, more than {MAX_BYTES / 1e9:.1f} GB; "
                       "cut it into parts")  # fmt: skip


@contextmanager
def _told(path: Path, kind: str) -> Iterator[None]:
    """Turn what a library says about a damaged file, which can be any exception, into one line that names the file."""
    try:
        yield
    except QcsError:
        raise
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise QcsError(f"'{path}' cannot be read as {kind}: {text}") from None


def _kind(path: Path) -> str:
    """Return the key of `_READERS` that a file's content asks for, its suffix where the content is text."""
    with path.open("rb") as file:
        head = file.read(512)
    suffix = path.suffix.lower()
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    if suffix == ".hea" or (suffix == ".dat" and path.with_suffix(".hea").is_file()):
        return "physionet"
    if suffix in _SUFFIXES_OF_AUDIO:
        return "audio"
    if suffix in _BINARY or not _looks_like_text(head):
        begins = head[:12].decode("latin-1")
        raise QcsError(f"'{path}' is none of the kinds {KINDS}: its content begins with {begins!r}")
    return "text"


def _looks_like_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or 0 in head:
        return max(head[::2].count(0), head[1::2].count(0)) > len(head) // 4 or head[:2] in (b"\xff\xfe", b"\xfe\xff")
    return sum(byte < 32 and byte not in b"\t\n\r\f\x1a" for byte in head) == 0


def _load_npy(path: Path, name: str) -> NDArray[Any]:
    with _told(path, ".npy"):
        # Mapped, so that a header that promises more than the file holds takes no memory.
        return _real(path, np.load(path, mmap_mode="r", allow_pickle=False))


def _load_npz(path: Path, name: str) -> NDArray[Any]:
    with _told(path, ".npz"), zipfile.ZipFile(path) as archive:
        members = (info for info in archive.infolist() if info.filename.endswith(".npy"))
        unpacked = {info.filename.removesuffix(".npy"): info.file_size for info in members}
    if not unpacked:
        raise QcsError(f"'{path}' is a zip archive without NumPy arrays; save a spreadsheet as .csv")
    name = name or (next(iter(unpacked)) if len(unpacked) == 1 else "")
    if name not in unpacked:
        raise QcsError(f"'{path}' holds the arrays {', '.join(unpacked)}; choose one by its name (column)")
    if unpacked[name] > MAX_BYTES:
        raise QcsError(f"'{path}': array '{name}' has {unpacked[name] / 1e9:.1f} GB unpacked; cut it into parts")
    with _told(path, ".npz"), np.load(path, allow_pickle=False) as arrays:
        return _real(path, arrays[name])


def _real(path: Path, array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind not in "fiu":
        raise QcsError(f"'{path}' holds {array.dtype}, expected real numbers")
    if array.size == 0 or array.ndim == 0:
        raise QcsError(f"'{path}' has shape {array.shape}: it holds no series of samples")
    return array


def _read_npy(path: Path, column: str) -> _Raw:
    return _of_array(path, _load_npy(path, ""), column)


def _read_npz(path: Path, column: str) -> _Raw:
    return _of_array(path, _load_npz(path, column), "")


def _of_array(path: Path, array: NDArray[Any], column: str) -> _Raw:
    if 1 in array.shape and array.ndim == 2:
        array = array.ravel()
    if array.ndim > 2:
        raise QcsError(f"'{path}' has shape {array.shape}: expected samples (T,), or windows (rows, columns)")
    if column and array.ndim == 2:
        return _channel(path, array.astype(np.float64), column, ())
    if column not in ("", "0"):
        raise QcsError(f"'{path}' holds one series: there is no column '{column}' in it")
    return _Raw(array.astype(np.float64), _index_place(path))


def _index_place(path: Path) -> Callable[[tuple[int, ...]], str]:
    def place(index: tuple[int, ...]) -> str:
        return f"'{path}', " + (f"sample {index[0]}" if len(index) == 1 else f"row {index[0]}, column {index[1]}")

    return place


def _channel(path: Path, frames: NDArray[np.float64], column: str, names: tuple[str, ...], **known: Any) -> _Raw:
    """Return the chosen one of the columns of `frames`, or the only one."""
    chosen = _chosen(path, column, names or tuple(map(str, range(frames.shape[1]))), tuple(range(frames.shape[1])))
    return _Raw(frames[:, chosen], _index_place(path), names, known)


def _chosen(path: Path, column: str, names: tuple[str, ...], numeric: tuple[int, ...]) -> int:
    """Return the number of a column that is called by name or number, or of the only one of numbers."""
    if column and column in names:
        if names.count(column) > 1:
            raise QcsError(f"'{path}' has {names.count(column)} columns named '{column}': choose one by its number")
        return names.index(column)
    if column.isdecimal() and int(column) < len(names):
        return int(column)
    if not column and len(numeric) == 1:
        return numeric[0]
    known = ", ".join(_called(number, names[number]) for number in numeric[:_LISTED])
    known += f" and {len(numeric) - _LISTED} more" if len(numeric) > _LISTED else ""
    if column:
        raise QcsError(f"'{path}' has no column '{column}'; its columns of numbers: {known or 'none'}")
    if not numeric:
        raise QcsError(f"'{path}' has no column of numbers; its columns: {', '.join(names)}")
    raise QcsError(f"'{path}' has {len(numeric)} columns of numbers: {known}; choose one by name or number (column)")


def _called(number: int, name: str) -> str:
    return name if name == str(number) else f"{number} '{name}'"


def _read_text(path: Path, column: str, n: int) -> _Raw:
    table = open_table(path, column)
    if not column and n > 1 and len(table.numeric) == table.width == n:
        return _whole_table(table)
    names = table.names or tuple(map(str, range(table.width)))
    chosen = _chosen(path, column, names, table.numeric)
    values, lines = read_column(table, chosen)
    return _Raw(values, lambda index: table.place(int(lines[index[0]]), chosen), table.names)


def _whole_table(table: TextTable) -> _Raw:
    values, lines = read_all(table)
    return _Raw(values, lambda index: table.place(int(lines[index[0]]), index[1]), table.names)


def _read_riff(path: Path, column: str) -> _Raw:
    frames, rate_hz = read_wav(path)
    return _channel(path, frames, column, (), rate_hz=rate_hz)


def _read_audio(path: Path, column: str) -> _Raw:
    """Read FLAC, AIFF, Ogg … : PCM as counts, everything else as libsndfile scales it, to ±1."""
    soundfile = _extra("soundfile", "audio", path)
    with _told(path, "audio"), soundfile.SoundFile(path) as file:
        bits = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}.get(file.subtype)
        frames = file.read(dtype="int32" if bits else "float64", always_2d=True)
        rate_hz = float(file.samplerate)
    frames = frames >> (32 - bits) if bits else frames
    return _channel(path, frames.astype(np.float64), column, (), rate_hz=rate_hz)


def _read_physionet(path: Path, column: str) -> _Raw:
    """Read one signal of a WFDB record, in its ADC counts."""
    wfdb = _extra("wfdb", "physionet", path)
    with _told(path, "a PhysioNet record"):
        record = wfdb.rdrecord(str(path.with_suffix("").absolute()))
        frames, names = np.asarray(record.p_signal, np.float64), tuple(map(str, record.sig_name))
        chosen = _chosen(path, column, names, tuple(range(len(names))))
        gain, zero_count = float(record.adc_gain[chosen]), int(record.baseline[chosen])
        known = {"rate_hz": float(record.fs), "unit": str(record.units[chosen])}
    counts = np.rint(frames[:, chosen] * gain + zero_count)
    return _Raw(counts, _index_place(path), names, {**known, "units_per_count": 1.0 / gain, "zero_count": zero_count})


def _read_parquet(path: Path, column: str) -> _Raw:
    pyarrow, parquet = (_extra(name, "parquet", path) for name in ("pyarrow", "pyarrow.parquet"))
    with _told(path, "Parquet"):
        file = parquet.ParquetFile(path)
        names, kinds = tuple(file.schema_arrow.names), file.schema_arrow.types
        is_number = (pyarrow.types.is_integer, pyarrow.types.is_floating, pyarrow.types.is_decimal)
        numeric = tuple(k for k, kind in enumerate(kinds) if any(test(kind) for test in is_number))
        chosen = _chosen(path, column, names, numeric)
        if file.metadata.num_rows > MAX_BYTES // 8:
            raise QcsError(f"'{path}' has {file.metadata.num_rows:,} rows, more than 1 GB; cut it into parts")
        if chosen not in numeric:
            raise QcsError(f"'{path}': column '{names[chosen]}' holds {kinds[chosen]}, expected numbers")
        values = file.read(columns=[names[chosen]]).column(0).cast(pyarrow.float64(), safe=False)
        series = values.to_numpy()
    if len(series) == 0:
        raise QcsError(f"'{path}' has no rows")
    return _Raw(series, lambda index: f"'{path}', row {index[0]}, column '{names[chosen]}'", names)


def _extra(module: str, extra: str, path: Path) -> Any:
    return optional(module, extra, f"'{path}': this kind of file")


def _filled(raw: _Raw, fill: Fill, path: Path) -> NDArray[np.float64]:
    """Return the values without gaps. Raises QcsError that names the first value that cannot stay."""
    values = raw.values
    if values.size == 0:
        raise QcsError(f"'{path}' holds no samples")
    gaps = np.isnan(values)
    too_large = ~gaps & ~(np.abs(values) <= LARGEST)
    if too_large.any():
        index = _first(too_large)
        raise QcsError(f"{raw.place(index)}: {values[index]:g} is no sensor's value (±{LARGEST:g} at most); cut it out")
    if not gaps.any():
        return values
    count = int(gaps.sum())
    where = f"{raw.place(_first(gaps))}: no number here, {count:,} gap{'s' * (count > 1)} in all"
    if gaps.all():
        raise QcsError(f"{where}: there is no number at all; choose another column")
    if fill == "refuse":
        filled = "advise: --fill interpolate; encode, simulate, hil: --fill-gaps"
        raise QcsError(f"{where}; cut them out, or have them filled ({filled})")
    if values.ndim != 1:
        raise QcsError(f"{where}: gaps in ready windows are not filled; leave these windows out")
    known = np.flatnonzero(~gaps)
    return np.interp(np.arange(len(values)), known, values[known])


def _first(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(int(mask.argmax()), mask.shape))


_LISTED = 12
"""Columns that a message lists."""

_STARTS = (
    (b"\x93NUMPY", "npy"), (b"PK\x03\x04", "npz"), (b"PK\x05\x06", "npz"), (b"RIFF", "riff"), (b"PAR1", "parquet"),
    (b"fLaC", "audio"), (b"OggS", "audio"), (b"FORM", "audio"), (b"RF64", "audio"), (b"RIFX", "audio"),
    (b"ID3", "audio"), (b"caff", "audio"), (b".snd", "audio"),
)  # fmt: skip
_SUFFIXES_OF_AUDIO = frozenset({".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".caf", ".w64", ".au"})
_BINARY = frozenset({".npy", ".npz", ".wav", ".parquet"})
"""Suffixes under which a text is a mistake."""

_ARRAYS = {"npy": _load_npy, "npz": _load_npz}
_READERS: dict[str, Callable[[Path, str], _Raw]] = {
    "npy": _read_npy, "npz": _read_npz, "riff": _read_riff, "audio": _read_audio, "physionet": _read_physionet,
    "parquet": _read_parquet,
}  # fmt: skip
