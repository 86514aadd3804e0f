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
    from qcskit.codec.evidence import Evidence, check_bundle
    from qcskit.codec.files import check_file
    from qcskit.firmware_sim.verdict import read_verdict
    from qcskit.hil.report.page import write_report
    from qcskit.hil.schema import read_results

    check_file(out, *filter(None, (bundle, results, verdict)))
    opened = open_codec(bundle)
    measured = None if results is None else read_results(results)
    checked = None if verdict is None else read_verdict(verdict)
    if measured is not None:
        check_bundle(Evidence(**measured["evidence"]), opened.bundle, f"results '{results}'", "hil")
    if checked is not None:
        check_bundle(checked.evidence, opened.bundle, f"verdict '{verdict}'", "simulate")
    write_report(opened, measured, None if checked is None else checked.model_dump(), out)
    if json:
        print_json({"report": str(out)})
    elif not quiet:
        console.print(f"report: {out}", highlight=False)
