/* SPDX-License-Identifier: Apache-2.0 */
/* Sections 1 and 5 of docs/sparse.md: counts to correlations, words to bytes; cells. */
#include "qcs_sparse_parts.h"

#include <stddef.h>

static void align(const qcs_sparse_model_t *model, const int16_t counts[], int16_t y[]) {
  const int32_t low = model->low, high = model->high, centre = model->centre;
  const uint8_t shift = model->align;
  int16_t *const end = y + model->inputs;
  *end = 0; /* where inputs are odd */
  while (y < end) {
    int32_t count = *counts++;
    if (count < low)
      count = low;
    if (count > high)
      count = high;
    *y++ = (int16_t)((uint32_t)(count - centre) << shift);
  }
}

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

/* Two columns at a time share the loads of y. Not static: the profile tells steps by name. */
void qcs_sparse_correlate_step(const qcs_sparse_model_t *model, const int16_t y[], int16_t c[]);

void qcs_sparse_correlate_step(const qcs_sparse_model_t *model, const int16_t y[], int16_t c[]) {
  const uint16_t stride = model->stride;
  const int16_t *const end = c + model->entries;
  const int16_t *row = model->phi, *const y_end = y + stride;
  while (c < end) {
    int32_t first = 0x8000, second = 0x8000;
    for (const int16_t *e = y; e < y_end; e += 2, row += 2) {
      first = two_products(row, e, first);
      second = two_products(row + stride, e, second);
    }
    row += stride;
    *c++ = (int16_t)(first >> 16);
    *c++ = (int16_t)(second >> 16);
  }
}

uint32_t qcs_sparse_cells(const qcs_sparse_model_t *model, const qcs_sparse_found_t *found,
                          const int16_t thresholds[], uint16_t levels) {
  uint32_t word = found->number;
  for (uint8_t k = 0; k < model->sparsity; k++) {
    const int32_t value = found->values[k];
    const int16_t *first = thresholds; /* of n that may be above value */
    for (uint16_t n = (uint16_t)(levels - 1U); n > 0;) {
      const uint16_t half = (uint16_t)(n >> 1);
      if (value >= qcs_rom_i16(first + half)) {
        first += half + 1U;
        n = (uint16_t)(n - half - 1U);
      } else {
        n = half;
      }
    }
    word = word * levels + (uint32_t)(first - thresholds);
  }
  return word;
}

uint32_t qcs_sparse_lloyd(const qcs_sparse_model_t *model, const qcs_sparse_found_t *found) {
  return qcs_sparse_cells(model, found, model->thresholds, model->levels);
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

/* Where bits go: behind `held` bits of *out. */
typedef struct {
  uint8_t *out;
  uint8_t held; /* 0 .. 7 */
} place_t;

static void put_word(place_t *place, uint32_t word, uint8_t bits) {
  while (bits > 0) {
    const uint8_t room = (uint8_t)(8U - place->held);
    const uint8_t before = place->held > 0 ? *place->out : 0;
    *place->out = (uint8_t)(before | (uint8_t)(word << place->held));
    if (bits < room) {
      place->held = (uint8_t)(place->held + bits);
      return;
    }
    word >>= room;
    bits = (uint8_t)(bits - room);
    place->out++;
    place->held = 0;
  }
}

static uint32_t word_of(const qcs_sparse_model_t *model, const int16_t counts[], int16_t y[]) {
  int16_t *const c = y + model->stride;
  qcs_sparse_found_t found;
  align(model, counts, y);
  qcs_sparse_correlate_step(model, y, c);
  model->search(model, c, &found);
  if (model->guard != NULL && model->guard(model, y, &found))
    return model->plain_words +
           qcs_sparse_cells(model, &found, model->coarse, model->coarse_levels);
  return model->word(model, &found);
}

uint16_t qcs_sparse_encode_counts(const qcs_sparse_model_t *model, const int16_t counts[],
                                  uint8_t packed[], void *scratch) {
  place_t place = {packed, 0};
  for (uint16_t window = 0; window < model->windows; window++, counts += model->inputs)
    put_word(&place, word_of(model, counts, scratch), model->bits);
  return model->packed_bytes;
}

uint16_t qcs_encode_sparse(const qcs_codec_t *codec, uint8_t input_type, const void *input,
                           uint8_t packed[], void *scratch) {
  (void)input_type;
  return qcs_sparse_encode_counts(codec->model, input, packed, scratch);
}
