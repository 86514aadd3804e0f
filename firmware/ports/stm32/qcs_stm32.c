/* SPDX-License-Identifier: Apache-2.0 */
/* STM32 F1, F2, F4 and G0: one USART, on the internal oscillator (HSI) as it runs after reset, so
 * that no clock is switched and no flag waited for. References: RM0041 (F100), RM0033 (F205),
 * RM0090 (F405), RM0390 (F446), RM0444 (G0x1).
 *
 * The board's data gives QCS_STM32F1, F4 (F2 too) or G0, QCS_UART (address), QCS_IRQ, the register
 * and bit that clock it (QCS_UART_CLOCK, QCS_UART_CLOCK_BIT), the pins' port (QCS_PORT: 0 = A),
 * QCS_PIN_TX, QCS_PIN_RX, QCS_PIN_AF, QCS_CLOCK_HZ and QCS_BAUD. */
#include "qcs_cortex_m.h"
#include "qcs_uart.h"

#define RX_READY (1U << 5) /* RXNE */
#define RX_OVERRUN (1U << 3)
#define TX_EMPTY (1U << 7) /* TXE */
#define DIVIDER ((QCS_CLOCK_HZ + QCS_BAUD / 2U) / QCS_BAUD)

#ifdef QCS_STM32G0 /* RM0444, 33.8 */
#define UART_CONTROL QCS_REG(QCS_UART + 0x00U)
#define UART_DIVIDER QCS_REG(QCS_UART + 0x0CU)
#define UART_STATUS QCS_REG(QCS_UART + 0x1CU)
#define UART_CLEAR QCS_REG(QCS_UART + 0x20U)
#define UART_RECEIVED QCS_REG(QCS_UART + 0x24U)
#define UART_SEND QCS_REG(QCS_UART + 0x28U)
#define UART_ENABLE (1U << 0)
#else /* RM0041, 23.6; RM0033, 24.6; RM0090, 30.6 */
#define UART_STATUS QCS_REG(QCS_UART + 0x00U)
#define UART_RECEIVED QCS_REG(QCS_UART + 0x04U)
#define UART_SEND QCS_REG(QCS_UART + 0x04U)
#define UART_DIVIDER QCS_REG(QCS_UART + 0x08U)
#define UART_CONTROL QCS_REG(QCS_UART + 0x0CU)
#define UART_ENABLE (1U << 13)
#endif
#define CONTROL_BITS (UART_ENABLE | 1U << 2 | 1U << 3 | 1U << 5) /* UE, RE, TE, RXNEIE */

#if defined(QCS_STM32F1) /* RM0041, 6.3.7 and 7.2: CRL and CRH hold four bits per pin */
#define GPIO_CLOCK QCS_REG(0x40021018U)
#define GPIO_CLOCK_BIT (1U << (2U + QCS_PORT))
#define GPIO (0x40010800U + 0x400U * QCS_PORT)

static void set_pin(uint32_t pin, uint32_t mode) {
  volatile uint32_t *const control = &QCS_REG(GPIO + 4U * (pin >> 3));
  const uint32_t shift = 4U * (pin & 7U);
  *control = (*control & ~(0xFU << shift)) | mode << shift;
}

static void set_pins(void) {
  QCS_REG(GPIO + 0x10U) = 1U << QCS_PIN_RX; /* BSRR: the pull goes up */
  set_pin(QCS_PIN_TX, 0xBU);                /* alternate function, push-pull, 50 MHz */
  set_pin(QCS_PIN_RX, 0x8U);                /* input with pull */
}
#else /* RM0033, 6.4; RM0090, 8.4; RM0444, 7.5 */
#ifdef QCS_STM32G0
#define GPIO_CLOCK QCS_REG(0x40021034U) /* RCC_IOPENR */
#define GPIO (0x50000000U + 0x400U * QCS_PORT)
#else
#define GPIO_CLOCK QCS_REG(0x40023830U) /* RCC_AHB1ENR */
#define GPIO (0x40020000U + 0x400U * QCS_PORT)
#endif
#define GPIO_CLOCK_BIT (1U << QCS_PORT)

static void set_pin(uint32_t pin, uint32_t pull) {
  volatile uint32_t *const function = &QCS_REG(GPIO + 0x20U + 4U * (pin >> 3));
  volatile uint32_t *const pulls = &QCS_REG(GPIO + 0x0CU);
  volatile uint32_t *const mode = &QCS_REG(GPIO);
  const uint32_t four = 4U * (pin & 7U), two = 2U * pin;
  *function = (*function & ~(0xFU << four)) | (uint32_t)QCS_PIN_AF << four;
  *pulls = (*pulls & ~(3U << two)) | pull << two;
  *mode = (*mode & ~(3U << two)) | 2U << two; /* alternate function */
}

static void set_pins(void) {
  set_pin(QCS_PIN_TX, 0);
  set_pin(QCS_PIN_RX, 1); /* pull-up: a line that is not connected rests */
}
#endif

void qcs_uart_start(void) {
  GPIO_CLOCK |= GPIO_CLOCK_BIT;
  (void)GPIO_CLOCK; /* errata: a clock takes two cycles to come */
  QCS_REG(QCS_UART_CLOCK) |= 1U << QCS_UART_CLOCK_BIT;
  (void)QCS_REG(QCS_UART_CLOCK);
  UART_DIVIDER = DIVIDER;
  UART_CONTROL = CONTROL_BITS; /* before the pins: TX idles high when it takes its pin over */
  set_pins();
}

int qcs_uart_get(void) {
  const uint32_t status = UART_STATUS;
#ifdef QCS_STM32G0
  if (status & RX_OVERRUN)
    UART_CLEAR = RX_OVERRUN;
#else
  if ((status & RX_OVERRUN) && !(status & RX_READY))
    (void)UART_RECEIVED; /* reading both registers clears it */
#endif
  return status & RX_READY ? (int)(UART_RECEIVED & 0xFFU) : -1;
}

bool qcs_uart_put(uint8_t byte) {
  if (!(UART_STATUS & TX_EMPTY))
    return false;
  UART_SEND = byte;
  return true;
}
