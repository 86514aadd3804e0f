/* SPDX-License-Identifier: Apache-2.0 */
/* What qcs_kernel_check.c runs. */
#ifndef QCS_KERNEL_CHECK_H
#define QCS_KERNEL_CHECK_H

#include "qcs.h"

typedef struct {
  const qcs_codec_t *codec;
  const void *vectors; /* given * codec->inputs values of input_type */
  uint32_t given;
  uint32_t random; /* vectors from xorshift32 with this seed, entries from its top bits */
  uint32_t seed;
  uint16_t scratch_bytes; /* QCS_<NAME>_SCRATCH_BYTES */
  uint8_t input_type;
} qcs_check_t;

extern const qcs_check_t qcs_checks[];
extern const uint32_t qcs_check_count;

#endif
