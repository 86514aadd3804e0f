/* QEMU models no cycles: its cycle counter (DWT) reads 0. Under `-icount shift=6` one instruction
 * takes 64 ns of emulated time, and SysTick, running at the emulated core clock, counts
 * instructions; otherwise it follows the host's clock and says nothing about the core. At start a
 * loop of known length shows which it is.
 *
 * Instructions = ticks * QCS_TICK_MUL / 2^QCS_TICK_SHIFT = ticks * 10^9 / (64 * clock), for the
 * board's clock. */
#include "qcs_ticks.h"
#include "qcs_cortex_m.h"

#define SYST_CSR QCS_REG(0xE000E010U)
#define SYST_RVR QCS_REG(0xE000E014U)
#define SYST_CVR QCS_REG(0xE000E018U)
#define SYST_MASK 0xFFFFFFU

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

static bool counts_instructions(void) {
  enum { SHORT = 50, LONG = 50050 }; /* differ by 100000 instructions */
  const uint32_t extra = timed_loop(LONG) - timed_loop(SHORT);
  const uint32_t seen = extra * QCS_TICK_MUL;
  const uint32_t wanted = (uint32_t)100000 << QCS_TICK_SHIFT;
  const uint32_t slack = 2 * QCS_TICK_MUL; /* two ticks */
  return seen + slack - wanted <= 2 * slack;
}

/* Called at least once per 2^24 ticks (about 10 million instructions) for the difference of two
 * calls to hold. */
static uint32_t instructions(void *context) {
  static uint64_t total;
  static uint32_t last;
  const uint32_t now = systick();
  (void)context;
  total += (uint64_t)((now - last) & SYST_MASK) * QCS_TICK_MUL;
  last = now;
  return (uint32_t)(total >> QCS_TICK_SHIFT);
}

void qcs_ticks_start(qcs_agent_io_t *io) {
  SYST_RVR = SYST_MASK;
  SYST_CVR = 0;
  SYST_CSR = 5; /* enabled, core clock, no interrupt */
  if (counts_instructions()) {
    io->ticks = instructions;
    io->tick_source = QCS_TICKS_INSTRUCTIONS;
  }
}
