"""`qcskit decode`: packed bytes → x_hat, on a gateway and without TensorFlow."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from qcskit.cli.common import ConfigOption, QuietOption, SetOption, load, native_chatter_hidden

_IN = {".npy": "npy", ".csv": "csv", ".hex": "hex", ".txt": "hex"}
_OUT = {".npy": "npy", ".csv": "csv"}


def register(app: typer.Typer) -> None:
    """Add the subcommand."""
    app.command("decode", help="Decode packed bytes into source vectors: files, or a stream from stdin to stdout.")(
        decode
    )


def decode(
    bundle: Annotated[Path, typer.Argument(help="Bundle directory that 'qcskit export' wrote.")],
    source: Annotated[str, typer.Argument(metavar="INPUT", help="Packed bytes; - is stdin.")] = "-",
    out: Annotated[str, typer.Option("--out", "-o", help="File to write; - is stdout.")] = "-",
    in_format: Annotated[
        str | None, typer.Option("--in", help="bin, hex, csv or npy; default by the file's name, else bin.")
    ] = None,
    out_format: Annotated[
        str | None, typer.Option("--as", help="csv, bin (float32) or npy; default by the file's name, else csv.")
    ] = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    quiet: QuietOption = False,
) -> None:
    """Decode with the settings of `[decode]`; vectors leave as soon as they have come."""
    from qcskit.codec.bundle import read_bundle
    from qcskit.codec.stream import DecodeConfig, decode_frames, read_frames, write_frames

    options = load(DecodeConfig, "decode", config, settings)
    reading = _format(in_format, "--in", source, _IN, ("bin", "hex", "csv", "npy"), "bin")
    writing = _format(out_format, "--as", out, _OUT, ("bin", "csv", "npy"), "bin" if out.endswith(".bin") else "csv")
    with native_chatter_hidden() as terminal, _opened(source) as stream:
        from qcskit.codec.decoder import load_codec

        opened = read_bundle(bundle)
        manifest = opened.manifest
        frames = read_frames(stream, reading, manifest.packed_bytes)  # type: ignore[arg-type]
        nan_rows: list[int] = []
        blocks = _counting_nan(decode_frames(load_codec(opened), frames, options), nan_rows)

        def write(sink: BinaryIO) -> int:
            return write_frames(blocks, sink, writing, manifest.signal.n)  # type: ignore[arg-type]

        count = _written(out, write)
        if not quiet:
            lost = f", {sum(nan_rows):,} of them NaN: not recoverable" if sum(nan_rows) else ""
            terminal.print(f"decoded {count:,} vectors of {manifest.signal.n} values{lost}", highlight=False)


def _counting_nan(blocks: Iterator[Any], rows: list[int]) -> Iterator[Any]:
    for block in blocks:
        rows.append(int((block != block).any(axis=1).sum()))
        yield block


def _format(wanted: str | None, option: str, name: str, by_suffix: dict[str, str], known: tuple[str, ...],
            default: str) -> str:  # fmt: skip
    from qcskit.codec.config import nearest
    from qcskit.codec.errors import QcsError

    if wanted is not None and wanted not in known:
        raise QcsError(f"{option} {wanted}: unknown format; {nearest(wanted, known)}")
    return wanted or by_suffix.get(Path(name).suffix, default)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    from qcskit.codec.errors import QcsError

    if name == "-":
        yield sys.stdin.buffer
        return
    if not Path(name).is_file():
        raise QcsError(f"input '{name}' is not a file; - reads stdin")
    with Path(name).open("rb") as file:
        yield file


def _written(name: str, write: Any) -> int:
    """Call write(open file) on stdout or on a file that appears only when it is complete."""
    from qcskit.codec.bundle import write_file

    if name == "-":
        return int(write(sys.stdout.buffer))
    counts: list[int] = []

    def to_path(path: Path) -> None:
        with path.open("wb") as file:
            counts.append(write(file))

    write_file(Path(name), to_path)
    return counts[0]
