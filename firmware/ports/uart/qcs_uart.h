/* SPDX-License-Identifier: Apache-2.0 */
/* What a chip with a UART provides, and what its core does: qcs_uart.c makes a port of both. */
#ifndef QCS_UART_H
#define QCS_UART_H

#include <stdbool.h>
#include <stdint.h>

/* Of the chip: start clocks, pins and the UART at QCS_BAUD, its receive interrupt included. */
void qcs_uart_start(void);

/* Of the chip: a received byte, or -1 if there is none. Clears what the interrupt was for. */
int qcs_uart_get(void);

/* Of the chip: send a byte. Returns false if there is no room. */
bool qcs_uart_put(uint8_t byte);

/* Of the core: let the interrupts through that qcs_uart_start has set up. */
void qcs_core_listen(void);

/* Of the core: sleep until the next interrupt, unless *arrived; clears it. An interrupt that comes
 * in between ends the sleep. */
void qcs_core_sleep_unless(volatile bool *arrived);

/* Of the core: tell an emulator or a debugger a line of text, and that this was the end. */
void qcs_core_stop(const char text[]);

/* The UART's interrupt. */
void qcs_port_interrupt(void);

#endif
