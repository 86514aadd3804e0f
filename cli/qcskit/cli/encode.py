"""`qcskit encode`: samples or counts → packets, on the host: the bytes that the device sends."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from qcskit.cli import completion
from qcskit.cli.common import (
    OWN_DATA,
    JsonOption,
    QuietOption,
    error_console,
    print_json,
)
from qcskit.cli.layout import bundle_and_file
from qcskit.codec.errors import QcsError

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="Your own samples or counts: .csv, .npy, .wav and more.",
        rich_help_panel=OWN_DATA,
    ),
]
ColumnOption = Annotated[
    str,
    typer.Option("--column", help="Column, channel or array of FILE, by name or number.", rich_help_panel=OWN_DATA),
]
InOption = Annotated[
    str,
    typer.Option(
        "--in", help="What FILE holds: counts or units; auto decides where it can.", rich_help_panel=OWN_DATA,
        autocompletion=completion.counts_or_units,
    ),
]  # fmt: skip
HopOption = Annotated[
    int | None,
    typer.Option(
        "--hop", min=1, help="Samples from one packet of FILE to the next; default: all once.", rich_help_panel=OWN_DATA
    ),
]
GapsOption = Annotated[
    bool,
    typer.Option("--fill-gaps", help="Interpolate missing values instead of refusing them.", rich_help_panel=OWN_DATA),
]


def encode(
    first: Annotated[Path, typer.Argument(metavar="[BUNDLE]", help="Bundle directory; runs/bundle if it is left out.")],
    second: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Samples: .csv, .npy, .npz, .wav and more.")
    ] = None,
    out: Annotated[str, typer.Option("--out", "-o", help="File to write; - is stdout.")] = "-",
    out_format: Annotated[
        str | None,
        typer.Option(
            "--as",
            help="bin, hex, csv, npz or c; default by the file's name, else hex.",
            autocompletion=completion.packet_formats,
        ),
    ] = None,
    holds: InOption = "auto",
    column: ColumnOption = "",
    hop: HopOption = None,
    fill_gaps: GapsOption = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Encode samples into packets, byte for byte what the device sends.

    One column of samples is cut into windows; rows of M numbers are taken as what the device sees. `qcskit decode`
    brings the packets back, in your units.
    """
    from qcskit.codec.codecs import open_codec
    from qcskit.codec.files import check_file, write_file
    from qcskit.codec.packet_files import WRITTEN
    from qcskit.codec.stream import write_packets

    bundle, source = bundle_and_file(first, second)
    if source is None:
        raise QcsError(f"which samples? qcskit encode '{bundle}' FILE")
    writing: Any = file_format(out_format, "--as", out, WRITTEN, "hex")
    if out == "-" and json:
        raise QcsError("--json needs --out FILE: stdout cannot hold both")
    if out != "-":
        check_file(Path(out), bundle, source)
    codec = open_codec(bundle)
    data = own_data(codec, source, column, holds, hop, fill_gaps)
    packets = codec.encode_counts(data.counts)
    content = write_packets(packets, writing, codec)
    if out == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    else:
        write_file(Path(out), lambda file: file.write(content))
    clipped = float(codec.clipped(data.counts).mean())
    if clipped and not quiet:
        told = f"attention: {clipped:.2%} of the counts were clipped, so they do not come back as they were"
        error_console.print(told, style="yellow", highlight=False, soft_wrap=True)
    facts = {"packets": len(packets), "bytes": len(packets.bytes), "clipped": clipped, "samples_left": data.rest}
    if json:
        print_json({"out": out, **facts})
    elif not quiet:
        left = f", {data.rest:,} samples left at the end" if data.rest else ""
        error_console.print(f"encoded {len(packets):,} packets, {len(packets.bytes):,} bytes{left}", highlight=False)


def file_format(wanted: str | None, option: str, name: str, by_suffix: Mapping[str, str], default: str) -> str:
    """Return the format of a file: what the option says, else its name; without a suffix the default.

    Raises QcsError of an unknown format, or of a name whose suffix says none.
    """
    from qcskit.codec.config import nearest

    known, suffix = tuple(dict.fromkeys(by_suffix.values())), Path(name).suffix.lower()
    if wanted is not None and wanted not in known:
        raise QcsError(f"{option} {wanted}: unknown format; {nearest(wanted, known)}")
    if wanted is None and suffix and suffix not in by_suffix and not Path(name).is_dir():
        raise QcsError(f"'{name}': no format has that suffix; known: {', '.join(by_suffix)}; or give {option}")
    return wanted or by_suffix.get(suffix, default)


def own_data(codec: Any, source: Path | None, column: str, holds: str, hop: int | None, fill_gaps: bool) -> Any:
    """Return what the device sees of a file, from the options of a verb; None without a file."""
    from qcskit.codec.config import nearest
    from qcskit.codec.own_data import read_own_data

    if source is None:
        given = {"--column": column, "--in": holds != "auto", "--hop": hop, "--fill-gaps": fill_gaps}
        if named := [option for option, value in given.items() if value]:
            raise QcsError(f"{named[0]} is about --data FILE: give both")
        return None
    if holds not in ("auto", "counts", "units"):
        raise QcsError(f"--in {holds}: {nearest(holds, ('auto', 'counts', 'units'))}")
    return read_own_data(codec, source, column, holds, hop, "interpolate" if fill_gaps else "refuse")  # type: ignore[arg-type]
