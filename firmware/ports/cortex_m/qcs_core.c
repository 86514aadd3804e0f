/* SPDX-License-Identifier: Apache-2.0 */
/* A Cortex-M core under qcs_uart.c: interrupts, sleep, the end. */
#include <stdbool.h>

#include "qcs_cortex_m.h"

void qcs_core_listen(void);
void qcs_core_sleep_unless(volatile bool *arrived);
void qcs_core_stop(const char text[]);

#ifdef QCS_IRQ
void qcs_core_listen(void) {
  QCS_REG(0xE000E100U + 4U * (QCS_IRQ >> 5)) = 1U << (QCS_IRQ & 31U); /* NVIC_ISER */
  __asm__ volatile("cpsie i" ::: "memory");
}
#endif

void qcs_core_sleep_unless(volatile bool *arrived) {
  __asm__ volatile("cpsid i" ::: "memory");
  if (!*arrived)
    __asm__ volatile("dsb\n wfi" ::: "memory"); /* a masked interrupt ends it too */
  *arrived = false;
  __asm__ volatile("cpsie i" ::: "memory");
}

void qcs_core_stop(const char text[]) {
  qcs_semihost(QCS_SEMIHOST_WRITE0, text);
  qcs_semihost(QCS_SEMIHOST_EXIT, QCS_SEMIHOST_RUNTIME_ERROR);
}
