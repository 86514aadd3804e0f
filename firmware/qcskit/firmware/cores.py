"""Processor cores, one entry each: compiler and options, form of the tables, emulator, instruction timings.

A board (boards.toml) names its core. An estimate of cycles has two ends; it knows the core's published instruction
timings and nothing of flash wait states, bus contention, caches or branch prediction.
"""

from dataclasses import dataclass


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


@dataclass(frozen=True)
class Core:
    """An instruction set. flags: for it alone. layout: form of the int8 tables (qcs_layout.h) that its code reads.

    board: its emulated board for kernel checks, which may be another core that runs this one's code; table_bytes: of
    tables that fit there. cycles: cost tables of the lower and the upper end, none if there are no timings.
    """

    name: str
    compiler: str
    package: str
    flags: tuple[str, ...]
    layout: str
    board: str
    table_bytes: int
    cycles: tuple[CostTable, ...] = ()


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


def _arm(
    name: str, layout: str, board: str, tables: int, cycles: tuple[CostTable, ...] = (), abi: str = "soft"
) -> Core:
    cpu = name.lower().replace("+", "plus")
    flags = (f"-mcpu={cpu}", "-mthumb", f"-mfloat-abi={abi}")
    return Core(name, "arm-none-eabi-gcc", "gcc-arm-none-eabi", flags, layout, board, tables, cycles)


CORES = {
    core.name: core
    for core in (
        # Cortex-M0's code runs on M0+ as it is; the M0+ is the lower end.
        _arm("Cortex-M0", "QCS_LAYOUT_PAIR", "microbit", 200 << 10, (M0PLUS, M0)),
        # Armv6-M code is a subset of Armv7-M: a Cortex-M3 has the memory that the micro:bit lacks.
        _arm("Cortex-M0+", "QCS_LAYOUT_PAIR", "cortex-m3", 3 << 20, (M0PLUS, M0)),
        _arm("Cortex-M3", "QCS_LAYOUT_PAIR", "cortex-m3", 3 << 20),
        _arm("Cortex-M4", "QCS_LAYOUT_DSP", "cortex-m4", 3 << 20, (M4_LOW, M4_HIGH)),
        _arm("Cortex-M7", "QCS_LAYOUT_DSP", "cortex-m7", 3 << 20),
        _arm("Cortex-M33", "QCS_LAYOUT_DSP", "cortex-m33", 3 << 20),
        _arm("Cortex-M55", "QCS_LAYOUT_MVE", "cortex-m55", 400 << 10, abi="hard"),
        Core("RV32IMC", "riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf",
             ("-march=rv32imc_zicsr", "-mabi=ilp32"), "QCS_LAYOUT_PAIR", "rv32", 6 << 20),
        Core("AVR", "avr-gcc", "gcc-avr avr-libc", ("-mmcu=atmega2560",), "QCS_LAYOUT_PLAIN", "mega", 60 << 10),
    )
}  # fmt: skip
"""Cores that the C core is written for, by name."""
