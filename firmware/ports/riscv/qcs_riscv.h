/* SPDX-License-Identifier: Apache-2.0 */
/* What the RISC-V ports share. */
#ifndef QCS_RISCV_H
#define QCS_RISCV_H

#include <stdint.h>

#define QCS_REG(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* Let the UART's line of the PLIC through to hart 0, in machine mode. */
void qcs_plic_enable(uint32_t line);

/* Semihosting, for emulators and debuggers. */
static inline void qcs_semihost(uint32_t operation, const void *argument) {
  register uint32_t a0 __asm__("a0") = operation;
  register const void *a1 __asm__("a1") = argument;
  __asm__ volatile(".option push\n .option norvc\n .p2align 4\n"
                   "slli zero, zero, 0x1f\n ebreak\n srai zero, zero, 7\n .option pop\n"
                   : "+r"(a0)
                   : "r"(a1)
                   : "memory");
}

#endif
