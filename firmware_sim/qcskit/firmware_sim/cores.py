"""Kernels on emulated cores: many models in one firmware, their packed bytes hashed there and here."""

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import fast
from qcskit.codec.integer import EncoderTables
from qcskit.firmware import FirmwareError, find_board, sources
from qcskit.firmware.compile import Job, compile_cached, find_tool
from qcskit.firmware.host import WARNINGS
from qcskit.firmware_sim.vectors import corner_vectors, edge_vectors

WriteText = Callable[[Path, str, EncoderTables], None]
"""Writes qcs_model_<name>.h and .c of a model into a directory: the exporter, handed in from outside."""


@dataclass(frozen=True)
class Core:
    """An instruction set: compiler options for it, and the board whose emulator runs it."""

    name: str
    board: str
    cpu: tuple[str, ...]
    flash_bytes: int


CORES = (
    # Armv6-M code is a subset of Armv7-M: a Cortex-M3 has the memory that the micro:bit lacks.
    Core("Cortex-M0+", "cortex-m3", ("-mcpu=cortex-m0plus",), 3 << 20),
    Core("Cortex-M3", "cortex-m3", (), 3 << 20),
    Core("Cortex-M4", "cortex-m4", (), 3 << 20),
    Core("Cortex-M7", "cortex-m7", (), 3 << 20),
    Core("Cortex-M33", "cortex-m33", (), 3 << 20),
    Core("Cortex-M55", "cortex-m55", (), 400 << 10),
)


@dataclass(frozen=True)
class Check:
    """One model and what runs on it: given vectors (frames, M), then `random` ones from a seed."""

    tables: EncoderTables
    vectors: NDArray[np.int8]
    random: int
    seed: int


def make_check(tables: EncoderTables, seed: int, *, given: int = 16, random: int = 500) -> Check:
    """Return a check with half its given vectors in corners, half on threshold edges."""
    rng = np.random.default_rng(seed)
    corners = corner_vectors(tables.inputs, given // 2, rng)
    edges = edge_vectors(tables, given - given // 2, rng)
    return Check(tables, np.concatenate([corners, edges]), random, int(rng.integers(1, 2**32)))


def mismatches(core: Core, checks: Sequence[Check], write: WriteText, *, plain: bool = False) -> list[int]:
    """Return the numbers of the checks whose packed bytes on the core differ from the NumPy reference's.

    plain: build the plain C kernel instead of the core's fast one. Raises MissingToolError without compiler or
    emulator, FirmwareError if the firmware does not compile or dies.
    """
    hashes = _run(core, _build(core, checks, write, plain), len(checks))
    return [number for number, (check, got) in enumerate(zip(checks, hashes, strict=True)) if got != expected(check)]


def expected(check: Check) -> int:
    """Return the FNV-1a hash of the packed bytes that the NumPy reference gives."""
    x = np.concatenate([check.vectors, xorshift_vectors(check.seed, check.random, check.tables.inputs)])
    value = 2166136261
    for byte in fast.encode_packed(check.tables, x).tobytes():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def xorshift_vectors(seed: int, frames: int, inputs: int) -> NDArray[np.int8]:
    """Return what qcs_kernel_check.c draws: the top bytes of Marsaglia's xorshift32."""
    state, out = seed, bytearray()
    for _ in range(frames * inputs):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        out.append(state >> 24)
    return np.frombuffer(bytes(out), np.int8).reshape(frames, inputs)


def _build(core: Core, checks: Sequence[Check], write: WriteText, plain: bool) -> Path:
    board, root = find_board(core.board), sources()
    with tempfile.TemporaryDirectory(prefix="qcskit-cores-") as work:
        place = Path(work)
        for number, check in enumerate(checks):
            write(place, f"m{number}", check.tables)
        (place / "checks.c").write_text(_checks_text(checks), encoding="ascii")
        include = (root / "include", root / "src", root / "ports" / "freestanding", root / "ports" / "cortex_m",
                   root / "ports" / "kernel_check", place)  # fmt: skip
        startup = root / "ports" / "cortex_m" / "qcs_startup.c"
        flags = [flag for flag in board.flags if not (core.cpu and flag.startswith("-mcpu"))]
        limits = {
            "PACKED_BYTES": max(check.tables.packing.packed_bytes for check in checks),
            "INPUTS": max(check.tables.inputs for check in checks),
            # Enough for any layout: two halves of 32-bit activations, rounded up.
            "SCRATCH_BYTES": max(8 * (max(check.tables.widths) + 64) for check in checks),
        }
        return compile_cached(Job(
            output=f"kernels-{board.name}.elf", compiler=board.compiler, package=board.package,
            purpose=f"kernels for {core.name}",
            flags=("-std=c11", *WARNINGS, *flags, *core.cpu, *(("-DQCS_PLAIN",) if plain else ()),
                   *(f"-DQCS_CHECK_{key}={value}" for key, value in limits.items()), "-ffreestanding",
                   "-ffunction-sections", "-fdata-sections", "-nostartfiles", "-nodefaultlibs", "-Wl,--gc-sections",
                   "-Wl,--no-warn-rwx-segments", f"-Wl,-T,{root / 'ports' / board.script}"),
            sources=(*sorted((root / "src").glob("*.c")), startup, root / "ports" / "freestanding" / "qcs_string.c",
                     root / "ports" / "kernel_check" / "qcs_kernel_check.c", *sorted(place.glob("*.c"))),
            include=include, tail=("-lgcc",),
        ))  # fmt: skip


def _checks_text(checks: Sequence[Check]) -> str:
    lines = ['#include "qcs_kernel_check.h"', *(f'#include "qcs_model_m{i}.h"' for i in range(len(checks)))]
    for number, check in enumerate(checks):
        values = ", ".join(map(str, check.vectors.ravel().tolist()))
        lines.append(f"static const int8_t vectors{number}[{check.vectors.size}] = {{{values}}};")
    lines.append(f"const uint32_t qcs_check_count = {len(checks)};")
    lines.append(f"const qcs_check_t qcs_checks[{len(checks)}] = {{")
    for number, check in enumerate(checks):
        lines.append(f"  {{&qcs_codec_m{number}, vectors{number}, {len(check.vectors)}, {check.random}, "
                     f"{check.seed}U}},")  # fmt: skip
    return "\n".join([*lines, "};", ""])


def _run(core: Core, elf: Path, count: int) -> list[int]:
    board = find_board(core.board)
    find_tool(board.emulator[0], board.emulator_package, f"emulating {core.name}")
    machine = board.emulator[board.emulator.index("-machine") + 1]
    command = [board.emulator[0], "-machine", machine, "-kernel", str(elf), "-display", "none", "-monitor", "none",
               "-serial", "none", "-semihosting-config", "enable=on,target=native"]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    except subprocess.TimeoutExpired:
        raise FirmwareError(f"{core.name}: the kernels did not finish within 600 s") from None
    lines = (done.stdout + done.stderr).split()
    if done.returncode != 0 or len(lines) != count:
        raise FirmwareError(f"{core.name}: the emulator stopped after {len(lines)} of {count} models: "
                            f"{(done.stdout + done.stderr)[-200:].strip()}")  # fmt: skip
    return [int(line, 16) for line in lines]
