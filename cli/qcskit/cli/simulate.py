"""`qcskit simulate`: every implementation of a bundle's encoder on the same vectors."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from qcskit.cli import completion
from qcskit.cli.bar import Bar
from qcskit.cli.common import (
    FILES,
    BundleArgument,
    ConfigOption,
    JsonOption,
    QuietOption,
    SetOption,
    console,
    error_console,
    keys_option,
    load,
    print_json,
)
from qcskit.cli.encode import ColumnOption, DataOption, GapsOption, HopOption, InOption, own_data
from qcskit.cli.layout import BUNDLE, VERDICT, beside, claim
from qcskit.cli.sheet import Sheet
from qcskit.codec.errors import CheckFailedError


def simulate(
    bundle: BundleArgument = BUNDLE,
    vectors: Annotated[int | None, typer.Option("--vectors", "-n", help="Vectors beside the golden ones.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the vectors.")] = None,
    oracle_vectors: Annotated[int | None, typer.Option(help="How many of them the oracle computes too.")] = None,
    reported_vectors: Annotated[int | None, typer.Option(help="How many LiteRT computes too, reported only.")] = None,
    boards: Annotated[
        str | None,
        typer.Option("--boards", "-b", help="Emulated boards too: 'all' or names.", autocompletion=completion.boards),
    ] = None,
    processes: Annotated[int | None, typer.Option("--processes", "-j", help="Processes; 0 chooses.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Write the verdict here; default verdict.json beside the bundle.", rich_help_panel=FILES
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that --out holds.")] = False,
    data: DataOption = None,
    column: ColumnOption = "",
    holds: InOption = "auto",
    hop: HopOption = None,
    fill_gaps: GapsOption = False,
    config: ConfigOption = None,
    settings: SetOption = None,
    keys: Annotated[bool, keys_option("simulate")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Prove that NumPy, the exported C and the codec's oracles give the same bytes. Settings: [simulate]."""
    from qcskit.codec.codecs import open_codec
    from qcskit.codec.files import check_file
    from qcskit.firmware_sim.verdict import read_verdict

    flags = {"vectors": vectors, "seed": seed, "boards": boards, "processes": processes}
    limits = {"oracle_vectors": oracle_vectors, "reported_vectors": reported_vectors}
    chosen = load("simulate", config, settings, **flags, **limits)
    out = beside(bundle, VERDICT, out)
    check_file(out, bundle, *filter(None, [data]))
    earlier = read_verdict(out) if resume else None
    codec = open_codec(bundle)
    own = own_data(codec, data, column, holds, hop, fill_gaps)
    claim(out, codec.bundle.manifest.model_id)
    verdict = run_simulate(codec.bundle, chosen, out, earlier, quiet or json, own)
    if json:
        print_json(verdict.model_dump(exclude={"chunks_done"}))
    elif not quiet:
        console.print(summary(verdict))
        for line in lines(verdict):
            console.print(line, highlight=False, soft_wrap=True)
        console.print(f"verdict: {out}", highlight=False, soft_wrap=True)
    if not verdict.passed:
        if verdict.first_mismatch and not json:
            error_console.print(mismatch_table(verdict.first_mismatch))
        raise CheckFailedError(failure(verdict))


def run_simulate(bundle: Any, config: Any, out: Path | None, earlier: Any, quiet: bool, data: Any = None) -> Any:
    """Run with a progress bar on stderr."""
    from qcskit.firmware_sim.run import simulate as run

    with Bar(error_console, quiet) as bar:
        task = bar.add_task("simulate: compile, and check every ADC count")

        def progress(done: int, total: int) -> None:
            bar.update(task, description="simulate vectors", completed=done, total=total)

        return run(bundle, config, out=out, resume=earlier, progress=progress, data=data)


def summary(verdict: Any) -> Table:
    """Return the table of counts per implementation."""
    sets = ", ".join(f"{count:,} {name}" for name, count in verdict.sets.items())
    table = Sheet(title=f"{verdict.bundle} ({verdict.model_id})", caption=sets)
    for column in ("implementation", "role"):
        table.add_column(column)
    for column in ("vectors", "mismatches", "vectors/s"):
        table.add_column(column, number=True)
    for tally in verdict.implementations:
        speed = f"{tally.vectors / tally.seconds:,.0f}" if tally.seconds > 0 else ""
        wrong = "" if tally.role == "reference" else f"{tally.mismatches:,}"
        table.add_row(tally.name, tally.role, f"{tally.vectors:,}", wrong, speed)
    return table


def lines(verdict: Any) -> list[str]:
    """Return what the table does not hold: every count, what came back, boards that were not run."""
    found, counts, recovery = _own_lines(verdict), verdict.counts, verdict.recovery
    if counts:
        oracle = counts.definition_mismatches
        definition = "not compared with" if oracle is None else f"{oracle:,} mismatches against"
        coded = f"{counts.encoded_mismatches:,} mismatches of the C in {counts.encoded_vectors:,} vectors"
        found.append(f"every ADC count ({counts.counts:,}): {definition} the definition, {coded}")
    if recovery and recovery.frames:
        wrong = recovery.frames - recovery.perfect - recovery.flagged
        nmse = "every vector exact" if recovery.nmse_db is None else f"NMSE {recovery.nmse_db:.2f} dB"
        exact = f"{recovery.perfect:,} of {recovery.frames:,} exact"
        found.append(f"recovery: {exact}, {recovery.flagged:,} flagged, {wrong:,} wrong; {nmse}")
    return found + [f"not run: {board}: {why}" for board, why in verdict.not_run.items()]


def _own_lines(verdict: Any) -> list[str]:
    """Return what is told of the sets that a sensor gives: whence they are, how many counts were clipped."""
    found, data = [], verdict.data
    if data and "data" in verdict.sets:
        left = f", {data.samples_left:,} samples left at its end" if data.samples_left else ""
        found.append(f"data: {verdict.sets['data']:,} packets of {data.name}{left}")
    if verdict.source_windows and "source" in verdict.sets:
        found.append(f"source: {verdict.sets['source']:,} vectors of {verdict.source_windows:,} windows")
    for name, clipped in verdict.clipped.items():
        found.append(f"clipped in {name}: {clipped.describe()}")
    for name, count in verdict.guarded.items():
        found.append(f"guarded in {name}: {count:,} vectors marked as off the design, and sent coarsely")
    return found


def mismatch_table(mismatch: Any) -> Table:
    """Return the vector that differs: input, everyone's packet, and what it stands for."""
    table = Sheet(title=f"first mismatch: chunk {mismatch.chunk}, frame {mismatch.frame}, set '{mismatch.set}'")
    for column in ("what", "packet", "values"):
        table.add_column(column)
    table.add_row("input", "", " ".join(map(str, mismatch.input)))
    for name, packet in mismatch.packets.items():
        values = mismatch.explained[name]
        table.add_row(name, packet, values if isinstance(values, str) else " ".join(map(str, values)))
    return table


def failure(verdict: Any) -> str:
    """Return the one line that says what did not hold."""
    wrong = [
        f"{tally.name} differs from NumPy on {tally.mismatches:,} of {tally.vectors:,} vectors"
        for tally in verdict.implementations
        if tally.mismatches and tally.role != "reported"
    ]
    counts = verdict.counts
    if counts and not counts.passed:
        first = "" if counts.first_mismatch is None else f" (first: count {counts.first_mismatch})"
        found = {
            "the definition": counts.definition_mismatches,
            "the C front end": counts.front_end_mismatches,
            "the C": counts.encoded_mismatches,
        }
        parts = ", ".join(f"{whose} on {number:,}" for whose, number in found.items() if number)
        wrong.append(f"of all ADC counts NumPy differs from {parts}{first}")
    return "; ".join(wrong)
