"""`qcskit report`: bundle + results.json + verdict.json → one HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from qcskit.cli.common import JsonOption, QuietOption, console, print_json


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("report", help="Write one self-contained HTML page: plots and tables of a bundle and its results.")(
        report
    )


def report(
    bundle: Annotated[Path, typer.Argument(help="Bundle that 'qcskit export' wrote.")],
    results: Annotated[Path | None, typer.Option("--results", "-r", help="results.json of 'qcskit hil'.")] = None,
    verdict: Annotated[Path | None, typer.Option("--verdict", "-v", help="verdict.json of 'qcskit simulate'.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")] = Path("report.html"),
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the report; without --results and --verdict it shows the bundle alone."""
    from qcskit.codec.bundle import read_bundle
    from qcskit.hil.report.page import read_json, write_report

    opened = read_bundle(bundle)
    measured = None if results is None else read_json(results, opened, "hil")
    checked = None if verdict is None else read_json(verdict, opened, "simulate")
    write_report(opened, measured, checked, out)
    if json:
        print_json({"report": str(out)})
    elif not quiet:
        console.print(f"report: {out}", highlight=False)
