"""`qcskit export`: run directory → bundle."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from qcskit.cli.common import (
    ConfigOption,
    JsonOption,
    QuietOption,
    SetOption,
    console,
    error_console,
    load,
    native_chatter_hidden,
    print_json,
)

PROFILES = {
    "tflm": "int8, what TFLite Micro computes",
    "native": "int8, thresholds on the last accumulators",
    "tflm16": "16-bit activations, what TFLite Micro computes",
}


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    about = "Turn a training run into a bundle: integer flatbuffer, C tables, decoder, golden vectors."
    app.command("export", help=about)(export)


def export(
    run: Annotated[Path | None, typer.Argument(help="Run directory that 'qcskit train' wrote.")] = None,
    coded: Annotated[
        bool, typer.Option("--coded", help="Export the coded scheme of table \\[coded] instead; needs no run.")
    ] = False,
    codec: Annotated[
        str | None,
        typer.Option(help="Export this codec instead, ce-usq-omp for example, of \\[signal] and \\[classical]."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Bundle directory to write.")] = Path("runs/bundle"),
    config: ConfigOption = None,
    settings: SetOption = None,
    name: Annotated[str | None, typer.Option(help="Model name, part of the C identifiers.")] = None,
    to: Annotated[
        str | None, typer.Option("--to", "-t", help="Also write BUNDLE-<format>, a library: see 'qcskit package'.")
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Export with the settings of `[export]`."""
    from qcskit.cli.package import write
    from qcskit.codec.errors import QcsError
    from qcskit.export.config import ExportConfig
    from qcskit.export.packages import check_kind

    coded, codec = coded or codec == "coded", None if codec == "coded" else codec
    if [run is not None, coded, codec is not None].count(True) != 1:
        raise QcsError("export needs either a run directory or --coded or --codec NAME; see 'qcskit export --help'")
    settings_model = load(ExportConfig, "export", config, settings, name=name)
    if to is not None:
        check_kind(to)
    if codec is not None:
        manifest = run_classical(out, settings_model, codec, config, settings, quiet or json)
    elif run is None:
        manifest = run_coded(out, settings_model, config, settings, quiet or json)
    else:
        manifest = run_export(run, out, settings_model, quiet or json)
    package = write([out], to, out.with_name(f"{out.name}-{to}"), False, None)[0] if to else None
    if json:
        print_json(
            {
                "bundle": str(out),
                "package": str(package) if package else None,
                **manifest.model_dump(exclude={"history", "files"}),
            }
        )
    elif not quiet:
        console.print(summary(out, manifest))
        if package:
            console.print(f"library for {to}: {package}", highlight=False)


def run_export(run: Path, out: Path, config: Any, quiet: bool) -> Any:
    """Export with a progress bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with native_chatter_hidden() as terminal, Progress(*columns, console=terminal, disable=quiet) as bar:
        task = bar.add_task("load TensorFlow", total=None)
        from qcskit.export.run import export_run

        def progress(stage: str, done: int, total: int) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        return export_run(run, out, config, progress)


def run_coded(out: Path, export: Any, config: Path | None, settings: list[str] | None, quiet: bool) -> Any:
    """Export the scheme of `[coded]`, with a spinner: designing and measuring it takes seconds."""
    from qcskit.codec.coded.scheme import CodedConfig
    from qcskit.export.coded import export_coded

    scheme = load(CodedConfig, "coded", config, settings)
    with error_console.status("design and measure the code") if not quiet else nullcontext():
        return export_coded(out, scheme, export)


def run_classical(
    out: Path, export: Any, codec: str, config: Path | None, settings: list[str] | None, quiet: bool
) -> Any:
    """Export a classical codec, with a spinner: fitting and testing it takes seconds."""
    from qcskit.codec.classical.config import ClassicalConfig
    from qcskit.codec.signal import SignalConfig
    from qcskit.export.classical import export_classical

    wanted = load(ClassicalConfig, "classical", config, settings, codec=codec)
    signal = load(SignalConfig, "signal", config, settings)
    with error_console.status(f"fit and test {codec}") if not quiet else nullcontext():
        return export_classical(out, wanted, signal, export)


def summary(out: Path, manifest: Any) -> Table:
    """Return the closing table of an export."""
    table = Table(title="exported", show_header=False)
    if manifest.coded is not None:
        return coded_summary(table, out, manifest)
    if manifest.classical is not None:
        return classical_summary(table, out, manifest)
    loss = manifest.nmse.int8_db - manifest.nmse.float_db
    table.add_row("bundle", str(out))
    table.add_row("model", f"{manifest.name}, id {manifest.model_id}, EncNet {'-'.join(map(str, manifest.widths))}")
    table.add_row(
        "rate", f"{manifest.rate_bits:g} bits/entry: {manifest.packed_bits} bits, {manifest.packed_bytes} bytes"
    )
    table.add_row("profile", f"{manifest.profile}: {PROFILES[manifest.profile]}")
    table.add_row("NMSE float", f"{manifest.nmse.float_db:.2f} dB")
    table.add_row(
        f"NMSE {manifest.arithmetic}",
        f"{manifest.nmse.int8_db:.2f} dB ({loss:+.2f} dB, {manifest.nmse.frames:,} frames)",
    )
    table.add_row("next", f"qcskit simulate {out}")
    return table


def coded_summary(table: Table, out: Path, manifest: Any) -> Table:
    """Return the closing table of a coded export."""
    c = manifest.coded
    table.add_row("bundle", str(out))
    table.add_row("code", f"{manifest.name}, id {manifest.model_id}: n = {c.n}, k = {c.k}, p = {c.p}, m = {c.m}")
    table.add_row(
        "rate", f"{manifest.rate_bits:g} bits/entry: {manifest.packed_bits} bits, {manifest.packed_bytes} bytes"
    )
    table.add_row("device", f"sawtooth of period 2^{c.period_bits} counts, ADC offset {manifest.adc.offset_counts}")
    table.add_row("perfect recovery", f"{c.perfect_recovery:.5f} of {c.frames:,} vectors at {c.snr_db:.2f} dB "
                  f"(flagged {c.flagged:.5f})")  # fmt: skip
    table.add_row("beyond k", "k + 1 non-zeros are always noticed" if c.guard else
                  "k + 1 non-zeros may be decoded to a wrong x unnoticed; set coded.guard = true")  # fmt: skip
    table.add_row("next", f"qcskit simulate {out}")
    return table


def classical_summary(table: Table, out: Path, manifest: Any) -> Table:
    """Return the closing table of a classical codec's export."""
    c, nmse = manifest.classical, manifest.nmse
    fitted = ", ".join(f"{key} {value:.4g}" for key, value in c.tuning.items()) or "nothing"
    table.add_row("bundle", str(out))
    table.add_row("codec", f"{c.method}, model {manifest.name}, id {manifest.model_id}")
    table.add_row("device", f"{manifest.inputs} measurements, {manifest.levels} cells each, thresholds in ADC counts")
    table.add_row("fitted", f"{fitted}; on {c.train_frames:,} frames")
    table.add_row(
        "rate", f"{manifest.rate_bits:g} bits/entry: {manifest.packed_bits} bits, {manifest.packed_bytes} bytes"
    )
    table.add_row("NMSE float", f"{nmse.float_db:.2f} dB")
    table.add_row("NMSE on ADC counts", f"{nmse.int8_db:.2f} dB (the same {nmse.frames:,} frames)")
    table.add_row("next", f"qcskit simulate {out}")
    return table
