"""One compiler call, remembered: the result is kept under a key of everything that went into it."""

import hashlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import platformdirs

from qcskit.codec.errors import QcsError
from qcskit.codec.files import locked, refusing
from qcskit.firmware.errors import FirmwareError, MissingToolError

_SOURCE_SUFFIXES = {".c", ".h", ".S", ".ld", ".cc", ".cpp", ".ino"}


@dataclass(frozen=True)
class Job:
    """One call of a compiler that makes one file.

    output: file name of the result. compiler: program. package: the Debian package that brings it. purpose: words for
    messages. sources: files to compile. include: directories searched for headers; every source-like file in them is
    part of the key. flags come before the sources, tail (libraries) after them.
    """

    output: str
    compiler: str
    package: str
    purpose: str
    flags: tuple[str, ...]
    sources: tuple[Path, ...]
    include: tuple[Path, ...]
    tail: tuple[str, ...] = ()
    key_extra: str = ""


def find_tool(tool: str, package: str, purpose: str) -> str:
    """Return the path of a program. Raises MissingToolError that names its Debian package."""
    path = shutil.which(tool)
    if path is None:
        raise MissingToolError(tool, package, purpose)
    return path


@cache
def tool_version(path: str) -> str:
    """Return the first line that `path --version` prints, '' if it prints none."""
    done = subprocess.run([path, "--version"], capture_output=True, text=True, errors="replace", check=False)
    return (done.stdout or done.stderr).strip().partition("\n")[0]


def compile_cached(job: Job) -> Path:
    """Return the path of the job's result, compiled unless the cache holds it.

    Raises FirmwareError with the compiler's first error, MissingToolError if there is no compiler.
    """
    compiler = find_tool(job.compiler, job.package, job.purpose)
    place = cache_dir() / _key(job, tool_version(compiler))
    return publish(place, lambda staging: _compile(compiler, job, staging)) / job.output


def cache_dir() -> Path:
    """Return where builds are kept; QCSKIT_CACHE overrides the platform's cache directory."""
    base = os.environ.get("QCSKIT_CACHE") or platformdirs.user_cache_dir("qcskit")
    return Path(base) / "builds"


def _key(job: Job, version: str) -> str:
    digest = hashlib.sha256(repr((job.output, job.compiler, version, job.key_extra)).encode())
    # Directories are told apart by order, not by name: the same sources elsewhere give the same key.
    places = {str(place): f"@{i}" for i, place in enumerate(job.include)}
    for flag in (*job.flags, *job.tail):
        for place, alias in sorted(places.items(), key=lambda item: -len(item[0])):
            flag = flag.replace(place, alias)
        digest.update(flag.encode() + b"\0")
    for path in _inputs(job):
        digest.update(f"{path.name}:".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:40]


def _inputs(job: Job) -> Iterable[Path]:
    yield from job.sources
    for place in job.include:
        yield from sorted(p for p in place.iterdir() if p.suffix in _SOURCE_SUFFIXES and p.is_file())


def publish(place: Path, fill: Callable[[Path], None]) -> Path:
    """Return directory `place`, filled by `fill(directory to fill)` unless it is there.

    Safe when several processes make the same one: each fills its own, the first rename wins. Raises QcsError that says
    why nothing can be written there.
    """
    if place.is_dir():
        return place
    staging = place.parent / f".making-{secrets.token_hex(8)}"
    with refusing(place), locked(staging):
        _reap(place.parent)
        staging.mkdir()
        try:
            fill(staging)
            staging.rename(place)
        except OSError:
            if not place.is_dir():  # not another process that was faster
                raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return place


def _reap(folder: Path) -> None:
    """Delete what killed processes left half made; what others are making is locked."""
    for stray in folder.glob(".making-*"):
        with suppress(QcsError), locked(stray):
            shutil.rmtree(stray, ignore_errors=True)


def _compile(compiler: str, job: Job, staging: Path) -> None:
    command = [compiler, *job.flags, *(f"-I{place}" for place in job.include), *(str(path) for path in job.sources),
               "-o", str(staging / job.output), *job.tail]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise FirmwareError(f"{job.compiler} failed ({job.purpose}): {_first_error(done.stderr)}")
    (staging / "command.txt").write_text(" ".join(command) + "\n" + done.stderr, encoding="utf-8")


def _first_error(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("collect2:")]
    marked = [line for line in lines if "error" in line or "undefined reference" in line or "overflowed" in line]
    return (marked or lines or ["no message"])[0]
