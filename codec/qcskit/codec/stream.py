"""Packets in, x_hat out, on a gateway: files and endless streams, without TensorFlow.

Packets of one size stand one after the other; of others, each has its length in front as a varint (LEB128).
>>> chunks = [bytes([1, 2, 3]), bytes([4])]
>>> [list(packets) for packets in split_packets(chunks, 2)]
[[b'\\x01\\x02'], [b'\\x03\\x04']]
"""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Literal

import numpy as np
from pydantic import Field

from qcskit.codec.arrays import NPY, Headers, check_array, npz_bytes, read_header, read_npz
from qcskit.codec.config import Table
from qcskit.codec.errors import QcsError
from qcskit.codec.golden import check_offsets
from qcskit.codec.interface import Array, Codec, Packets
from qcskit.codec.text import c_table

InFormat = Literal["bin", "hex", "csv", "npy", "npz"]
OutFormat = Literal["bin", "csv", "npy"]
PacketFormat = Literal["bin", "hex", "csv", "npz", "c"]

_CHUNK_BYTES = 1 << 16


class DecodeConfig(Table):
    """Table `[decode]`: how `qcskit decode` reads and writes."""

    batch_frames: int = Field(
        default=4096, ge=1, le=1 << 20, description="most packets decoded at once; bounds the memory"
    )
    on_damage: Literal["stop", "nan"] = Field(
        default="stop", description="a packet whose bytes no encoder gives: stop, or write rows of NaN and go on"
    )


def split_packets(chunks: Iterable[bytes], size: int, fixed: bool = True) -> Iterator[Packets]:
    """Yield packets as soon as they are whole, from chunks of any length.

    size: of a packet; of the largest if not `fixed`, then a varint stands before each. Raises QcsError after the last
    whole packet if bytes are left over, or at a length that no packet has.
    """
    rest = b""
    for chunk in chunks:
        rest += chunk
        if fixed:
            whole = len(rest) // size * size
            if whole:
                yield Packets.rows(np.frombuffer(rest[:whole], np.uint8).reshape(-1, size))
            rest = rest[whole:]
        else:
            found, rest, wrong = _prefixed(rest, size)
            yield Packets.of(found)
            if wrong is not None:
                raise QcsError(f"a packet of {wrong} bytes, at most {size} are possible; is it of another bundle?")
    if rest:
        most = f"{'' if fixed else 'at most '}{size}"
        told = f"the input ends inside a packet: {len(rest)} of {most} bytes"
        raise QcsError(f"{told}; was it cut short, or is it of another bundle?")


def _prefixed(data: bytes, most: int) -> tuple[list[bytes], bytes, int | None]:
    """Return the whole packets at the start of `data`, what is left, and a length that no packet has if one comes."""
    found: list[bytes] = []
    at = 0
    while (head := _varint(data, at)) is not None:
        length, start = head
        if not 1 <= length <= most:
            return found, data[at:], length
        if start + length > len(data):
            break
        found.append(data[start : start + length])
        at = start + length
    return found, data[at:], None


def _varint(data: bytes, at: int) -> tuple[int, int] | None:
    """Return a number below 2^21 and where it ends, None if `data` ends in it."""
    value = 0
    for place in range(3):
        if at + place >= len(data):
            return None
        value |= (data[at + place] & 0x7F) << 7 * place
        if data[at + place] < 0x80:
            break
    return value, at + place + 1


def varint(value: int) -> bytes:
    """Return the bytes of a length below 2^21, seven bits each, lowest first, the last one below 128.

    >>> varint(5).hex(), varint(300).hex()
    ('05', 'ac02')
    """
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def read_packets(source: BinaryIO, kind: InFormat, codec: Codec) -> Iterator[Packets]:
    """Yield the packets of a codec from an open binary file or pipe.

    bin: packets one after the other, with a varint before each if their sizes differ. hex: one packet a line, as
    hexadecimal digits. csv: one packet a line, as byte values 0 … 255. npy: uint8 (packets, bytes). npz: `packed` and
    `packed_offsets`, as in golden vectors. Raises QcsError naming line or shape at fault.
    """
    size, fixed = codec.packed_bytes_max, codec.fixed_size
    if kind in ("npy", "npz"):
        yield _read_npy(source, size, fixed) if kind == "npy" else _read_npz(source)
        return
    read = getattr(source, "read1", source.read)  # read1 returns what a live pipe holds now
    chunks = iter(lambda: read(_CHUNK_BYTES), b"")
    yield from split_packets(chunks, size, fixed) if kind == "bin" else _parse_lines(chunks, kind, size, fixed)


def decode_packets(
    codec: Codec, packets: Iterable[Packets], config: DecodeConfig, flags: bool = False
) -> Iterator[Array]:
    """Yield x_hat (frames, N) of packets, in the same order, in bounded batches.

    flags: of a codec that `marks`; each row has one number more, 1 where the encoder marked the vector as off its
    design, else 0. Raises QcsError naming the number of the first damaged packet (the first is 0), unless on_damage is
    "nan".
    """
    done = 0
    for block in packets:
        for start in range(0, len(block), config.batch_frames):
            batch = block.select(slice(start, start + config.batch_frames))
            try:
                yield _rows(codec, batch, flags)
            except QcsError:
                yield from _decode_singly(codec, batch, done, config.on_damage, flags)
            done += len(batch)


def marks(codec: Codec) -> bool:
    """Return whether the codec's encoder marks vectors that are off its design."""
    return codec.guarded(Packets.of([])) is not None


def _rows(codec: Codec, packets: Packets, flags: bool) -> Array:
    x_hat = codec.decode(packets)
    return np.column_stack([x_hat, np.asarray(codec.guarded(packets), np.float64)]) if flags else x_hat


def _decode_singly(codec: Codec, batch: Packets, first: int, on_damage: str, flags: bool) -> Iterator[Array]:
    """Decode a batch that holds a damaged packet: stop behind the packets before it, or leave its rows NaN."""
    rows = [np.empty((0, codec.width + flags))]
    for number in range(len(batch)):
        try:
            rows.append(_rows(codec, batch.select([number]), flags))
        except QcsError as error:
            if _explains(codec, batch[number]):
                raise  # nothing is wrong with the packet: it is the decoder
            if on_damage == "stop":
                yield np.concatenate(rows)
                raise QcsError(f"packet {first + number} of the input cannot be decoded ({error}); "
                               f"decode.on_damage=nan goes on") from None  # fmt: skip
            rows.append(np.full((codec.windows, codec.width + flags), np.nan))
    yield np.concatenate(rows)


def _explains(codec: Codec, packet: bytes) -> bool:
    try:
        codec.explain(packet)
    except QcsError:
        return False
    return True


def write_frames(blocks: Iterable[Array], sink: BinaryIO, kind: OutFormat, width: int) -> int:
    """Write blocks (frames, width) to an open binary file or pipe, each as soon as it comes; return the frames written.

    bin: little-endian float32. csv: one vector a line, 10 significant digits. npy: float64 (frames, width); as its
    header holds the count, it is written when the input ends, from a temporary file.
    """
    if kind == "npy":
        with tempfile.TemporaryFile() as spool:
            count = _write_blocks(blocks, spool.write, _as_doubles)
            spool.seek(0)
            header = {"descr": "<f8", "fortran_order": False, "shape": (count, width)}
            NPY.write_array_header_1_0(sink, header)
            shutil.copyfileobj(spool, sink)
    else:
        count = _write_blocks(blocks, sink.write, _as_csv if kind == "csv" else _as_binary, sink.flush)
    sink.flush()
    return count


def write_packets(packets: Packets, kind: PacketFormat, codec: Codec) -> bytes:
    """Return a file of packets that `read_packets` reads, or a C array.

    bin, hex, csv, npz: as there. c: bytes and, if their sizes differ, offsets, as `static const` arrays.
    """
    if kind == "hex":
        return "".join(packet.hex() + "\n" for packet in packets).encode()
    if kind == "csv":
        return "".join(",".join(map(str, packet)) + "\n" for packet in packets).encode()
    if kind == "npz":
        return npz_bytes({"packed": packets.bytes, "packed_offsets": packets.offsets})
    if kind == "bin":
        if codec.fixed_size:
            return packets.bytes.tobytes()
        return b"".join(varint(len(packet)) + packet for packet in packets)
    of = f"model {codec.name}, id {codec.bundle.manifest.model_id}"
    head = f"/* {len(packets)} packets of {of}. */\n#include <stdint.h>\n\n"
    tables = [c_table(f"qcs_{codec.name}_packets", packets.bytes)]
    if not codec.fixed_size:
        tables.append(c_table(f"qcs_{codec.name}_offsets", packets.offsets.astype(np.uint32)))
    return (head + "\n".join(tables) + "\n").encode()


def _write_blocks(
    blocks: Iterable[Array], write: Callable[[bytes], object],
    form: Callable[[Array], bytes], flush: Callable[[], object] = lambda: None,
) -> int:  # fmt: skip
    count = 0
    for block in blocks:
        write(form(block))
        flush()
        count += len(block)
    return count


def _as_binary(block: Array) -> bytes:
    return block.astype("<f4").tobytes()


def _as_doubles(block: Array) -> bytes:
    return block.astype("<f8").tobytes()


def _as_csv(block: Array) -> bytes:
    return "".join(",".join(f"{value:.10g}" for value in row) + "\n" for row in block.tolist()).encode()


def _read_npy(source: BinaryIO, size: int, fixed: bool) -> Packets:
    if not fixed:
        raise QcsError("packets of different sizes do not fit a .npy; give an .npz with packed and packed_offsets")
    with tempfile.TemporaryFile() as spool:  # a pipe cannot seek, which the reader of .npy wants
        shutil.copyfileobj(source, spool)
        total = spool.tell()
        spool.seek(0)
        try:
            header = read_header(spool)
        except QcsError as error:
            raise QcsError(f"the input is not a .npy file of plain numbers ({error})") from None
        if header.dtype != np.uint8 or len(header.shape) != 2 or header.shape[1] != size:
            raise QcsError(f"the .npy input is {header.dtype} {header.shape}, expected uint8 (packets, {size})")
        if header.start + header.nbytes != total:
            raise QcsError(f"the .npy input is {header.shape} by its header, but has {total - header.start:,} bytes")
        spool.seek(0)
        return Packets.rows(np.load(spool, allow_pickle=False))


def _read_npz(source: BinaryIO) -> Packets:
    def check(headers: Headers) -> None:
        if not {"packed", "packed_offsets"} <= headers.keys():
            raise QcsError(f"it holds {', '.join(headers)[:80] or 'nothing'}, expected packed and packed_offsets")
        check_array("packed", headers["packed"], np.uint8, (None,))
        offsets = headers["packed_offsets"]
        if offsets.dtype.kind not in "iu" or len(offsets.shape) != 1:
            raise QcsError(f"array 'packed_offsets' is {offsets.dtype} {offsets.shape}, expected int64 (any)")

    arrays = read_npz(source.read(), "the input", check)
    packed = arrays["packed"]
    return Packets(packed, check_offsets("packed_offsets", arrays["packed_offsets"], len(packed)))


def _parse_lines(chunks: Iterable[bytes], kind: str, size: int, fixed: bool) -> Iterator[Packets]:
    """Yield the packets of all whole lines as they come; empty lines and those that begin with # are skipped."""
    parse = _parse_hex if kind == "hex" else _parse_csv
    number, rest = 0, b""
    for chunk in itertools.chain(chunks, [b"\n"]):
        *lines, rest = (rest + chunk).split(b"\n")
        packets: list[bytes] = []
        for text in (line.strip() for line in lines):
            number += 1
            if not text or text.startswith(b"#"):
                continue
            values = parse(text)
            if not values or len(values) > size or (fixed and len(values) < size):
                most = "" if fixed else "at most "
                wanted = f"{most}{2 * size} hexadecimal digits" if kind == "hex" else f"{most}{size} values 0 … 255"
                yield Packets.of(packets)
                raise QcsError(f"input line {number} is not one packet: expected {wanted}")
            packets.append(values)
        if packets:
            yield Packets.of(packets)


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
