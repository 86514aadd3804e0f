/* SPDX-License-Identifier: Apache-2.0 */
/* FE310-G000 (HiFive1): UART0 on GPIO 16 and 17, which the board's USB bridge has, on the crystal
 * of 16 MHz; the internal oscillator is too loose for a UART. Reference: SiFive FE310-G000 Manual
 * v3 (chapters 6, 8, 10, 17, 18). Waits are bounded: an emulator may leave a flag at 0. */
#include "qcs_riscv.h"
#include "qcs_uart.h"

#define HFXOSCCFG QCS_REG(0x10008004U)
#define PLLCFG QCS_REG(0x10008008U)
#define PLLOUTDIV QCS_REG(0x1000800CU)
#define XOSC_ON (1U << 30)
#define XOSC_READY (1U << 31)
#define PLL_FROM_CRYSTAL_BYPASSED (1U << 16 | 1U << 17 | 1U << 18) /* select, refsel, bypass */

#define GPIO_IOF_ENABLE QCS_REG(0x10012038U)
#define GPIO_IOF_SELECT QCS_REG(0x1001203CU)
#define UART_PINS (1U << 16 | 1U << 17)

#define UART 0x10013000U
#define UART_SEND QCS_REG(UART + 0x00U)
#define UART_RECEIVED QCS_REG(UART + 0x04U)
#define UART_SEND_CONTROL QCS_REG(UART + 0x08U)
#define UART_RECEIVE_CONTROL QCS_REG(UART + 0x0CU)
#define UART_INTERRUPTS QCS_REG(UART + 0x10U)
#define UART_DIVIDER QCS_REG(UART + 0x18U)
#define FLAG (1U << 31) /* of SEND: full; of RECEIVED: empty */

enum { ROUNDS = 100000, UART_LINE = 3 };

void qcs_uart_start(void) {
  HFXOSCCFG = XOSC_ON;
  for (uint32_t i = 0; i < ROUNDS && !(HFXOSCCFG & XOSC_READY); i++) {
  }
  PLLOUTDIV = 1U << 8; /* by 1 */
  PLLCFG = PLL_FROM_CRYSTAL_BYPASSED;
  GPIO_IOF_SELECT &= ~UART_PINS;
  GPIO_IOF_ENABLE |= UART_PINS;
  UART_DIVIDER = (QCS_CLOCK_HZ + QCS_BAUD / 2U) / QCS_BAUD - 1U;
  UART_SEND_CONTROL = 1;
  UART_RECEIVE_CONTROL = 1; /* watermark 0: an interrupt from one byte on */
  UART_INTERRUPTS = 2;
  qcs_plic_enable(UART_LINE);
}

int qcs_uart_get(void) {
  const uint32_t received = UART_RECEIVED;
  return received & FLAG ? -1 : (int)(received & 0xFFU);
}

bool qcs_uart_put(uint8_t byte) {
  if (UART_SEND & FLAG)
    return false;
  UART_SEND = byte;
  return true;
}
