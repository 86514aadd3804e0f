/* SPDX-License-Identifier: Apache-2.0 */
/* A loop around the one entry of every codec. */
#include "qcs_host.h"

void qcs_host_batch(const qcs_codec_t *codec, uint8_t input_type, const void *input, size_t n,
                    uint8_t packed[], uint16_t lengths[], void *scratch) {
  const size_t bytes = (size_t)codec->inputs * (input_type == QCS_INPUT_COUNTS ? 2U : 1U);
  for (size_t i = 0; i < n; i++)
    lengths[i] = codec->encode(codec, input_type, (const uint8_t *)input + i * bytes,
                               packed + i * codec->packed_bytes_max, scratch);
}
