"""`qcskit design`: a bundle without training, of any family that has a designer."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from qcskit.cli import completion
from qcskit.cli.bar import Bar
from qcskit.cli.common import (
    ConfigOption,
    JsonOption,
    QuietOption,
    SetOption,
    error_console,
    load,
    print_json,
    print_keys,
    show_made,
)
from qcskit.cli.layout import BUNDLE
from qcskit.codec.errors import QcsError

NameOption = Annotated[str | None, typer.Option(help="Model name, part of the C identifiers.")]


class Command(TyperCommand):
    """A command whose help ends with what can be designed; the registry is asked when the help is."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        known = (f"\n\n• {', '.join(family.room('design').METHODS)}: {family.about}" for family in _designed())
        self.help = f"{self.help}\n\nCODEC is one of{''.join(known)}"
        super().format_help(ctx, formatter)


def design(
    codec: Annotated[
        str | None, typer.Argument(help="Codec to design, see below.", autocompletion=completion.codecs)
    ] = None,
    same: Annotated[str | None, typer.Option("--codec", help="The same as CODEC.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Bundle directory to write.")] = BUNDLE,
    name: NameOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    keys: Annotated[bool, typer.Option("--keys", help="List the configuration keys of CODEC and exit.")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make the bundle of a codec that needs no training, from its own tables and [export] alone."""
    if codec and same:
        raise QcsError(f"give the codec once, not '{codec}' and --codec {same}")
    wanted = codec or same
    if keys:
        rooms = [find_designer(wanted)] if wanted else [family.room("design") for family in _designed()]
        from qcskit.export.config import FOR_DESIGNS

        tables = dict.fromkeys(table for room in rooms for table in room.TABLES)
        print_keys(*tables, "export", only={"export": FOR_DESIGNS})
        return
    if wanted is None:
        raise QcsError("which codec? 'qcskit design --help' lists them")
    manifest = run_design(wanted, out, load("export", config, settings, name=name), config, settings, quiet or json)
    if json:
        print_json({"bundle": str(out), **manifest.model_dump(mode="json")})
    elif not quiet:
        show_made("designed", out)


def run_design(codec: str, out: Path, export: Any, config: Path | None, settings: list[str] | None, quiet: bool) -> Any:
    """Design a codec, with a spinner: fitting and measuring it takes seconds. Return its manifest."""
    from qcskit.codec.files import check_replaceable, locked

    room = find_designer(codec)
    chosen = room.chosen(codec) if codec in room.METHODS else {}  # of a family's name its table says which
    tables = {table: load(table, config, settings, **chosen.get(table, {})) for table in room.TABLES}
    check_replaceable(out)
    with locked(out), Bar(error_console, quiet, transient=True) as bar:
        bar.add_task(f"design and measure {codec}")
        return room.design(out, tables, export)


def find_designer(codec: str) -> Any:
    """Return the design room of a codec or family. Raises QcsError that names the nearest one, or the way to go."""
    from qcskit.codec.codecs import families
    from qcskit.codec.config import nearest

    known = {family.kind: family for family in families()}
    known |= {method: family for family in _designed() for method in family.room("design").METHODS}
    if codec not in known:
        raise QcsError(f"there is no codec '{codec}'; {nearest(codec, list(known))}")
    return known[codec].room("design")


def _designed() -> list[Any]:
    from qcskit.codec.codecs import families

    return [family for family in families() if family.design]
