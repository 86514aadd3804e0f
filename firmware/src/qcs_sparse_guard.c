/* SPDX-License-Identifier: Apache-2.0 */
/* Section 3 of docs/sparse.md: what the coefficients leave of y, against a limit. */
#include "qcs_sparse_parts.h"

/* The columns' sum fits int32, its two parts need not: they are added modulo 2^32. */
uint8_t qcs_sparse_guard(const qcs_sparse_model_t *model, const int16_t y[],
                         const qcs_sparse_found_t *found) {
  const qcs_sparse_limits_t *const limits = model->limits;
  const uint16_t m = model->stride;
  const int16_t *first = model->phi + (uint32_t)found->first * m;
  const int16_t *second = model->phi + (uint32_t)found->second * m;
  const uint32_t a = (uint32_t)found->values[0], b = (uint32_t)found->values[1];
  const uint8_t shift = (uint8_t)(limits->fit_shift + limits->residual_shift);
  const uint32_t half = (uint32_t)1 << shift >> 1;
  const uint32_t most = limits->most_left;
  uint32_t energy = 0;
  for (const int16_t *const end = y + m; y < end; first++, second++) {
    uint32_t sum = ((uint32_t)(int32_t)*y++ << limits->fit_shift) + half;
    sum -= (uint32_t)(int32_t)qcs_rom_i16(first) * a;
    sum -= (uint32_t)(int32_t)qcs_rom_i16(second) * b;
    const int32_t left = (int32_t)sum >> shift;
    if ((uint32_t)left + most > 2U * most)
      return 1;
    energy += (uint32_t)(left * left);
  }
  return energy > limits->limit;
}

uint32_t qcs_sparse_guarded_lloyd(const qcs_sparse_model_t *model, const int16_t y[],
                                  const qcs_sparse_found_t *found) {
  const qcs_sparse_limits_t *const limits = model->limits;
  if (qcs_sparse_guard(model, y, found))
    return limits->plain_words +
           qcs_sparse_cells(model, found, limits->coarse, limits->coarse_half);
  return qcs_sparse_lloyd(model, y, found);
}
