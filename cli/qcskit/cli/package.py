"""`qcskit package`: bundles → a library for Arduino, PlatformIO, Zephyr, ESP-IDF, CMSIS or CMake."""

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.markup import escape

from qcskit.cli import completion
from qcskit.cli.common import (
    ConfigOption,
    JsonOption,
    QuietOption,
    SetOption,
    console,
    keys_option,
    load,
    print_json,
)
from qcskit.cli.layout import BUNDLE

if TYPE_CHECKING:
    from qcskit.export.packages import PackageConfig

_OWNER = escape("What the library says of itself, [package]")


class Written(NamedTuple):
    """A library that was written. names: its files. replaced: what stood there before, "" if nothing that differs."""

    path: Path
    names: list[str]
    library: str
    version: str
    replaced: str
    next: str


def package(
    bundles: Annotated[
        list[Path] | None,
        typer.Argument(metavar="BUNDLE", show_default=f"{BUNDLE}", help="Bundle; several share one core."),
    ] = None,
    to: Annotated[
        str,
        typer.Option(
            "--to", "-t", help="arduino, platformio, zephyr, esp-idf, cmsis-pack or plain (CMake).",
            autocompletion=completion.packages,
        ),
    ] = ...,  # type: ignore[assignment]
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Directory to write; default runs/<format>/qcs_<model>.")
    ] = None,
    agent: Annotated[bool, typer.Option("--agent", help="Add the serial agent that 'qcskit hil' talks to.")] = False,
    version: Annotated[
        str | None,
        typer.Option(rich_help_panel=_OWNER, help="Version of the library, raised by you; default 0.1.0+<model id>."),
    ] = None,
    license: Annotated[
        str | None, typer.Option(rich_help_panel=_OWNER, help="SPDX identifier for your model's tables.")
    ] = None,
    author: Annotated[str | None, typer.Option(rich_help_panel=_OWNER, help="Name, or Name <address>.")] = None,
    url: Annotated[str | None, typer.Option(rich_help_panel=_OWNER, help="Home page.")] = None,
    lib_name: Annotated[
        str | None, typer.Option(rich_help_panel=_OWNER, help="Name of the library; default qcs_<model>.")
    ] = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    keys: Annotated[bool, keys_option("package")] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:  # fmt: skip
    """Turn bundles into a library for Arduino, PlatformIO, Zephyr, ESP-IDF, CMSIS, CMake."""
    owner = load("package", config, settings, version=version, license=license, author=author, url=url,
                 lib_name=lib_name)  # fmt: skip
    made = write(bundles or [BUNDLE], to, out, agent, owner)
    if json:
        facts = {"library": made.library, "version": made.version, "replaced": made.replaced or None}
        print_json({"package": str(made.path), "format": to, **facts, "files": made.names, "next": made.next})
    elif not quiet:
        tell(made, to)


def tell(made: Written, to: str) -> None:
    """Print what was written, what it replaced and what comes next."""
    told = [f"{made.path}: {made.library} {made.version}, {len(made.names)} files for {to}"]
    told += [f"it replaces {made.replaced}"] * bool(made.replaced)
    console.print(*told, f"next: {made.next}", sep="\n", highlight=False, soft_wrap=True)


def write(
    bundles: list[Path], to: str, out: Path | None, agent: bool, config: "PackageConfig | None" = None
) -> Written:  # fmt: skip
    """Write a package and return what it is."""
    from qcskit.codec.bundle import read_bundle
    from qcskit.export.packages import MARKER, check_kind, check_package, next_step, package_files, write_package
    from qcskit.firmware import sources

    check_kind(to)
    models = [read_bundle(bundle) for bundle in bundles]
    path = out or Path("runs") / to / f"qcs_{models[0].manifest.name}"
    check_package(path, *bundles)
    files = package_files(models, to, sources(), agent=agent, config=config)
    replaced = write_package(path, files)
    marker = json_module.loads(files[MARKER])
    pack = next((name for name in files if name.endswith(".pack")), "")
    step = next_step(to, marker["library"], str(path), pack)
    return Written(path, sorted(files), marker["library"], marker["version"], replaced, step)
