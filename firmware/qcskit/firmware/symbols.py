"""Names and sizes out of a firmware's ELF file."""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

_HELPER = re.compile(r"__[a-z0-9_]*[dshq]i[0-9]?\w*|__aeabi_\w+|__(prologue_saves|epilogue_restores)__")


@dataclass(frozen=True)
class Symbol:
    """One function: its first address (Thumb bit cleared) and size in bytes."""

    name: str
    address: int
    size: int


@lru_cache(maxsize=16)
def functions(elf: Path) -> tuple[Symbol, ...]:
    """Return every function of an ELF file, ascending by address."""
    with Path(elf).open("rb") as file:
        image = ELFFile(file)
        thumb = image["e_machine"] == "EM_ARM"
        found = {
            Symbol(symbol.name, symbol["st_value"] & ~1 if thumb else symbol["st_value"], symbol["st_size"])
            for section in image.iter_sections()
            if isinstance(section, SymbolTableSection)
            for symbol in section.iter_symbols()
            if _is_code(symbol)
        }
    return _with_sizes(sorted(found, key=lambda symbol: (symbol.address, symbol.name)))


def _is_code(symbol: Any) -> bool:
    """Tell functions from the rest; the compilers' assembly helpers (__mulsi3) are untyped and global."""
    if symbol["st_shndx"] in ("SHN_UNDEF", "SHN_ABS"):
        return False
    kind, binding = symbol["st_info"]["type"], symbol["st_info"]["bind"]
    helper = kind == "STT_NOTYPE" and binding == "STB_GLOBAL" and _HELPER.fullmatch(symbol.name) is not None
    return kind == "STT_FUNC" or helper


def _with_sizes(found: list[Symbol]) -> tuple[Symbol, ...]:
    """Assembly functions often state no size: let them reach to the next one."""
    ends = {a.address: b.address for a, b in pairwise(found) if b.address > a.address}
    return tuple(
        symbol
        if symbol.size
        else Symbol(symbol.name, symbol.address, ends.get(symbol.address, symbol.address) - symbol.address)
        for symbol in found
    )


def function_at(elf: Path, address: int) -> str:
    """Return `name+offset` of the function that holds `address`, or 'no function'."""
    for symbol in functions(Path(elf)):
        if symbol.address <= address & ~1 < symbol.address + max(symbol.size, 2):
            return f"{symbol.name}+{(address & ~1) - symbol.address:#x}"
    return "no function"


def static_ram_bytes(elf: Path) -> int:
    """Return the bytes of all writable sections that are loaded."""
    with Path(elf).open("rb") as file:
        wanted = SH_FLAGS.SHF_ALLOC | SH_FLAGS.SHF_WRITE
        sections = ELFFile(file).iter_sections()
        return sum(section["sh_size"] for section in sections if section["sh_flags"] & wanted == wanted)
