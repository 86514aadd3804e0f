"""`qcskit export`: run directory → bundle."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from qcskit.cli.common import (
    ConfigOption,
    JsonOption,
    QuietOption,
    SetOption,
    console,
    keys_option,
    load,
    native_chatter_hidden,
    print_json,
    show_made,
)
from qcskit.cli.design import NameOption, run_design
from qcskit.codec.errors import QcsError

_SHORT = "--coded"
"""Short form of --codec with this name."""


def export(
    run: Annotated[Path | None, typer.Argument(help="Run directory that 'qcskit train' wrote.")] = None,
    codec: Annotated[str | None, typer.Option(help="Design this codec instead, see 'qcskit design --help'.")] = None,
    short: Annotated[bool, typer.Option(_SHORT, help="Design the coded scheme of table \\[coded] instead.")] = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="Bundle directory to write.")] = Path("runs/bundle"),
    config: ConfigOption = None,
    settings: SetOption = None,
    name: NameOption = None,
    to: Annotated[
        str | None, typer.Option("--to", "-t", help="Also write BUNDLE-<format>, a library: see 'qcskit package'.")
    ] = None,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Go on if integers cost more NMSE than export.max_loss_db.")
    ] = False,
    keys: Annotated[bool, keys_option("export", "adc")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Turn a training run into a bundle: integers, C tables, decoder, golden vectors. Settings: [export], [adc]."""
    from qcskit.cli.package import write
    from qcskit.codec.files import check_replaceable
    from qcskit.export.packages import check_kind, check_package

    wanted = {*filter(None, (codec, _SHORT.strip("-") if short else None))}
    if len(wanted) + (run is not None) != 1:
        raise QcsError(f"export needs either a run directory or {_SHORT} or --codec NAME; see 'qcskit export --help'")
    settings_model = load("export", config, settings, name=name, allow_loss=allow_loss or None)
    check_replaceable(out, "manifest.json", *filter(None, [run]))
    library = out.with_name(f"{out.name}-{to}")
    if to is not None:
        check_kind(to)
        check_package(library)
    if run is None:
        manifest = run_design(wanted.pop(), out, settings_model, config, settings, quiet or json)
    else:
        manifest = run_export(run, out, settings_model, load("adc", config, settings), quiet or json)
    package = write([out], to, library, False, None)[0] if to else None
    if json:
        wrote = {"bundle": str(out), "package": str(package) if package else None}
        print_json(wrote | manifest.model_dump(mode="json"))
    elif not quiet:
        show_made("exported", out)
        if package:
            console.print(f"library for {to}: {package}", highlight=False)


def run_export(run: Path, out: Path, config: Any, adc: Any, quiet: bool) -> Any:
    """Export with a progress bar."""
    from qcskit.codec.files import locked

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        locked(out),
        native_chatter_hidden() as terminal,
        Progress(*columns, console=terminal, disable=quiet) as bar,
    ):
        task = bar.add_task("load TensorFlow", total=None)
        from qcskit.export.learned.run import export_run

        def progress(stage: str, done: int, total: int) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        return export_run(run, out, config, progress, adc)
