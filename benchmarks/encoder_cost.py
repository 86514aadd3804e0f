"""What an encode costs on each core: instructions (counted), flash, static RAM and stack.

    python benchmarks/encoder_cost.py [--quick] [--json FILE] [--tflm-library FILE.a --tflm-include DIR:DIR...]

Three reference encoders at I = 4. Each core runs its fast kernel, beside it the plain C one (-DQCS_PLAIN, size first)
and the same encoder with 16-bit activations (profile tflm16). Instructions include the call from the serial agent; the
packed bytes are compared with the NumPy reference while counting. References are figures cited for TFLite Micro with
CMSIS-NN on encoders of the same sizes, not measured here; with a TFLM library for Cortex-M4 the same encoders are
counted on it too, and their bytes compared.
--quick: 10-50-10 only.
"""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from encoders import REFERENCE_WIDTHS, Reference, reference, wide_reference, write_text
from numpy.typing import NDArray
from rich.progress import Progress
from rows import Row, arguments, report

from qcskit.codec.wide import WideTables
from qcskit.export import c_text, int8
from qcskit.export.flatbuffer import measured_arena_bytes, tanh_scale
from qcskit.export.tflm_glue import tflm_glue
from qcskit.firmware import FirmwareError, find_board
from qcskit.firmware.counting import count
from qcskit.firmware.footprint import TARGETS, Target, footprint
from qcskit.firmware.tflm import Tflm
from qcskit.firmware_sim import cores

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
    kernel = "plain" if plain else "fast"
    case, size = f"{target.core}, {model.name}", REFERENCE_WIDTHS.index(widths)
    rows = []
    board = BOARDS.get(target.core)
    if board and not find_board(board).missing:
        x = vectors_for(model.tables)
        run = count(board, place, "ref", x, extra_flags=flags)
        if not np.array_equal(run.packed, cores.reference(model.tables, x)):
            raise SystemExit(f"{case}: the board's bytes differ from the reference")
        value = float(run.instructions.mean())
        aim = TARGET_INSTRUCTIONS.get(target.core, (None,) * 3)[size] if not plain else None
        cited = TFLM_CITED.get(target.core, (None,) * 3)[size]
        meets = None if aim is None else value <= aim
        note = "reference cited: TFLM + CMSIS-NN" if cited else ""
        rows.append(Row(case, f"instructions, {kernel}", value, "per encode", cited, aim, meets, note))
        if run.cycles is not None:
            rows.append(Row(case, f"cycles, {kernel}", float(run.cycles.mean()), "per encode", note="cycle-accurate"))
    else:
        rows.append(Row(case, f"instructions, {kernel}", None, "per encode", note="no emulator that counts"))
    built = Target(target.core, target.compiler, target.package, (*target.flags, *flags))
    if plain:
        small, aim = footprint(built, place, "ref", "-Os"), TARGET_FLASH_BYTES.get((target.core, widths))
        rows.append(Row(case, "flash, plain -Os", small.flash_bytes, "bytes", None, aim,
                        None if aim is None else small.flash_bytes <= aim, f"code {small.code_bytes}"))  # fmt: skip
    size_of = footprint(built, place, "ref")
    aim = TARGET_FLASH_BYTES.get((target.core, widths)) if not plain else None
    rows.append(Row(case, f"flash, {kernel}", size_of.flash_bytes, "bytes", None, aim,
                    None if aim is None else size_of.flash_bytes <= aim,
                    f"code {size_of.code_bytes}, tables {size_of.table_bytes}"))  # fmt: skip
    rows.append(Row(case, f"stack, {kernel}", size_of.stack_bytes, "bytes", note=f"static RAM {size_of.ram_bytes}"))
    return rows


def vectors_for(tables: cores.Tables) -> NDArray[Any]:
    """Return vectors as the device takes them: int8 inputs, or counts of a 12-bit ADC."""
    rng = np.random.default_rng(0)
    if isinstance(tables, WideTables):
        return rng.integers(-2048, 2048, (VECTORS, tables.inputs)).astype(np.int16)
    return rng.integers(-128, 128, (VECTORS, tables.inputs), np.int8)


def wide_rows(target: Target, model: Reference, place: Path) -> list[Row]:
    """Return instructions and bytes of an encoder with 16-bit activations."""
    case, x, rows = f"{target.core}, {model.name}", vectors_for(model.tables), []
    board = BOARDS[target.core]
    if not find_board(board).missing:
        run = count(board, place, "ref", x)
        if not np.array_equal(run.packed, cores.reference(model.tables, x)):
            raise SystemExit(f"{case}: the board's bytes differ from the reference")
        rows.append(Row(case, "instructions, 16-bit", float(run.instructions.mean()), "per encode"))
        if run.cycles is not None:
            rows.append(Row(case, "cycles, 16-bit", float(run.cycles.mean()), "per encode", note="cycle-accurate"))
    size_of = footprint(target, place, "ref", entry="qcs_wide_encode")
    rows.append(Row(case, "flash, 16-bit", size_of.flash_bytes, "bytes",
                    note=f"code {size_of.code_bytes}, tables {size_of.table_bytes}"))  # fmt: skip
    rows.append(Row(case, "stack, 16-bit", size_of.stack_bytes, "bytes", note=f"static RAM {size_of.ram_bytes}"))
    return rows


def tflm_rows(target: Target, model: Reference, place: Path, tflm: Tflm) -> list[Row]:
    """Return instructions and bytes of the same encoder on TFLite Micro."""
    wide = isinstance(model.tables, WideTables)
    cuts = int8.output_cuts(np.array(model.thresholds), tanh_scale(16 if wide else 8))
    header = c_text.tflm_header("ref", model.tables, model.flatbuffer, measured_arena_bytes(model.flatbuffer), cuts)
    (place / "qcs_tflm_ref.h").write_text(header, encoding="ascii")
    (place / "qcs_tflm_encoder.cc").write_text(tflm_glue("ref", model.tables, model.flatbuffer), encoding="ascii")
    case = f"{target.core}, {model.name}"
    x = vectors_for(model.tables)
    run = count(BOARDS[target.core], place, "ref", x, tflm=tflm)
    if not np.array_equal(run.packed, cores.reference(model.tables, x)):
        raise SystemExit(f"{case}: TFLM's bytes differ from the reference")
    size_of = footprint(target, place, "ref", tflm=tflm)
    kernel = "TFLM, 16-bit" if wide else "TFLM"
    return [
        Row(case, f"instructions, {kernel}", float(run.instructions.mean()), "per encode", note="measured, same bytes"),
        Row(case, f"flash, {kernel}", size_of.flash_bytes, "bytes", note=f"static RAM {size_of.ram_bytes}"),
    ]


def main() -> int:
    """Measure every core and report."""
    options = arguments("instructions, flash, RAM and stack per core and model", tflm_library="", tflm_include="")
    include = tuple(Path(folder) for folder in options.tflm_include.split(os.pathsep))
    tflm = Tflm(Path(options.tflm_library), include) if options.tflm_library else None
    sizes = REFERENCE_WIDTHS[:1] if options.quick else REFERENCE_WIDTHS
    kernels = ("fast", "plain", "16-bit")
    jobs = [(target, widths, kernel) for widths in sizes for target in TARGETS for kernel in kernels]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as work, Progress(transient=True) as bar:
        task = bar.add_task("encoder cost", total=len(jobs))
        for target, widths, kernel in jobs:
            wide = kernel == "16-bit"
            model = wide_reference(widths, 4) if wide else reference(widths, 4)
            place = Path(work) / f"{model.name}{'-wide' if wide else ''}"
            place.mkdir(exist_ok=True)
            write_text(place, "ref", model.tables)
            bar.update(task, description=f"{target.core} {model.name}")
            try:
                rows += (
                    wide_rows(target, model, place)
                    if wide
                    else rows_of(target, model, widths, place, kernel == "plain")
                )
                if tflm and kernel != "fast" and target.core == "Cortex-M4":
                    rows += tflm_rows(target, model, place, tflm)
            except FirmwareError as error:  # AVR reaches 64 KiB of tables; CMSIS-NN lacks the 16-bit kernel
                rows.append(Row(f"{target.core}, {model.name}", f"flash, {kernel}", None, "bytes", note=str(error)))
            bar.advance(task)
    return report("encoder_cost", "cost of an encode, I = 4", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
