"""Every fast kernel on its emulated core against the NumPy reference: random models, hashes of all packed bytes.

    python benchmarks/kernel_check.py [--quick] [--json FILE] [--models 200] [--vectors 520] [--core Cortex-M4]

Models have 2 … 6 layers, widths 1 … 256, I = 2 … 256, weights, biases, shifts, thresholds with all kinds of extremes;
model n is a function of its seed alone. Of the vectors of a model 16 lie in corners and on threshold edges, the others
are uniform. A model that a kernel does not take (its exporter says why; it compiles with -DQCS_PLAIN) is counted and
replaced, and so is one whose tables do not fit the emulated board's flash. Then the same with int16 activations.
--quick: 20 models per core.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

from rich.progress import Progress
from rows import Row, arguments, report
from support import cores, fuzz

from qcskit.codec.errors import QcsError
from qcskit.codec.learned.c_int8 import AVR_ARRAY_BYTES, FAST_LAYOUTS
from qcskit.codec.learned.chain import DenseChain
from qcskit.codec.learned.int16 import Int16Tables
from qcskit.codec.learned.kernels.layout import LayoutError
from qcskit.firmware import CORES, Core, find_board

GIVEN = 16
TARGET_MODELS, TARGET_VECTORS = 200, 100_000


def models(make: Callable[[fuzz.ModelSpec], tuple[DenseChain, bytes]]) -> Iterator[DenseChain]:
    """Yield the tables of random models; those that the exporter refuses altogether are left out."""
    seed = 0
    while True:
        with suppress(QcsError):
            yield make(fuzz.random_spec(seed, depth=(2, 6)))[0]
        seed += 1


def table_bytes(core: Core, tables: DenseChain) -> int:
    """Return the bytes of a model's tables in the form of a core. Raises LayoutError if its kernel does not take it."""
    if core.layout not in FAST_LAYOUTS:
        return tables.table_bytes if tables.largest_table_bytes <= AVR_ARRAY_BYTES else core.table_bytes + 1
    if isinstance(tables, Int16Tables):
        return tables.table_bytes + 40 * len(tables.hidden) + 200
    layout = FAST_LAYOUTS[core.layout](tables)
    return sum(4 * len(words) for words in (*layout.hidden, layout.last)) + 300 * len(layout.hidden) + 200


def firmwares(core: Core, sizes: list[int]) -> list[list[int]]:
    """Return the numbers of the models in groups that fit the core's flash together."""
    groups: list[list[int]] = [[]]
    held = 0
    for number, size in enumerate(sizes):
        if held + size > core.table_bytes:
            groups.append([])
            held = 0
        groups[-1].append(number)
        held += size
    return [group for group in groups if group]


def choose(core: Core, drawn: list[cores.Check], wanted: int) -> tuple[list[cores.Check], list[int], int, int]:
    """Return the first checks that the core takes, their tables' bytes, how many its kernel refused, and its flash."""
    taken, sizes, refused, large = [], [], 0, 0
    for check in drawn:
        try:
            size = table_bytes(core, check.tables)
        except LayoutError:
            refused += 1
            continue
        if size > core.table_bytes:
            large += 1
            continue
        taken.append(check)
        sizes.append(size)
        if len(taken) == wanted:
            break
    return taken, sizes, refused, large


def rows_of(core: Core, kind: str, drawn: list[cores.Check], wanted: int, judged: bool, bar: Progress) -> list[Row]:
    """Check one core and return its rows."""
    taken, sizes, refused, large = choose(core, drawn, wanted)
    case = f"{core.name}, {kind}"
    task = bar.add_task(case, total=len(taken))
    wrong = 0
    for group in firmwares(core, sizes):
        wrong += len(cores.mismatches(core, [taken[i] for i in group], timeout_s=7200))
        bar.advance(task, len(group))
    vectors = sum(len(check.vectors) + check.random for check in taken)
    return [
        Row(case, "models", len(taken), "models", None, TARGET_MODELS if judged else None,
            len(taken) >= TARGET_MODELS if judged else None,
            f"{refused} not for this kernel, {large} too large for the board"),
        Row(case, "vectors", vectors, "vectors", None, TARGET_VECTORS if judged else None,
            vectors >= TARGET_VECTORS if judged else None),
        Row(case, "models with a mismatch", wrong, "models", None, 0, wrong == 0),
    ]  # fmt: skip


def main() -> int:
    """Check all cores and report."""
    options = arguments("fast kernels on emulated cores", models=200, vectors=520, core="")
    wanted = 20 if options.quick else options.models
    drawn = {}
    for kind, make, count in (("int8", fuzz.build, 2 * wanted), ("int16", fuzz.build_int16, wanted + wanted // 4)):
        source = models(make)
        drawn[kind] = [cores.make_check(next(source), seed, given=GIVEN, random=options.vectors - GIVEN)
                       for seed in range(count)]  # fmt: skip
    rows: list[Row] = []
    with Progress(transient=True) as bar:
        for core in CORES.values():
            if options.core not in ("", core.name):
                continue
            if find_board(core.board).missing:
                rows.append(Row(core.name, "models", None, "models", note="no emulator here"))
                continue
            for kind, checks in drawn.items():
                rows += rows_of(core, kind, checks, wanted, not options.quick, bar)
    return report("kernel_check", "fast kernels = NumPy reference, on emulated cores", rows, options.json)


if __name__ == "__main__":
    sys.exit(main())
