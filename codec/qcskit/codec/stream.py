"""Packed bytes in, x_hat out, on a gateway: files and endless streams, without TensorFlow.

>>> chunks = [bytes([1, 2, 3]), bytes([4])]
>>> [frames.tolist() for frames in split_frames(chunks, 2)]
[[[1, 2]], [[3, 4]]]
"""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from qcskit.codec.bundle import read_bundle
from qcskit.codec.config import Table
from qcskit.codec.decoder import load_codec
from qcskit.codec.errors import QcsError
from qcskit.codec.interface import Codec

InFormat = Literal["bin", "hex", "csv", "npy"]
OutFormat = Literal["bin", "csv", "npy"]
Bytes = NDArray[np.uint8]

_CHUNK_BYTES = 1 << 16


class DecodeConfig(Table):
    """Table `[decode]`: how `qcskit decode` reads and writes."""

    batch_frames: int = Field(4096, ge=1, le=1 << 20, description="most vectors decoded at once; bounds the memory")
    on_damage: Literal["stop", "nan"] = Field(
        "stop", description="a vector whose bytes no encoder gives: stop, or write a row of NaN and go on"
    )


def open_codec(path: str | Path) -> Codec:
    """Return the codec of the bundle at `path`; its `decode` turns packed bytes (frames, bytes) into x_hat (frames, N).

    Raises QcsError that names the file at fault if the bundle is damaged.
    """
    return load_codec(read_bundle(Path(path)))


def split_frames(chunks: Iterable[bytes], frame_bytes: int) -> Iterator[Bytes]:
    """Yield uint8 (frames, frame_bytes) as soon as whole frames are there, from chunks of any length.

    Raises QcsError after the last whole frame if bytes are left over.
    """
    rest = b""
    for chunk in chunks:
        rest += chunk
        whole = len(rest) // frame_bytes * frame_bytes
        if whole:
            yield np.frombuffer(rest[:whole], np.uint8).reshape(-1, frame_bytes)
            rest = rest[whole:]
    if rest:
        raise QcsError(f"the input ends inside a vector: {len(rest)} of {frame_bytes} bytes; is it of another bundle?")


def read_frames(source: BinaryIO, kind: InFormat, frame_bytes: int) -> Iterator[Bytes]:
    """Yield packed frames uint8 (frames, frame_bytes) from an open binary file or pipe.

    bin: frames one after the other. hex: one vector a line, as hexadecimal digits. csv: one vector a line, as byte
    values 0 … 255. npy: uint8 (frames, frame_bytes). Raises QcsError naming line or shape at fault.
    """
    if kind == "npy":
        yield _read_npy(source, frame_bytes)
        return
    read = getattr(source, "read1", source.read)  # read1 returns what a live pipe holds now
    chunks = iter(lambda: read(_CHUNK_BYTES), b"")
    yield from split_frames(chunks, frame_bytes) if kind == "bin" else _parse_lines(chunks, kind, frame_bytes)


def decode_frames(codec: Codec, frames: Iterable[Bytes], config: DecodeConfig) -> Iterator[NDArray[np.float32]]:
    """Yield x_hat float32 (frames, N) for packed frames (frames, bytes), in the same order, in bounded batches.

    Raises QcsError naming the number of the first damaged frame (the first frame is 0), unless on_damage is "nan".
    """
    done = 0
    for block in frames:
        for start in range(0, len(block), config.batch_frames):
            batch = block[start : start + config.batch_frames]
            try:
                yield codec.decode(batch).astype(np.float32)
            except QcsError:
                yield _decode_singly(codec, batch, done, config.on_damage)
            done += len(batch)


def write_frames(blocks: Iterable[NDArray[np.float32]], sink: BinaryIO, kind: OutFormat, width: int) -> int:
    """Write blocks (frames, width) to an open binary file or pipe, each as soon as it comes; return the frames written.

    bin: little-endian float32. csv: one vector a line, 7 significant digits. npy: float32 (frames, width); as its
    header holds the count, it is written when the input ends, from a temporary file.
    """
    if kind == "npy":
        with tempfile.TemporaryFile() as spool:
            count = _write_blocks(blocks, spool.write, _as_binary)
            spool.seek(0)
            header = {"descr": "<f4", "fortran_order": False, "shape": (count, width)}
            np.lib.format.write_array_header_1_0(sink, header)  # type: ignore[no-untyped-call]
            shutil.copyfileobj(spool, sink)
    else:
        count = _write_blocks(blocks, sink.write, _as_csv if kind == "csv" else _as_binary, sink.flush)
    sink.flush()
    return count


def _write_blocks(
    blocks: Iterable[NDArray[np.float32]], write: Callable[[bytes], object],
    form: Callable[[NDArray[np.float32]], bytes], flush: Callable[[], object] = lambda: None,
) -> int:  # fmt: skip
    count = 0
    for block in blocks:
        write(form(block))
        flush()
        count += len(block)
    return count


def _as_binary(block: NDArray[np.float32]) -> bytes:
    return block.astype("<f4").tobytes()


def _as_csv(block: NDArray[np.float32]) -> bytes:
    return "".join(",".join(f"{value:.7g}" for value in row) + "\n" for row in block.tolist()).encode()


def _decode_singly(codec: Codec, batch: Bytes, first: int, on_damage: str) -> NDArray[np.float32]:
    """Decode a batch that holds a damaged frame: stop at it, or leave its row NaN."""
    rows: list[NDArray[np.float32] | None] = []
    for number, frame in enumerate(batch):
        try:
            rows.append(codec.decode(frame[None, :])[0].astype(np.float32))
        except QcsError as error:
            if on_damage == "stop":
                raise QcsError(f"vector {first + number} of the input cannot be decoded ({error}); "
                               f"decode.on_damage=nan goes on") from None  # fmt: skip
            rows.append(None)
    width = len(next((row for row in rows if row is not None), np.array([])))
    if not width:
        width = codec.decode(np.zeros((1, batch.shape[1]), np.uint8)).shape[1]
    return np.stack([np.full(width, np.nan, np.float32) if row is None else row for row in rows])


def _read_npy(source: BinaryIO, frame_bytes: int) -> Bytes:
    with tempfile.TemporaryFile() as spool:  # a pipe cannot seek, which the reader of .npy wants
        shutil.copyfileobj(source, spool)
        spool.seek(0)
        try:
            array = np.load(spool, allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            raise QcsError(f"the input is not a .npy file of plain numbers ({error})") from None
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != frame_bytes:
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "an archive"
        raise QcsError(f"the .npy input is {found}, expected uint8 (frames, {frame_bytes})")
    return array


def _parse_lines(chunks: Iterable[bytes], kind: str, frame_bytes: int) -> Iterator[Bytes]:
    """Yield the frames of all whole lines as they come; empty lines and those that begin with # are skipped."""
    parse = _parse_hex if kind == "hex" else _parse_csv
    number, rest = 0, b""
    for chunk in itertools.chain(chunks, [b"\n"]):
        *lines, rest = (rest + chunk).split(b"\n")
        frames = []
        for text in (line.strip() for line in lines):
            number += 1
            if not text or text.startswith(b"#"):
                continue
            values = parse(text)
            if values is None or len(values) != frame_bytes:
                wanted = f"{2 * frame_bytes} hexadecimal digits" if kind == "hex" else f"{frame_bytes} values 0 … 255"
                raise QcsError(f"input line {number} is not one vector: expected {wanted}")
            frames.append(values)
        if frames:
            yield np.frombuffer(b"".join(frames), np.uint8).reshape(-1, frame_bytes)


def _parse_hex(text: bytes) -> bytes | None:
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return None


def _parse_csv(text: bytes) -> bytes | None:
    try:
        return bytes(int(word) for word in text.split(b","))
    except ValueError:
        return None
