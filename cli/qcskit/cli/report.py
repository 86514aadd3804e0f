"""`qcskit report`: bundle + results.json + verdict.json → one HTML page."""

import webbrowser
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from qcskit.cli.common import JsonOption, QuietOption, console, error_console, print_json
from qcskit.cli.layout import BUNDLE, REPORT, RESULTS, VERDICT, beside, claim
from qcskit.codec.errors import QcsError

_COUNTED_ON, _COUNTED = "cortex-m4", 8
"""Emulated board, and golden vectors, of the instructions per layer."""


def report(
    bundle: Annotated[
        Path, typer.Argument(help="Bundle directory; or results.csv of 'qcskit sweep', for a picture of it.")
    ] = BUNDLE,
    results: Annotated[
        Path | None,
        typer.Option("--results", "-r", help="results.json of 'qcskit hil'; default the one beside the bundle."),
    ] = None,
    verdict: Annotated[
        Path | None,
        typer.Option("--verdict", "-v", help="verdict.json of 'qcskit simulate'; default the one beside the bundle."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="HTML file to write; default report.html beside the bundle. Of a sweep .png or .svg too.",
        ),
    ] = None,
    cost: Annotated[
        bool, typer.Option("--cost/--no-cost", help="Compile and count instructions, with what is installed here.")
    ] = True,
    open_: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write one self-contained HTML page: plots and tables of a bundle, and of its results and verdict.

    Of a sweep's results.csv: NMSE over bits, and over what the encoder costs.
    """
    out = beside(bundle, REPORT, out)
    if bundle.suffix == ".csv":
        from qcskit.cli.sweep_picture import write_picture

        write_picture(bundle, out)
    else:
        _write_report(bundle, results, verdict, out, cost)
    if json:
        print_json({"report": str(out)})
    elif not quiet:
        console.print(f"report: {out}", highlight=False, soft_wrap=True)
    if open_:
        webbrowser.open(out.resolve().as_uri())


def _write_report(bundle: Path, results: Path | None, verdict: Path | None, out: Path, cost: bool) -> None:
    from qcskit.codec.codecs import open_codec
    from qcskit.codec.evidence import Evidence, check_bundle
    from qcskit.codec.files import check_file
    from qcskit.firmware_sim.verdict import read_verdict
    from qcskit.hil.report.page import write_report
    from qcskit.hil.schema import read_results

    check_file(out, *filter(None, (bundle, results, verdict)))
    opened = open_codec(bundle)

    def measured(path: Path) -> dict[str, Any]:
        read = read_results(path)
        check_bundle(Evidence(**read["evidence"]), opened.bundle, f"results '{path}'", "hil")
        return read

    def checked(path: Path) -> dict[str, Any]:
        read = read_verdict(path)
        check_bundle(read.evidence, opened.bundle, f"verdict '{path}'", "simulate")
        return read.model_dump()

    found = _read(results, beside(bundle, RESULTS), measured), _read(verdict, beside(bundle, VERDICT), checked)
    claim(out, opened.bundle.manifest.model_id)
    dates = {f"{name} written": _date(path) for name, path, read in zip(
        ("results", "verdict"), (results or beside(bundle, RESULTS), verdict or beside(bundle, VERDICT)), found,
        strict=True) if read}  # fmt: skip
    write_report(opened, *found, out, weigh(opened, found[0]) if cost else None, dates)


def _date(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%d %H:%M UTC")


def weigh(codec: Any, results: dict[str, Any] | None = None) -> Any:
    """Return what the report says of flash, RAM, stack and instructions, as far as compilers and emulators are here.

    Bytes are those of the cores that were measured, and of the Cortex-M4.
    """
    from qcskit.cli.memory import footprints
    from qcskit.cli.profile import counted
    from qcskit.firmware import boards, find_board
    from qcskit.firmware.profile import flame_svg, profile
    from qcskit.hil.report.page import Cost

    known, board = boards(), find_board(_COUNTED_ON)
    measured = [known[name].core for device in (results or {}).get("devices", ())
                if (name := device.get("board")) in known]  # fmt: skip
    cores: list[dict[str, Any]] = []
    try:
        cores = footprints(codec, {board.core, *measured})
        if board.missing:
            raise QcsError(f"board {board.name} needs {', '.join(package for _tool, package in board.missing)}")
        found = profile(counted(codec, board.name, _COUNTED))
    except QcsError as error:  # a page without these figures is one as well
        return Cost(cores, counted=f"not measured: {error}")
    total = found.total.instructions
    layers = [(layer.name, layer.instructions, layer.instructions / total) for layer in found.layers]
    told = f"{total:,.0f} instructions on a {found.core} (QEMU), mean of {found.frames} golden vectors"
    return Cost(cores, layers, told, flame_svg(found))


def _read(named: Path | None, nearby: Path, read: Callable[[Path], dict[str, Any]]) -> dict[str, Any] | None:
    """Return what a file says; of one that nobody named, and that does not belong to the bundle, only that."""
    if named is not None:
        return read(named)
    if not nearby.is_file():
        return None
    try:
        return read(nearby)
    except QcsError as error:
        error_console.print(f"left out: {error}", highlight=False, soft_wrap=True)
        return None
