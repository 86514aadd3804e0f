"""The comparison of `qcskit advise`: every codec that the families propose, designed, measured and weighed."""

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from qcskit.cli.bar import Bar
from qcskit.cli.common import error_console
from qcskit.cli.sheet import Sheet
from qcskit.codec.errors import QcsError

if TYPE_CHECKING:
    from qcskit.export.compare import Point, Row, Settings

BOARDS = {"m4": "cortex-m4", "m0plus": "cortex-m0", "avr": "avr"}
"""Column → emulated board; a Cortex-M0 runs the instructions of an M0+."""
COUNTED = 8
"""Packets of test windows on which instructions are counted."""
NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Wanted:
    """What the user asks of a comparison. bits: per sample, for the verdict and --write. minutes: of training."""

    bits: float
    minutes: float | None = None
    nj_per_bit: float | None = None
    cost: bool = True

    def __post_init__(self) -> None:
        """Raise QcsError that names the option whose value is none."""
        for option, value, most in (("--bits", self.bits, 16), ("--train", self.minutes, 10_000),
                                    ("--nj-per-bit", self.nj_per_bit, 1e12)):  # fmt: skip
            if value is not None and not 0 < value <= most:
                raise QcsError(f"{option} {value:g}: expected a number above 0, at most {most:g}")


@dataclass(frozen=True)
class Front:
    """An analog front end that is configured: its keys of [signal] and [adc].

    left_db: energy of test windows that their S largest coefficients leave out.
    """

    settings: "Settings"
    left_db: float


@dataclass(frozen=True)
class Cost:
    """Of one design: bytes on a Cortex-M4, instructions (AVR: cycles) per sample by BOARDS; None: not measured.

    ram_bytes: scratch, stack and static memory.
    """

    flash_bytes: int | None
    ram_bytes: int | None
    per_sample: dict[str, float | None]


@dataclass(frozen=True)
class Comparison:
    """What was compared. costs: by the rows' names. raw_bits: of the converter. rates: bits that were asked for."""

    wanted: Wanted
    rows: "list[Row]"
    costs: dict[str, Cost]
    rates: list[float]
    raw_bits: int
    rounding_db: float | None
    rate_hz: float | None
    unit: str
    front: Front | None = None


def compared(
    file: Path, column: str, fill: str, found: Any, wanted: Wanted, front: Front | None, quiet: bool
) -> Comparison:
    """Return the comparison on a recording; what it designs is deleted again. found: its survey."""
    from qcskit.codec.survey import converter
    from qcskit.export.compare import RATES, compare, proposed

    try:
        adc = converter(found)
    except QcsError as error:
        raise QcsError(f"'{file}': {error}; or look only, with --no-compare") from None
    rates = sorted({*RATES, wanted.bits})
    candidates = proposed(lengths(found), rates, front.settings if front else {})
    base = {"signal": source_keys(file, column, fill, found.samples.integers), "adc": adc}
    with tempfile.TemporaryDirectory(prefix="qcskit-advise-") as work:
        with Bar(error_console, quiet, transient=True) as bar:
            total = sum(len(candidate.designs) for candidate in candidates) + wanted.cost * len(candidates)
            task = bar.add_task("design and measure codecs", total=total)
            begun = iter(range(total + 1))

            def next_is(what: str) -> None:
                bar.update(task, completed=next(begun), live=what)

            rows = compare(Path(work), base, candidates, next_is)
            costs = {row.name: weighed(row, wanted.bits, next_is) for row in rows if row.points and wanted.cost}
            bar.update(task, completed=total, live="")
        if wanted.minutes:
            from qcskit.cli.advise_train import trained

            row = trained(Path(work), base, found.floors.n, rates, wanted.minutes, quiet)
            rows.append(row)
            if wanted.cost:
                costs[row.name] = weighed(row, wanted.bits, lambda what: None)
    unit = adc.get("unit") or ("" if "units_per_count" in adc else "counts")
    return Comparison(wanted, rows, costs, rates, adc["bits"], found.rounding_db, found.samples.rate_hz, unit, front)


def front_end(found: Any, config: Path | None, settings: list[str] | None) -> Front | None:
    """Return the front end that a configuration describes; None if it names no matrix, or the device samples x itself.

    found: survey of the recording. Raises QcsError if it does not go with the recording.
    """
    from qcskit.cli.common import given_keys, load
    from qcskit.codec.signal import DIRECT
    from qcskit.codec.survey import largest_left_db

    if "matrix" not in given_keys("signal", config, settings):
        return None
    signal, adc = load("signal", config, settings), load("adc", config, settings)
    if signal.matrix in DIRECT:
        return None
    keys = {"n", "m", "s", "basis", "matrix", "matrix_seed", "matrix_file", "noise_variance"}
    tables = {"signal": signal.model_dump(include=keys), "adc": adc.model_dump()}
    return Front(tables, largest_left_db(found.samples.values, signal))


def lengths(found: Any) -> list[int]:
    """Return the window lengths to compare: those that fit, and N of -n; of ready windows their own."""
    from qcskit.export.compare import SIZES

    values, n = found.samples.values, found.floors.n
    if values.ndim == 2:
        return [n]
    return sorted({n, *(size for size in SIZES if size <= 0.15 * values.size)})


def source_keys(file: Path, column: str, fill: str, integers: bool) -> dict[str, Any]:
    """Return the keys of [signal] that stand for a recording."""
    keys = {"source": "recorded", "recording": str(file), "recording_in": "counts" if integers else "units"}
    chosen = {"recording_column": column, "recording_gaps": "" if fill == "refuse" else fill}
    return keys | {key: value for key, value in chosen.items() if value}


def weighed(row: "Row", bits: float, begin: Callable[[str], None]) -> Cost:
    """Return what the design next to a rate costs, as far as compilers and emulators are here."""
    from qcskit.codec.codecs import open_codec

    begin(f"{row.name}: instructions")
    codec = open_codec(nearest_point(row, bits).bundle)
    samples = codec.windows * codec.width
    flash, ram = _bytes(codec)
    return Cost(flash, ram, {name: _counted(codec, board, samples) for name, board in BOARDS.items()})


def nearest_point(row: "Row", bits: float) -> "Point":
    """Return the point that was asked to be next to a rate."""
    return min(row.points, key=lambda point: abs((point.asked or bits) - bits))


def _bytes(codec: Any) -> tuple[int | None, int | None]:
    """Return flash and RAM on a Cortex-M4."""
    from qcskit.firmware import CORES, MissingToolError
    from qcskit.firmware.footprint import footprint

    core = CORES["Cortex-M4"]
    try:
        found = footprint(core, codec.bundle.path / "c", codec.name)
    except MissingToolError:
        return None, None
    return found.flash_bytes, found.ram_bytes + (found.stack_bytes or 0) + scratch_bytes(codec.c_files(), core.layout)


def scratch_bytes(c_files: dict[str, str], layout: str) -> int:
    """Return the bytes of scratch that the C of a codec asks for, where cores read its tables in this layout.

    >>> header = "#if QCS_LAYOUT == DSP\\n#define QCS_A_SCRATCH_BYTES 64\\n#else\\n#define QCS_A_SCRATCH_BYTES 24\\n"
    >>> scratch_bytes({"a.h": header}, "DSP"), scratch_bytes({"a.h": header}, "MVE")
    (64, 24)
    """
    text, macro = "".join(c_files.values()), r"#define QCS_\w+_SCRATCH_BYTES (\d+)"
    own = re.search(rf"QCS_LAYOUT == {layout}\n{macro}", text)
    return int(own[1] if own else re.findall(macro, text)[-1])


def _counted(codec: Any, board: str, samples: int) -> float | None:
    """Return instructions per sample of test packets; cycles where the emulator counts them. None: not measured."""
    from qcskit.cli.profile import counted
    from qcskit.firmware import DoesNotFitError, MissingToolError, find_board

    if find_board(board).missing:
        return None
    try:
        run = counted(codec, board, COUNTED)
    except (DoesNotFitError, MissingToolError):
        return None
    return float((run.instructions if run.cycles is None else run.cycles).mean()) / samples


def as_dict(found: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON takes it."""
    from qcskit.cli.advise_words import best_rows, verdict

    return {
        "bits": found.wanted.bits,
        "rates": found.rates,
        "raw_bits": found.raw_bits,
        "rounding_db": found.rounding_db,
        "nj_per_bit": found.wanted.nj_per_bit,
        "codecs": [_row_dict(found, row) for row in found.rows],
        "best": {f"{rate:g}": [row.name for row in best_rows(found, rate)] for rate in found.rates},
        "verdict": verdict(found),
    }


def _row_dict(found: Comparison, row: "Row") -> dict[str, Any]:
    cost = found.costs.get(row.name)
    facts = {
        "codec": row.codec or None, "packet_samples": row.samples, "refused": row.refused or None,
        "packet_seconds": row.samples / found.rate_hz if found.rate_hz else None, "cost": cost and asdict(cost),
    }  # fmt: skip
    points = [
        {
            "asked_bits": point.asked, "bits": point.bits, "exact": point.exact, "windows": point.windows,
            "radio_nj_per_sample": radio(found, point.bits), **point.fidelity.model_dump(), "settings": point.settings,
        }
        for point in row.points
    ]  # fmt: skip
    return {"name": row.name, **facts, "points": points}


def radio(found: Comparison, bits: float) -> float | None:
    """Return the radio's energy in nJ per sample, if the user said what a bit takes."""
    return None if found.wanted.nj_per_bit is None else bits * found.wanted.nj_per_bit


def tables(found: Comparison) -> list[Table]:
    """Return what comes back, by rate, and what it costs."""
    return [loss_table(found), cost_table(found)]


COLUMNS = ("M4", "M0+", "AVR", "flash", "RAM")
"""Of `cost_table`, where something may be not measured."""


def cost_words(found: Comparison) -> str:
    """Return what stands in the columns of `cost_table`."""
    words = [
        "M4, M0+: instructions per sample; AVR: cycles. flash, RAM: bytes on a Cortex-M4. packet: samples that it "
        "gathers, by which the first comes late, and which a lost one takes along."
    ]
    if found.rate_hz:
        words.append("s: the same in seconds.")
    if found.wanted.nj_per_bit is not None:
        words.append("nJ: radio, per sample.")
    if missing := unmeasured(found):
        words.append(f"Not measured: {', '.join(missing)}.")
    return " ".join(words)


def loss_table(found: Comparison) -> Table:
    """Return NMSE, PRD and largest error of every design."""
    unit = f", {found.unit}" if found.unit else ""
    table = Sheet(title="what comes back of the test part, by the bits per sample asked for")
    table.add_column("asked", number=True)
    table.add_column("codec", no_wrap=True)
    for title in ("bits", "NMSE", "own mean", "PRD"):
        table.add_column(title, number=True)
    table.add_column(f"largest error{unit}", justify="right")
    table.add_row("–", "raw counts", str(found.raw_bits), "exact", "exact", "0 %", "0")
    for row in found.rows:
        for point in row.points:
            if point.asked is None:
                table.add_row("–", row.name, *figures(point))
    for rate in found.rates:
        table.add_section()
        for row in found.rows:
            for point in row.points:
                if point.asked == rate:
                    table.add_row(f"{rate:g}", row.name, *figures(point))
    return table


def figures(point: "Point") -> Sequence[str]:
    """Return bits, NMSE about both means, PRD and largest error of a design in words."""
    f = point.fidelity
    if point.exact:
        return f"{point.bits:.2f}", "exact", "exact", "0 %", "0"
    prd = "–" if f.prd_percent is None else f"{f.prd_percent:.3g} %"
    return f"{point.bits:.2f}", decibels(f.nmse_db), decibels(f.window_nmse_db), prd, f"{f.largest_error:.4g}"


def decibels(value: float | None) -> str:
    """Return a level in words; None: there is no error, or nothing to compare it with."""
    return "–" if value is None else f"{value:.1f} dB"


def cost_table(found: Comparison) -> Table:
    """Return what the codecs cost on the device, in time and on the air."""
    table = Sheet(title=f"what it costs at {per_sample(found.wanted.bits)}", box=None, pad_edge=False)
    table.add_column("codec", no_wrap=True)
    shown = [place for place, column in enumerate(COLUMNS) if column not in unmeasured(found)]
    more = ["s"] * bool(found.rate_hz) + ["nJ"] * (found.wanted.nj_per_bit is not None)
    for column in (*(COLUMNS[place] for place in shown), "packet", *more):
        table.add_column(column, number=True)
    table.add_row("raw counts", *["–"] * len(shown), *_packet(found, 1, float(found.raw_bits)))
    for row in found.rows:
        if row.points:
            numbers = [_numbers(found, row)[place] for place in shown]
            words = [NOT_MEASURED if number is None else f"{number:,.0f}" for number in numbers]
            bits = nearest_point(row, found.wanted.bits).bits
            table.add_row(row.name, *words, *_packet(found, row.samples, bits))
    return table


def _numbers(found: Comparison, row: "Row") -> list[float | None]:
    """Return what stands in COLUMNS."""
    cost = found.costs.get(row.name)
    return [*cost.per_sample.values(), cost.flash_bytes, cost.ram_bytes] if cost else [None] * len(COLUMNS)


def unmeasured(found: Comparison) -> list[str]:
    """Return which of COLUMNS were measured of no codec."""
    columns = zip(*(_numbers(found, row) for row in found.rows), strict=True)
    return [name for name, column in zip(COLUMNS, columns, strict=True) if not any(n is not None for n in column)]


def per_sample(bits: float) -> str:
    """Return a rate in words.

    >>> per_sample(1.0), per_sample(1.5)
    ('1 bit per sample', '1.5 bits per sample')
    """
    return f"{bits:g} {'bit' if bits == 1 else 'bits'} per sample"


def _packet(found: Comparison, samples: int, bits: float) -> list[str]:
    """Return samples of a packet, its seconds if the rate is known, and the radio's energy per sample if that is."""
    energy = radio(found, bits)
    seconds = samples / found.rate_hz if found.rate_hz else None
    late = [] if seconds is None else [f"{seconds:,.0f}" if seconds >= 100 else f"{seconds:.3g}"]
    return [f"{samples}", *late, *([] if energy is None else [f"{energy:,.3g}"])]


def panel(found: Comparison) -> str:
    """Return the picture of NMSE over bits as SVG."""
    from qcskit.hil.report import plots

    curves = {row.name: [(p.bits, p.fidelity.nmse_db) for p in row.points if p.fidelity.nmse_db is not None]
              for row in found.rows}  # fmt: skip
    exact = {row.name: point.bits for row in found.rows for point in row.points if point.exact}
    return plots.pareto({name: curve for name, curve in curves.items() if curve}, exact, found.rounding_db)
