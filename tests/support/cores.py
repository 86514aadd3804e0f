"""Kernels on emulated cores: many models in one firmware, their packed bytes hashed there and here, memory guarded."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from support.tables import Vectors, c_text, corner_vectors, edge_vectors, packed_of

from qcskit import firmware
from qcskit.codec.learned.chain import DenseChain
from qcskit.firmware import Core, FirmwareError, build, find_board, sources
from qcskit.firmware.compile import Job, compile_cached, find_tool
from qcskit.firmware.emulator import start
from qcskit.firmware.host import WARNINGS
from qcskit.firmware.protocol.wire import encode_packets


@dataclass(frozen=True, eq=False)
class Check:
    """One model and what runs on it: given vectors (frames, M), then `random` ones from a seed."""

    tables: DenseChain
    vectors: Vectors
    random: int
    seed: int


OVERRUNS = ("", "before packed", "behind packed", "before scratch", "behind scratch", "an impossible length")
"""By number, as in qcs_guard.h."""


def make_check(tables: DenseChain, seed: int, *, given: int = 16, random: int = 500, counts: bool = False) -> Check:
    """Return a check with half its given vectors in corners, half on threshold edges.

    counts: ADC counts through the front end, also where the codec takes network inputs.
    """
    rng = np.random.default_rng(seed)
    vectors = [
        corner_vectors(tables, given // 2, rng, counts=counts),
        edge_vectors(tables, given - given // 2, rng, counts=counts),
    ]
    return Check(tables, np.concatenate(vectors), random, int(rng.integers(1, 2**32)))


def mismatches(core: Core, checks: Sequence[Check], *, plain: bool = False, timeout_s: float = 600) -> list[int]:
    """Return the numbers of the checks whose packed bytes on the core differ from the NumPy reference's.

    plain: build the plain C kernel instead of the core's fast one. Raises MissingToolError without compiler or
    emulator, FirmwareError if the firmware does not compile, dies, takes longer than timeout_s or writes beside packed
    or scratch.
    """
    if not _has_semihosting(core):
        return _over_the_line(core, checks, ("-DQCS_PLAIN",) if plain else ())
    hashes = _run(core, _build(core, checks, plain), len(checks), timeout_s)
    return [number for number, (check, got) in enumerate(zip(checks, hashes, strict=True)) if got != expected(check)]


def _has_semihosting(core: Core) -> bool:
    """Tell whether the core's emulator can print and end by itself: QEMU does, simavr does not."""
    return find_board(core.board).emulator[0].startswith("qemu-system")


def _over_the_line(core: Core, checks: Sequence[Check], flags: tuple[str, ...]) -> list[int]:
    """Return the wrong checks, each model in a firmware with the serial agent: slower."""
    wrong = []
    for number, check in enumerate(checks):
        x = all_vectors(check)
        elf = build(core.board, _guarded_dir(check), "guarded", extra_flags=(*flags, *_limits([check])))
        with start(core.board, elf) as emulator:
            rows = encode_packets(emulator.url, x).rows
        _refuse_overrun(core, number, int(rows[:, 0].max()))
        if not np.array_equal(rows[:, 1:], packed_of(check.tables, x)):
            wrong.append(number)
    return wrong


_GUARDED_H = """\
#include "qcs_model_m.h"
#define QCS_GUARDED_INPUTS QCS_M_INPUTS
#define QCS_GUARDED_SCRATCH_BYTES 4
#define QCS_GUARDED_PACKED_BYTES_MAX (1 + QCS_M_PACKED_BYTES_MAX)
extern const qcs_codec_t qcs_guarded_codec;
"""

_GUARDED_C = """\
#include <string.h>
#include "qcs_guard.h"
#include "qcs_model_guarded.h"
static uint16_t encode(const qcs_codec_t *codec, uint8_t type, const void *input, uint8_t packed[], void *scratch) {
  const qcs_guarded_t out = qcs_guarded_encode(codec->model, QCS_M_SCRATCH_BYTES, type, input);
  (void)scratch;
  packed[0] = out.overrun;
  memcpy(packed + 1, out.packed, out.length);
  return (uint16_t)(1 + out.length);
}
static const uint8_t id[8] = {0};
const qcs_codec_t qcs_guarded_codec = {
  .model = &qcs_m_codec, .id = id, .inputs = QCS_M_INPUTS, .outputs = QCS_M_OUTPUTS, .levels = QCS_M_LEVELS,
  .windows = 1, .packed_bytes_max = QCS_GUARDED_PACKED_BYTES_MAX, .scratch_bytes = QCS_GUARDED_SCRATCH_BYTES,
  .kind = 1, .input_types = QCS_INPUT_INT8 | QCS_INPUT_COUNTS, .encode = encode};
"""
"""A codec around qcs_m_codec whose packets start with a byte that says what an encode overran."""


def _guarded_dir(check: Check) -> Path:
    port = sources() / "ports" / "kernel_check"
    guard = {name: (port / name).read_text(encoding="utf-8") for name in ("qcs_guard.c", "qcs_guard.h")}
    codec = {"qcs_model_guarded.h": _GUARDED_H, "guarded.c": _GUARDED_C}
    return firmware.c_directory(c_text("m", check.tables) | guard | codec)


def _refuse_overrun(core: Core, number: int, overrun: int) -> None:
    if overrun:
        raise FirmwareError(f"{core.name}: an encode of model {number} writes {OVERRUNS[overrun]}")


def _limits(checks: Sequence[Check]) -> tuple[str, ...]:
    """Return what qcs_guard.c and qcs_kernel_check.c reserve for the largest model."""
    limits = {
        "PACKED_BYTES": max(check.tables.packing.packed_bytes for check in checks),
        "INPUTS": max(check.tables.inputs for check in checks),
        # Enough for any layout: two halves of 32-bit activations, rounded up.
        "SCRATCH_BYTES": max(8 * (max(check.tables.widths) + 64) for check in checks),
    }
    return tuple(f"-DQCS_CHECK_MOST_{key}={value}" for key, value in limits.items())


def all_vectors(check: Check) -> Vectors:
    """Return the given vectors and the pseudo-random ones, (frames, M)."""
    drawn = xorshift_vectors(check.seed, check.random, check.tables.inputs, check.vectors.itemsize)
    return np.concatenate([check.vectors, drawn])


@cache
def expected(check: Check) -> int:
    """Return the FNV-1a hash of the packed bytes that the NumPy reference gives."""
    value = 2166136261
    for byte in packed_of(check.tables, all_vectors(check)).tobytes():
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


def _riscv(core: Core) -> bool:
    return core.compiler.startswith("riscv")


def _build(core: Core, checks: Sequence[Check], plain: bool) -> Path:
    board, root = find_board(core.board), sources()
    files = {"checks.c": _checks_text(checks)}
    for number, check in enumerate(checks):
        files |= c_text(f"m{number}", check.tables)
    place = firmware.c_directory(files)
    ports, riscv = root / "ports", _riscv(core)
    family = ports / ("riscv" if riscv else "cortex_m")
    startup = family / ("qcs_start.S" if riscv else "qcs_startup.c")
    own = ("qcs_kernel_check.c", "qcs_guard.c", "qcs_check_rv32.c" if riscv else "qcs_check_cortex_m.c")
    return compile_cached(Job(
        output=f"kernels-{board.name}.elf", compiler=board.compiler, package=board.package,
        purpose=f"kernels for {core.name}",
        flags=("-std=c11", *WARNINGS, *board.flags, *core.flags, *(("-DQCS_PLAIN",) if plain else ()),
               *_limits(checks), "-ffreestanding", "-ffunction-sections", "-fdata-sections", "-nostartfiles",
               "-nodefaultlibs", "-Wl,--gc-sections", "-Wl,--no-warn-rwx-segments", f"-Wl,-T,{ports / board.script}"),
        sources=(*sorted((root / "src").glob("*.c")), startup, ports / "freestanding" / "qcs_string.c",
                 *(ports / "kernel_check" / name for name in own), *sorted(place.glob("*.c"))),
        include=(root / "include", root / "src", ports / "freestanding", family, ports / "kernel_check", place),
        tail=("-lgcc",),
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
        lines.append(f"  {{&qcs_m{number}_codec, vectors{number}, {len(check.vectors)}, {check.random}, {check.seed}U, "
                     f"QCS_M{number}_SCRATCH_BYTES, {check.vectors.itemsize}}},")  # fmt: skip
    return "\n".join([*lines, "};", ""])


def _run(core: Core, elf: Path, count: int, timeout_s: float) -> list[int]:
    board = find_board(core.board)
    find_tool(board.emulator[0], board.emulator_package, f"emulating {core.name}")
    machine = board.emulator[board.emulator.index("-machine") + 1]
    command = [board.emulator[0], "-machine", machine, *(("-bios", "none") if _riscv(core) else ()), "-kernel",
               str(elf), "-display", "none", "-monitor", "none", "-serial", "none",
               "-semihosting-config", "enable=on,target=native"]  # fmt: skip
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise FirmwareError(f"{core.name}: the kernels did not finish within {timeout_s:g} s") from None
    lines = (done.stdout + done.stderr).split()
    if done.returncode != 0 or len(lines) != count:
        raise FirmwareError(f"{core.name}: the emulator stopped after {len(lines)} of {count} models: "
                            f"{(done.stdout + done.stderr)[-200:].strip()}")  # fmt: skip
    for number, line in enumerate(lines):
        if line.startswith("overrun="):
            _refuse_overrun(core, number, int(line[-1]))
    return [int(line, 16) for line in lines]
