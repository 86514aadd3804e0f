"""`qcskit export`: run directory, or a model of one's own → bundle."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from qcskit.cli import completion
from qcskit.cli.bar import Bar
from qcskit.cli.common import (
    FILES,
    OWN_MODEL,
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
from qcskit.cli.layout import BUNDLE, RUN
from qcskit.codec.errors import QcsError

_SHORT = "--coded"
"""Short form of --codec with this name."""


def export(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN|MODEL]",
            show_default=f"{RUN}",
            help="Run directory that 'qcskit train' wrote, or a .keras or .tflite of your own.",
        ),
    ] = None,
    codec: Annotated[
        str | None,
        typer.Option(help="Design this codec instead, see 'qcskit design --help'.", autocompletion=completion.codecs),
    ] = None,
    short: Annotated[bool, typer.Option(_SHORT, help="Design the coded scheme of table \\[coded] instead.")] = False,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Bundle directory to write.", rich_help_panel=FILES)
    ] = BUNDLE,
    config: ConfigOption = None,
    settings: SetOption = None,
    name: NameOption = None,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            metavar="Y", help="y (frames, M) as your model takes them, .npy, .npz or .csv.", rich_help_panel=OWN_MODEL
        ),
    ] = None,
    pairs: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="X Y", help="x and y on which its decoder is fine-tuned to the integers.", rich_help_panel=OWN_MODEL
        ),
    ] = None,
    test: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="X Y",
            help="x and y to measure on; the same file twice: the device sees x.",
            rich_help_panel=OWN_MODEL,
        ),
    ] = None,
    thresholds: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A .tflite: thresholds of its outputs, ascending.", rich_help_panel=OWN_MODEL
        ),
    ] = None,
    levels: Annotated[
        int | None,
        typer.Option(help="A .tflite: so many equal cells instead of thresholds.", rich_help_panel=OWN_MODEL),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            "-t",
            help="Also write BUNDLE-<format>, a library: see 'qcskit package'.",
            rich_help_panel=FILES,
            autocompletion=completion.packages,
        ),
    ] = None,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Go on if integers cost more NMSE than export.max_loss_db.")
    ] = False,
    keys: Annotated[bool, keys_option("export", "adc")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Turn a training run, or a model of yours, into a bundle: integers, C tables, decoder, golden vectors.

    Settings: [export], [adc]. A model of yours is any Keras model with a qcskit.training.SHQ layer, or an int8 .tflite.
    """
    from qcskit.cli.package import write
    from qcskit.codec.files import check_replaceable
    from qcskit.export.packages import check_kind, check_package

    wanted = {*filter(None, (codec, _SHORT.strip("-") if short else None))}
    if len(wanted) + (model is not None) > 1:
        raise QcsError(f"export takes one of a run, a model, {_SHORT} and --codec NAME; see 'qcskit export --help'")
    if not wanted:
        model = model or RUN
    files = {"calibrate": calibrate, "pairs": pairs, "test": test, "thresholds": thresholds, "levels": levels}
    given = {key: value for key, value in files.items() if value is not None}
    for option, pair in (("--pairs", pairs), ("--test", test)):
        if pair and str(pair[1]).startswith("-"):
            raise QcsError(f"{option} takes two files, X and Y, and got '{pair[0]}' and the option {pair[1]}; "
                           "where the device sees x itself give one file twice")  # fmt: skip
    if model and model.is_file() and not model.suffix:
        raise QcsError(f"'{model}' is a file without a suffix: name your model .keras or .tflite, as it is")
    kind = model.suffix.lower() if model and not model.is_dir() else ""
    _check_options(kind, given)
    settings_model = load("export", config, settings, name=name, allow_loss=allow_loss or None)
    if model and (model / "manifest.json").is_file():
        _run_name(model)  # a bundle: the most likely mistake is not told as one of --out
    check_replaceable(out, "manifest.json", *filter(None, [model]))
    library = out.with_name(f"{out.name}-{to}")
    owner = load("package", config, settings)
    if to is not None:
        check_kind(to)
        check_package(library)
    silent = quiet or json
    if model is None:
        manifest = run_design(wanted.pop(), out, settings_model, config, settings, silent)
    elif kind:
        manifest = _export_own(model, kind, given, out, settings_model, load("adc", config, settings), silent)
    else:
        manifest = run_export(model, out, settings_model, load("adc", config, settings), silent)
    package = write([out], to, library, False, owner)[0] if to else None
    if json:
        wrote = {"bundle": str(out), "package": str(package) if package else None}
        print_json(wrote | manifest.model_dump(mode="json"))
    elif not quiet:
        show_made("exported", out)
        if package:
            console.print(f"library for {to}: {package}", highlight=False, soft_wrap=True)


def _run_name(run: Path) -> str:
    """Return the name of a run's model, before TensorFlow is loaded. Raises QcsError if it is no run."""
    from qcskit.training.run import read_metrics

    return read_metrics(run)[1].train.name


_TAKES = {"": (), ".keras": ("calibrate", "pairs", "test"), ".tflite": ("calibrate", "thresholds", "levels")}
"""Which options each kind of model takes."""


def _check_options(kind: str, given: dict[str, Any]) -> None:
    if kind not in _TAKES:
        raise QcsError(f"a model is a .keras or a .tflite file, not '{kind}'; see 'qcskit export --help'")
    for option in given:
        if option not in _TAKES[kind]:
            other = next(suffix for suffix, options in _TAKES.items() if option in options)
            raise QcsError(f"--{option} goes with a model of yours, a {other} file; see 'qcskit export --help'")


def _export_own(model: Path, kind: str, given: dict[str, Any], out: Path, config: Any, adc: Any, quiet: bool) -> Any:
    """Export a model that the kit did not train, with a progress bar."""
    from qcskit.codec.readers import read_array

    def read(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(read_array(file) for file in value)
        return read_array(value) if isinstance(value, Path) else value

    data = {"calibration" if key == "calibrate" else key: read(value) for key, value in given.items()}
    calibration = data.pop("calibration", None)
    with _progress(out, quiet) as progress:
        from qcskit.export.learned.own import export_model
        from qcskit.export.learned.tflite_model import export_tflite

        export_it: Any = export_tflite if kind == ".tflite" else export_model
        codec = export_it(model, calibration, out=out, config=config, adc=adc, progress=progress, **data)
        return codec.bundle.manifest


def run_export(run: Path, out: Path, config: Any, adc: Any, quiet: bool) -> Any:
    """Export a run with a progress bar."""
    from qcskit.codec.files import check_named, locked

    with locked(out):
        check_named(out, config.name or _run_name(run))
        with _progress(out, quiet) as progress:
            from qcskit.export.learned.run import export_run

            return export_run(run, out, config, progress, adc)


@contextmanager
def _progress(out: Path, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    from qcskit.codec.files import locked

    with locked(out), native_chatter_hidden() as terminal, Bar(terminal, quiet) as bar:
        task = bar.add_task("load TensorFlow")
        yield lambda stage, done, total: bar.update(task, description=stage, completed=done, total=total)
