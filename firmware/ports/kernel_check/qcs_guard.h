/* SPDX-License-Identifier: Apache-2.0 */
/* An encode in memory that shows what it must not touch: packed and scratch have exactly the bytes
 * that the codec states, stand between guard bytes, and are aligned no better than qcs.h asks for.
 */
#ifndef QCS_GUARD_H
#define QCS_GUARD_H

#include "qcs.h"

/* What was overrun; tests/support/cores.py has the words. */
enum {
  QCS_GUARD_FINE,
  QCS_GUARD_BEFORE_PACKED,
  QCS_GUARD_BEHIND_PACKED,
  QCS_GUARD_BEFORE_SCRATCH,
  QCS_GUARD_BEHIND_SCRATCH,
  QCS_GUARD_LENGTH /* the length is not 1 .. packed_bytes_max */
};

typedef struct {
  const uint8_t *packed; /* until the next call */
  uint16_t length;       /* at most packed_bytes_max */
  uint8_t overrun;       /* one of the above */
} qcs_guarded_t;

/* Encode one packet. scratch_bytes: QCS_<NAME>_SCRATCH_BYTES of the model, which
 * codec->scratch_bytes rounds up. */
qcs_guarded_t qcs_guarded_encode(const qcs_codec_t *codec, uint16_t scratch_bytes,
                                 uint8_t input_type, const void *input);

#endif
