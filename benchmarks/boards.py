"""Every emulated board: instructions and cycles per encode, and one bundle's bytes over every board's serial line.

    python benchmarks/boards.py [--quick] [--json FILE] [--vectors 10000] [--bundle DIR]

Instructions are counted (exact, they repeat), AVR cycles are true (simavr), those of Cortex-M4 and M0+ estimated from
the manuals' timings (low, high). Every board's bytes are compared with the NumPy reference, for every vector.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from rows import Row, arguments, report
from support.encoders import REFERENCE_WIDTHS, Reference, reference
from support.tables import c_dir, packed_of

from qcskit.codec.codecs import open_codec
from qcskit.codec.interface import Codec, Packets
from qcskit.firmware import Board, FirmwareError, boards, count, one_per_processor
from qcskit.firmware.profile import profile
from qcskit.hil import Device

BUNDLE = Path(__file__).parents[1] / "tests" / "data" / "bundle"
LIMIT_S = 360.0
"""Most seconds all boards may take, two at a time."""


def cost_rows(model: Reference, board: Board, frames: int) -> list[Row]:
    """Return instructions and cycles of one encoder on one board, checked against the reference."""
    x = np.random.default_rng(0).integers(-128, 128, (frames, model.tables.inputs), np.int8)
    case = f"{model.name} on {board.name}"
    try:
        counts = count(board, c_dir("bench", model.tables), "bench", x)
    except FirmwareError as error:
        return [Row(case, "instructions", None, "", note=str(error))]
    if not np.array_equal(counts.answers.rows, packed_of(model.tables, x)):
        return [Row(case, "instructions", None, "", meets=False, note="wrong bytes: counts are void")]
    total = profile(counts).total
    rows = [Row(case, "instructions", total.instructions, "per encode")]
    if total.cycles is not None:
        rows.append(Row(case, "cycles", total.cycles, "per encode", note="true (simavr)"))
    if total.cycles_low is not None:
        rows.append(Row(case, "cycles, low", total.cycles_low, "per encode", note="estimated"))
        rows.append(Row(case, "cycles, high", total.cycles_high, "per encode", note="estimated"))
    return rows


def agreement(codec: Codec, board: Board, x: np.ndarray, expected: Packets) -> list[Row]:
    """Return mismatches and time of one board over its serial line."""
    start = time.monotonic()
    with Device.open(f"emu:{board.name}", codec) as device:
        packets, ticks = device.encode(x)
        source = device.info.tick_source
    seconds = time.monotonic() - start
    wrong = int(packets.differ(expected).sum())
    case = f"{len(x)} vectors on {board.name}"
    rows = [Row(case, "mismatches", wrong, "", target=0, meets=wrong == 0), Row(case, "time", seconds, "s")]
    if source != "none":
        rows.append(Row(case, "ticks, median", float(np.median(ticks)), source, note="the board's own counter"))
    return rows


def main() -> int:
    """Run on what is installed; boards that lack a tool are listed as not measured."""
    options = arguments(__doc__ or "", vectors=10_000)
    frames = 3 if options.quick else 20
    known = list(boards().values())
    rows = [
        Row(
            board.name,
            "instructions",
            None,
            "",
            note=f"needs {board.missing[0][1]}" if board.missing else "no emulator",
        )
        for board in known
        if not board.ready
    ]
    ready = [board for board in known if board.ready]
    for widths in REFERENCE_WIDTHS:
        model = reference(widths, 4)
        for board in one_per_processor(ready):
            if board.name not in ("native", "pico"):  # nothing counts instructions there
                rows += cost_rows(model, board, frames)
    codec = open_codec(BUNDLE)
    x = np.random.default_rng(1).integers(-128, 128, (options.vectors, codec.inputs), np.int8)
    expected = codec.encode_any(x)
    start = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda board: agreement(codec, board, x, expected), ready):
            rows += found
    seconds = time.monotonic() - start
    rows.append(Row(f"{len(ready)} boards, {options.vectors} vectors each", "time", seconds, "s", target=LIMIT_S,
                    meets=seconds <= LIMIT_S))  # fmt: skip
    return report("boards", "Boards", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
