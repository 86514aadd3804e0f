"""What a core does during one encode: instructions, memory accesses, taken branches, and on AVR cycles.

A plugin counts inside QEMU, our host program inside simavr. Instruction counts are exact and repeat; they are not time.
Only simavr is cycle-accurate (docs/boards.md).
"""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcskit.firmware.boards import Board, find_board
from qcskit.firmware.build import build
from qcskit.firmware.compile import Job, compile_cached
from qcskit.firmware.emulator import start
from qcskit.firmware.errors import FirmwareError
from qcskit.firmware.host import WARNINGS, host_compiler
from qcskit.firmware.protocol.messages import Answers
from qcskit.firmware.protocol.wire import encode_packets
from qcskit.firmware.sources import sources
from qcskit.firmware.symbols import functions
from qcskit.firmware.tflm import Tflm

STEP = "_step"
"""How the names of the core's functions end that start a phase of the encode."""


@dataclass(frozen=True)
class Place:
    """One instruction of the firmware and how often it ran in one phase, over all encodes of a run.

    loads, stores: memory accesses (0 on AVR, where they are not counted). taken: how often the next instruction was not
    the following one. cycles: 0 unless the emulator is cycle-accurate.
    """

    pc: int
    size: int
    phase: int
    executed: int
    loads: int
    stores: int
    taken: int
    cycles: int = 0


@dataclass(frozen=True)
class Counts:
    """Result of one counted run.

    instructions, cycles: per encode, (packets,); cycles is None unless the emulator is cycle-accurate (AVR).
    answers: of the board. places: where the instructions were spent. phases: the function each phase of an encode began
    with; phase 0 is the call itself.
    """

    board: Board
    elf: Path
    instructions: NDArray[np.int64]
    cycles: NDArray[np.int64] | None
    answers: Answers
    places: tuple[Place, ...]
    phases: tuple[str, ...]


def count(
    board: str | Board, c_dir: Path, model_name: str, vectors: NDArray[Any], *, extra_flags: Sequence[str] = (),
    tflm: Tflm | None = None,
) -> Counts:  # fmt: skip
    """Return instructions per encode, call included, and per address executions, accesses and taken branches.

    vectors: int8 inputs or int16 counts (packets, inputs). Builds the firmware with markers around the encoder and runs
    it under the counter; extra_flags as for `build`. tflm: count TensorFlow Lite Micro's encode instead of the integer
    core's. Raises FirmwareError for a board that is not emulated, MissingToolError naming the Debian package.
    """
    entry = find_board(board) if isinstance(board, str) else board
    in_qemu = bool(entry.emulator) and entry.emulator[0].startswith("qemu-system")
    if not in_qemu and entry.emulator[:1] != ("{simavr}",):
        raise FirmwareError(f"board '{entry.name}' runs neither in QEMU nor in simavr: nothing can count in it")
    elf = build(entry, c_dir, model_name, extra_flags=("-DQCS_MARKERS", *extra_flags), tflm=tflm)
    address = {symbol.name: symbol.address for symbol in functions(elf)}
    with tempfile.TemporaryDirectory(prefix="qcskit-count-") as work:
        out = Path(work) / "counts"
        steps = {place: name for name, place in address.items() if name.endswith(STEP)}
        starts = ":".join(f"{place:#x}" for place in steps)
        words = (f"begin={address['qcs_mark_begin']:#x}", f"end={address['qcs_mark_end']:#x}", f"out={out}",
                 f"phase={starts}")  # fmt: skip
        arguments = ("-plugin", ",".join((str(build_plugin()), *words))) if in_qemu else words
        with start(entry, elf, arguments=arguments) as emulator:
            try:
                answers = encode_packets(emulator.url, vectors)
            except OSError as error:  # TimeoutError is one
                printed = emulator.log.strip() or "nothing"
                raise FirmwareError(
                    f"board '{entry.name}' stopped answering ({error}); it printed: {printed}"
                ) from None
        instructions, cycles, places, phase_pcs = _read(out, len(vectors))
    phases = ("encode", *(steps[pc] for pc in phase_pcs))
    return Counts(entry, elf, instructions, cycles, answers, places, phases)


def build_plugin() -> Path:
    """Return the path of the QEMU plugin, built with the host compiler unless the cache holds it."""
    source = sources() / "ports" / "qemu_plugin" / "qcs_count.c"
    return compile_cached(
        Job("libqcs_count.so", host_compiler(), "gcc", "instruction counter for QEMU",
            ("-std=c11", "-O2", "-fPIC", "-shared", *WARNINGS), (source,), ())
    )  # fmt: skip


_Read = tuple[NDArray[np.int64], NDArray[np.int64] | None, tuple[Place, ...], list[int]]


def _read(path: Path, frames: int) -> _Read:
    deadline = time.monotonic() + 5.0
    while not (text := path.read_text(encoding="ascii")).endswith("end\n"):
        if time.monotonic() > deadline:
            raise FirmwareError("the instruction counter did not finish: the emulator was killed")
        time.sleep(0.01)
    encodes, places, phases = [], [], []
    for line in text.splitlines():
        kind, *words = line.split()
        if kind == "encode":
            encodes.append([int(word) for word in words])
        elif kind == "at":
            places.append(Place(int(words[0], 16), *map(int, words[1:])))
        elif kind == "phase":
            phases.append(int(words[1], 16))
    if len(encodes) != frames:
        raise FirmwareError(f"counted {len(encodes)} encodes of {frames} vectors: the counts are not usable")
    table = np.array(encodes, np.int64).reshape(frames, -1)
    cycles = table[:, 1] if table.shape[1] > 1 else None
    return table[:, 0], cycles, tuple(sorted(places, key=lambda place: (place.pc, place.phase))), phases
