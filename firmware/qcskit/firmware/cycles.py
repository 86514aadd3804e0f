"""Estimated cycles out of exact counts, for cores that no emulator here models cycle by cycle (see `cores.py`)."""

import re
import subprocess
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from qcskit.firmware.boards import Board
from qcskit.firmware.compile import find_tool
from qcskit.firmware.cores import CORES, Cost, CostTable
from qcskit.firmware.counting import Place


def cost_tables(board: Board) -> tuple[CostTable, ...]:
    """Return the cost tables of a board's core, none if it has no published timings here."""
    return CORES[board.core].cycles if board.core in CORES else ()


def estimate_cycles(board: Board, elf: Path, places: Iterable[Place]) -> tuple[int, int] | None:
    """Return (low, high) estimated cycles of what `places` counted, None for a core without a cost table."""
    tables = cost_tables(board)
    if not tables:
        return None
    names, places = mnemonics(board, elf), list(places)
    low, high = (sum(_cycles(table, names.get(place.pc, ""), place) for place in places) for table in tables)
    return low, high


def _cycles(table: CostTable, mnemonic: str, place: Place) -> int:
    cost = _cost(table, mnemonic)
    return place.executed * cost.base + (place.loads + place.stores) * cost.per_access + place.taken * cost.per_taken


@lru_cache(maxsize=1024)
def _cost(table: CostTable, mnemonic: str) -> Cost:
    return next(cost for cost in table.costs if re.fullmatch(cost.mnemonics, mnemonic))


@lru_cache(maxsize=8)
def mnemonics(board: Board, elf: Path) -> dict[int, str]:
    """Return address → mnemonic, width suffix and condition of a store or load kept, from the toolchain's objdump."""
    tool = find_tool(board.compiler.removesuffix("gcc") + "objdump", f"binutils-{board.package}", "disassembly")
    text = subprocess.run([tool, "-d", str(elf)], capture_output=True, text=True, check=True).stdout
    found = re.finditer(r"^\s*([0-9a-f]+):\t(?:[0-9a-f]{4,8} ?)+\s*\t(\S+)", text, re.MULTILINE)
    return {int(match[1], 16): match[2].removesuffix(".n").removesuffix(".w") for match in found}
