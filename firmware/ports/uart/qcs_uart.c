/* SPDX-License-Identifier: Apache-2.0 */
/* A port of any chip with a UART. The interrupt hands every byte to the agent at once, so that
 * none is lost while an encode runs. */
#include "qcs_uart.h"

#include <stddef.h>

#include "qcs_port.h"

void qcs_port_died(const char text[]);

static volatile bool arrived;

void qcs_port_interrupt(void) {
  for (int byte = qcs_uart_get(); byte >= 0; byte = qcs_uart_get()) {
    qcs_port_receive((uint8_t)byte);
    arrived = true;
  }
}

static uint16_t write_bytes(void *context, const uint8_t bytes[], uint16_t n) {
  uint16_t sent = 0;
  (void)context;
  while (sent < n && qcs_uart_put(bytes[sent]))
    sent++;
  return sent;
}

const qcs_agent_io_t *qcs_port_start(void) {
  static qcs_agent_io_t io = {.write = write_bytes};
  qcs_uart_start();
  qcs_ticks_start(&io);
  qcs_core_listen();
  return &io;
}

void qcs_port_idle(void) { qcs_core_sleep_unless(&arrived); }

/* The host shows the text as the board's log; the zero before it ends what was being sent. The UART
 * may be what died. */
void qcs_port_died(const char text[]) {
  enum { ROUNDS = 10000000 };
  const char *next = text;
  bool apart = false;
  for (uint32_t i = 0; i < ROUNDS && *next; i++) {
    if (!apart)
      apart = qcs_uart_put(0);
    else if (qcs_uart_put((uint8_t)*next))
      next++;
  }
  qcs_core_stop(text);
}
