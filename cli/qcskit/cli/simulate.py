"""`qcskit simulate`: every implementation of a bundle's encoder on the same vectors."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from qcskit.cli.common import ConfigOption, JsonOption, QuietOption, SetOption, console, error_console, load, print_json


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("simulate", help="Prove that NumPy, the exported C and TFLite Micro give the same bytes.")(simulate)


def simulate(
    bundle: Annotated[Path, typer.Argument(help="Bundle directory that 'qcskit export' wrote.")],
    vectors: Annotated[int | None, typer.Option("--vectors", "-n", help="Vectors beside the golden ones.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the vectors.")] = None,
    tflm_vectors: Annotated[int | None, typer.Option(help="How many of them TFLite Micro computes too.")] = None,
    boards: Annotated[str | None, typer.Option("--boards", "-b", help="Emulated boards too: 'all' or names.")] = None,
    processes: Annotated[int | None, typer.Option("--processes", "-j", help="Processes; 0 chooses.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the verdict here.")] = Path("verdict.json"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that --out holds.")] = False,
    config: ConfigOption = None,
    settings: SetOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare with the settings of `[simulate]`; exit 1 at the first mismatch, and show it."""
    from qcskit.codec.bundle import read_bundle
    from qcskit.codec.errors import CheckFailedError
    from qcskit.firmware_sim.config import SimulateConfig
    from qcskit.firmware_sim.verdict import read_verdict

    table = load(SimulateConfig, "simulate", config, settings, vectors=vectors, seed=seed, tflm_vectors=tflm_vectors,
                 processes=processes,
                 boards=boards)  # fmt: skip
    earlier = read_verdict(out) if resume and out else None
    verdict = run_simulate(read_bundle(bundle), table, out, earlier, quiet or json)
    if json:
        print_json(verdict.model_dump(exclude={"chunks_done"}))
    elif not quiet:
        console.print(summary(verdict))
        if verdict.counts:
            console.print(counts_line(verdict), highlight=False)
        if verdict.recovery:
            console.print(recovery_line(verdict.recovery), highlight=False)
    if not verdict.passed:
        if verdict.first_mismatch and not json:
            error_console.print(mismatch_table(verdict.first_mismatch))
        raise CheckFailedError(failure(verdict))


def run_simulate(bundle: Any, config: Any, out: Path | None, earlier: Any, quiet: bool) -> Any:
    """Run with a progress bar on stderr."""
    from qcskit.firmware_sim.run import simulate as run

    columns = (TextColumn("simulate"), BarColumn(), MofNCompleteColumn(), TextColumn("vectors"), TimeElapsedColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=error_console, disable=quiet) as bar:
        task = bar.add_task("simulate", total=config.vectors)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        return run(bundle, config, out=out, resume=earlier, progress=progress)


def summary(verdict: Any) -> Table:
    """Return the table of counts per implementation."""
    sets = ", ".join(f"{count:,} {name}" for name, count in verdict.sets.items())
    table = Table(title=f"{verdict.bundle} ({verdict.model_id})", caption=sets)
    for column in ("implementation", "role"):
        table.add_column(column)
    for column in ("vectors", "mismatches", "vectors/s"):
        table.add_column(column, justify="right")
    for tally in verdict.implementations:
        speed = f"{tally.vectors / tally.seconds:,.0f}" if tally.seconds > 0 else ""
        wrong = "" if tally.role == "reference" else f"{tally.mismatches:,}"
        table.add_row(tally.name, tally.role, f"{tally.vectors:,}", wrong, speed)
    return table


def counts_line(verdict: Any) -> str:
    """Return what was found of the ADC front end, in one line."""
    counts = verdict.counts
    defined = counts.allowed_deviation == 0  # a codec on counts: there is no grid to be away from
    whom = "between the integers and the definition" if defined else "between NumPy and C"
    exact = "" if defined else f"; at most {counts.largest_deviation:.3f} int8 steps from the exact value"
    return (
        f"ADC counts: {counts.counts:,} counts, {counts.mismatches} mismatches {whom}; "
        f"{counts.encoded_vectors:,} vectors of counts, {counts.encoded_mismatches} mismatches{exact}"
    )


def recovery_line(recovery: Any) -> str:
    """Return how much of x came back, in one line."""
    wrong = recovery.frames - recovery.perfect - recovery.flagged
    nmse = "every vector exact" if recovery.nmse_db is None else f"NMSE {recovery.nmse_db:.2f} dB"
    return (
        f"recovery at {recovery.snr_db:.2f} dB: {recovery.perfect:,} of {recovery.frames:,} exact, "
        f"{recovery.flagged:,} flagged, {wrong:,} wrong; {nmse}"
    )


def mismatch_table(mismatch: Any) -> Table:
    """Return the vector that differs: input and everyone's indices."""
    table = Table(title=f"first mismatch: chunk {mismatch.chunk}, frame {mismatch.frame}, set '{mismatch.set}'")
    table.add_column("what")
    table.add_column("values")
    table.add_row("input", " ".join(map(str, mismatch.input)))
    for name, indices in mismatch.indices.items():
        table.add_row(name, " ".join(map(str, indices)))
    return table


def failure(verdict: Any) -> str:
    """Return the one line that says what did not hold."""
    wrong = [
        f"{tally.name} differs from NumPy on {tally.mismatches:,} of {tally.vectors:,} vectors"
        for tally in verdict.implementations
        if tally.mismatches and tally.role != "reported"
    ]
    counts = verdict.counts
    if counts and (counts.mismatches or counts.encoded_mismatches):
        where = f" (first: {counts.first_mismatch})" if counts.mismatches else ""
        wrong.append(f"the ADC front end differs on {counts.mismatches} counts{where}")
    elif counts and not wrong:
        wrong.append(f"the ADC front end is {counts.largest_deviation:.3f} int8 steps off; check adc in manifest.json")
    return "; ".join(wrong)
