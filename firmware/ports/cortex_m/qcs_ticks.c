/* SPDX-License-Identifier: Apache-2.0 */
/* Ticks of a Cortex-M, on the chip and in QEMU by the same image:
 *
 * - the cycle counter (DWT) where it counts; QEMU's reads 0;
 * - SysTick as instructions, under QEMU's `-icount shift=QCS_ICOUNT_SHIFT`: one instruction takes
 *   2^QCS_ICOUNT_SHIFT ns of emulated time, and SysTick runs at QCS_EMULATED_HZ;
 * - SysTick as cycles, on an Armv6-M, which has no cycle counter;
 * - none. A loop of known length shows which it is: without -icount, QEMU's SysTick follows the
 *   host's clock and says nothing of the core. */
#include "qcs_cortex_m.h"
#include "qcs_port.h"

#ifndef QCS_EMULATED_HZ
#define QCS_EMULATED_HZ QCS_CLOCK_HZ
#endif

#define SYST_CSR QCS_REG(0xE000E010U)
#define SYST_RVR QCS_REG(0xE000E014U)
#define SYST_CVR QCS_REG(0xE000E018U)
#define SYST_MASK 0xFFFFFFU

enum { SHORT = 50, LONG = 50050 }; /* rounds; they differ by 50000, 100000 instructions */

static uint32_t systick(void) { return ~SYST_CVR & SYST_MASK; }

/* Run 2 * rounds instructions and a few more, always the same few. Returns ticks. */
__attribute__((noinline)) static uint32_t timed_loop(uint32_t rounds) {
  const uint32_t start = systick();
  __asm__ volatile(".syntax unified\n"
                   ".p2align 2\n"
                   "1: subs %0, %0, #1\n"
                   "bne 1b\n"
                   : "+l"(rounds)
                   :
                   : "cc");
  return (systick() - start) & SYST_MASK;
}

#ifdef QCS_ICOUNT_SHIFT
/* Instructions per tick, in units of 2^-32: 10^9 / (2^shift * clock). */
#define PER_TICK ((1000000000ULL << 32) / ((uint64_t)QCS_EMULATED_HZ << QCS_ICOUNT_SHIFT))

static bool counts_instructions(uint32_t extra) {
  const uint64_t seen = extra * PER_TICK, wanted = 100000ULL << 32, slack = 2U * PER_TICK;
  return seen + slack - wanted <= 2U * slack;
}

/* Two calls must not lie 2^24 ticks apart or more for their difference to hold. */
static uint32_t instructions(void *context) {
  static uint64_t total; /* in units of 2^-32 */
  static uint32_t last;
  const uint32_t now = systick();
  (void)context;
  total += ((now - last) & SYST_MASK) * PER_TICK;
  last = now;
  return (uint32_t)(total >> 32);
}
#endif

#ifdef __ARM_ARCH_6M__
/* A round takes 3 cycles on an M0+, 4 on an M0 (Arm DDI 0484C and 0432C, table 3-1). */
static bool counts_cycles(uint32_t extra) {
  return extra + 2U - 150000U <= 4U || extra + 2U - 200000U <= 4U;
}

static uint32_t cycles(void *context) { /* as far apart as instructions() */
  static uint32_t total, last;
  const uint32_t now = systick();
  (void)context;
  total += (now - last) & SYST_MASK;
  last = now;
  return total;
}
#else
/* Armv7-M Architecture Reference Manual, C1.6.5 and C1.8 */
#define DEMCR QCS_REG(0xE000EDFCU)
#define DWT_CTRL QCS_REG(0xE0001000U)
#define DWT_CYCCNT QCS_REG(0xE0001004U)

static bool counts_cycles(uint32_t extra) {
  (void)extra;
  DEMCR |= 1U << 24; /* TRCENA */
  DWT_CTRL |= 1U;    /* CYCCNTENA */
  const uint32_t start = DWT_CYCCNT;
  (void)timed_loop(SHORT);
  return DWT_CYCCNT != start;
}

static uint32_t cycles(void *context) {
  (void)context;
  return DWT_CYCCNT;
}
#endif

void qcs_ticks_start(qcs_agent_io_t *io) {
  SYST_RVR = SYST_MASK;
  SYST_CVR = 0;
  SYST_CSR = 5; /* enabled, core clock, no interrupt */
  const uint32_t extra = timed_loop(LONG) - timed_loop(SHORT);
  if (counts_cycles(extra)) {
    io->ticks = cycles;
    io->tick_source = QCS_TICKS_CYCLES;
    io->tick_hz = QCS_CLOCK_HZ;
    return;
  }
#ifdef QCS_ICOUNT_SHIFT
  if (counts_instructions(extra)) {
    io->ticks = instructions;
    io->tick_source = QCS_TICKS_INSTRUCTIONS;
  }
#endif
}
