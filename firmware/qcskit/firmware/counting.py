"""What a core does during one encode: instructions, memory accesses and taken branches, counted by a QEMU plugin.

Counts are exact and repeat to the instruction; they say nothing about time (docs/boards.md).
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
from qcskit.firmware.sources import sources
from qcskit.firmware.symbols import functions
from qcskit.firmware.wire import encode_vectors


@dataclass(frozen=True)
class Place:
    """One instruction of the firmware and how often it ran, over all encodes of a run."""

    pc: int
    size: int
    executed: int
    loads: int
    stores: int
    taken: int


@dataclass(frozen=True)
class Counts:
    """Result of one counted run. instructions: per encode, (frames,). packed: what the board answered."""

    board: Board
    elf: Path
    instructions: NDArray[np.int64]
    packed: NDArray[np.uint8]
    places: tuple[Place, ...]


def count_instructions(
    board: str | Board, c_dir: Path, model_name: str, vectors: NDArray[Any], *, extra_flags: Sequence[str] = ()
) -> NDArray[np.int64]:
    """Return instructions per encode (frames,), call included, of int8 inputs or int16 counts (frames, M).

    Builds the firmware with markers around the encoder and runs it under the plugin; extra_flags as for `build`.
    Raises FirmwareError for a board that QEMU does not emulate, MissingToolError naming the Debian package.
    """
    return count(board, c_dir, model_name, vectors, extra_flags=extra_flags).instructions


def count(
    board: str | Board, c_dir: Path, model_name: str, vectors: NDArray[Any], *, extra_flags: Sequence[str] = ()
) -> Counts:
    """Return instructions per encode and, per instruction address, executions, accesses and taken branches."""
    entry = find_board(board) if isinstance(board, str) else board
    if not entry.emulator or not entry.emulator[0].startswith("qemu-system"):
        raise FirmwareError(f"board '{entry.name}' does not run in QEMU: its instructions cannot be counted")
    elf = build(entry, c_dir, model_name, extra_flags=("-DQCS_MARKERS", *extra_flags))
    address = {symbol.name: symbol.address for symbol in functions(elf)}
    with tempfile.TemporaryDirectory(prefix="qcskit-count-") as work:
        out = Path(work) / "counts"
        plugin = f"{build_plugin()},begin={address['qcs_mark_begin']:#x},end={address['qcs_mark_end']:#x},out={out}"
        with start(entry, elf, arguments=("-plugin", plugin)) as emulator:
            packed, _ticks = encode_vectors(emulator.url, vectors)
        instructions, places = _read(out, len(vectors))
    return Counts(entry, elf, instructions, packed, places)


def build_plugin() -> Path:
    """Return the path of the QEMU plugin, built with the host compiler unless the cache holds it."""
    source = sources() / "ports" / "qemu_plugin" / "qcs_count.c"
    return compile_cached(
        Job("libqcs_count.so", host_compiler(), "gcc", "instruction counter for QEMU",
            ("-std=c11", "-O2", "-fPIC", "-shared", *WARNINGS), (source,), ())
    )  # fmt: skip


def _read(path: Path, frames: int) -> tuple[NDArray[np.int64], tuple[Place, ...]]:
    deadline = time.monotonic() + 5.0
    while not (text := path.read_text(encoding="ascii")).endswith("end\n"):
        if time.monotonic() > deadline:
            raise FirmwareError("the instruction counter did not finish: QEMU was killed")
        time.sleep(0.01)
    encodes, places = [], []
    for line in text.splitlines():
        kind, *words = line.split()
        if kind == "encode":
            encodes.append(int(words[0]))
        elif kind == "at":
            places.append(Place(int(words[0], 16), *map(int, words[1:])))
    if len(encodes) != frames:
        raise FirmwareError(f"counted {len(encodes)} encodes of {frames} vectors: the counts are not usable")
    return np.array(encodes, np.int64), tuple(sorted(places, key=lambda place: place.pc))
