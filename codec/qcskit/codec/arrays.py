"""Arrays in .npz and .npy files: written reproducibly, read with suspicion.

Of a file of unknown origin the headers are read first. Nothing is allocated for arrays that are too large, of another
kind than wanted, or of which the file does not hold as many bytes as the header promises.
"""

import math
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError

MOST_BYTES = 256 << 20
"""Most bytes of all arrays of one .npz, unpacked."""
_MOST_ARRAYS = 4096


@dataclass(frozen=True)
class Header:
    """What the head of an .npy says. start: of the data, in bytes from the begin."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int

    @property
    def nbytes(self) -> int:
        """Bytes of the data."""
        return math.prod(self.shape) * self.dtype.itemsize


Headers = Mapping[str, Header]

NPY: Any = np.lib.format
"""The format of .npy; as Any: NumPy 1 has no types for it, NumPy 2 has."""


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return a compressed .npz whose bytes depend on the arrays alone (no dates), names sorted."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(arrays):
            member = BytesIO()
            np.save(member, np.asarray(arrays[name], order="C"), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, member.getvalue())
    return out.getvalue()


def read_npz(
    content: bytes, what: str, check: Callable[[Headers], object] | None = None, most_bytes: int = MOST_BYTES
) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz: plain numbers, at most `most_bytes` of all of them.

    check: told the headers before any data is read; raises QcsError if they are not those of the arrays wanted.
    Raises QcsError that begins with `what`.
    """
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            headers = _headers(archive, most_bytes)
            if check is not None:
                check(headers)
            return {name: _read(archive, name) for name in headers}
    except QcsError as error:
        raise QcsError(f"{what}: {error}") from None
    except Exception as error:  # zipfile and zlib raise a dozen kinds on damaged archives
        raise QcsError(f"{what} is not a readable .npz file ({_line(error)})") from None


def read_header(file: BinaryIO) -> Header:
    """Return the head of an .npy that begins where `file` stands, and leave it at the data.

    Raises QcsError if it is none, or not one of plain numbers (bool, int, uint or float).
    """
    start = file.tell()
    try:
        version = NPY.read_magic(file)
        readers = {(1, 0): NPY.read_array_header_1_0, (2, 0): NPY.read_array_header_2_0}
        if version not in readers:
            raise QcsError(f"it is .npy of version {version[0]}.{version[1]}, expected 1.0 or 2.0")
        shape, _, dtype = readers[version](file)
    except QcsError:
        raise
    except Exception as error:  # the header is a Python literal: its parser raises whatever it likes
        raise QcsError(f"it has no valid .npy header ({_line(error)})") from None
    if dtype.kind not in "biuf" or dtype.fields is not None:
        raise QcsError(f"it is of type {dtype}, expected plain numbers")
    if any(type(size) is not int or size < 0 for size in shape) or len(shape) > 8:
        raise QcsError("its shape is impossible")
    return Header(dtype, shape, file.tell() - start)


def check_array(
    name: str, found: NDArray[Any] | Header, dtype: type[np.generic], shape: tuple[int | None, ...]
) -> None:
    """Raise QcsError that names an array, or the head of one, of another kind; None in `shape`: any length."""
    known = len(shape) == len(found.shape)
    fits = known and all(size in (None, own) for size, own in zip(shape, found.shape, strict=True))
    if found.dtype != dtype or not fits:
        raise QcsError(f"array '{name}' is {found.dtype} {found.shape}, {_wanted(dtype, shape)}")


def take_table(
    arrays: Mapping[str, NDArray[Any]], name: str, dtype: type[np.generic], shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """Return one array; None in `shape`: any length. Raises QcsError that names it if it is missing or another kind."""
    if name not in arrays:
        raise QcsError(f"there is no array '{name}', {_wanted(dtype, shape)}")
    check_array(name, arrays[name], dtype, shape)
    return arrays[name]


def check_ascending(name: str, array: NDArray[Any]) -> None:
    """Raise QcsError that names a table (rows, any) if one of its rows descends."""
    if np.any(array[:, 1:] < array[:, :-1]):
        raise QcsError(f"array '{name}' must ascend in every row")


def check_finite(name: str, array: NDArray[Any]) -> None:
    """Raise QcsError that names an array which holds NaN or infinity."""
    if not np.isfinite(array).all():
        raise QcsError(f"array '{name}' holds NaN or infinity")


def check_names(found: Mapping[str, object], known: Mapping[str, object] | set[str]) -> None:
    """Raise QcsError that names an array which nobody knows."""
    for name in found:
        if name not in known:
            raise QcsError(f"array '{name[:40]}' is unknown; known: {', '.join(sorted(known))}")


def _wanted(dtype: type[np.generic], shape: tuple[int | None, ...]) -> str:
    return f"expected {np.dtype(dtype)} ({', '.join('any' if size is None else str(size) for size in shape)})"


def _headers(archive: zipfile.ZipFile, most_bytes: int) -> dict[str, Header]:
    """Return the header of each member, once it is known that what they promise is there and not too much."""
    members = archive.infolist()
    names = [info.filename.removesuffix(".npy") for info in members]
    if len(set(names)) < len(names) or len(names) > _MOST_ARRAYS:
        raise QcsError("it holds two arrays of one name, or too many")
    total = sum(info.file_size for info in members)
    if total > most_bytes:
        raise QcsError(f"its arrays take {total:,} bytes, at most {most_bytes:,} are read")
    found = {}
    for name, info in zip(names, members, strict=True):
        with archive.open(info) as file:
            try:
                header = read_header(file)  # type: ignore[arg-type]
            except QcsError as error:
                raise QcsError(f"array '{name[:40]}': {error}") from None
        if header.start + header.nbytes != info.file_size:
            raise QcsError(f"array '{name[:40]}' is {header.dtype} {header.shape} by its header, but has "
                           f"{info.file_size - header.start:,} bytes")  # fmt: skip
        found[name] = header
    return found


def _read(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with archive.open(f"{name}.npy") as file:
        array: NDArray[Any] = NPY.read_array(file, allow_pickle=False)
    return array


def _line(error: Exception) -> str:
    return " ".join(f"{error}".split())[:160] or type(error).__name__
