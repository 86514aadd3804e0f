/* SPDX-License-Identifier: Apache-2.0 */
/* RP2040: UART0 on GPIO 0 and 1, core and UART on the board's crystal of 12 MHz, as the internal
 * ring oscillator is too loose for a UART. Reference: RP2040 Datasheet (2.14, 2.15, 2.16, 2.19,
 * 4.2). Waits are bounded: an emulator may leave a flag at 0. */
#include "qcs_cortex_m.h"
#include "qcs_uart.h"

#define CLEAR_BITS 0x3000U /* alias of a register: what is written is cleared */
#define RESETS 0x4000C000U
#define RESET_DONE QCS_REG(RESETS + 8U)
#define WANTED (1U << 5 | 1U << 8 | 1U << 22) /* IO_BANK0, PADS_BANK0, UART0 */

#define XOSC_CTRL QCS_REG(0x40024000U)
#define XOSC_STATUS QCS_REG(0x40024004U)
#define XOSC_STARTUP QCS_REG(0x4002400CU)
#define XOSC_ON (0xFABU << 12 | 0xAA0U)
#define XOSC_STABLE (1U << 31)
#define CLK_REF_CTRL QCS_REG(0x40008030U)
#define CLK_PERI_CTRL QCS_REG(0x40008048U)

#define GPIO0_CTRL QCS_REG(0x40014004U)
#define GPIO1_CTRL QCS_REG(0x4001400CU)
#define FUNCTION_UART 2U

/* Arm PL011 (DDI 0183G) */
#define UART 0x40034000U
#define UART_DATA QCS_REG(UART + 0x00U)
#define UART_FLAGS QCS_REG(UART + 0x18U)
#define UART_IBRD QCS_REG(UART + 0x24U)
#define UART_FBRD QCS_REG(UART + 0x28U)
#define UART_LINE QCS_REG(UART + 0x2CU)
#define UART_CONTROL QCS_REG(UART + 0x30U)
#define UART_LEVELS QCS_REG(UART + 0x34U)
#define UART_MASK QCS_REG(UART + 0x38U)
#define FLAG_RX_EMPTY (1U << 4)
#define FLAG_TX_FULL (1U << 5)
#define DIVIDER_64THS ((8U * QCS_CLOCK_HZ / QCS_BAUD + 1U) / 2U)

enum { ROUNDS = 100000 };

void qcs_uart_start(void) {
  XOSC_STARTUP = 47; /* 1 ms in units of 256 periods */
  XOSC_CTRL = XOSC_ON;
  for (uint32_t i = 0; i < ROUNDS && !(XOSC_STATUS & XOSC_STABLE); i++) {
  }
  CLK_REF_CTRL = 2;                   /* crystal; the core's clock follows this one after reset */
  CLK_PERI_CTRL = 1U << 11 | 4U << 5; /* enabled, crystal */
  QCS_REG(RESETS + CLEAR_BITS) = WANTED;
  for (uint32_t i = 0; i < ROUNDS && (RESET_DONE & WANTED) != WANTED; i++) {
  }
  GPIO0_CTRL = FUNCTION_UART;
  GPIO1_CTRL = FUNCTION_UART;
  UART_IBRD = DIVIDER_64THS >> 6;
  UART_FBRD = DIVIDER_64THS & 63U;
  UART_LINE = 3U << 5 | 1U << 4; /* 8 bits, FIFOs; latches the divider */
  UART_LEVELS = 0;               /* an interrupt from 4 bytes on, or when the line rests */
  UART_MASK = 1U << 4 | 1U << 6;
  UART_CONTROL = 1U << 9 | 1U << 8 | 1U;
}

int qcs_uart_get(void) { return UART_FLAGS & FLAG_RX_EMPTY ? -1 : (int)(UART_DATA & 0xFFU); }

bool qcs_uart_put(uint8_t byte) {
  if (UART_FLAGS & FLAG_TX_FULL)
    return false;
  UART_DATA = byte;
  return true;
}
