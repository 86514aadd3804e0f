"""Names and sizes out of a firmware's ELF file."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection


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
            if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_shndx"] != "SHN_UNDEF"
        }
    return tuple(sorted(found, key=lambda symbol: (symbol.address, symbol.name)))


def function_at(elf: Path, address: int) -> str:
    """Return `name+offset` of the function that holds `address`, or 'no function'."""
    for symbol in functions(Path(elf)):
        if symbol.address <= address & ~1 < symbol.address + max(symbol.size, 2):
            return f"{symbol.name}+{(address & ~1) - symbol.address:#x}"
    return "no function"
