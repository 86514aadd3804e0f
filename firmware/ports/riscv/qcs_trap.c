/* SPDX-License-Identifier: Apache-2.0 */
/* What a RISC-V core says of an exception. */
#include <stdbool.h>
#include <string.h>

#include "qcs_riscv.h"

void qcs_port_died(const char text[]);
void qcs_trap_report(uint32_t cause, uint32_t pc, uint32_t value, uint32_t ra, uint32_t sp);

static char *put_hex(char *to, const char *name, uint32_t value) {
  *to++ = ' ';
  while (*name)
    *to++ = *name++;
  *to++ = '=';
  for (int shift = 28; shift >= 0; shift -= 4)
    *to++ = "0123456789abcdef"[(value >> shift) & 15U];
  return to;
}

void qcs_trap_report(uint32_t cause, uint32_t pc, uint32_t value, uint32_t ra, uint32_t sp) {
  static char text[128];
  static volatile bool reported;
  char *end = text;
  while (reported) { /* without a debugger, the call that ends an emulator traps as well */
  }
  reported = true;
  memcpy(end, "qcs fault:", 10);
  end = put_hex(end + 10, "pc", pc);
  end = put_hex(end, "lr", ra);
  end = put_hex(end, "sp", sp);
  end = put_hex(end, "mcause", cause);
  end = put_hex(end, "mtval", value);
  *end++ = '\n';
  *end = '\0';
  qcs_port_died(text);
  for (;;) {
  }
}
