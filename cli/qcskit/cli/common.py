"""What the subcommands share: options, configuration, output."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

console = Console()
error_console = Console(stderr=True)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="TOML file, one table per component. Default: ./qcs.toml if it exists."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", metavar="TABLE.KEY=VALUE", help="Override any configuration key. Repeatable."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no tables; errors still show.")]

T = TypeVar("T")


def load(model: type[T], table: str, config: Path | None, settings: list[str] | None, **flags: object) -> T:
    """Return the configuration of one component: file, then --set, then the flags that are not None."""
    from qcskit.codec.config import load_table, parse_overrides

    path = config or (Path("qcs.toml") if Path("qcs.toml").is_file() else None)
    overrides = parse_overrides(settings or []).get(table, {})
    overrides |= {key: value for key, value in flags.items() if value is not None}
    return load_table(model, table, path, overrides)  # type: ignore[type-var]


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
            yield Console(file=terminal)
        except Exception as error:
            explain = not isinstance(getattr(error, "exit_code", None), int)
            raise
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            if explain:
                sink.seek(0)
                sys.stderr.write(sink.read().decode(errors="replace"))


def print_json(value: Any) -> None:
    """Print `value` as one JSON document on stdout."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False, default=str))


def keys_help(model: type[Any], table: str) -> str:
    """Return help text that lists every key of a configuration table with its default."""
    lines = [f"Keys of \\[{table}] (in qcs.toml, or --set {table}.KEY=VALUE):"]
    for name, field in model.model_fields.items():
        default = "required" if field.is_required() else f"default {field.default}"
        lines.append(f"\n\n• [bold]{name}[/]: {escape(field.description or '')} ({escape(default)})")
    return "".join(lines)
