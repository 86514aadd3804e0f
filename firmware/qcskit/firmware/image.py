"""Firmware as what programmers take: Intel HEX, plain binary, UF2; all from the ELF file that the emulators run."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from qcskit.codec.files import write_file
from qcskit.firmware.boards import Board
from qcskit.firmware.errors import FirmwareError

_HEX_BYTES, _UF2_BYTES = 16, 256
_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Part:
    """Bytes of an image and the address they are stored at, which for initialised data is in flash."""

    address: int
    content: bytes


def write_image(board: Board, elf: Path, path: Path) -> None:
    """Write a board's firmware; the suffix of `path` says how: .elf, .hex, .bin or .uf2.

    Raises FirmwareError for another suffix, or UF2 for a board whose boot loader takes none.
    """
    suffix = path.suffix.lower()
    if suffix == ".elf":
        content = Path(elf).read_bytes()
    elif suffix == ".hex":
        content = to_hex(parts_of(elf)).encode("ascii")
    elif suffix == ".bin":
        content = to_bin(parts_of(elf))
    elif suffix == ".uf2":
        if not board.uf2_family:
            raise FirmwareError(f"board '{board.name}' takes no UF2 files; write .hex, .bin or .elf")
        content = to_uf2(parts_of(elf), board.uf2_family)
    else:
        raise FirmwareError(f"'{path}': an image ends in .elf, .hex, .bin or .uf2")
    write_file(path, lambda file: file.write(content))


def parts_of(elf: Path) -> tuple[Part, ...]:
    """Return what an ELF file puts into flash, by address."""
    with Path(elf).open("rb") as file:
        segments = [segment for segment in ELFFile(file).iter_segments("PT_LOAD") if segment["p_filesz"]]
        parts = [Part(segment["p_paddr"], segment.data()) for segment in segments]
    return tuple(sorted(parts, key=lambda part: part.address))


def to_hex(parts: tuple[Part, ...]) -> str:
    """Return Intel HEX.

    >>> print(to_hex((Part(0x0800FFFE, b"abc"),)), end="")
    :020000040800F2
    :02FFFE0061623E
    :020000040801F1
    :01000000639C
    :00000001FF
    """
    lines, upper = [], 0
    for part in parts:
        for address, content in _pieces(part, _HEX_BYTES):
            if address >> 16 != upper:
                upper = address >> 16
                lines.append(_record(0, 4, upper.to_bytes(2, "big")))
            lines.append(_record(address & 0xFFFF, 0, content))
    return "".join([*lines, _record(0, 1, b"")])


def _record(address: int, kind: int, content: bytes) -> str:
    body = bytes([len(content), address >> 8, address & 0xFF, kind]) + content
    return f":{body.hex().upper()}{-sum(body) & 0xFF:02X}\n"


def to_bin(parts: tuple[Part, ...]) -> bytes:
    """Return the bytes from the first address on, gaps as erased flash (FF)."""
    start, end = parts[0].address, max(part.address + len(part.content) for part in parts)
    if end - start > _MOST_BYTES:
        raise FirmwareError(f"the image spans {end - start:,} bytes: too many for .bin; write .hex")
    content = bytearray(b"\xff") * (end - start)
    for part in parts:
        content[part.address - start : part.address - start + len(part.content)] = part.content
    return bytes(content)


def to_uf2(parts: tuple[Part, ...], family: int) -> bytes:
    """Return UF2 blocks of 256 bytes at multiples of 256 (github.com/microsoft/uf2), gaps in one as FF."""
    pages: dict[int, bytearray] = {}
    for part in parts:
        for address, content in _pieces(part, _UF2_BYTES):
            base = address - address % _UF2_BYTES
            page = pages.setdefault(base, bytearray(b"\xff") * _UF2_BYTES)
            page[address - base : address - base + len(content)] = content
    blocks = [
        struct.pack("<8I476sI", 0x0A324655, 0x9E5D5157, 0x2000, base, _UF2_BYTES, number, len(pages), family,
                    bytes(page), 0x0AB16F30)
        for number, (base, page) in enumerate(sorted(pages.items()))
    ]  # fmt: skip
    return b"".join(blocks)


def _pieces(part: Part, size: int) -> Iterator[tuple[int, bytes]]:
    """Yield (address, bytes) of a part, none across a multiple of `size`."""
    at = 0
    while at < len(part.content):
        address = part.address + at
        count = size - address % size
        yield address, part.content[at : at + count]
        at += count
