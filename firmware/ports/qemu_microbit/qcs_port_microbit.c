/* Port for the BBC micro:bit (nRF51822) as QEMU emulates it: the nRF51 UART. */
#include "qcs_cortex_m.h"
#include "qcs_port.h"
#include "qcs_ticks.h"

/* nRF51 Series Reference Manual 3.0, chapter 29 */
#define UART 0x40002000U
#define TASKS_STARTRX QCS_REG(UART + 0x000U)
#define TASKS_STARTTX QCS_REG(UART + 0x008U)
#define EVENTS_RXDRDY QCS_REG(UART + 0x108U)
#define EVENTS_TXDRDY QCS_REG(UART + 0x11CU)
#define INTENSET QCS_REG(UART + 0x304U)
#define ENABLE QCS_REG(UART + 0x500U)
#define RXD QCS_REG(UART + 0x518U)
#define TXD QCS_REG(UART + 0x51CU)
#define BAUDRATE QCS_REG(UART + 0x524U)
#define INT_RXDRDY (1U << 2)
#define UART_IRQ 2U

static bool sending;

static int read_byte(void *context) {
  (void)context;
  if (!EVENTS_RXDRDY)
    return -1;
  EVENTS_RXDRDY = 0;
  return (int)(RXD & 0xFFU);
}

static uint16_t write_bytes(void *context, const uint8_t bytes[], uint16_t n) {
  uint16_t sent = 0;
  (void)context;
  while (sent < n && (!sending || EVENTS_TXDRDY)) {
    EVENTS_TXDRDY = 0;
    TXD = bytes[sent++];
    sending = true;
  }
  return sent;
}

const qcs_agent_io_t *qcs_port_start(void) {
  static qcs_agent_io_t io = {.read = read_byte, .write = write_bytes};
  qcs_mask_interrupts();
  BAUDRATE = 0x01D7E000U; /* 115200 */
  ENABLE = 4;
  INTENSET = INT_RXDRDY;
  TASKS_STARTTX = 1;
  TASKS_STARTRX = 1;
  qcs_ticks_start(&io);
  return &io;
}

void qcs_port_idle(void) {
  if (!EVENTS_RXDRDY)
    qcs_sleep_until_irq(UART_IRQ);
}

void qcs_port_died(const char text[]) {
  qcs_semihost(QCS_SEMIHOST_WRITE0, text);
  qcs_semihost(QCS_SEMIHOST_EXIT, QCS_SEMIHOST_RUNTIME_ERROR);
}
