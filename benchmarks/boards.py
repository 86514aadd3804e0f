"""Every emulated board: instructions and cycles per encode, and one bundle's bytes over every board's serial line.

    python benchmarks/boards.py [--quick] [--json FILE] [--vectors 10000] [--bundle DIR]

Instructions are counted (exact, they repeat), AVR cycles are true (simavr), those of Cortex-M4 and M0+ estimated from
the manuals' timings (low, high). Every board's bytes are compared with the NumPy reference, for every vector.
"""

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from encoders import REFERENCE_WIDTHS, reference
from rows import Row, arguments, report

from qcskit.codec import integer
from qcskit.codec.bundle import Bundle, read_bundle
from qcskit.codec.integer import EncoderTables
from qcskit.export.c_text import model_header, model_source
from qcskit.firmware import Board, FirmwareError, boards, count
from qcskit.firmware.profile import profile
from qcskit.hil import Device

BUNDLE = Path(__file__).parents[1] / "tests" / "data" / "bundle"
LIMIT_S = 180.0
"""Most seconds all boards may take, two at a time."""


def cost_rows(name: str, tables: EncoderTables, board: Board, c_dir: Path, frames: int) -> list[Row]:
    """Return instructions and cycles of one encoder on one board, checked against the reference."""
    x = np.random.default_rng(0).integers(-128, 128, (frames, tables.inputs), np.int8)
    case = f"{name} on {board.name}"
    try:
        counts = count(board, c_dir, "bench", x)
    except FirmwareError as error:
        return [Row(case, "instructions", None, "", note=_short(error))]
    if not np.array_equal(counts.packed, integer.encode_packed(tables, x)):
        return [Row(case, "instructions", None, "", meets=False, note="wrong bytes: counts are void")]
    total = profile(counts).total
    rows = [Row(case, "instructions", total.instructions, "per encode")]
    if total.cycles is not None:
        rows.append(Row(case, "cycles", total.cycles, "per encode", note="true (simavr)"))
    if total.cycles_low is not None:
        rows.append(Row(case, "cycles, low", total.cycles_low, "per encode", note="estimated"))
        rows.append(Row(case, "cycles, high", total.cycles_high, "per encode", note="estimated"))
    return rows


def agreement(bundle: Bundle, board: Board, x: np.ndarray, expected: np.ndarray) -> list[Row]:
    """Return mismatches and time of one board over its serial line."""
    start = time.monotonic()
    with Device.open(f"emu:{board.name}", bundle) as device:
        packed = device.encode(x)
    seconds = time.monotonic() - start
    wrong = int((packed != expected).any(axis=1).sum())
    case = f"{len(x)} vectors on {board.name}"
    return [Row(case, "mismatches", wrong, "", target=0, meets=wrong == 0), Row(case, "time", seconds, "s")]


def _short(error: Exception) -> str:
    text = str(error)
    for sign, words in (("64 KB", "tables beyond an AVR's 16-bit pointers"), ("overflowed", "does not fit the flash")):
        if sign in text:
            return words
    return text[:60]


def main() -> int:
    """Run on what is installed; boards that lack a tool are listed as not measured."""
    options = arguments(__doc__ or "", vectors=10_000)
    frames = 3 if options.quick else 20
    known = list(boards().values())
    rows = [
        Row(board.name, "instructions", None, "", note=f"needs {board.missing[0][1]}")
        for board in known
        if board.missing
    ]
    ready = [board for board in known if not board.missing]
    with tempfile.TemporaryDirectory() as work:
        for widths in REFERENCE_WIDTHS:
            model = reference(widths, 4)
            c_dir = Path(work) / model.name
            c_dir.mkdir()
            (c_dir / "qcs_model_bench.h").write_text(model_header("bench", model.tables))
            (c_dir / "qcs_model_bench.c").write_text(model_source("bench", model.tables))
            for board in ready:
                if board.name != "native":
                    rows += cost_rows(model.name, model.tables, board, c_dir, frames)
    bundle = read_bundle(BUNDLE)
    x = np.random.default_rng(1).integers(-128, 128, (options.vectors, bundle.manifest.inputs), np.int8)
    expected = integer.encode_packed(bundle.tables, x)
    start = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(lambda board: agreement(bundle, board, x, expected), ready):
            rows += found
    seconds = time.monotonic() - start
    rows.append(Row(f"{len(ready)} boards, {options.vectors} vectors each", "time", seconds, "s", target=LIMIT_S,
                    meets=seconds <= LIMIT_S))  # fmt: skip
    return report("boards", "Boards", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
