"""`qcskit demo`: train → export → simulate → hil → report in one go."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from qcskit.cli.common import ConfigOption, JsonOption, QuietOption, SetOption, console, load, print_json


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("demo", help="Train, export, simulate, measure on a board, report: everything in one go.")(demo)


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory for run, bundle, results and report.")] = Path(
        "runs/demo"
    ),
    port: Annotated[
        str | None, typer.Option("--port", "-p", help="Board; default emu:cortex-m4 if its tools are here.")
    ] = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps.")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run the whole chain with the settings of every table."""
    from qcskit.cli.export import run_export
    from qcskit.cli.hil_view import Show
    from qcskit.cli.simulate import run_simulate
    from qcskit.cli.train import run_training
    from qcskit.codec.bundle import read_bundle
    from qcskit.codec.errors import CheckFailedError
    from qcskit.codec.signal import SignalConfig
    from qcskit.export.config import ExportConfig
    from qcskit.firmware_sim.config import SimulateConfig
    from qcskit.hil.config import HilConfig
    from qcskit.hil.fleet import run_fleet
    from qcskit.hil.report.page import write_report
    from qcskit.training.config import TrainConfig

    silent = quiet or json
    board = port or default_port()
    # Every table is checked before the first long step.
    signal = load(SignalConfig, "signal", config, settings)
    recipe = load(TrainConfig, "train", config, settings, steps=steps)
    exporting = load(ExportConfig, "export", config, settings)
    simulating = load(SimulateConfig, "simulate", config, settings)
    measuring = load(HilConfig, "hil", config, settings, port=[board])
    run_training(out / "run", recipe, signal, silent)
    run_export(out / "run", out / "bundle", exporting, silent)
    bundle = read_bundle(out / "bundle")
    verdict = run_simulate(bundle, simulating, out / "verdict.json", None, silent)
    with Show(enabled=not silent) as show:
        results = run_fleet(bundle, measuring, out=out / "results.json", resume=False, progress=show.progress)
    checked = verdict.model_dump(exclude={"chunks_done"})
    write_report(bundle, results, checked, out / "report.html")
    if json:
        print_json({"bundle": str(bundle.path), "report": str(out / "report.html"), "verdict": checked, **results})
    elif not quiet:
        console.print(closing_table(bundle.manifest, verdict, results, out / "report.html"))
    if not (verdict.passed and results["verdict"]["ok"]):
        raise CheckFailedError(f"host and board do not agree; see {out / 'verdict.json'} and {out / 'results.json'}")


def default_port() -> str:
    """Return emu:cortex-m4 if its compiler and emulator are installed, else emu:native."""
    from qcskit.firmware import find_board

    return "emu:native" if find_board("cortex-m4").missing else "emu:cortex-m4"


def closing_table(manifest: Any, verdict: Any, results: dict[str, Any], report: Path) -> Table:
    """Return the figures that matter, measured or said not to be."""
    device = results["devices"][0]
    nmse = device["nmse"]
    oracle = next((tally for tally in verdict.implementations if tally.role == "oracle"), None)
    table = Table(title="qcskit demo", show_header=False)
    table.add_row("rate", f"{manifest.rate_bits:g} bits/entry, {manifest.packed_bytes} bytes per vector")
    table.add_row("NMSE float", f"{manifest.nmse.float_db:.3f} dB ({manifest.nmse.frames:,} frames)")
    table.add_row(f"NMSE {manifest.arithmetic}", f"{manifest.nmse.int8_db:.3f} dB (same frames)")
    table.add_row(f"NMSE device ({device['label']})", f"{_db(nmse['device_db'])} ({nmse['frames']:,} frames)")
    table.add_row("NMSE int8, those frames", _db(nmse["int8_db"]))
    if oracle is not None:
        table.add_row("mismatches, host against TFLM", f"{oracle.mismatches} of {oracle.vectors:,}")
    table.add_row("mismatches, device", f"{device['mismatches']['count']} of {device['answered']:,}")
    table.add_row("encode on the device", encode_cost(device))
    table.add_row("report", str(report))
    return table


def encode_cost(device: dict[str, Any]) -> str:
    """Return the ticks per encode, as microseconds where the tick rate is known, or that they were not measured."""
    ticks, time_us = device["ticks"], device["device_time_us"]
    if not isinstance(ticks, dict):
        return "not measured"
    values, unit = (time_us, "µs") if isinstance(time_us, dict) else (ticks, ticks["unit"])
    return f"p50 {values['p50']:,}, p99 {values['p99']:,}, max {values['max']:,} {unit}"


def _db(value: float | str | None) -> str:
    return f"{value:.6f} dB" if isinstance(value, float) else "not measured"
