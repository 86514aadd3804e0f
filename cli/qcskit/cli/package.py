"""`qcskit package`: bundles → a library for Arduino, PlatformIO, Zephyr, ESP-IDF, CMSIS or CMake."""

from pathlib import Path
from typing import Annotated

import typer

from qcskit.cli.common import JsonOption, QuietOption, console, print_json


def package(
    bundles: Annotated[list[Path], typer.Argument(metavar="BUNDLE...", help="Bundle; several share one core.")],
    to: Annotated[
        str, typer.Option("--to", "-t", help="arduino, platformio, zephyr, esp-idf, cmsis-pack or plain (CMake).")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Directory to write; default runs/<format>/qcs_<model>.")
    ] = None,
    agent: Annotated[bool, typer.Option("--agent", help="Add the serial agent that 'qcskit hil' talks to.")] = False,
    url: Annotated[str | None, typer.Option(help="Home page for the metadata that must name one.")] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Turn bundles into a library for Arduino, PlatformIO, Zephyr, ESP-IDF, CMSIS, CMake."""
    path, names = write(bundles, to, out, agent, url)
    if json:
        print_json({"package": str(path), "format": to, "files": names})
    elif not quiet:
        console.print(f"{path}: {len(names)} files for {to}", highlight=False)


def write(bundles: list[Path], to: str, out: Path | None, agent: bool, url: str | None) -> tuple[Path, list[str]]:
    """Write a package and return its directory and file names."""
    from qcskit.codec.bundle import read_bundle
    from qcskit.export.packages import PUBLIC_URL, check_package, package_files, write_package
    from qcskit.firmware import sources

    models = [read_bundle(bundle) for bundle in bundles]
    path = out or Path("runs") / to / f"qcs_{models[0].manifest.name}"
    check_package(path, *bundles)
    files = package_files(models, to, sources(), agent=agent, url=url or PUBLIC_URL)
    write_package(path, files)
    return path, sorted(files)
