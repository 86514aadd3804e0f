/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products of the transform codec. An AVR has its own in qcs_transform_avr.c. */
#include "qcs_transform_parts.h"

#ifndef __AVR__

/* Sums in high registers, where the compiler itself would keep them, or pointers, on the stack; at
 * -Os GCC has no high registers. */
#if defined(__ARM_ARCH_6M__) && defined(__GNUC__) && !defined(__OPTIMIZE_SIZE__) &&                \
    !defined(QCS_PLAIN)
#define QCS_HIGH_SUMS
#endif

/* sums[position[i]] of four rows from `weights` on, which share one pass over v. */
static inline void four_rows(const int16_t *weights, const int32_t *v, unsigned half,
                             const uint16_t *position, int32_t sums[]) {
  const int32_t *const end = v + half;
  int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#ifdef QCS_HIGH_SUMS
  int32_t value, weight;
  __asm__(".syntax unified\n"
          "1: ldmia %[v]!, {%[value]}\n"
          "movs %[weight], #0\n"
          "ldrsh %[weight], [%[w], %[weight]]\n"
          "muls %[weight], %[value]\n"
          "add %[s0], %[weight]\n"
          "ldrsh %[weight], [%[w], %[next]]\n"
          "muls %[weight], %[value]\n"
          "add %[s1], %[weight]\n"
          "ldrsh %[weight], [%[w], %[third]]\n"
          "muls %[weight], %[value]\n"
          "add %[s2], %[weight]\n"
          "ldrsh %[weight], [%[w], %[fourth]]\n"
          "muls %[weight], %[value]\n"
          "add %[s3], %[weight]\n"
          "adds %[w], #2\n"
          "cmp %[v], %[end]\n"
          "bne 1b\n"
          : [v] "+l"(v), [w] "+l"(weights), [value] "=&l"(value), [weight] "=&l"(weight),
            [s0] "+h"(s0), [s1] "+h"(s1), [s2] "+h"(s2), [s3] "+h"(s3)
          : [next] "l"(2U * half), [third] "l"(4U * half), [fourth] "l"(6U * half), [end] "h"(end)
          : "cc", "memory");
#else
  const int16_t *w1 = weights + half, *w2 = w1 + half, *w3 = w2 + half;
  do {
    const int32_t x = *v++;
    s0 += qcs_rom_i16(weights++) * x;
    s1 += qcs_rom_i16(w1++) * x;
    s2 += qcs_rom_i16(w2++) * x;
    s3 += qcs_rom_i16(w3++) * x;
  } while (v < end);
#endif
  sums[qcs_rom_u16(position)] = s0;
  sums[qcs_rom_u16(position + 1)] = s1;
  sums[qcs_rom_u16(position + 2)] = s2;
  sums[qcs_rom_u16(position + 3)] = s3;
}

void qcs_transform_block(qcs_transform_block_t *block, const int32_t v[]) {
  const unsigned half = block->half;
  const int32_t *const end = v + half;
  const int16_t *weights = block->weights;
  const uint16_t *position = block->positions;
  int32_t *const sums = block->sums;
  unsigned left = block->rows;
  for (; left >= 4; left -= 4, position += 4, weights += 4U * half)
    four_rows(weights, v, half, position, sums);
  for (; left > 0; left--, position++) {
    const int32_t *x = v;
    int32_t sum = 0;
    do
      sum += qcs_rom_i16(weights++) * *x++;
    while (x < end);
    sums[qcs_rom_u16(position)] = sum;
  }
  block->weights = weights;
  block->positions = position;
}

#endif
