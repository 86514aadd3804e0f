"""`qcskit encode`: samples or counts → packets, on the host: the bytes that the device sends."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from qcskit.cli.common import (
    BundleArgument,
    JsonOption,
    QuietOption,
    error_console,
    print_json,
)
from qcskit.codec.errors import QcsError

DataOption = Annotated[
    Path | None, typer.Option("--data", metavar="FILE", help="Your own samples or counts: .csv, .npy, .wav and more.")
]
ColumnOption = Annotated[str, typer.Option("--column", help="Column, channel or array of FILE, by name or number.")]
InOption = Annotated[str, typer.Option("--in", help="What FILE holds: counts or units; auto decides where it can.")]
HopOption = Annotated[
    int | None, typer.Option("--hop", min=1, help="Samples from one packet of FILE to the next; default: all once.")
]
GapsOption = Annotated[bool, typer.Option("--fill-gaps", help="Interpolate missing values instead of refusing them.")]


def encode(
    bundle: BundleArgument,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="Samples: .csv, .npy, .npz, .wav and more.")],
    out: Annotated[str, typer.Option("--out", "-o", help="File to write; - is stdout.")] = "-",
    out_format: Annotated[
        str | None, typer.Option("--as", help="bin, hex, csv, npz or c; default by the file's name, else hex.")
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
    from qcskit.codec.config import nearest
    from qcskit.codec.files import check_file, write_file
    from qcskit.codec.packet_files import WRITTEN
    from qcskit.codec.stream import write_packets

    known = tuple(dict.fromkeys(WRITTEN.values()))
    writing: Any = out_format or WRITTEN.get(Path(out).suffix.lower(), "hex")
    if writing not in known:
        raise QcsError(f"--as {writing}: unknown format; {nearest(writing, known)}")
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
    facts = {"packets": len(packets), "bytes": len(packets.bytes), "clipped": clipped, "samples_left": data.rest}
    if json:
        print_json({"out": out, **facts})
    elif not quiet:
        left = f", {data.rest:,} samples left at the end" if data.rest else ""
        lost = f"; {clipped:.2%} of the counts were clipped" if clipped else ""
        error_console.print(
            f"encoded {len(packets):,} packets, {len(packets.bytes):,} bytes{left}{lost}", highlight=False
        )


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
