"""What a port's start-up writes to a chip's registers: its C compiled for the host, over registers that remember."""

import os
import subprocess
from pathlib import Path

from qcskit.firmware import Board, sources
from qcskit.firmware.host import WARNINGS, host_compiler

_REG_H = """
#include <stdint.h>
uint32_t *qcs_reg(uint32_t address);
#define QCS_REG(address) (*(volatile uint32_t *)qcs_reg(address))
void qcs_plic_enable(uint32_t line);
"""
_MAIN_C = """
#include "qcs_registers.h"
#include <stdio.h>
#include "qcs_uart.h"
static uint32_t addresses[64], values[64], count;
uint32_t *qcs_reg(uint32_t address) {
  uint32_t i = 0;
  while (i < count && addresses[i] != address)
    i++;
  if (i == count) {
    addresses[count] = address;
    values[count++] = FILL;
  }
  return values + i;
}
void qcs_plic_enable(uint32_t line) { *qcs_reg(0) = line; }
int main(void) {
  qcs_uart_start();
  for (uint32_t i = 0; i < count; i++)
    printf("%x %x\\n", (unsigned)addresses[i], (unsigned)values[i]);
}
"""


def started(board: Board, fill: int, folder: Path) -> dict[int, int]:
    """Return address → value of each register that the chip's start touches, by first touch; all hold `fill` before.

    The PLIC line that is enabled stands under address 0.
    """
    root = sources() / "ports"
    for name in ("qcs_registers.h", "qcs_cortex_m.h", "qcs_riscv.h"):
        (folder / name).write_text(_REG_H)
    (folder / "main.c").write_text(_MAIN_C)
    places = [root / port for port in board.ports if port in ("stm32", "nrf", "rp2040", "hifive1")]
    files = [str(path) for place in places for path in place.glob("*.c")]
    flags = [flag for flag in board.flags if flag.startswith("-DQCS_")]
    program = folder / "registers"
    subprocess.run(
        [host_compiler(), "-std=c11", *WARNINGS, *flags, f"-DQCS_BAUD={board.baud}UL", f"-DFILL={fill}U", f"-I{folder}",
         f"-I{root / 'uart'}", str(folder / "main.c"), *files, "-o", str(program)],
        check=True, env=os.environ | {"LC_ALL": "C"},
    )  # fmt: skip
    lines = subprocess.run([str(program)], capture_output=True, text=True, check=True, timeout=20).stdout.splitlines()
    return {int(line.split()[0], 16): int(line.split()[1], 16) for line in lines}
