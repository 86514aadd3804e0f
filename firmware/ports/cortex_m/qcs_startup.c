/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up of any Cortex-M: vector table, memory, and a fault handler that says where it happened.
 */
#include "qcs_cortex_m.h"

#include <string.h>

extern uint32_t qcs_data_from[], qcs_data_start[], qcs_data_end[], qcs_bss_start[], qcs_bss_end[],
    qcs_stack_top[];

int main(void);
void qcs_reset(void);
void qcs_fault(void);
void qcs_port_interrupt(void) __attribute__((weak, alias("qcs_fault")));
void qcs_fault_report(const uint32_t frame[8], uint32_t exc_return);

static void find_vectors(void);

void qcs_reset(void) {
  find_vectors();
  for (uint32_t *to = qcs_data_start, *from = qcs_data_from; to != qcs_data_end;)
    *to++ = *from++;
  for (uint32_t *to = qcs_bss_start; to != qcs_bss_end;)
    *to++ = 0;
#if defined(__ARM_FEATURE_MVE) || (defined(__ARM_FP) && __ARM_FP != 0)
  QCS_REG(0xE000ED88U) |= 0xFU << 20; /* CPACR: the core starts with its vector unit off */
  __asm__ volatile("dsb\n isb" ::: "memory");
#endif
  (void)main();
  for (;;) {
  }
}

/* Any exception nobody expects. r0 = the frame the core stacked. */
__attribute__((naked)) void qcs_fault(void) {
  __asm__ volatile("mrs r0, msp\n"
                   "mov r1, lr\n"
                   "ldr r2, =qcs_fault_report\n"
                   "bx r2\n");
}

static char *put_hex(char *to, const char *name, uint32_t value) {
  *to++ = ' ';
  while (*name)
    *to++ = *name++;
  *to++ = '=';
  for (int shift = 28; shift >= 0; shift -= 4)
    *to++ = "0123456789abcdef"[(value >> shift) & 15U];
  return to;
}

void qcs_fault_report(const uint32_t frame[8], uint32_t exc_return) {
  static const char *const names[8] = {"r0", "r1", "r2", "r3", "r12", "lr", "pc", "xpsr"};
  static char text[256];
  char *end = text;
  memcpy(end, "qcs fault:", 10);
  end += 10;
  for (int i = 0; i < 8; i++)
    end = put_hex(end, names[i], frame[i]);
  end = put_hex(end, "sp", (uint32_t)frame);
  end = put_hex(end, "exc_return", exc_return);
#if __ARM_ARCH >= 7 || defined(__ARM_ARCH_8M_MAIN__) || defined(__ARM_ARCH_8_1M_MAIN__)
  end = put_hex(end, "cfsr", QCS_REG(0xE000ED28U));
  end = put_hex(end, "hfsr", QCS_REG(0xE000ED2CU));
  end = put_hex(end, "mmfar", QCS_REG(0xE000ED34U));
  end = put_hex(end, "bfar", QCS_REG(0xE000ED38U));
#endif
  *end++ = '\n';
  *end = '\0';
  qcs_port_died(text);
  for (;;) {
  }
}

/* Initial stack pointer, exceptions 1 .. 15, and the one interrupt that is ever enabled, QCS_IRQ. A
 * board whose data names none keeps interrupts masked. */
typedef union {
  uint32_t *stack;
  void (*handler)(void);
} qcs_vector_t;

__attribute__((section(".vectors"), used)) static const qcs_vector_t vectors[] = {
    {.stack = qcs_stack_top},
    {.handler = qcs_reset},
    {.handler = qcs_fault},
    {.handler = qcs_fault},
    {.handler = qcs_fault},
    {.handler = qcs_fault},
    {.handler = qcs_fault},
    {.handler = qcs_fault},
    {.handler = qcs_fault},
    {.handler = qcs_fault},
    {.handler = qcs_fault},
    {.handler = qcs_fault},
    {.handler = qcs_fault},
    {.handler = qcs_fault},
    {.handler = qcs_fault},
    {.handler = qcs_fault},
#ifdef QCS_IRQ
    [16 + QCS_IRQ] = {.handler = qcs_port_interrupt},
#endif
};

/* A boot loader may have left its own table in VTOR. A Cortex-M0 has no VTOR and ignores it. */
static void find_vectors(void) { QCS_REG(0xE000ED08U) = (uint32_t)(uintptr_t)vectors; }
