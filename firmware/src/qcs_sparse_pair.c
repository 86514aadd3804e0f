/* SPDX-License-Identifier: Apache-2.0 */
/* Section 2 of docs/sparse.md: the best pair, c_i^2 + t^2, every one compared. */
#include "qcs_sparse_parts.h"

/* sum >> bits of a sum whose result fits int16; bits <= 16. */
static inline int32_t shifted(int32_t sum, uint8_t bits) {
#if QCS_AVR_KERNEL /* a short shift to the left and the upper half: AVR shifts bit by bit */
  for (uint8_t left = (uint8_t)(16U - bits); left > 0; left--)
    sum = (int32_t)((uint32_t)sum << 1);
  return (int16_t)((uint32_t)sum >> 16);
#else
  return sum >> bits;
#endif
}

#if defined(__GNUC__)
/* A branch that is seldom taken, and no conditional moves, which cost more of every pair. */
#define SELDOM(value) __asm__("" : "+r"(value))
#else
#define SELDOM(value)
#endif

/* half + u cj - v ci, of a pair's word; ci too is given in the upper half. */
static inline int32_t turned(uint32_t pair, int16_t cj, uint32_t ci, int32_t half) {
#if QCS_SPARSE_DSP
  return __smlad((int16x2_t)pair, (int16x2_t)(ci | (uint16_t)cj), half);
#else
  return half + qcs_sparse_product((int16_t)pair, cj) +
         qcs_sparse_product((int16_t)(pair >> 16), (int16_t)(ci >> 16));
#endif
}

void qcs_sparse_pair(const qcs_sparse_model_t *model, const int16_t c[],
                     qcs_sparse_found_t *found) {
  const uint8_t bits = model->pair_bits;
  const int32_t half = (int32_t)((uint32_t)1 << bits >> 1);
  const uint32_t *row = model->pairs, *best_uv = row, *best_end = row; /* behind pair and row */
  const int16_t *i = c, *best_i = c;
  int32_t best = -1;
  uint32_t left = model->entries - 1U;
  do {
    const int32_t ci = *i++, square = ci * ci, before = best - square;
    const uint32_t upper = (uint32_t)ci << 16;
    const uint32_t *uv = row, *const end = uv + left;
    const int16_t *j = i;
    int32_t needed = before; /* t * t above it is a better score */
    do {
      const int32_t t = shifted(turned(qcs_rom_u32(uv++), *j++, upper, half), bits);
      const int32_t square_t = qcs_sparse_product((int16_t)t, (int16_t)t);
      if (square_t > needed) {
        needed = square_t;
        best_uv = uv;
        SELDOM(needed);
      }
    } while (uv < end);
    row = end;
    if (needed > before) {
      best = needed + square;
      best_i = i;
      best_end = end;
      SELDOM(best_end);
    }
  } while (--left > 0);
  found->first = (uint16_t)(best_i - 1 - c);
  found->second = (uint16_t)((int32_t)model->entries - 1 - (int32_t)(best_end - best_uv));
  found->number = (uint32_t)(best_uv - 1 - model->pairs);
  const uint32_t pair = qcs_rom_u32(best_uv - 1);
  const int32_t u = (int16_t)pair, v = -(int32_t)(int16_t)(pair >> 16), ci = c[found->first];
  const int32_t t = shifted(turned(pair, c[found->second], (uint32_t)ci << 16, half), bits);
  found->values[0] = ci - ((v * t + half) >> bits);
  found->values[1] = (u * t + half) >> bits;
}
