"""`qcskit compare`: what changed between two results."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from qcskit.cli.common import JsonOption, QuietOption, console, print_json
from qcskit.cli.sheet import Sheet
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
    from qcskit.hil.compare import check_comparable, differing, notes
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
        print_json({"ok": not regressions, "verdict": verdict(changes), "notes": notes(old, new), "differing": others,
                    "changes": told})  # fmt: skip
    elif not quiet:
        bundle = new["bundle"]
        title = f"{before} → {after}: {bundle['name']} ({bundle['model_id']})"
        console.print(title, highlight=False, soft_wrap=True)
        for board in dict.fromkeys(change.board for change in changes):
            console.print(changes_table(board, [change for change in changes if change.board == board]))
        for line in (*notes(old, new), f"verdict: {verdict(changes)}"):
            console.print(line, highlight=False, soft_wrap=True)
    if regressions:
        raise typer.Exit(1)


def changes_table(board: str, changes: list[Any]) -> Sheet:
    """Return the table of what changed on a board."""
    table = Sheet("figure", title=f"board {board}", title_justify="left")
    for name in ("before", "after", "worse by", "tolerance"):
        table.add_column(name, number=True)
    table.add_column("verdict")
    for change in changes:
        worse = "" if change.worse_by is None else f"{change.worse_by:+.3g} {change.unit}".strip()
        allowed = "" if change.tolerance is None else f"{change.tolerance:g} {change.unit}".strip()
        judged = "" if change.tolerance is None and not change.regression else Text("ok", style="green")
        judged = Text("regression", style="red") if change.regression else judged
        table.add_row(change.figure, _text(change.before), _text(change.after), worse, allowed, judged)
    return table


def verdict(changes: list[Any]) -> str:
    """Return the outcome in words."""
    wrong = [f"{change.figure} of {change.board}" for change in changes if change.regression]
    boards = ", ".join(dict.fromkeys(change.board for change in changes))
    if wrong:
        return f"{len(wrong)} {'regression' if len(wrong) == 1 else 'regressions'}: {', '.join(wrong)}"
    judged = sum(change.tolerance is not None for change in changes)
    return f"no regression in {judged} figures judged of {boards}"


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
