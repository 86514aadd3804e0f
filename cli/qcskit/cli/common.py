"""What the subcommands share: options, configuration, output."""

import json
import os
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from qcskit.cli import completion
from qcskit.cli.sheet import Sheet
from qcskit.codec.errors import QcsError
from qcskit.codec.foreign import printable


class Screen(Console):
    """Shows text as text, wherever it is from: a string holds no markup, and what does not print is an escape.

    What has a style is a `Text`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return the text of a string: escaped here, a table knows how wide it is."""
        return super().render_str(printable(text, keep="\n\t"), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of anything that is shown: all that reaches the terminal passes here."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text, keep="\n"), segment.style)


console = Screen()
error_console = Screen(stderr=True)


def _tell_configuration(context: typer.Context, config: Path | None) -> Path | None:
    """Say which file is read, unless the verb is to be quiet or prints JSON."""
    path = config_path(config)
    silent = context.resilient_parsing or any(context.params.get(name) for name in ("quiet", "json", "as_json"))
    if path and not silent:
        error_console.print(f"configuration: {path}", style="dim", soft_wrap=True, highlight=False)
    return config


SETTINGS, SHOWN, FILES = "Settings", "What is shown", "Input and output"
OWN_DATA, OWN_MODEL = "Your own data", "Your own model"
"""Panels of a verb's help."""
BundleArgument = Annotated[Path, typer.Argument(help="Bundle directory that 'qcskit export' or 'design' wrote.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        callback=_tell_configuration,
        rich_help_panel=SETTINGS,
        help="TOML file, one table per component. Default: ./qcs.toml if it exists, without ports and programs.",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", "-s", metavar="TABLE.KEY=VALUE", rich_help_panel=SETTINGS, autocompletion=completion.settings,
        help="Override any configuration key; without VALUE it is as if the file did not name it. Repeatable.",
    ),
]  # fmt: skip
# Eager: known before the configuration is told.
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json", is_eager=True, rich_help_panel=SHOWN, help="Print one JSON object on stdout and nothing else."
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", is_eager=True, rich_help_panel=SHOWN, help="No progress, no tables; errors still show."
    ),
]

_MODELS = {
    "signal": "qcskit.codec.signal.SignalConfig",
    "adc": "qcskit.codec.sensor.AdcConfig",
    "train": "qcskit.training.config.TrainConfig",
    "export": "qcskit.export.config.ExportConfig",
    "package": "qcskit.export.packages.config.PackageConfig",
    "simulate": "qcskit.firmware_sim.config.SimulateConfig",
    "hil": "qcskit.hil.config.HilConfig",
    "sweep": "qcskit.training.sweep.SweepConfig",
    "decode": "qcskit.codec.stream.DecodeConfig",
}
"""Configuration tables of the components; families of codecs bring their own."""

_LIMITS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def model_of(table: str) -> Any:
    """Return the model of a configuration table. Raises QcsError if nothing here reads it."""
    if table in _MODELS:
        module, _, name = _MODELS[table].rpartition(".")
        return vars(import_module(module))[name]
    from qcskit.codec.codecs import families

    for family in families():
        if family.design and table in family.room("design").TABLES:
            return family.room("design").TABLES[table]
        if family.sweep and table in family.room("sweep").TABLES:
            return family.room("sweep").TABLES[table]
    raise QcsError(f"there is no configuration table [{table}]")


def load(table: str, config: Path | None, settings: list[str] | None, **flags: object) -> Any:
    """Return one table of the configuration: the file, then --set, then the flags that are not None.

    A file that was found, not named, may not set the keys that run or open something. Raises QcsError if --set and a
    flag say different things of a key.
    """
    from qcskit.codec.config import load_table, parse_overrides

    overrides = parse_overrides(settings or []).get(table, {})
    flags = {key: value for key, value in flags.items() if value is not None}
    for key in overrides.keys() & flags.keys():
        if overrides[key] != flags[key]:
            raise QcsError(f"--set makes {table}.{key} {overrides[key]}, the command's own option or argument "
                           f"{flags[key]}; give one of them")  # fmt: skip
    overrides |= flags
    return load_table(model_of(table), table, config_path(config), overrides, named=config is not None)


def given_keys(table: str, config: Path | None, settings: list[str] | None) -> set[str]:
    """Return the keys of a table that the file or --set name."""
    from qcskit.codec.config import parse_overrides, read_toml

    named = read_toml(config_path(config)), parse_overrides(settings or [])
    return {key for tables in named for key in tables.get(table, {})}


def config_path(config: Path | None) -> Path | None:
    """Return the configuration file that is read."""
    return config or (Path("qcs.toml") if Path("qcs.toml").is_file() else None)


@contextmanager
def native_chatter_hidden() -> Iterator[Console]:
    """Keep what native libraries write to file descriptor 2 off the terminal; yield a console that still reaches it.

    After an unexpected exception the chatter is printed, because it may explain it.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as sink, os.fdopen(os.dup(2), "w") as terminal:
        os.dup2(sink.fileno(), 2)
        explain = False
        try:
            yield Screen(file=terminal)
        except Exception as error:
            explain = not isinstance(error, QcsError)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            if explain:
                sink.seek(0)
                sys.stderr.write(printable(sink.read().decode(errors="replace"), keep="\n\t"))


def print_json(value: Any) -> None:
    """Print `value` as one JSON document on stdout; bytes as hex."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False, default=_plain))


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def facts_table(title: str, rows: dict[str, str]) -> Table:
    """Return a table of labels and what they say."""
    table = Sheet(title=title, show_header=False)
    for label, text in rows.items():
        table.add_row(label, text)
    return table


def bundle_rows(codec: Any) -> dict[str, str]:
    """Return what a bundle is and what was measured of it, label → text."""
    manifest = codec.bundle.manifest
    nmse, frames = manifest.nmse, f"{manifest.nmse.frames:,} frames"
    rows = {"bundle": str(codec.bundle.path), "model": f"{codec.name}, id {manifest.model_id}", **codec.describe()}
    if nmse.float_db is not None:
        rows["NMSE float"] = f"{nmse.float_db:.2f} dB"
        frames = f"{(nmse.deployed_db or 0.0) - nmse.float_db:+.2f} dB, the same {frames}"
    if nmse.deployed_db is not None:
        rows["NMSE deployed"] = f"{nmse.deployed_db:.2f} dB ({frames})"
        if nmse.deployed_db >= 0:
            rows["attention"] = ("what comes back is worse than sending nothing: this codec does not fit this signal; "
                                 "try another signal.basis (dct, haar, db4) or signal.matrix; of a model of your own, "
                                 "are x and y in its units, and in this order?")  # fmt: skip
    else:
        exact = nmse.frames and (codec.exact or (nmse.fidelity and nmse.fidelity.exact))
        rows["NMSE deployed"] = f"exact, {frames}" if exact else "not measured"
    return rows


def signal_rows(codec: Any) -> dict[str, str]:
    """Return what the device sees and how close comes what is decoded, in the sensor's units, label → text."""
    manifest = codec.bundle.manifest
    signal, adc, nmse = manifest.signal, manifest.adc, manifest.nmse
    sees = f"y = Φ x of an analog front end, M = {signal.m} of N = {signal.n}, Φ {signal.matrix}"
    if signal.matrix == "none":
        sees = f"y that came with the model, M = {signal.m}; x_hat has N = {signal.n} entries"
    if signal.direct:
        sees = f"samples of x, M = {signal.m} of N = {signal.n}" if signal.m < signal.n else f"x itself, N = {signal.n}"
    rows = {"device sees": sees, "ADC": adc.describe()}
    if (signal.offset, signal.scale) != (0.0, 1.0):
        unit = f" {adc.unit}" if adc.unit else ""
        rows["x"] = f"about {signal.offset:.6g}{unit}, standard deviation {signal.scale:.4g}{unit} (training part)"
    if nmse.clipped:
        worst = max(range(len(nmse.clipped)), key=nmse.clipped.__getitem__)
        share = sum(nmse.clipped) / len(nmse.clipped)
        most = f", most at input {worst}: {nmse.clipped[worst]:.2%}" if share else ""
        rows["clipped"] = f"{share:.2%} of the counts{most}"
    return rows | ({"fidelity": nmse.fidelity.describe(adc.unit)} if nmse.fidelity else {})


def show_made(title: str, path: Path) -> None:
    """Print what a bundle that was just written is, and what comes next."""
    from qcskit.codec.codecs import open_codec

    codec = open_codec(path)
    rows = bundle_rows(codec) | signal_rows(codec) | {"next": f"qcskit simulate {path}"}
    console.print(facts_table(title, rows))


def keys_option(*tables: str) -> Any:
    """Return the option --keys of a verb that reads these tables."""

    def show(wanted: bool) -> None:
        if wanted:
            print_keys(*tables)
            raise typer.Exit

    return typer.Option(
        "--keys", help="List every configuration key and exit.", is_eager=True, callback=show, rich_help_panel=SETTINGS
    )


def print_keys(*tables: str, only: Mapping[str, Collection[str]] | None = None) -> None:
    """Print every key of configuration tables, or of some tables `only` these: default, range, meaning."""
    from qcskit.codec.config import TRUSTED

    for table in tables:
        lines = [Text(f"Keys of [{table}] (in qcs.toml, or --set {table}.KEY=VALUE):")]
        model = model_of(table)
        schema = model.model_json_schema()["properties"]
        shown = (only or {}).get(table, model.model_fields)
        for name, field in ((name, field) for name, field in model.model_fields.items() if name in shown):
            default = "required" if field.is_required() else f"default {field.default}"
            place = "not from a qcs.toml that -c does not name" if field.json_schema_extra == TRUSTED else ""
            words = ", ".join(filter(None, (default, _allowed(schema[name]), place)))
            lines.append(Text.assemble("• ", (name, "bold"), f": {field.description or ''} ({words})"))
        console.print(*lines, "", sep="\n\n", highlight=False)


def _allowed(schema: dict[str, Any]) -> str:
    """Return what a key may be: its choices or its limits.

    >>> _allowed({"type": "integer", "minimum": 2}), _allowed({"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]})
    ('>= 2', 'one of a, b')
    """
    for option in schema.get("anyOf", [schema]):
        if "enum" in option:
            return f"one of {', '.join(map(str, option['enum']))}"
        limits = [f"{sign} {option[word]}" for word, sign in _LIMITS.items() if word in option]
        if limits:
            return " and ".join(limits)
    return ""
