/* SPDX-License-Identifier: Apache-2.0 */
/* Guard bytes around the memory of an encode. The build defines QCS_CHECK_MOST_PACKED_BYTES and
 * QCS_CHECK_MOST_SCRATCH_BYTES. */
#include "qcs_guard.h"

#include <stdbool.h>
#include <string.h>

#define GUARD_BYTES 32U

/* packed stands at an odd address, scratch on an odd multiple of 4. */
#define PACKED_AT (GUARD_BYTES + 1U)
#define SCRATCH_AT (GUARD_BYTES + 4U)

static bool all(const uint8_t bytes[], uint32_t n, uint8_t value) {
  for (uint32_t i = 0; i < n; i++)
    if (bytes[i] != value)
      return false;
  return true;
}

qcs_guarded_t qcs_guarded_encode(const qcs_codec_t *codec, uint16_t scratch_bytes,
                                 uint8_t input_type, const void *input) {
  static _Alignas(8) uint8_t packed[PACKED_AT + QCS_CHECK_MOST_PACKED_BYTES + GUARD_BYTES];
  static _Alignas(8) uint8_t scratch[SCRATCH_AT + QCS_CHECK_MOST_SCRATCH_BYTES + GUARD_BYTES];
  static uint8_t fill;
  const uint16_t most = codec->packed_bytes_max;
  qcs_guarded_t out = {packed + PACKED_AT, 0, QCS_GUARD_FINE};
  fill = (uint8_t)(fill + 0x3BU); /* scratch may hold anything */
  memset(packed, fill, PACKED_AT + most + GUARD_BYTES);
  memset(scratch, fill, SCRATCH_AT + scratch_bytes + GUARD_BYTES);
  out.length = codec->encode(codec, input_type, input, packed + PACKED_AT, scratch + SCRATCH_AT);
  if (out.length < 1 || out.length > most) {
    out.length = most;
    out.overrun = QCS_GUARD_LENGTH;
  } else if (!all(packed, PACKED_AT, fill)) {
    out.overrun = QCS_GUARD_BEFORE_PACKED;
  } else if (!all(packed + PACKED_AT + out.length, GUARD_BYTES + most - out.length, fill)) {
    out.overrun = QCS_GUARD_BEHIND_PACKED;
  } else if (!all(scratch, SCRATCH_AT, fill)) {
    out.overrun = QCS_GUARD_BEFORE_SCRATCH;
  } else if (!all(scratch + SCRATCH_AT + scratch_bytes, GUARD_BYTES, fill)) {
    out.overrun = QCS_GUARD_BEHIND_SCRATCH;
  }
  return out;
}
