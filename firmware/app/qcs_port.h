/* What a board provides below the agent: see docs/porting.md. One port.c per board implements it.
 */
#ifndef QCS_PORT_H
#define QCS_PORT_H

#include "qcs_agent.h"

/* Start clocks, UART and tick counter. Returns the callbacks for the agent. */
const qcs_agent_io_t *qcs_port_start(void);

/* Nothing to do: sleep until a byte arrives, or return at once. */
void qcs_port_idle(void);

#endif
