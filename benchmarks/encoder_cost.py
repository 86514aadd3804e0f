"""What an encode costs on each core: instructions (counted), flash, static RAM and stack.

    python benchmarks/encoder_cost.py [--quick] [--json FILE]

Three reference encoders at I = 4. Each core runs its fast kernel, and the plain C one (-DQCS_PLAIN, size first) beside
it. Instructions include the call from the serial agent; the packed bytes are compared with the NumPy reference while
counting. References are figures cited for TFLite Micro with CMSIS-NN on encoders of the same sizes, not measured here.
--quick: 10-50-10 only.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from encoders import REFERENCE_WIDTHS, Reference, reference, write_text
from rich.progress import Progress
from rows import Row, arguments, report

from qcskit.codec import integer
from qcskit.firmware import FirmwareError, find_board
from qcskit.firmware.counting import count
from qcskit.firmware.footprint import TARGETS, Target, footprint

BOARDS = {
    "Cortex-M0+": "cortex-m0",
    "Cortex-M3": "cortex-m3",
    "Cortex-M4": "cortex-m4",
    "Cortex-M7": "cortex-m7",
    "Cortex-M33": "cortex-m33",
    "Cortex-M55": "cortex-m55",
    "RV32IMC": "rv32",
    "AVR": "avr",
}
FAST = {*BOARDS} - {"AVR"}
"""Cores with a kernel of their own; the others run the plain one."""

TFLM_CITED = {
    "Cortex-M4": (29_488, 135_139, 327_902),
    "Cortex-M55": (27_027, 108_637, 228_731),
    "Cortex-M0+": (105_265, 478_601, 1_126_204),
}
TARGET_INSTRUCTIONS = {
    "Cortex-M4": (1_500, 16_500, 61_000),
    "Cortex-M55": (700, 4_100, 12_000),
    "Cortex-M0+": (6_500, 56_000, 190_000),
}
TARGET_FLASH_BYTES = {("Cortex-M4", REFERENCE_WIDTHS[0]): 3 * 1024}
VECTORS = 10


def rows_of(target: Target, model: Reference, widths: tuple[int, ...], place: Path, plain: bool) -> list[Row]:
    """Return instructions and bytes of one core, model and kernel."""
    flags = ("-DQCS_PLAIN",) if plain else ()
    kernel = "plain" if plain or target.core not in FAST else "fast"
    case, size = f"{target.core}, {model.name}", REFERENCE_WIDTHS.index(widths)
    judged = not (plain and target.core in FAST)
    rows = []
    board = BOARDS.get(target.core)
    if board and not find_board(board).missing:
        x = np.random.default_rng(0).integers(-128, 128, (VECTORS, widths[0]), np.int8)
        run = count(board, place, "ref", x, extra_flags=flags)
        if not np.array_equal(run.packed, integer.encode_packed(model.tables, x)):
            raise SystemExit(f"{case}: the board's bytes differ from the reference")
        value = float(run.instructions.mean())
        aim = TARGET_INSTRUCTIONS.get(target.core, (None,) * 3)[size] if judged else None
        cited = TFLM_CITED.get(target.core, (None,) * 3)[size]
        meets = None if aim is None else value <= aim
        note = "reference cited: TFLM + CMSIS-NN" if cited else ""
        rows.append(Row(case, f"instructions, {kernel}", value, "per encode", cited, aim, meets, note))
        if run.cycles is not None:
            rows.append(Row(case, f"cycles, {kernel}", float(run.cycles.mean()), "per encode", note="cycle-accurate"))
    else:
        rows.append(Row(case, f"instructions, {kernel}", None, "per encode", note="no emulator that counts"))
    size_of = footprint(Target(target.core, target.compiler, target.package, (*target.flags, *flags)), place, "ref")
    aim = TARGET_FLASH_BYTES.get((target.core, widths)) if judged else None
    rows.append(Row(case, f"flash, {kernel}", size_of.flash_bytes, "bytes", None, aim,
                    None if aim is None else size_of.flash_bytes <= aim,
                    f"code {size_of.code_bytes}, tables {size_of.table_bytes}"))  # fmt: skip
    rows.append(Row(case, f"stack, {kernel}", size_of.stack_bytes, "bytes", note=f"static RAM {size_of.ram_bytes}"))
    return rows


def main() -> int:
    """Measure every core and report."""
    options = arguments("instructions, flash, RAM and stack per core and model")
    sizes = REFERENCE_WIDTHS[:1] if options.quick else REFERENCE_WIDTHS
    jobs = [(target, widths, plain) for widths in sizes for target in TARGETS for plain in (False, True)
            if not plain or target.core in FAST]  # fmt: skip
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as work, Progress(transient=True) as bar:
        task = bar.add_task("encoder cost", total=len(jobs))
        for target, widths, plain in jobs:
            model = reference(widths, 4)
            place = Path(work) / model.name
            place.mkdir(exist_ok=True)
            write_text(place, "ref", model.tables)
            bar.update(task, description=f"{target.core} {model.name}")
            try:
                rows += rows_of(target, model, widths, place, plain)
            except FirmwareError as error:  # AVR reaches 64 KiB of tables
                rows.append(Row(f"{target.core}, {model.name}", "flash", None, "bytes", note=str(error)))
            bar.advance(task)
    return report("encoder_cost", "cost of an encode, I = 4", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
