"""`qcskit compare`: what changed between two results."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from qcskit.cli.common import JsonOption, QuietOption, console, print_json


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
    from rich.markup import escape
    from rich.table import Table

    from qcskit.hil.compare import Tolerances, read_results
    from qcskit.hil.compare import compare as changes_between

    tolerances = Tolerances(
        nmse_db=nmse_db, ticks_percent=ticks_percent, rate_percent=rate_percent, round_trip_percent=round_trip_percent
    )
    changes = changes_between(read_results(before), read_results(after), tolerances)
    regressions = [change for change in changes if change.regression]
    if as_json:
        print_json({"ok": not regressions, "changes": [asdict(change) for change in changes]})
    elif not quiet:
        table = Table()
        for name in ("board", "figure", "before", "after", "worse by", "tolerance", ""):
            table.add_column(name, justify="left" if name in ("board", "figure", "") else "right")
        for change in changes:
            worse = "" if change.worse_by is None else f"{change.worse_by:+.3g} {change.unit}".strip()
            allowed = "" if change.tolerance is None else f"{change.tolerance:g} {change.unit}".strip()
            values = _text(change.before), _text(change.after), worse, allowed
            table.add_row(
                escape(change.board), change.figure, *values, "[red]regression[/]" if change.regression else ""
            )
        console.print(table)
    if regressions:
        raise typer.Exit(1)


def _text(value: float | str | None) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
