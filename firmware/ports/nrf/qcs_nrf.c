/* SPDX-License-Identifier: Apache-2.0 */
/* nRF51 and nRF52: the UART without DMA, clocked by the board's crystal. References: nRF51 Series
 * Reference Manual 3.0 (chapters 13, 14, 29), nRF52840 Product Specification 1.7 (6.9, 6.34).
 *
 * The board's data gives QCS_PIN_TX, QCS_PIN_RX (both of port 0) and QCS_IRQ; QCS_BAUD is 115200.
 */
#include "qcs_cortex_m.h"
#include "qcs_uart.h"

#define TASKS_HFCLKSTART QCS_REG(0x40000000U)

#define UART 0x40002000U
#define TASKS_STARTRX QCS_REG(UART + 0x000U)
#define TASKS_STARTTX QCS_REG(UART + 0x008U)
#define EVENTS_RXDRDY QCS_REG(UART + 0x108U)
#define EVENTS_TXDRDY QCS_REG(UART + 0x11CU)
#define INTENSET QCS_REG(UART + 0x304U)
#define ENABLE QCS_REG(UART + 0x500U)
#define PSELTXD QCS_REG(UART + 0x50CU)
#define PSELRXD QCS_REG(UART + 0x514U)
#define RXD QCS_REG(UART + 0x518U)
#define TXD QCS_REG(UART + 0x51CU)
#define BAUDRATE QCS_REG(UART + 0x524U)
#define INT_RXDRDY (1U << 2)

#define GPIO 0x50000000U
#define OUTSET QCS_REG(GPIO + 0x508U)
#define PIN_CNF(pin) QCS_REG(GPIO + 0x700U + 4U * (pin))
#define PIN_OUTPUT 3U         /* the input buffer is not connected */
#define PIN_PULL_UP (3U << 2) /* an input, connected */

#if QCS_BAUD != 115200
#error "BAUDRATE is set for 115200 only"
#endif

static bool sending;

void qcs_uart_start(void) {
  TASKS_HFCLKSTART = 1; /* the crystal; until it runs the internal oscillator does, and goes on */
  OUTSET = 1U << QCS_PIN_TX;
  PIN_CNF(QCS_PIN_TX) = PIN_OUTPUT;
  PIN_CNF(QCS_PIN_RX) = PIN_PULL_UP;
  PSELTXD = QCS_PIN_TX;
  PSELRXD = QCS_PIN_RX;
  BAUDRATE = 0x01D7E000U; /* 115200 */
  ENABLE = 4;
  INTENSET = INT_RXDRDY;
  TASKS_STARTTX = 1;
  TASKS_STARTRX = 1;
}

int qcs_uart_get(void) {
  if (!EVENTS_RXDRDY)
    return -1;
  EVENTS_RXDRDY = 0;
  return (int)(RXD & 0xFFU);
}

bool qcs_uart_put(uint8_t byte) {
  if (sending && !EVENTS_TXDRDY)
    return false;
  EVENTS_TXDRDY = 0;
  TXD = byte;
  sending = true;
  return true;
}
