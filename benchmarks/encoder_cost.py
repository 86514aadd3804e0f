"""What an encode costs on each core: instructions (counted), flash, static RAM and stack.

    python benchmarks/encoder_cost.py [--quick] [--json FILE] [--core Cortex-M4] [--kernel fast]
                                      [--check | --accept] [--tflm-library FILE.a --tflm-include DIR:DIR...]

Three reference encoders at I = 4. Each core runs its fast kernel, beside it the plain C one (-DQCS_PLAIN, size first)
and the same encoder with int16 activations (profile tflm16). Instructions include the call from the serial agent; the
packed bytes are compared with the NumPy reference while counting. References are figures cited for TFLite Micro with
CMSIS-NN on encoders of the same sizes, not measured here; with a TFLM library for Cortex-M4 the same encoders are
counted on it too, and their bytes compared.
--quick: 10-50-10 only. --core, --kernel: some of them, with commas. --check: fail if a figure is more than 1 % above
that of expected.json; figures of another compiler are not compared. --accept: write expected.json.
"""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress
from rows import Row, arguments, report
from support import expected
from support.encoders import REFERENCE_WIDTHS, Reference, reference
from support.tables import c_dir, c_text, packed_of, vectors_type

from qcskit.export.learned.tflm_text import tflm_files
from qcskit.firmware import CORES, Core, FirmwareError, c_directory, find_board
from qcskit.firmware.counting import Counts, count
from qcskit.firmware.footprint import footprint
from qcskit.firmware.tflm import Tflm

COUNTED_ON = {"Cortex-M0+": "cortex-m0"}
"""Boards other than a core's own: Armv6-M code is counted on an Armv6-M core."""
LEFT_OUT = "Cortex-M0"
"""Its code is the Cortex-M0+'s."""
KERNELS = ("fast", "plain", "int16")
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
TARGET_FLASH_BYTES = {("Cortex-M4", "10-50-10"): 3 * 1024}
VECTORS = 10


def rows_of(core: Core, model: Reference, kernel: str) -> list[Row]:
    """Return instructions and bytes of one core, model and kernel."""
    place, flags = c_dir("ref", model.tables), ("-DQCS_PLAIN",) if kernel == "plain" else ()
    rows = instruction_rows(core, model, kernel, place, flags)
    case = f"{core.name}, {model.name}"
    if kernel == "plain":
        small = footprint(core, place, "ref", "-Os", flags=flags)
        note = f"code {small.code_bytes}"
        rows.append(_aimed(Row(case, "flash, plain -Os", small.flash_bytes, "bytes", note=note), core, model))
    size = footprint(core, place, "ref", flags=flags)
    note = f"code {size.code_bytes}, tables {size.table_bytes}"
    flash = Row(case, f"flash, {kernel}", size.flash_bytes, "bytes", note=note)
    rows.append(_aimed(flash, core, model) if kernel == "fast" else flash)
    rows.append(Row(case, f"stack, {kernel}", size.stack_bytes, "bytes", note=f"static RAM {size.ram_bytes}"))
    return rows


def _aimed(row: Row, core: Core, model: Reference) -> Row:
    """Return a row of flash with its target, if there is one."""
    aim = TARGET_FLASH_BYTES.get((core.name, model.name))
    if aim is None or row.value is None:
        return row
    return Row(row.case, row.metric, row.value, row.unit, None, aim, row.value <= aim, row.note)


def instruction_rows(core: Core, model: Reference, kernel: str, place: Path, flags: tuple[str, ...]) -> list[Row]:
    """Return instructions, and cycles where the emulator knows them."""
    case, metric, board = f"{core.name}, {model.name}", f"instructions, {kernel}", COUNTED_ON.get(core.name, core.board)
    if find_board(board).missing:
        return [Row(case, metric, None, "per encode", note="no emulator that counts")]
    run = counted(case, model, board, place, flags)
    size = [widths_name(widths) for widths in REFERENCE_WIDTHS].index(model.name)
    cited = TFLM_CITED.get(core.name, (None,) * 3)[size] if kernel != "int16" else None
    aim = TARGET_INSTRUCTIONS.get(core.name, (None,) * 3)[size] if kernel == "fast" else None
    value = float(run.instructions.mean())
    note = "reference cited: TFLM + CMSIS-NN" if cited else ""
    rows = [Row(case, metric, value, "per encode", cited, aim, None if aim is None else value <= aim, note)]
    if run.cycles is not None:
        rows.append(Row(case, f"cycles, {kernel}", float(run.cycles.mean()), "per encode", note="cycle-accurate"))
    return rows


def counted(
    case: str, model: Reference, board: str, place: Path, flags: tuple[str, ...] = (), tflm: Tflm | None = None
) -> Counts:
    """Return the counts of some encodes, checked against the reference."""
    x = vectors_for(model)
    run = count(board, place, "ref", x, extra_flags=flags, tflm=tflm)
    if not np.array_equal(run.answers.rows, packed_of(model.tables, x)):
        raise SystemExit(f"{case}: the board's bytes differ from the reference")
    return run


def vectors_for(model: Reference) -> NDArray[Any]:
    """Return vectors as the device takes them: int8 inputs, or counts of a 12-bit ADC."""
    rng, shape = np.random.default_rng(0), (VECTORS, model.tables.inputs)
    if vectors_type(model.tables) == np.int16:
        return rng.integers(-2048, 2048, shape).astype(np.int16)
    return rng.integers(-128, 128, shape, np.int8)


def tflm_rows(core: Core, model: Reference, kernel: str, tflm: Tflm) -> list[Row]:
    """Return instructions and bytes of the same encoder on TFLite Micro."""
    files = tflm_files("ref", model.encoder, np.array(model.thresholds), model.flatbuffer)
    place = c_directory(c_text("ref", model.tables) | files)
    case, name = f"{core.name}, {model.name}", "TFLM, int16" if kernel == "int16" else "TFLM"
    run = counted(case, model, core.board, place, tflm=tflm)
    size = footprint(core, place, "ref", tflm=tflm)
    return [
        Row(case, f"instructions, {name}", float(run.instructions.mean()), "per encode", note="measured, same bytes"),
        Row(case, f"flash, {name}", size.flash_bytes, "bytes", note=f"static RAM {size.ram_bytes}"),
    ]


def widths_name(widths: tuple[int, ...]) -> str:
    """Return widths as a model's name."""
    return "-".join(map(str, widths))


def main() -> int:
    """Measure every core and report."""
    options = arguments("instructions, flash, RAM and stack per core and model", core="", kernel="", check=False,
                        accept=False, tflm_library="", tflm_include="")  # fmt: skip
    include = tuple(Path(folder) for folder in options.tflm_include.split(os.pathsep))
    tflm = Tflm(Path(options.tflm_library), include) if options.tflm_library else None
    wanted = options.core.split(",") if options.core else [name for name in CORES if name != LEFT_OUT]
    kernels = options.kernel.split(",") if options.kernel else KERNELS
    sizes = REFERENCE_WIDTHS[:1] if options.quick else REFERENCE_WIDTHS
    jobs = [(CORES[name], widths, kernel) for widths in sizes for name in wanted for kernel in kernels]
    rows: list[Row] = []
    with Progress(transient=True) as bar:
        task = bar.add_task("encoder cost", total=len(jobs))
        for core, widths, kernel in jobs:
            model = reference(widths, 4, profile="tflm16" if kernel == "int16" else "tflm")
            bar.update(task, description=f"{core.name} {model.name}")
            try:
                rows += rows_of(core, model, kernel)
                if tflm and kernel != "fast" and core.name == "Cortex-M4":
                    rows += tflm_rows(core, model, kernel, tflm)
            except FirmwareError as error:  # AVR reaches 64 KiB of tables; CMSIS-NN lacks the int16 kernel
                rows.append(Row(f"{core.name}, {model.name}", f"flash, {kernel}", None, "bytes", note=str(error)))
            bar.advance(task)
    status = report("encoder_cost", "cost of an encode, I = 4", rows, options.json)
    return guard(rows, options.accept) if options.check or options.accept else status


def guard(rows: list[Row], accept: bool) -> int:
    """Compare with expected.json, or write it; return 1 if a figure is too high."""
    figures: expected.Figures = {}
    for row in rows:
        if row.value is not None and "TFLM" not in row.metric:
            figures.setdefault(row.case, {})[row.metric] = row.value
    if accept:
        expected.accept(figures)
        return 0
    found = expected.compare(figures)
    print(*found.worse, *found.other, f"{found.compared} figures compared, {len(found.worse)} worse", sep="\n")
    return int(bool(found.worse))


if __name__ == "__main__":
    sys.exit(main())
