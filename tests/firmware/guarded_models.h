/* What guarded_encode.c runs. */
#ifndef GUARDED_MODELS_H
#define GUARDED_MODELS_H

#include "qcs.h"

typedef struct {
  const qcs_codec_t *codec;
  uint32_t scratch_bytes; /* QCS_<NAME>_SCRATCH_BYTES */
  uint32_t agent_bytes;   /* of work memory by QCS_AGENT_DEFINE */
} guarded_model_t;

extern const guarded_model_t guarded_models[];

#endif
