/* What qcs_kernel_check.c runs. */
#ifndef QCS_KERNEL_CHECK_H
#define QCS_KERNEL_CHECK_H

#include "qcs_codec.h"

typedef struct {
  const qcs_codec_t *codec;
  const int8_t *vectors; /* given * codec->inputs */
  uint32_t given;
  uint32_t random; /* vectors from xorshift32 with this seed, entries from its top byte */
  uint32_t seed;
} qcs_check_t;

extern const qcs_check_t qcs_checks[];
extern const uint32_t qcs_check_count;

#endif
