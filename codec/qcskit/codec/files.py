"""Outputs appear whole or not at all and replace nothing of the user's; and what identifies a content.

An output is made beside its place as `.<name>.qcskit-new`, synced, and renamed. A directory that stands there already
is first renamed to `.<name>.qcskit-old`: what bears that name is whole, and `put_back` finds it after a kill. Only who
holds the lock `.<name>.qcskit-lock` touches these names, so what it finds there was left by a run that is dead.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.errors import QcsError

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
"""What a file system without locks answers; two runs on one output are then the user's to avoid."""

_SHOWN_NAMES = 3

_held: set[tuple[int, Path]] = set()
"""Outputs that this process holds, by thread."""


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


def manifest_checksum(raw: Mapping[str, Any]) -> str:
    """Return the SHA-256 of everything in a manifest but its checksum, however it is spaced and ordered."""
    rest = {key: value for key, value in raw.items() if key != "checksum"}
    return sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode())


def sealed(facts: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """Return the marker of a directory as JSON: facts, the SHA-256 of `files`, and the `manifest_checksum` of both."""
    raw = {**facts, "files": {name: sha256(content) for name, content in sorted(files.items())}}
    return (json.dumps({**raw, "checksum": manifest_checksum(raw)}, indent=1, allow_nan=False) + "\n").encode()


def check_file(path: Path, *needed: Path) -> None:
    """Raise QcsError if `write_file` would refuse `path`; long work asks first.

    needed: files and directories that the same run reads or writes: it must be none of them and lie in none.
    """
    target = _real(path)
    with refusing(path):
        _check_place(path, needed)
        if target.is_dir():
            raise QcsError(f"'{path}' is a directory; choose another --out")
        if os.path.lexists(target) and not target.is_file():
            raise QcsError(f"'{path}' is not a regular file; choose another --out")


def check_replaceable(path: Path, marker: str = "manifest.json", *needed: Path) -> None:
    """Raise QcsError if `write_directory` would refuse `path`, or for what else is needed as `check_file` does."""
    target, kept = _real(path), "so it is not replaced; choose another --out"
    with refusing(path):
        _check_place(path, needed)
        if target in (Path.cwd(), *Path.cwd().parents):
            raise QcsError(f"'{path}' is the current directory or holds it, {kept}")
        if _is_vacant(target):
            return
        if not (target / marker).is_file():
            raise QcsError(f"'{path}' exists and holds no {marker}, {kept}")
        names = list(_not_as_written(target, marker))
    if names:
        more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
        what = f"{', '.join(names[:_SHOWN_NAMES])}{more}"
        raise QcsError(f"'{path}' holds {what}, not listed in its {marker} or edited since, {kept} or move them away")


def check_named(path: Path, name: str, marker: str = "manifest.json") -> None:
    """Raise QcsError if directory `path` is of a model of another name; one of the same is a new version of it."""
    found = _model_name((_real(path) / marker).read_bytes()) if (_real(path) / marker).is_file() else ""
    if found and found != name:
        kept = "so it is not replaced; choose another --out, or delete it"
        raise QcsError(f"'{path}' holds model '{found}' and not '{name}', {kept}")


def _model_name(marker: bytes) -> str:
    """Return the name of the model of a bundle or a run, "" if its marker names none."""
    try:
        raw = json.loads(marker)
        return str(raw.get("name") or raw["train"]["name"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ""


def _check_place(path: Path, needed: Iterable[Path]) -> None:
    """Raise QcsError if `path` lies below a file, or is or lies in what is needed."""
    for source in needed:
        if _real(source) in (_real(path), *_real(path).parents):
            raise QcsError(f"'{path}' would change '{source}', which this run needs; choose another --out")
    found = next((parent for parent in _real(path).parents if parent.exists()), Path("/"))
    if not found.is_dir():
        raise QcsError(f"'{path}' cannot be written: '{found}' is not a directory")


def _not_as_written(folder: Path, marker: str) -> Iterator[str]:
    """Yield the name of each file in `folder` whose content is not what its marker lists."""
    content = (folder / marker).read_bytes()
    try:
        raw = json.loads(content)
        listed = dict(raw.get("files", {}))
        if raw.get("checksum") in (None, manifest_checksum(raw)):
            listed[marker] = sha256(content)
    except (ValueError, TypeError, AttributeError, RecursionError):
        listed = {}
    for entry in sorted(folder.rglob("*")):
        name, link = entry.relative_to(folder).as_posix(), entry.is_symlink()
        if entry.is_dir() and not link:
            continue
        if link or not entry.is_file() or name not in listed or sha256(entry.read_bytes()) != listed[name]:
            yield name


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses inside into a QcsError that says that `path` cannot be written."""
    try:
        yield
    except OSError as error:
        raise QcsError(f"'{path}' cannot be written: {error.strerror or error}") from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold output `path` against other runs inside; where this thread holds it already, nothing more happens.

    What a killed run left beside it is put right. Raises QcsError if another run holds it, or nothing can be written
    there. Directories made for it go again if nothing was written into them.
    """
    target = _real(path)
    key, lock = (threading.get_ident(), target), _beside(target, "lock")
    if key in _held:
        yield
        return
    with ExitStack() as undo:
        with refusing(path):
            for parent in reversed([parent for parent in target.parents if not parent.exists()]):
                undo.callback(_quietly, os.rmdir, parent)
            descriptor = _acquire(lock, path)
        undo.callback(os.close, descriptor)
        undo.callback(_quietly, os.unlink, lock)
        undo.callback(_held.discard, key)
        _held.add(key)
        _tidy(target)
        yield


def put_back(path: Path) -> None:
    """Put directory `path` back if a run was killed after it had moved it aside; readers that miss it ask for this."""
    target = _real(path)
    if not target.exists() and _beside(target, "old").exists():
        with locked(path):
            pass


def write_directory(path: Path, files: Mapping[str, bytes], marker: str = "manifest.json") -> None:
    """Write `files` (relative name → content) as directory `path`, all or nothing; one of them is the marker.

    It replaces a directory only if that is empty, or holds nothing but what its marker lists, as it was written, and no
    model of another name. Raises QcsError that names what else is there, or why nothing can be written.
    """
    check_replaceable(path, marker)
    if name := _model_name(files.get(marker, b"")):
        check_named(path, name, marker)
    with refusing(path), locked(path):
        target = _real(path)
        new, old = _beside(target, "new"), _beside(target, "old")
        try:
            _step(os.mkdir, new)
            folders = sorted({new / folder for name in files for folder in Path(name).parents} - {new})
            for folder in folders:
                _step(os.mkdir, folder)
            for name, content in files.items():
                _write(new / name, _writer(content))
            for folder in (*folders, new):
                _sync_folder(folder)
            if target.exists():
                _step(os.rename, target, old)
            _step(os.rename, new, target)
            _sync_folder(target.parent)
        finally:
            _tidy(target)


def write_file(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Call `write(open file)` on a file beside `path`, then rename that into place; nothing half-written stays.

    Raises QcsError if `path` is no regular file, or why it cannot be written.
    """
    check_file(path)
    with refusing(path), locked(path):
        target = _real(path)
        new = _beside(target, "new")
        try:
            _write(new, write)
            _step(os.replace, new, target)
            _sync_folder(target.parent)
        finally:
            _tidy(target)


def write_text(path: Path, text: str) -> None:
    """Write a text file, all or nothing."""
    write_file(path, _writer(text.encode()))


def append(path: Path, content: bytes) -> None:
    """Append to a file and sync it; where that fails the file is as before. Raises QcsError that says why."""
    with refusing(path), path.open("ab", buffering=0) as file:
        before, rest = file.tell(), content
        try:
            while rest:
                rest = rest[_step(file.write, rest) :]
            _step(os.fsync, file.fileno())
        except OSError:
            file.truncate(before)
            raise


def remove_file(path: Path) -> None:
    """Delete a file that belongs to an output that is held, if it is there, and what a killed run left beside it."""
    with refusing(path), suppress(FileNotFoundError):
        _tidy(_real(path))
        _step(os.unlink, _real(path))


def _step(operation: Callable[..., Any], *arguments: Any) -> Any:
    """Run one operation that changes files. All go through here: tests let it fail, or die before and after each."""
    return operation(*arguments)


def _quietly(operation: Callable[..., Any], *arguments: Any) -> None:
    """Run an operation without which the output is whole as well."""
    with suppress(OSError):
        _step(operation, *arguments)


def _real(path: Path) -> Path:
    """Return the absolute path with all links followed: what is replaced is the target, not the link."""
    return Path(os.path.realpath(path))


def _beside(target: Path, what: str) -> Path:
    return target.with_name(f".{target.name}.qcskit-{what}")


def _is_vacant(target: Path) -> bool:
    """Tell whether there is nothing, or an empty directory."""
    return not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir()))


def _acquire(lock: Path, path: Path) -> int:
    """Return the descriptor of file `lock`, held. Its holder deletes it: what was opened may be gone meanwhile."""
    while True:
        _step(lock.parent.mkdir, 0o777, True, True)
        descriptor: int = _step(os.open, lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return descriptor
            os.close(descriptor)
            raise QcsError(f"another run is writing '{path}'; wait for it or choose another --out") from None
        os.close(descriptor)


def _tidy(target: Path) -> None:
    """Leave nothing beside `target`: put an old directory back if its place is vacant, delete the rest."""
    new, old = _beside(target, "new"), _beside(target, "old")
    with suppress(OSError):
        _discard(new)
        if os.path.lexists(old):
            _step(os.rename, old, target if _is_vacant(target) else new)
        _discard(new)


def _discard(path: Path) -> None:
    if os.path.lexists(path):
        _step(shutil.rmtree if path.is_dir() else os.unlink, path)


def _writer(content: bytes) -> Callable[[BinaryIO], object]:
    return lambda file: file.write(content)


def _write(place: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write one new file and sync it."""
    with _step(open, place, "xb") as file:
        _step(write, file)
        file.flush()
        _step(os.fsync, file.fileno())


def _sync_folder(folder: Path) -> None:
    """Sync the names in a directory; where a file system cannot, the files are still whole."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            _step(os.fsync, descriptor)
        finally:
            os.close(descriptor)
