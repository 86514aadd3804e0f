/* SPDX-License-Identifier: Apache-2.0 */
/* What the payload coders of the transform codec share: from a sum to an index, where a window
 * ends, bits of a payload. */
#ifndef QCS_TRANSFORM_PARTS_H
#define QCS_TRANSFORM_PARTS_H

#include <stdbool.h>

#include "qcs_range.h"
#include "qcs_rom.h"
#include "qcs_transform.h"

/* Bits that say the quality, before a payload with rate control. */
#define QCS_TRANSFORM_QUALITY_BITS 3U

/* To int16. */
static inline int32_t qcs_transform_saturated(int32_t x) {
#if defined(__ARM_FEATURE_SAT) && defined(__GNUC__)
  __asm__("ssat %0, #16, %0" : "+r"(x));
  return x;
#else
  if (x > 32767)
    return 32767;
  return x < -32768 ? -32768 : x;
#endif
}

/* The first fold, on the way from the counts: sums to v[0 .. half - 1], differences behind them.
 * loud: 0, or all bits of the magnitudes x and -1 - x are added to it. */
static inline void qcs_transform_load(const qcs_transform_model_t *model, const int16_t counts[],
                                      int32_t v[], uint32_t *loud) {
  const uint16_t half = (uint16_t)(model->samples >> 1);
  const uint8_t stride = model->stride;
  const int32_t centre = model->centre;
  const int16_t *a = counts + (uint32_t)half * stride, *b = a;
  int32_t *low = v + half, *high = low;
  while (low > v) {
    a -= stride;
    const int32_t x = qcs_transform_saturated(*a - centre);
    const int32_t y = qcs_transform_saturated(*b - centre);
    b += stride;
    if (loud)
      *loud |= (uint32_t)((x ^ x >> 31) | (y ^ y >> 31));
    *--low = x + y;
    *high++ = x - y;
  }
}

/* The sums of a window, to job->sums[rows]. */
void qcs_transform_sums_step(const qcs_transform_job_t *job, unsigned window);

/* A block of weights and where its sums go. */
typedef struct {
  const int16_t *weights;    /* rows x half, QCS_ROM */
  const uint16_t *positions; /* rows, QCS_ROM */
  int32_t *sums;
  uint16_t half, rows;
} qcs_transform_block_t;

/* sums[positions[i]] = sum of weights[i][j] * v[j], i < rows, j < half; every sum fits int32.
 * Leaves weights and positions behind the block. */
void qcs_transform_block(qcs_transform_block_t *block, const int32_t v[]);

/* The sums of a window: kept, or computed now. */
static inline const int32_t *qcs_transform_sums(const qcs_transform_job_t *job, unsigned window) {
  if (job->model->prepare)
    return job->sums + (uint32_t)window * job->model->rows;
  qcs_transform_sums_step(job, window);
  return job->sums;
}

/* Section 2 of docs/transform.md at one quality. */
typedef struct {
  uint32_t least;    /* |sum| below it: index 0 */
  uint32_t rounding; /* round << q */
  uint16_t multiplier;
  uint8_t accumulator_shift, index_shift; /* s1, s2 + q */
} qcs_transform_quantizer_t;

static inline qcs_transform_quantizer_t qcs_transform_quantizer(const qcs_transform_model_t *model,
                                                                uint8_t quality) {
  const qcs_transform_quantizer_t quantizer = {
      qcs_rom_u32(&model->least[quality]), model->rounding << quality, model->multiplier,
      model->accumulator_shift, (uint8_t)(model->index_shift + quality)};
  return quantizer;
}

static inline uint32_t qcs_transform_magnitude(int32_t sum) {
  return sum < 0 ? 0U - (uint32_t)sum : (uint32_t)sum;
}

/* Stands for every |index| above 32767, whose packet does not fit. */
#define QCS_TRANSFORM_TOO_LARGE (QCS_RANGE_MOST_INDEX + 1U)

/* |index|, 0 .. QCS_TRANSFORM_TOO_LARGE, of |sum|. */
static inline unsigned qcs_transform_index(const qcs_transform_quantizer_t *quantizer,
                                           uint32_t magnitude) {
  if (magnitude < quantizer->least)
    return 0;
  uint32_t a = magnitude >> quantizer->accumulator_shift;
  if (a > 0xFFFFFU)
    return QCS_TRANSFORM_TOO_LARGE;
  a = (a * quantizer->multiplier + quantizer->rounding) >> quantizer->index_shift;
  return (unsigned)(a > QCS_RANGE_MOST_INDEX ? QCS_TRANSFORM_TOO_LARGE : a);
}

/* Position of the end: every index from position * group on is 0. Returns how many coefficients lie
 * before it. */
static inline unsigned qcs_transform_end(const qcs_transform_model_t *model,
                                         const qcs_transform_quantizer_t *quantizer,
                                         const int32_t sums[], unsigned *position) {
  /* -least < sum < least, in one comparison; least <= 2^31, which no sum reaches */
  const uint32_t below = quantizer->least - 1U, width = 2U * below + 1U;
  unsigned used = model->rows, end = 0;
  while (used > 0 && (uint32_t)sums[used - 1U] + below < width)
    used--;
  for (*position = 0; end < used; end += model->group)
    ++*position;
  return end < model->rows ? end : model->rows;
}

/* Bits, the highest of a byte first. */
typedef struct {
  uint8_t *out;
  const uint8_t *end;
  uint32_t waiting; /* bits not yet put are its lowest `held` */
  uint8_t held;     /* 0 .. 7 */
} qcs_transform_bits_t;

/* Put the lowest `bits` bits of value, at most 16, the rest of which is 0. False: no room. */
bool qcs_transform_put_bits(qcs_transform_bits_t *to, unsigned value, unsigned bits);

/* Fill the last byte with zeros. False: no room. */
bool qcs_transform_end_bits(qcs_transform_bits_t *to);

#endif
