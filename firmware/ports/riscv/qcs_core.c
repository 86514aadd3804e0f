/* SPDX-License-Identifier: Apache-2.0 */
/* A RISC-V core under qcs_uart.c: interrupts through the PLIC, sleep, the end. */
#include "qcs_riscv.h"
#include "qcs_uart.h"

/* SiFive PLIC, context 0: machine mode of hart 0 (RISC-V PLIC specification 1.0) */
#define PLIC 0x0C000000U
#define PLIC_PRIORITY(line) QCS_REG(PLIC + 4U * (line))
#define PLIC_ENABLE QCS_REG(PLIC + 0x2000U)
#define PLIC_THRESHOLD QCS_REG(PLIC + 0x200000U)
#define PLIC_CLAIM QCS_REG(PLIC + 0x200004U)
#define MIE_EXTERNAL (1U << 11)
#define MSTATUS_MIE 8U

extern char qcs_vectors[];

void qcs_external_interrupt(void);

void qcs_plic_enable(uint32_t line) {
  PLIC_PRIORITY(line) = 1;
  PLIC_ENABLE = 1U << line;
  PLIC_THRESHOLD = 0;
}

__attribute__((interrupt("machine"))) void qcs_external_interrupt(void) {
  const uint32_t line = PLIC_CLAIM;
  qcs_port_interrupt();
  PLIC_CLAIM = line;
}

void qcs_core_listen(void) {
  __asm__ volatile("csrw mtvec, %0\n csrs mie, %1\n csrs mstatus, %2"
                   :
                   : "r"((uintptr_t)qcs_vectors | 1U), "r"(MIE_EXTERNAL), "r"(MSTATUS_MIE)
                   : "memory");
}

void qcs_core_sleep_unless(volatile bool *arrived) {
  __asm__ volatile("csrc mstatus, %0" : : "r"(MSTATUS_MIE) : "memory");
  if (!*arrived)
    __asm__ volatile("wfi" ::: "memory"); /* a masked interrupt ends it too */
  *arrived = false;
  __asm__ volatile("csrs mstatus, %0" : : "r"(MSTATUS_MIE) : "memory");
}

void qcs_core_stop(const char text[]) {
  static const uint32_t leave[2] = {0x20023U, 1}; /* ADP_Stopped_RunTimeErrorUnknown */
  qcs_semihost(0x04, text);
  qcs_semihost(0x18, leave);
  qcs_semihost(0x18, (const void *)(uintptr_t)0x20023U);
}
