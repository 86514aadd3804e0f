"""`qcskit demo`: train → export → simulate → hil → report in one go."""

import tomllib
from dataclasses import dataclass
from importlib.util import find_spec
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
    given_keys,
    keys_option,
    load,
    print_json,
)
from qcskit.cli.layout import claim
from qcskit.codec.errors import CheckFailedError, QcsError


@dataclass(frozen=True)
class Example:
    """An entry of examples.toml: a real recording inside a package of PyPI, and what is set for it."""

    about: str
    package: str
    file: str
    set: tuple[str, ...]
    codec: str | None = None

    def settings(self) -> list[str]:
        """Return the settings with the path of the recording. Raises QcsError if the package is not installed."""
        spec = find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise QcsError(f"the recording is in the package {self.package}: pip install 'qcskit[examples]'")
        path = Path(spec.submodule_search_locations[0]) / self.file
        return ["signal.source=recorded", f'signal.recording="{path.as_posix()}"', *self.set]


EXAMPLES = {
    name: Example(**entry)
    for name, entry in tomllib.loads(Path(__file__).with_name("examples.toml").read_text(encoding="utf-8")).items()
}


def demo(
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Directory for run, bundle, results and report; default runs/demo, of an example runs/NAME.",
        ),
    ] = None,
    example: Annotated[
        str | None,
        typer.Option(help=f"A real recording instead of the synthetic source: {', '.join(EXAMPLES)}."),
    ] = None,
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
    """Train, export, simulate, measure on a board, report: everything in one go.

    With --example on a real recording: a codec is designed for it, or trained where the name says learned.
    """
    from qcskit.cli.design import run_design
    from qcskit.cli.export import run_export
    from qcskit.cli.hil_view import Show
    from qcskit.cli.report import weigh
    from qcskit.cli.simulate import run_simulate
    from qcskit.cli.train import run_training
    from qcskit.codec.codecs import open_codec
    from qcskit.codec.files import check_file, check_replaceable, locked
    from qcskit.hil.fleet import run_fleet
    from qcskit.hil.report.page import write_report

    silent = quiet or json
    recording = found(example)
    out = out or Path("runs") / (example or "demo")
    load("train", config, settings, steps=steps)  # refuses --steps beside --set; the recording's steps give way
    settings = [*(recording.settings() if recording else ()), *(settings or ())]
    settings += [] if steps is None else [f"train.steps={steps}"]
    board = port or (None if "port" in given_keys("hil", config, settings) else default_port())
    # Every table is checked before the first long step.
    signal = load("signal", config, settings)
    recipe = load("train", config, settings)
    exporting = load("export", config, settings)
    converter = load("adc", config, settings)
    simulating = load("simulate", config, settings)
    measuring = load("hil", config, settings, port=board and [board])
    report = out / "report.html"
    check_replaceable(out / "bundle")
    for file in (out / "verdict.json", out / "results.json", report):
        check_file(file)
    with locked(report):
        if recording and recording.codec:
            run_design(recording.codec, out / "bundle", exporting, config, settings, silent)
        else:
            run_training(out / "run", recipe, signal, silent)
            run_export(out / "run", out / "bundle", exporting, converter, silent)
        codec = open_codec(out / "bundle")
        for file in (out / "verdict.json", out / "results.json", report):
            claim(file, codec.bundle.manifest.model_id)
        verdict = run_simulate(codec.bundle, simulating, out / "verdict.json", None, silent)
        with Show(enabled=not silent) as show:
            results = run_fleet(codec, measuring, out=out / "results.json", resume=False, progress=show.progress)
        checked = verdict.model_dump(exclude={"chunks_done"})
        write_report(codec, results, checked, report, weigh(codec, results))
    if json:
        print_json({"report": str(report), "verdict": checked, **results})
    elif not quiet:
        rows = {"recording": recording.about} if recording else {}
        console.print(facts_table("qcskit demo", rows | closing_rows(codec, verdict, results, report)))
    if not (verdict.passed and results["verdict"]["ok"]):
        raise CheckFailedError(f"host and board do not agree; see {out / 'verdict.json'} and {out / 'results.json'}")


def found(example: str | None) -> Example | None:
    """Return the example of a name, None for none. Raises QcsError if there is no such example."""
    from qcskit.codec.config import nearest

    if example is None or example in EXAMPLES:
        return EXAMPLES.get(example or "")
    raise QcsError(f"there is no example '{example}'; {nearest(example, list(EXAMPLES))}")


def default_port() -> str:
    """Return emu:cortex-m4 if its compiler and emulator are installed, else emu:native."""
    from qcskit.firmware import find_board

    return "emu:native" if find_board("cortex-m4").missing else "emu:cortex-m4"


def closing_rows(codec: Any, verdict: Any, results: dict[str, Any], report: Path) -> dict[str, str]:
    """Return the figures that matter, measured or said not to be."""
    device, exported = results["devices"][0], codec.bundle.manifest.nmse
    nmse, sizes, most = device["nmse"], device["packet_bytes"], codec.packed_bytes_max
    length = f"{most}" if sizes["min"] == most else f"{sizes['mean']:.1f}"
    rows = {
        "rate": f"{codec.rate_bits:.4g} bits/entry, {length} bytes per {codec.inputs} counts",
        "NMSE float": f"{_db(exported.float_db, 3)} ({exported.frames:,} frames)",
        "NMSE deployed": f"{_db(exported.deployed_db, 3)} (same frames)",
        f"NMSE device ({device['label']})": f"{_db(nmse['device_db'])} ({nmse['frames']:,} frames)",
        "NMSE deployed, those frames": _db(nmse["deployed_db"]),
    }
    unit, close = codec.bundle.manifest.adc.unit, nmse["fidelity"]
    if unit and isinstance(close, dict):
        rows["what comes back"] = f"PRD {close['prd_percent']:.2f} %, largest error {close['largest_error']:.3g} {unit}"
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


def _db(value: float | str | None, digits: int = 6) -> str:
    return f"{value:.{digits}f} dB" if isinstance(value, float) else "not measured"
