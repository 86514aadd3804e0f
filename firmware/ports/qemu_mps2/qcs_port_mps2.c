/* SPDX-License-Identifier: Apache-2.0 */
/* Port for the Arm MPS2/MPS3 boards as QEMU emulates them: CMSDK UART and timer. The board's data
 * gives the addresses: QCS_UART, QCS_UART_IRQ (receive), QCS_TIMER. */
#include <stddef.h>

#include "qcs_cortex_m.h"
#include "qcs_port.h"

/* CMSDK APB UART (Arm DDI 0479, 4.3) */
#define UART_DATA QCS_REG(QCS_UART + 0x00U)
#define UART_STATE QCS_REG(QCS_UART + 0x04U)
#define UART_CTRL QCS_REG(QCS_UART + 0x08U)
#define UART_INT QCS_REG(QCS_UART + 0x0CU)
#define UART_BAUDDIV QCS_REG(QCS_UART + 0x10U)
#define STATE_TX_FULL 1U
#define STATE_RX_FULL 2U
#define CTRL_TX_RX_RXINT 0xBU
#define INT_RX 2U

static int read_byte(void *context) {
  (void)context;
  if (!(UART_STATE & STATE_RX_FULL))
    return -1;
  UART_INT = INT_RX;
  return (int)(UART_DATA & 0xFFU);
}

static uint16_t write_bytes(void *context, const uint8_t bytes[], uint16_t n) {
  uint16_t sent = 0;
  (void)context;
  while (sent < n && !(UART_STATE & STATE_TX_FULL))
    UART_DATA = bytes[sent++];
  return sent;
}

/* Divider for a rate, 0 if the UART cannot make it within 2 % (the UART wants at least 16). */
static uint32_t divider(uint32_t baud) {
  uint32_t d = 0, product = 0;
  while (product < QCS_CLOCK_HZ && d < 0xFFFFFU) {
    product += baud;
    d++;
  }
  const uint32_t over = product - QCS_CLOCK_HZ;
  if (over * 2U > baud) { /* nearest, not next */
    d--;
    return d >= 16U && baud - over <= QCS_CLOCK_HZ / 50U ? d : 0;
  }
  return d >= 16U && over <= QCS_CLOCK_HZ / 50U ? d : 0;
}

static bool set_baud(void *context, uint32_t baud, bool now) {
  const uint32_t d = baud >= 300U && baud < QCS_CLOCK_HZ ? divider(baud) : 0;
  (void)context;
  if (d != 0 && now)
    UART_BAUDDIV = d;
  return d != 0;
}

const qcs_agent_io_t *qcs_port_start(void) {
  static qcs_agent_io_t io = {
      .read = read_byte, .write = write_bytes, .set_baud = set_baud, .baud = 115200};
  qcs_mask_interrupts();
  (void)set_baud(NULL, io.baud, true);
  UART_CTRL = CTRL_TX_RX_RXINT;
  qcs_ticks_start(&io);
  return &io;
}

void qcs_port_idle(void) {
  if (!(UART_STATE & STATE_RX_FULL))
    qcs_sleep_until_irq(QCS_UART_IRQ);
}

void qcs_port_died(const char text[]) {
  qcs_semihost(QCS_SEMIHOST_WRITE0, text);
  qcs_semihost(QCS_SEMIHOST_EXIT, QCS_SEMIHOST_RUNTIME_ERROR);
}
