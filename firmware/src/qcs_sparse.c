/* SPDX-License-Identifier: Apache-2.0 */
/* Sections 1 and 5 of docs/sparse.md: counts to correlations, words to bytes; cells. */
#include "qcs_sparse_parts.h"

#if QCS_SPARSE_DSP
static inline int32_t two_products(const int16_t *a, const int16_t *b, int32_t sum) {
  int16x2_t x, w;
  __builtin_memcpy(&x, a, sizeof x);
  __builtin_memcpy(&w, b, sizeof w);
  return __smlad(x, w, sum);
}
#else
static inline int32_t two_products(const int16_t *rom, const int16_t *b, int32_t sum) {
  sum += qcs_sparse_product(qcs_rom_i16(rom), b[0]);
  return sum + qcs_sparse_product(qcs_rom_i16(rom + 1), b[1]);
}
#endif

/* Two columns at a time share the loads of y. */
void qcs_sparse_correlate_step(const qcs_sparse_model_t *model, const int16_t y[], int16_t c[]) {
  const uint16_t stride = model->stride;
  const int16_t *const end = c + model->entries;
  const int16_t *row = model->phi, *const y_end = y + stride;
  do {
    int32_t first = 0x8000, second = 0x8000;
    for (const int16_t *e = y; e < y_end; e += 2, row += 2) {
      first = two_products(row, e, first);
      second = two_products(row + stride, e, second);
    }
    row += stride;
    *c++ = (int16_t)(first >> 16);
    *c++ = (int16_t)(second >> 16);
  } while (c < end);
}

uint32_t qcs_sparse_cells(const qcs_sparse_model_t *model, const qcs_sparse_found_t *found,
                          const int16_t thresholds[], uint16_t half) {
  uint32_t word = found->number;
  const int32_t *value = found->values;
  const int32_t *const end = value + model->sparsity;
  do {
    const int32_t sign = *value >> 31, magnitude = *value++ ^ sign;
    int32_t cell = 0;
    for (int32_t step = 128; step > 0; step >>= 1)
      if (cell + step < half && magnitude >= qcs_rom_i16(thresholds + (cell + step - 1)))
        cell += step;
    word = word * (2U * half) + (uint32_t)(half + (cell ^ sign));
  } while (value < end);
  return word;
}

uint32_t qcs_sparse_lloyd(const qcs_sparse_model_t *model, const int16_t y[],
                          const qcs_sparse_found_t *found) {
  (void)y;
  return qcs_sparse_cells(model, found, model->thresholds, model->half);
}

void qcs_sparse_single(const qcs_sparse_model_t *model, const int16_t c[],
                       qcs_sparse_found_t *found) {
  int32_t best = -1;
  for (uint16_t i = 0; i < model->entries; i++) {
    const int32_t magnitude = c[i] < 0 ? -(int32_t)c[i] : c[i];
    if (magnitude > best) {
      best = magnitude;
      found->first = i;
    }
  }
  found->number = found->first;
  found->second = found->first;
  found->values[0] = c[found->first];
  found->values[1] = 0;
}

uint16_t qcs_sparse_encode_counts(const qcs_sparse_model_t *model, const int16_t counts[],
                                  uint8_t packed[], void *scratch) {
  const int16_t *const end = counts + (uint32_t)model->windows * model->inputs;
  uint32_t held = 0; /* bits in *packed: 0 .. 7 */
  do {
    qcs_sparse_found_t found;
    qcs_sparse_find(model, counts, scratch, &found);
    uint32_t word = model->word(model, scratch, &found), taken = 8U - held;
    uint32_t byte = (held > 0 ? *packed : 0U) | word << held;
    for (held += model->bits; held >= 8; held -= 8) {
      *packed++ = (uint8_t)byte;
      word >>= taken;
      byte = word;
      taken = 8;
    }
    if (held > 0)
      *packed = (uint8_t)byte;
    counts += model->inputs;
  } while (counts < end);
  return model->packed_bytes;
}

uint16_t qcs_encode_sparse(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                           uint8_t packed[], void *scratch) {
  (void)input_type;
  return qcs_sparse_encode_counts(codec->model, input, packed, scratch);
}
