/* SPDX-License-Identifier: Apache-2.0 */
/* What the Cortex-M ports share. */
#ifndef QCS_CORTEX_M_H
#define QCS_CORTEX_M_H

#include <stdint.h>

#define QCS_REG(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Sleep until interrupt line `irq` is pending. Interrupts stay masked: a pending one ends the
 * sleep, and no handler runs. The caller has checked that there is nothing to do; a byte that
 * arrives in between leaves the line pending. */
static inline void qcs_sleep_until_irq(uint32_t irq) {
  QCS_REG(0xE000E100U + 4U * (irq >> 5)) = 1U << (irq & 31U); /* NVIC_ISER */
  __asm__ volatile("dsb\n wfi" ::: "memory");
  QCS_REG(0xE000E280U + 4U * (irq >> 5)) = 1U << (irq & 31U); /* NVIC_ICPR */
}

static inline void qcs_mask_interrupts(void) { __asm__ volatile("cpsid i" ::: "memory"); }

/* The firmware died: say so (a line of text) and stop. Each port provides it. */
void qcs_port_died(const char text[]);

/* Semihosting, for emulators and debuggers: print a string; leave with a failure. */
static inline void qcs_semihost(uint32_t operation, const void *argument) {
  register uint32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
}

#define QCS_SEMIHOST_WRITE0 0x04U
#define QCS_SEMIHOST_EXIT 0x18U
#define QCS_SEMIHOST_RUNTIME_ERROR ((const void *)(uintptr_t)0x20023U)

#endif
