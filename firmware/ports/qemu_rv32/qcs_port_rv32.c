/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's RISC-V board `virt`: 16550 UART, interrupt line 10 of the PLIC. */
#include "qcs_riscv.h"
#include "qcs_uart.h"

#define REG8(address) (*(volatile uint8_t *)(uintptr_t)(address))

/* 16550 */
#define UART 0x10000000U
#define UART_DATA REG8(UART + 0U)
#define UART_IER REG8(UART + 1U)
#define UART_FCR REG8(UART + 2U)
#define UART_LSR REG8(UART + 5U)
#define LSR_RX_READY 0x01U
#define LSR_TX_EMPTY 0x20U

enum { UART_LINE = 10 };

void qcs_uart_start(void) {
  UART_FCR = 1; /* FIFOs on */
  UART_IER = 1; /* receive interrupt */
  qcs_plic_enable(UART_LINE);
}

int qcs_uart_get(void) { return (UART_LSR & LSR_RX_READY) ? UART_DATA : -1; }

bool qcs_uart_put(uint8_t byte) {
  if (!(UART_LSR & LSR_TX_EMPTY))
    return false;
  UART_DATA = byte;
  return true;
}
