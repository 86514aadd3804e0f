/* SPDX-License-Identifier: Apache-2.0 */
/* Indices of the fast kernels, four to a word, to packed bytes. */
#include "qcs_int8_kernels.h"

#if QCS_LAYOUT != QCS_LAYOUT_PLAIN

void qcs_int8_pack_quads(const qcs_int8_model_t *model, const uint32_t words[], uint8_t packed[]) {
  for (uint32_t i = model->packed_bytes; i > 0; i--)
    *packed++ = (uint8_t)*words++;
}

/* 4 * bits is a multiple of 4, so that at most 4 bits wait. */
void qcs_int8_pack_bits(const qcs_int8_model_t *model, const uint32_t words[], uint8_t packed[]) {
  const uint8_t *const end = packed + model->packed_bytes;
  const uint32_t bits = 4U * model->group_bits;
  uint32_t waiting = 0, fill = 0;
  for (uint32_t groups = (model->outputs + 3U) / 4U; groups > 0; groups--) {
    waiting |= *words++ << fill;
    for (fill += bits; fill >= 8U && packed != end; fill -= 8U) {
      *packed++ = (uint8_t)waiting;
      waiting >>= 8;
    }
  }
  if (packed != end)
    *packed = (uint8_t)waiting;
}

void qcs_int8_pack_groups(const qcs_int8_model_t *model, const uint32_t words[], uint8_t packed[]) {
  qcs_packer_t packer;
  qcs_pack_open(&packer, model->levels, model->group_symbols, model->group_bits, packed);
  for (uint16_t i = 0; i < model->outputs; i++)
    qcs_pack_put(&packer, (uint8_t)(words[i >> 2] >> (8U * (i & 3U))));
  qcs_pack_end(&packer);
}

#endif
