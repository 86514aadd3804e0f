/* SPDX-License-Identifier: Apache-2.0 */
/* What a board provides below the agent: see docs/porting.md. One port.c per board implements it.
 */
#ifndef QCS_PORT_H
#define QCS_PORT_H

#include "qcs_agent.h"

/* Start clocks, UART and tick counter. Returns the callbacks for the agent. */
const qcs_agent_io_t *qcs_port_start(void);

/* Nothing to do: sleep until a byte arrives, or return at once. */
void qcs_port_idle(void);

/* For an interrupt of the port: hand over a byte. Those that come before the agent is there are
 * dropped. */
void qcs_port_receive(uint8_t byte);

/* Of the core (ports/cortex_m, ports/riscv), for its ports: set io's ticks if something honest
 * counts, else leave it without. */
void qcs_ticks_start(qcs_agent_io_t *io);

#endif
