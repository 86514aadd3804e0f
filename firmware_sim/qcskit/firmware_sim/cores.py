"""Kernels on emulated cores: many models in one firmware, their packed bytes hashed there and here."""

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.codec import fast, wide
from qcskit.codec.integer import EncoderTables
from qcskit.codec.wide import WideTables
from qcskit.firmware import FirmwareError, build, find_board, sources
from qcskit.firmware.compile import Job, compile_cached, find_tool
from qcskit.firmware.emulator import start
from qcskit.firmware.host import WARNINGS
from qcskit.firmware.wire import encode_vectors
from qcskit.firmware_sim.counts import wide_edges
from qcskit.firmware_sim.vectors import corner_vectors, edge_vectors

Tables = EncoderTables | WideTables

WriteText = Callable[[Path, str, Tables], None]
"""Writes qcs_model_<name>.h and .c of a model into a directory: the exporter, handed in from outside."""


@dataclass(frozen=True)
class Core:
    """An instruction set: form of its tables (qcs_layout.h), compiler options for it, the board whose emulator runs it,
    bytes of tables that fit there.
    """

    name: str
    layout: str
    board: str
    cpu: tuple[str, ...]
    flash_bytes: int

    @property
    def riscv(self) -> bool:
        """Not a Cortex-M."""
        return self.name.startswith("RV32")


CORES = (
    Core("Cortex-M0", "QCS_LAYOUT_PAIR", "cortex-m0", (), 200 << 10),
    # Armv6-M code is a subset of Armv7-M: a Cortex-M3 has the memory that the micro:bit lacks.
    Core("Cortex-M0+", "QCS_LAYOUT_PAIR", "cortex-m3", ("-mcpu=cortex-m0plus",), 3 << 20),
    Core("Cortex-M3", "QCS_LAYOUT_PAIR", "cortex-m3", (), 3 << 20),
    Core("Cortex-M4", "QCS_LAYOUT_CHAIN", "cortex-m4", (), 3 << 20),
    Core("Cortex-M7", "QCS_LAYOUT_CHAIN", "cortex-m7", (), 3 << 20),
    Core("Cortex-M33", "QCS_LAYOUT_CHAIN", "cortex-m33", (), 3 << 20),
    Core("Cortex-M55", "QCS_LAYOUT_MVE", "cortex-m55", (), 400 << 10),
    Core("RV32IMC", "QCS_LAYOUT_PAIR", "rv32", (), 6 << 20),
)


@dataclass(frozen=True, eq=False)
class Check:
    """One model and what runs on it: given vectors (frames, M), then `random` ones from a seed.

    Vectors are int8 network inputs, or int16 counts of a wide encoder.
    """

    tables: Tables
    vectors: NDArray[np.int8] | NDArray[np.int16]
    random: int
    seed: int


def make_check(tables: Tables, seed: int, *, given: int = 16, random: int = 500) -> Check:
    """Return a check with half its given vectors in corners, half on threshold edges."""
    rng = np.random.default_rng(seed)
    corners = corner_vectors(tables.inputs, given // 2, rng)
    if isinstance(tables, WideTables):
        counts = (corners.astype(np.int16) << 8) | (corners > 0) * np.int16(255)
        vectors = np.concatenate([counts, wide_edges(tables, given - given // 2, rng)])
    else:
        vectors = np.concatenate([corners, edge_vectors(tables, given - given // 2, rng)])
    return Check(tables, vectors, random, int(rng.integers(1, 2**32)))


def reference(tables: Tables, x: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the packed bytes that NumPy gives for vectors x (frames, M)."""
    if isinstance(tables, WideTables):
        return tables.packing.pack(wide.encode_index_fast(tables, wide.network_input(tables, x)))
    return fast.encode_packed(tables, x)


def mismatches(
    core: Core, checks: Sequence[Check], write: WriteText, *, plain: bool = False, timeout_s: float = 600
) -> list[int]:
    """Return the numbers of the checks whose packed bytes on the core differ from the NumPy reference's.

    plain: build the plain C kernel instead of the core's fast one. Raises MissingToolError without compiler or
    emulator, FirmwareError if the firmware does not compile, dies or takes longer than timeout_s.
    """
    hashes = _run(core, _build(core, checks, write, plain), len(checks), timeout_s)
    return [number for number, (check, got) in enumerate(zip(checks, hashes, strict=True)) if got != expected(check)]


def board_mismatches(board: str, checks: Sequence[Check], write: WriteText) -> list[int]:
    """Return the numbers of the checks whose packed bytes differ, each model in a firmware with the serial agent.

    Slower than `mismatches`, but for any emulated board (AVR). Raises as that does.
    """
    wrong = []
    for number, check in enumerate(checks):
        with tempfile.TemporaryDirectory(prefix="qcskit-cores-") as work:
            write(Path(work), "m", check.tables)
            elf = build(board, Path(work), "m")
        x = all_vectors(check)
        with start(board, elf) as emulator:
            packed, _ticks = encode_vectors(emulator.url, x)
        if not np.array_equal(packed, reference(check.tables, x)):
            wrong.append(number)
    return wrong


def all_vectors(check: Check) -> NDArray[Any]:
    """Return the given vectors and the pseudo-random ones, (frames, M)."""
    drawn = xorshift_vectors(check.seed, check.random, check.tables.inputs, check.vectors.itemsize)
    return np.concatenate([check.vectors, drawn])


@cache
def expected(check: Check) -> int:
    """Return the FNV-1a hash of the packed bytes that the NumPy reference gives."""
    value = 2166136261
    for byte in reference(check.tables, all_vectors(check)).tobytes():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    return value


def xorshift_vectors(seed: int, frames: int, inputs: int, item_bytes: int) -> NDArray[Any]:
    """Return what qcs_kernel_check.c draws: the top byte or two of Marsaglia's xorshift32."""
    state, out = seed, []
    for _ in range(frames * inputs):
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        out.append(state >> 32 - 8 * item_bytes)
    unsigned, signed = (np.uint8, np.int8) if item_bytes == 1 else (np.uint16, np.int16)
    return np.array(out, unsigned).view(signed).reshape(frames, inputs)


def _build(core: Core, checks: Sequence[Check], write: WriteText, plain: bool) -> Path:
    board, root = find_board(core.board), sources()
    with tempfile.TemporaryDirectory(prefix="qcskit-cores-") as work:
        place = Path(work)
        for number, check in enumerate(checks):
            write(place, f"m{number}", check.tables)
        (place / "checks.c").write_text(_checks_text(checks), encoding="ascii")
        ports = root / "ports"
        family = ports / ("qemu_rv32" if core.riscv else "cortex_m")
        startup = family / ("qcs_start.S" if core.riscv else "qcs_startup.c")
        checks_c = [
            ports / "kernel_check" / name
            for name in ("qcs_kernel_check.c", "qcs_check_rv32.c" if core.riscv else "qcs_check_cortex_m.c")
        ]
        include = (root / "include", root / "src", ports / "freestanding", family, ports / "kernel_check", place)
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
                   "-Wl,--no-warn-rwx-segments", f"-Wl,-T,{ports / board.script}"),
            sources=(*sorted((root / "src").glob("*.c")), startup, ports / "freestanding" / "qcs_string.c",
                     *checks_c, *sorted(place.glob("*.c"))),
            include=include, tail=("-lgcc",),
        ))  # fmt: skip


def _checks_text(checks: Sequence[Check]) -> str:
    lines = ['#include "qcs_kernel_check.h"', *(f'#include "qcs_model_m{i}.h"' for i in range(len(checks)))]
    for number, check in enumerate(checks):
        values = ", ".join(map(str, check.vectors.ravel().tolist()))
        kind = f"{check.vectors.dtype.name}_t"
        lines.append(f"static const {kind} vectors{number}[{check.vectors.size}] = {{{values}}};")
    lines.append(f"const uint32_t qcs_check_count = {len(checks)};")
    lines.append(f"const qcs_check_t qcs_checks[{len(checks)}] = {{")
    for number, check in enumerate(checks):
        lines.append(f"  {{&qcs_codec_m{number}, vectors{number}, {len(check.vectors)}, {check.random}, "
                     f"{check.seed}U}},")  # fmt: skip
    return "\n".join([*lines, "};", ""])


def _run(core: Core, elf: Path, count: int, timeout_s: float) -> list[int]:
    board = find_board(core.board)
    find_tool(board.emulator[0], board.emulator_package, f"emulating {core.name}")
    machine = board.emulator[board.emulator.index("-machine") + 1]
    command = [board.emulator[0], "-machine", machine, *(("-bios", "none") if core.riscv else ()), "-kernel", str(elf),
               "-display", "none", "-monitor", "none", "-serial", "none",
               "-semihosting-config", "enable=on,target=native"]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise FirmwareError(f"{core.name}: the kernels did not finish within {timeout_s:g} s") from None
    lines = (done.stdout + done.stderr).split()
    if done.returncode != 0 or len(lines) != count:
        raise FirmwareError(f"{core.name}: the emulator stopped after {len(lines)} of {count} models: "
                            f"{(done.stdout + done.stderr)[-200:].strip()}")  # fmt: skip
    return [int(line, 16) for line in lines]
