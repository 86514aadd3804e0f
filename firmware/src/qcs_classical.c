/* SPDX-License-Identifier: Apache-2.0 */
/* Thresholds per measurement, and packing. */
#include "qcs_classical.h"

#include "qcs_pack.h"
#include "qcs_rom.h"

/* How many of thresholds[n] are <= count: halves the part in question, log2(n) + 1 times at most.
 */
static uint8_t index_of(const int16_t thresholds[], uint16_t n, int16_t count) {
  uint16_t reached = 0;
  while (n > 0) {
    const uint16_t half = (uint16_t)(n >> 1);
    if (qcs_rom_i16(&thresholds[reached + half]) <= count) {
      reached = (uint16_t)(reached + half + 1U);
      n = (uint16_t)(n - half - 1U);
    } else {
      n = half;
    }
  }
  return (uint8_t)reached;
}

/* I = 2^bits: so many bits per index, least significant first. */
static void encode_binary(const qcs_classical_model_t *model, const int16_t counts[],
                          uint8_t packed[]) {
  const uint16_t steps = (uint16_t)(model->levels - 1U);
  const uint8_t bits = model->group_bits;
  const int16_t *row = model->thresholds;
  uint16_t waiting = 0; /* bits not yet stored */
  uint8_t held = 0;     /* how many, 0 .. 7 */
  for (uint16_t i = 0; i < model->inputs; i++, row += steps) {
    waiting = (uint16_t)(waiting | (uint16_t)index_of(row, steps, counts[i]) << held);
    held = (uint8_t)(held + bits);
    if (held >= 8) {
      *packed++ = (uint8_t)waiting;
      waiting = (uint16_t)(waiting >> 8);
      held = (uint8_t)(held - 8);
    }
  }
  if (held > 0)
    *packed = (uint8_t)waiting;
}

/* Any I: groups of indices are one number. */
static void encode_groups(const qcs_classical_model_t *model, const int16_t counts[],
                          uint8_t packed[]) {
  const uint16_t steps = (uint16_t)(model->levels - 1U);
  const int16_t *row = model->thresholds;
  qcs_packer_t packer;
  qcs_pack_open(&packer, model->levels, model->group_symbols, model->group_bits, packed);
  for (uint16_t i = 0; i < model->inputs; i++, row += steps)
    qcs_pack_put(&packer, index_of(row, steps, counts[i]));
  qcs_pack_end(&packer);
}

uint16_t qcs_classical_encode_counts(const qcs_classical_model_t *model, const int16_t counts[],
                                     uint8_t packed[]) {
  if (model->group_symbols == 1 && (model->levels & (model->levels - 1U)) == 0)
    encode_binary(model, counts, packed);
  else
    encode_groups(model, counts, packed);
  return model->packed_bytes;
}

uint16_t qcs_encode_classical(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                              uint8_t packed[], void *scratch) {
  (void)input_type;
  (void)scratch;
  return qcs_classical_encode_counts(codec->model, input, packed);
}
