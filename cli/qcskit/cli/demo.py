"""`qcskit demo`: train → export → simulate → hil → report in one go."""

from pathlib import Path
from typing import Annotated, Any

import typer

from qcskit.cli.common import (
    ConfigOption,
    JsonOption,
    QuietOption,
    SetOption,
    console,
    facts_table,
    keys_option,
    load,
    print_json,
)
from qcskit.codec.errors import CheckFailedError


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
    keys: Annotated[bool, keys_option("signal", "adc", "train", "export", "simulate", "hil")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train, export, simulate, measure on a board, report: everything in one go."""
    from qcskit.cli.export import run_export
    from qcskit.cli.hil_view import Show
    from qcskit.cli.simulate import run_simulate
    from qcskit.cli.train import run_training
    from qcskit.codec.codecs import open_codec
    from qcskit.codec.files import check_file, check_replaceable, locked
    from qcskit.hil.fleet import run_fleet
    from qcskit.hil.report.page import write_report

    silent = quiet or json
    board = port or default_port()
    # Every table is checked before the first long step.
    signal = load("signal", config, settings)
    recipe = load("train", config, settings, steps=steps)
    exporting = load("export", config, settings)
    converter = load("adc", config, settings)
    simulating = load("simulate", config, settings)
    measuring = load("hil", config, settings, port=[board])
    report = out / "report.html"
    check_replaceable(out / "bundle")
    for file in (out / "verdict.json", out / "results.json", report):
        check_file(file)
    with locked(report):
        run_training(out / "run", recipe, signal, silent)
        run_export(out / "run", out / "bundle", exporting, converter, silent)
        codec = open_codec(out / "bundle")
        verdict = run_simulate(codec.bundle, simulating, out / "verdict.json", None, silent)
        with Show(enabled=not silent) as show:
            results = run_fleet(codec, measuring, out=out / "results.json", resume=False, progress=show.progress)
        checked = verdict.model_dump(exclude={"chunks_done"})
        write_report(codec, results, checked, report)
    if json:
        print_json({"report": str(report), "verdict": checked, **results})
    elif not quiet:
        console.print(facts_table("qcskit demo", closing_rows(codec, verdict, results, report)))
    if not (verdict.passed and results["verdict"]["ok"]):
        raise CheckFailedError(f"host and board do not agree; see {out / 'verdict.json'} and {out / 'results.json'}")


def default_port() -> str:
    """Return emu:cortex-m4 if its compiler and emulator are installed, else emu:native."""
    from qcskit.firmware import find_board

    return "emu:native" if find_board("cortex-m4").missing else "emu:cortex-m4"


def closing_rows(codec: Any, verdict: Any, results: dict[str, Any], report: Path) -> dict[str, str]:
    """Return the figures that matter, measured or said not to be."""
    device, exported = results["devices"][0], codec.bundle.manifest.nmse
    nmse = device["nmse"]
    rows = {
        "rate": f"{codec.rate_bits:g} bits/entry, {codec.packed_bytes_max} bytes per vector",
        "NMSE float": f"{exported.float_db:.3f} dB ({exported.frames:,} frames)",
        "NMSE deployed": f"{exported.deployed_db:.3f} dB (same frames)",
        f"NMSE device ({device['label']})": f"{_db(nmse['device_db'])} ({nmse['frames']:,} frames)",
        "NMSE deployed, those frames": _db(nmse["deployed_db"]),
    }
    for tally in verdict.implementations:
        if tally.role == "oracle":
            rows[f"mismatches, host against {tally.name}"] = f"{tally.mismatches} of {tally.vectors:,}"
    return rows | {
        "mismatches, device": f"{device['mismatches']['count']} of {device['answered']:,}",
        "encode on the device": encode_cost(device),
        "report": str(report),
    }


def encode_cost(device: dict[str, Any]) -> str:
    """Return the ticks per encode, as microseconds where the tick rate is known, or that they were not measured."""
    ticks, time_us = device["ticks"], device["device_time_us"]
    if not isinstance(ticks, dict):
        return "not measured"
    values, unit = (time_us, "µs") if isinstance(time_us, dict) else (ticks, ticks["unit"])
    return f"p50 {values['p50']:,}, p99 {values['p99']:,}, max {values['max']:,} {unit}"


def _db(value: float | str | None) -> str:
    return f"{value:.6f} dB" if isinstance(value, float) else "not measured"
