"""Estimated cycles out of exact counts, for cores that no emulator here models cycle by cycle.

An estimate has two ends. It knows the core's published instruction timings and nothing of flash wait states, bus
contention, caches or branch prediction; a real board can be slower than the upper end if its flash is.
"""

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from qcskit.firmware.boards import Board
from qcskit.firmware.compile import find_tool
from qcskit.firmware.counting import Place


@dataclass(frozen=True)
class Cost:
    """Cycles of a class of instructions: base + per_access · memory accesses + per_taken · times it branched."""

    mnemonics: str
    base: int
    per_access: int = 0
    per_taken: int = 0


@dataclass(frozen=True)
class CostTable:
    """Costs of a core; the first entry whose pattern matches the mnemonic counts."""

    core: str
    source: str
    costs: tuple[Cost, ...]


_BLOCK = r"(ldm|stm|push|pop|vpush|vpop|vldm|vstm|ldrd|strd).*"
_SINGLE = r"(ldr|str|vldr|vstr).*"

M4_LOW = CostTable(
    "Cortex-M4", "Arm DDI 0439B, table 3-1: loads and stores pipelined, branch refill P = 1",
    (Cost(r"it[te]*", 0), Cost(r"[su]div", 2), Cost(_BLOCK, 1, 1, 1), Cost(_SINGLE, 0, 1, 1),
     Cost(r"tb[bh]", 2, 0, 1), Cost(r".*", 1, 0, 1)),
)  # fmt: skip
M4_HIGH = CostTable(
    "Cortex-M4", "Arm DDI 0439B, table 3-1: no load or store pipelined, branch refill P = 3",
    (Cost(r"it[te]*", 1), Cost(r"[su]div", 12), Cost(_BLOCK, 1, 1, 3), Cost(_SINGLE, 0, 2, 3),
     Cost(r"tb[bh]", 2, 0, 3), Cost(r".*", 1, 0, 3)),
)  # fmt: skip
M0PLUS = CostTable(
    "Cortex-M0+", "Arm DDI 0484C, table 3-1: single-cycle multiplier, no wait states",
    (Cost(_BLOCK, 1, 1, 2), Cost(_SINGLE, 1, 1), Cost(r"bl", 1, 0, 2), Cost(r"(mrs|msr|dsb|dmb|isb)", 3),
     Cost(r".*", 1, 0, 1)),
)  # fmt: skip
M0 = CostTable(
    "Cortex-M0", "Arm DDI 0432C, table 3-1: single-cycle multiplier, no wait states, three-stage pipeline",
    (Cost(_BLOCK, 1, 1, 3), Cost(_SINGLE, 1, 1), Cost(r"bl", 1, 0, 3), Cost(r"(mrs|msr|dsb|dmb|isb)", 4),
     Cost(r".*", 1, 0, 2)),
)  # fmt: skip

TABLES = {"cortex-m4": (M4_LOW, M4_HIGH), "cortex-m0": (M0PLUS, M0)}
"""Board → (lower, upper) table. Cortex-M0's code runs on M0+ as it is; the M0+ is the lower end."""


def estimate_cycles(board: Board, elf: Path, places: Iterable[Place]) -> tuple[int, int] | None:
    """Return (low, high) estimated cycles of what `places` counted, None for a core without a cost table."""
    if board.name not in TABLES:
        return None
    names = mnemonics(board, elf)
    places = list(places)
    low, high = (
        sum(_cycles(table, names.get(place.pc, ""), place) for place in places) for table in TABLES[board.name]
    )
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
