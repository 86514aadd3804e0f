"""The C encoder as a shared library in this process: the same sources a board runs, called through ctypes."""

import ctypes
import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qcskit.codec.files import sha256
from qcskit.firmware.compile import Job, cache_dir, compile_cached, publish
from qcskit.firmware.errors import FirmwareError
from qcskit.firmware.sources import sources

WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")


class Rows(NamedTuple):
    """Packets as rows uint8 (packets, room), of which the first `lengths` (packets,) bytes count."""

    rows: NDArray[np.uint8]
    lengths: NDArray[np.int64]


def build_host_library(
    c_dir: Path | None = None, *, compiler: str | None = None, extra_flags: Sequence[str] = ()
) -> Path:
    """Return the path of a shared library: core, batch wrappers (ports/host) and the `.c` files of `c_dir`, if given.

    compiler: default $CC, else gcc, else clang. extra_flags come last, e.g. ("-O0", "-fsanitize=undefined").
    Raises FirmwareError if it does not compile, MissingToolError without a compiler.
    """
    root = sources()
    include = [root / "include", root / "src", root / "ports" / "host"]
    files = [*sorted((root / "src").glob("*.c")), *sorted((root / "ports" / "host").glob("*.c"))]
    if c_dir is not None:
        include.append(Path(c_dir).resolve())
        files += model_sources(Path(c_dir))
    job = Job(
        output="libqcs_host.so",
        compiler=compiler or host_compiler(),
        package="gcc",
        purpose="C encoder on the host",
        flags=("-std=c11", "-O3", "-march=native", "-fPIC", "-shared", "-fvisibility=default", *WARNINGS, *extra_flags),
        sources=tuple(files),
        include=tuple(include),
        key_extra=_cpu(),
    )
    return compile_cached(job)


def host_compiler() -> str:
    """Return the C compiler for this machine: $CC, else gcc, else clang."""
    found = "clang" if shutil.which("clang") and not shutil.which("gcc") else "gcc"
    return os.environ.get("CC") or found


def c_directory(files: Mapping[str, str]) -> Path:
    """Return a directory that holds these C files, by name, and nothing else; kept beside the builds, made once."""

    def fill(staging: Path) -> None:
        for name, text in files.items():
            (staging / name).write_text(text, encoding="utf-8")

    return publish(cache_dir() / f"c-{sha256(repr(sorted(files.items())).encode())[:40]}", fill)


def model_sources(c_dir: Path) -> list[Path]:
    """Return the C files of an exported model, without the TFLite Micro glue.

    Raises FirmwareError if there are none.
    """
    files = sorted(p.resolve() for p in c_dir.glob("*.c") if not p.name.startswith("qcs_tflm_"))
    if not files:
        raise FirmwareError(f"'{c_dir}' holds no C model; run 'qcskit export' again")
    return files


class CodecStruct(ctypes.Structure):
    """Mirrors qcs_codec_t of qcs.h."""

    _fields_ = (
        ("model", ctypes.c_void_p), ("id", ctypes.POINTER(ctypes.c_uint8 * 8)), ("inputs", ctypes.c_uint16),
        ("outputs", ctypes.c_uint16), ("levels", ctypes.c_uint16), ("windows", ctypes.c_uint16),
        ("packed_bytes_max", ctypes.c_uint16), ("scratch_bytes", ctypes.c_uint16), ("kind", ctypes.c_uint8),
        ("input_types", ctypes.c_uint8), ("encode", ctypes.c_void_p),
    )  # fmt: skip


_GUARD = bytes(range(0xA0, 0xE0))


class _Memory:
    """Bytes for C to write, zero, aligned to 16; before and behind them stands a guard that it must not touch."""

    def __init__(self, name: str, size: int) -> None:
        self._name, self._all = name, np.zeros(size + 2 * len(_GUARD), np.uint8)
        self.inside = self._all[len(_GUARD) : len(_GUARD) + size]
        self._all[: len(_GUARD)] = self._all[len(_GUARD) + size :] = np.frombuffer(_GUARD, np.uint8)

    def check(self) -> None:
        """Raise FirmwareError if a guard was overwritten."""
        for part, where in ((self._all[: len(_GUARD)], "before"), (self._all[-len(_GUARD) :], "behind")):
            if part.tobytes() != _GUARD:
                raise FirmwareError(f"the C code of this codec writes {where} its {self._name}, "
                                    f"{self.inside.size:,} bytes: do not use it")  # fmt: skip


class HostCodec:
    """A `qcs_codec_t` of any kind in a host library, encoding whole batches.

    library: path from `build_host_library`. symbol: name such as "qcs_demo_codec", or the address of a
    qcs_codec_t that the caller keeps alive.
    """

    def __init__(self, library: Path, symbol: str | int) -> None:
        self._library = ctypes.CDLL(str(library))
        self._library.qcs_host_block_entries.restype = ctypes.c_size_t
        self._library.qcs_host_network_input.restype = ctypes.c_bool
        place = _address(self._library, symbol) if isinstance(symbol, str) else symbol
        self._codec = ctypes.c_void_p(place)
        struct = CodecStruct.from_address(self._codec.value or 0)
        self.model_id = bytes(struct.id.contents).hex()
        self.inputs, self.outputs, self.levels, self.windows = (
            struct.inputs, struct.outputs, struct.levels, struct.windows,
        )  # fmt: skip
        self.packed_bytes_max, self.kind, self.input_types = struct.packed_bytes_max, struct.kind, struct.input_types
        self._scratch_bytes = struct.scratch_bytes
        self._block_entries = int(self._library.qcs_host_block_entries(self._codec))

    @property
    def has_block(self) -> bool:
        """Whether `encode_block` serves this codec."""
        return self._block_entries > 0

    def encode(self, x: NDArray[Any]) -> Rows:
        """Return the packets of int8 network inputs or int16 ADC counts (packets, inputs)."""
        input_type = {np.dtype(np.int8): 1, np.dtype(np.int16): 2}.get(x.dtype, 0)
        if not self.input_types & input_type:
            raise FirmwareError(f"this codec does not take {x.dtype} input")
        x = self._checked(x)
        rows, lengths = _Memory("packets", len(x) * self.packed_bytes_max), _Memory("lengths", 2 * len(x))
        scratch = _Memory("scratch", self._scratch_bytes)
        self._library.qcs_host_batch(
            self._codec, ctypes.c_uint8(input_type), _pointer(x), ctypes.c_size_t(len(x)), _pointer(rows.inside),
            _pointer(lengths.inside), _pointer(scratch.inside),
        )  # fmt: skip
        for memory in (rows, lengths, scratch):
            memory.check()
        return Rows(rows.inside.reshape(-1, self.packed_bytes_max), lengths.inside.view(np.uint16).astype(np.int64))

    def encode_block(self, x: NDArray[np.int8]) -> Rows:
        """Return what `encode` returns for int8 inputs, from the kernel that works on many packets side by side."""
        x = self._checked(x)
        rows = _Memory("packets", len(x) * self.packed_bytes_max)
        scratch = _Memory("scratch", 2 * self._block_entries)
        self._library.qcs_host_block(
            self._codec, _pointer(x), ctypes.c_size_t(len(x)), _pointer(rows.inside), _pointer(scratch.inside)
        )
        for memory in (rows, scratch):
            memory.check()
        return Rows(rows.inside.reshape(-1, self.packed_bytes_max), np.full(len(x), self.packed_bytes_max, np.int64))

    def network_input(self, counts: NDArray[np.int16]) -> NDArray[np.int8] | None:
        """Return what the C front end makes of counts (packets, inputs); None if there is none."""
        counts = self._checked(counts).astype(np.int16)
        out = np.empty(counts.shape, np.int8)
        size = ctypes.c_size_t(len(counts))
        made = self._library.qcs_host_network_input(self._codec, _pointer(counts), size, _pointer(out))
        return out if made else None

    def _checked(self, x: NDArray[Any]) -> NDArray[Any]:
        if x.ndim != 2 or x.shape[1] != self.inputs:
            raise FirmwareError(f"encoder input has shape {x.shape}, expected (packets, {self.inputs})")
        return np.ascontiguousarray(x)


def _pointer(array: NDArray[Any]) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _address(library: ctypes.CDLL, symbol: str) -> int:
    try:
        return ctypes.addressof(ctypes.c_uint8.in_dll(library, symbol))
    except ValueError:
        raise FirmwareError(f"the C code defines no {symbol}; run 'qcskit export' again") from None


def _cpu() -> str:
    """Return a key of this machine's instruction set: -march=native results must not travel."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(flags.encode()).hexdigest()[:16]
