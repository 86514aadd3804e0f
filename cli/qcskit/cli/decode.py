"""`qcskit decode`: packets → x_hat, on a gateway and without TensorFlow."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from qcskit.cli import completion
from qcskit.cli.common import (
    ConfigOption,
    QuietOption,
    SetOption,
    keys_option,
    load,
    native_chatter_hidden,
)
from qcskit.cli.encode import file_format
from qcskit.cli.layout import bundle_and_file
from qcskit.codec.errors import QcsError

_STDIO = "-"
_OUT = {".npy": "npy", ".csv": "csv", ".bin": "bin"}


def decode(
    first: Annotated[
        Path | None, typer.Argument(metavar="[BUNDLE]", help="Bundle directory; runs/bundle if it is left out.")
    ] = None,
    second: Annotated[
        Path | None, typer.Argument(metavar="[INPUT]", help="Packets; - is stdin, and so is nothing.")
    ] = None,
    out: Annotated[str, typer.Option("--out", "-o", help="File to write; - is stdout.")] = "-",
    in_format: Annotated[
        str | None,
        typer.Option(
            "--in",
            help="bin, hex, csv, npy or npz; default by the file's name, else bin.",
            autocompletion=completion.packet_formats,
        ),
    ] = None,
    out_format: Annotated[
        str | None,
        typer.Option("--as", help="csv, npy (float64) or bin (float32); default: by the file's name, or csv."),
    ] = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    keys: Annotated[bool, keys_option("decode")] = False,
    quiet: QuietOption = False,
) -> None:
    """Decode packets into source vectors: files, or a stream from stdin to stdout, as soon as they have come."""
    from qcskit.codec.codecs import open_codec
    from qcskit.codec.files import check_file
    from qcskit.codec.packet_files import READ
    from qcskit.codec.stream import decode_packets, marks, read_packets, write_frames

    options = load("decode", config, settings)
    bundle, given = bundle_and_file(first, second)
    source = str(given or _STDIO)
    if out != _STDIO:
        check_file(Path(out), bundle, *([Path(source)] if source != _STDIO else []))
    known = source if Path(source).suffix.lower() in READ else _STDIO  # whatever it is called, bytes are packets
    reading: Any = file_format(in_format, "--in", known, READ, "bin")
    writing: Any = file_format(out_format, "--as", out, _OUT, "csv")
    with native_chatter_hidden() as terminal, _opened(source) as stream:
        codec = open_codec(bundle)
        if not codec.decodes:
            raise QcsError(f"bundle '{bundle}' holds no decoder: it encodes only")
        flags, seen = marks(codec), Counter[str]()
        blocks = _counted(decode_packets(codec, read_packets(stream, reading, codec), options, flags), flags, seen)
        count = _written(out, lambda sink: write_frames(blocks, sink, writing, codec.width + flags))
        if not quiet:
            lost = f", {seen['lost']:,} of them NaN: not recoverable" if seen["lost"] else ""
            terminal.print(f"decoded {count:,} vectors of {codec.width} values{lost}", highlight=False)
        if flags and not quiet:
            told = f"flagged: {seen['flagged']:,} of {count:,} vectors, off the codec's design and sent coarsely; "
            terminal.print(f"{told}the last number of a row is 1 there", highlight=False, soft_wrap=True)


def _counted(blocks: Iterator[Any], flags: bool, seen: Counter[str]) -> Iterator[Any]:
    """Count rows that are NaN, and with `flags` those that end with 1."""
    for block in blocks:
        seen["lost"] += int((block != block).any(axis=1).sum())
        seen["flagged"] += int((block[:, -1] == 1).sum()) if flags else 0
        yield block


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == _STDIO:
        yield sys.stdin.buffer
        return
    if not Path(name).is_file():
        raise QcsError(f"input '{name}' is not a file; - reads stdin")
    with Path(name).open("rb") as file:
        yield file


def _written(name: str, write: Callable[[BinaryIO], int]) -> int:
    """Call write(open file) on stdout or on a file that appears only when it is complete."""
    from qcskit.codec.files import write_file

    if name == _STDIO:
        return write(sys.stdout.buffer)
    counts: list[int] = []
    write_file(Path(name), lambda file: counts.append(write(file)))
    return counts[0]
