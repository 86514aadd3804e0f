"""`qcskit hil`: run a bundle on boards and measure."""

from pathlib import Path
from typing import Annotated, Any

import typer

from qcskit.cli.common import ConfigOption, JsonOption, QuietOption, SetOption, console, load, print_json


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("hil")(hil)


def hil(
    bundle: Annotated[Path, typer.Argument(help="Bundle that 'qcskit export' wrote.")],
    port: Annotated[
        list[str] | None,
        typer.Option("--port", "-p", help="Serial device, pyserial URL, or emu:<board>. Repeatable: boards at once."),
    ] = None,
    baud: Annotated[int | None, typer.Option(help="Line rate of serial devices.")] = None,
    vectors: Annotated[
        int | None, typer.Option("--vectors", "-n", help="Vectors per board, golden ones first.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the fresh vectors.")] = None,
    input_: Annotated[str | None, typer.Option("--input", help="int8 (network inputs) or counts (raw ADC).")] = None,
    batch: Annotated[int | None, typer.Option(help="Vectors per frame; automatic if left out.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the results go.")] = Path("results.json"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that broke off.")] = False,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run a bundle's vectors on boards over serial, compare every byte with the reference, measure.

    Exit code 0: every vector answered and equal. 1: a mismatch, or a board that failed. 2: wrong use.
    """
    from qcskit.cli.hil_view import Show, verdict_table
    from qcskit.codec.bundle import read_bundle
    from qcskit.codec.errors import QcsError
    from qcskit.hil.config import HilConfig
    from qcskit.hil.fleet import run_fleet

    options = load(
        HilConfig, "hil", config, settings,
        port=port or None, baud=baud, vectors=vectors, seed=seed, input=input_, batch=batch,
    )  # fmt: skip
    if not options.port:
        raise QcsError("no port: give --port /dev/ttyACM0, a pyserial URL, or --port emu:native")
    opened = read_bundle(bundle)
    with Show(enabled=not (quiet or as_json)) as show:
        results = run_fleet(opened, options, out=out, resume=resume, progress=show.progress)
    _finish(results, out, as_json, quiet, verdict_table)


def _finish(results: dict[str, Any], out: Path, as_json: bool, quiet: bool, table: Any) -> None:
    if as_json:
        print_json(results)
    elif not quiet:
        console.print(table(results))
        console.print(f"results: {out}", highlight=False)
    if not results["verdict"]["ok"]:
        raise typer.Exit(1)
