/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel checks on RV32, with the start-up code of the board `rv32`. */
#include <stdint.h>

#include "qcs_check_port.h"

#define SEMIHOST_WRITE0 0x04U
#define SEMIHOST_EXIT 0x18U
#define EXIT_OK 0x20026U
#define EXIT_RUNTIME_ERROR 0x20023U

void qcs_trap_report(uint32_t cause, uint32_t pc, uint32_t value, uint32_t ra, uint32_t sp);

static void semihost(uint32_t operation, const void *argument) {
  register uint32_t a0 __asm__("a0") = operation;
  register const void *a1 __asm__("a1") = argument;
  __asm__ volatile(".option push\n .option norvc\n .p2align 4\n"
                   "slli zero, zero, 0x1f\n ebreak\n srai zero, zero, 7\n .option pop\n"
                   : "+r"(a0)
                   : "r"(a1)
                   : "memory");
}

void qcs_check_start(void) {}

void qcs_check_print(const char text[]) { semihost(SEMIHOST_WRITE0, text); }

void qcs_check_exit(int failed) {
  semihost(SEMIHOST_EXIT, (const void *)(uintptr_t)(failed ? EXIT_RUNTIME_ERROR : EXIT_OK));
  for (;;) {
  }
}

void qcs_trap_report(uint32_t cause, uint32_t pc, uint32_t value, uint32_t ra, uint32_t sp) {
  (void)cause, (void)pc, (void)value, (void)ra, (void)sp;
  qcs_check_print("trapped\n");
  qcs_check_exit(1);
}
