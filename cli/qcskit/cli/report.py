"""`qcskit report`: bundle + results.json + verdict.json → one HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from qcskit.cli.common import BundleArgument, JsonOption, QuietOption, console, print_json


def report(
    bundle: BundleArgument,
    results: Annotated[Path | None, typer.Option("--results", "-r", help="results.json of 'qcskit hil'.")] = None,
    verdict: Annotated[Path | None, typer.Option("--verdict", "-v", help="verdict.json of 'qcskit simulate'.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")] = Path("report.html"),
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write one self-contained HTML page: plots and tables of a bundle, and of its results and verdict if given."""
    from qcskit.codec.codecs import open_codec
    from qcskit.hil.report.page import read_json, write_report

    opened = open_codec(bundle)
    measured = None if results is None else read_json(results, opened, "hil")
    checked = None if verdict is None else read_json(verdict, opened, "simulate")
    write_report(opened, measured, checked, out)
    if json:
        print_json({"report": str(out)})
    elif not quiet:
        console.print(f"report: {out}", highlight=False)
