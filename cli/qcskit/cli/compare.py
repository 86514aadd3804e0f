"""`qcskit compare`: what changed between two results."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from qcskit.cli.common import JsonOption, QuietOption, console, print_json
from qcskit.codec.errors import QcsError


def compare(
    before: Annotated[Path, typer.Argument(help="results.json of the reference run.")],
    after: Annotated[Path, typer.Argument(help="results.json of the run to judge.")],
    nmse_db: Annotated[float, typer.Option(help="dB that NMSE may get worse.")] = 0.05,
    ticks_percent: Annotated[float, typer.Option(help="Percent that ticks per encode may grow (not timers').")] = 1.0,
    rate_percent: Annotated[float | None, typer.Option(help="Percent that vectors/s may fall.")] = None,
    round_trip_percent: Annotated[float | None, typer.Option(help="Percent that the round trip may grow.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show what changed between two results; exit 1 on a regression beyond the tolerances.

    Rate and round trip are shown but not judged unless their option is given: they depend on the host.
    """
    from rich.table import Table
    from rich.text import Text

    from qcskit.codec.evidence import differ
    from qcskit.hil.compare import check_comparable, differing
    from qcskit.hil.compare import compare as changes_between
    from qcskit.hil.schema import read_results

    tolerances = _tolerances(
        nmse_db=nmse_db, ticks_percent=ticks_percent, rate_percent=rate_percent, round_trip_percent=round_trip_percent
    )
    old, new = read_results(before), read_results(after)
    check_comparable(old, new)
    changes, others = changes_between(old, new, tolerances), differing(old, new)
    regressions = [change for change in changes if change.regression]
    if as_json:
        told = [asdict(change) for change in changes]
        print_json({"ok": not regressions, "differing": others, "changes": told})
    elif not quiet:
        table = Table()
        for name in ("board", "figure", "before", "after", "worse by", "tolerance", ""):
            table.add_column(name, justify="left" if name in ("board", "figure", "") else "right")
        for change in changes:
            worse = "" if change.worse_by is None else f"{change.worse_by:+.3g} {change.unit}".strip()
            allowed = "" if change.tolerance is None else f"{change.tolerance:g} {change.unit}".strip()
            values = _text(change.before), _text(change.after), worse, allowed
            judged = Text("regression", style="red") if change.regression else ""
            table.add_row(change.board, change.figure, *values, judged)
        console.print(table)
        if others:
            console.print(f"not the same was run: {differ(others)}", highlight=False, soft_wrap=True)
    if regressions:
        raise typer.Exit(1)


def _tolerances(**given: float | None) -> Any:
    """Return the tolerances. Raises QcsError that names the option whose value is none."""
    from qcskit.hil.compare import Tolerances

    for name, value in given.items():
        if value is not None and not 0 <= value < float("inf"):
            raise QcsError(f"--{name.replace('_', '-')} {value:g}: expected a number, 0 or larger")
    return Tolerances.model_validate(given)


def _text(value: float | str | None) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
