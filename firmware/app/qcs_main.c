/* SPDX-License-Identifier: Apache-2.0 */
/* The whole firmware: one model behind the agent, on whatever port it is linked with.
 * The build defines QCS_MODEL_HEADER ("qcs_model_demo.h"), QCS_MODEL_CODEC (qcs_demo_codec), the
 * model's sizes as QCS_model_INPUTS (QCS_DEMO_INPUTS), ..., and QCS_MODEL_BEGIN
 * (qcs_demo_tflm_begin) if the model is to be prepared first. The name alone is no macro's
 * argument: where it is a macro itself (NULL, EOF), it would be replaced. */
#include QCS_MODEL_HEADER
#include "qcs_port.h"

#ifndef QCS_RX_BYTES
#define QCS_RX_BYTES 512
#endif

/* Enough for one packet of any model, QCS_RX_BYTES if that is more. */
#define FRAME_BYTES QCS_AGENT_FRAME_BYTES(2 * QCS_model_INPUTS)
#define RX_BYTES (FRAME_BYTES > QCS_RX_BYTES ? FRAME_BYTES : QCS_RX_BYTES)

QCS_AGENT_DEFINE(memory, model, RX_BYTES);

static qcs_agent_t agent;
static volatile bool ready;

void qcs_port_receive(uint8_t byte) {
  if (ready)
    qcs_agent_receive(&agent, byte);
}

#ifdef QCS_MODEL_BEGIN
extern const qcs_codec_t QCS_MODEL_CODEC;
bool QCS_MODEL_BEGIN(void);
#endif

int main(void) {
#ifdef QCS_MODEL_BEGIN
  while (!QCS_MODEL_BEGIN())
    qcs_port_idle(); /* never answers: its memory does not suffice */
#endif
  qcs_agent_init(&agent, &QCS_MODEL_CODEC, qcs_port_start(), &memory);
  ready = true;
  for (;;)
    if (!qcs_agent_poll(&agent))
      qcs_port_idle();
}
