/* SPDX-License-Identifier: Apache-2.0 */
/* Ticks of a RISC-V core. minstret is exact on chips, and under QEMU with -icount; otherwise QEMU
 * derives it from the host's clock, and there are no ticks. Where divisions take more cycles than
 * instructions, mcycle counts cycles: that is a chip. QEMU's two counters are one. */
#include <stddef.h>

#include "qcs_port.h"

static uint32_t instructions(void *context) {
  uint32_t value;
  (void)context;
  __asm__ volatile("csrr %0, minstret" : "=r"(value));
  return value;
}

__attribute__((noinline)) static uint32_t timed_loop(uint32_t rounds) {
  const uint32_t start = instructions(NULL);
  __asm__ volatile("1: addi %0, %0, -1\n bnez %0, 1b\n" : "+r"(rounds));
  return instructions(NULL) - start;
}

static bool counts_instructions(void) { return timed_loop(50050) - timed_loop(50) == 100000U; }

#ifdef QCS_CLOCK_HZ
static uint32_t cycles(void *context) {
  uint32_t value;
  (void)context;
  __asm__ volatile("csrr %0, mcycle" : "=r"(value));
  return value;
}

static bool counts_cycles(void) {
  enum { DIVISIONS = 64 };
  const uint32_t cycle = cycles(NULL), instruction = instructions(NULL);
  uint32_t quotient = 0;
  for (uint32_t i = 1; i <= DIVISIONS; i++)
    __asm__ volatile("divu %0, %1, %2" : "=r"(quotient) : "r"(0xFFFFFFFFU), "r"(i));
  const uint32_t took = cycles(NULL) - cycle;
  return took > instructions(NULL) - instruction + 2U * DIVISIONS;
}
#endif

void qcs_ticks_start(qcs_agent_io_t *io) {
  if (!counts_instructions())
    return;
  io->ticks = instructions;
  io->tick_source = QCS_TICKS_INSTRUCTIONS;
#ifdef QCS_CLOCK_HZ
  if (counts_cycles()) {
    io->ticks = cycles;
    io->tick_source = QCS_TICKS_CYCLES;
    io->tick_hz = QCS_CLOCK_HZ;
  }
#endif
}
