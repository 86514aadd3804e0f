/* SPDX-License-Identifier: Apache-2.0 */
/* Port for ATmega328P and ATmega2560 at 16 MHz: USART0 fed by its interrupt, Timer1 as a cycle
 * counter. */
#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <stddef.h>

#include "qcs_port.h"

/* The ATmega328P's only USART has no number in the vector's name. */
#ifdef USART0_RX_vect
#define RX_VECTOR USART0_RX_vect
#else
#define RX_VECTOR USART_RX_vect
#endif

static volatile bool arrived;
static volatile uint16_t overflows; /* of Timer1 */

/* To the agent at once: an encode may take longer than its buffer is deep. */
ISR(RX_VECTOR) {
  qcs_port_receive(UDR0);
  arrived = true;
}

ISR(TIMER1_OVF_vect) { overflows++; }

static uint16_t write_bytes(void *context, const uint8_t bytes[], uint16_t n) {
  (void)context;
  if (n == 0 || !(UCSR0A & (1 << UDRE0)))
    return 0;
  UDR0 = bytes[0];
  return 1;
}

/* CPU cycles: Timer1 runs at the core's clock, its overflows count the upper half. */
static uint32_t cycles(void *context) {
  (void)context;
  const uint8_t status = SREG;
  cli();
  const uint16_t low = TCNT1;
  uint16_t high = overflows;
  if ((TIFR1 & (1 << TOV1)) && low < 0x8000U)
    high++; /* overflowed since cli() */
  SREG = status;
  return ((uint32_t)high << 16) | low;
}

const qcs_agent_io_t *qcs_port_start(void) {
  static const qcs_agent_io_t io = {
      .write = write_bytes,
      .ticks = cycles,
      .tick_source = QCS_TICKS_CYCLES,
      .tick_hz = F_CPU,
  };
  UBRR0 = (uint16_t)((F_CPU + 4UL * QCS_BAUD) / (8UL * QCS_BAUD) - 1UL); /* a constant */
  UCSR0A = 1 << U2X0;
  UCSR0C = (1 << UCSZ01) | (1 << UCSZ00);
  UCSR0B = (1 << RXEN0) | (1 << TXEN0) | (1 << RXCIE0);
  TCCR1B = 1 << CS10;
#ifndef QCS_MARKERS /* counted from outside: no interrupt of ours in between, so that counts       \
                       repeat */
  TIMSK1 = 1 << TOIE1;
#endif
  sei();
  return &io;
}

void qcs_port_idle(void) {
  cli();
  if (!arrived) {
    SMCR = 1 << SE; /* idle mode: the UART and Timer1 go on */
    sei();          /* takes effect after the next instruction: no byte slips in between */
    sleep_cpu();
    SMCR = 0;
  }
  arrived = false;
  sei();
}
