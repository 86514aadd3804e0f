/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel checks on Cortex-M. */
#include "qcs_check_port.h"
#include "qcs_cortex_m.h"

#define SEMIHOST_EXIT_OK ((const void *)(uintptr_t)0x20026U)

void qcs_check_start(void) { qcs_mask_interrupts(); }

void qcs_check_print(const char text[]) { qcs_semihost(QCS_SEMIHOST_WRITE0, text); }

void qcs_check_exit(int failed) {
  qcs_semihost(QCS_SEMIHOST_EXIT, failed ? QCS_SEMIHOST_RUNTIME_ERROR : SEMIHOST_EXIT_OK);
}

void qcs_port_died(const char message[]) {
  qcs_check_print(message);
  qcs_check_exit(1);
}
