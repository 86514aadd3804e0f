/* Ticks of an emulated Cortex-M, where they mean something. */
#ifndef QCS_TICKS_H
#define QCS_TICKS_H

#include "qcs_agent.h"

/* Set io->ticks and io->tick_source if the SysTick counter counts instructions (QEMU with -icount
 * shift=6), else leave the io without ticks. */
void qcs_ticks_start(qcs_agent_io_t *io);

#endif
