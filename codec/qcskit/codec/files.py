"""Files that appear whole or not at all, and what identifies their content."""

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError


def sha256(content: bytes) -> str:
    """Return the SHA-256 of `content` in hex."""
    return hashlib.sha256(content).hexdigest()


def tables_id(kind: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return the first 8 bytes of SHA-256 over a kind of tables and their contents, as 16 hex digits."""
    digest = hashlib.sha256(kind.encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name}:{array.dtype.str}:{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def check_replaceable(path: Path, marker: str = "manifest.json") -> None:
    """Raise QcsError if `write_directory` would refuse `path`; long work asks first."""
    _check_parent(path)
    if path.exists() and not (path.is_dir() and ((path / marker).is_file() or not any(path.iterdir()))):
        raise QcsError(f"'{path}' exists and holds no {marker}, so it is not replaced; choose another --out")


def check_file(path: Path) -> None:
    """Raise QcsError if `write_file` would refuse `path`; long work asks first."""
    _check_parent(path)
    if path.is_dir():
        raise QcsError(f"'{path}' is a directory; choose another --out")


def _check_parent(path: Path) -> None:
    found = next((parent for parent in path.parents if parent.exists()), Path())
    if not found.is_dir():
        raise QcsError(f"'{path}' cannot be written: '{found}' is not a directory")


def write_directory(path: Path, files: Mapping[str, bytes], marker: str = "manifest.json") -> None:
    """Write `files` (relative name → content) as directory `path`, replacing it in one rename; all or nothing.

    Raises QcsError if `path` exists and is neither empty nor a directory that holds `marker`: nothing else is replaced.
    """
    path = Path(path)
    check_replaceable(path, marker)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    staging, before = temporary / "new", temporary / "before"
    try:
        staging.mkdir()
        for name, content in files.items():
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).write_bytes(content)
        if path.exists():
            path.rename(before)
        staging.rename(path)
    finally:
        if before.exists() and not path.exists():
            before.rename(path)
        shutil.rmtree(temporary, ignore_errors=True)


def write_file(path: Path, write: Callable[[Path], object]) -> None:
    """Call `write(temporary path)` beside `path`, then rename it into place; nothing half-written stays.

    Raises QcsError if `path` is a directory, or lies under a file.
    """
    path = Path(path)
    check_file(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = path.with_name(f".{path.name}.tmp")
    try:
        write(staging)
        staging.replace(path)
    finally:
        staging.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, all or nothing."""
    write_file(path, lambda staging: staging.write_text(text, encoding="utf-8"))


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


def read_npz(content: bytes, what: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz. Raises QcsError that begins with `what` if it is none."""
    try:
        with np.load(BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise QcsError(f"{what} is not a readable .npz file ({error}); run 'qcskit export' again") from None


def take_table(
    arrays: Mapping[str, NDArray[Any]], name: str, dtype: type[np.generic], shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """Return one array; None in `shape`: any length. Raises QcsError that names it if it is missing or another kind."""
    wanted = f"expected {np.dtype(dtype)} ({', '.join('any' if size is None else str(size) for size in shape)})"
    if name not in arrays:
        raise QcsError(f"there is no array '{name}', {wanted}")
    array = arrays[name]
    fits = len(shape) == array.ndim and all(size in (None, own) for size, own in zip(shape, array.shape, strict=True))
    if array.dtype != dtype or not fits:
        raise QcsError(f"array '{name}' is {array.dtype} {array.shape}, {wanted}")
    return array


def check_ascending(name: str, array: NDArray[Any]) -> None:
    """Raise QcsError that names a table (rows, any) if one of its rows descends."""
    if np.any(array[:, 1:] < array[:, :-1]):
        raise QcsError(f"array '{name}' must ascend in every row")
