/* SPDX-License-Identifier: Apache-2.0 */
/* Integer arithmetic that several encoders share: requantization and the search among thresholds.
 */
#ifndef QCS_ARITH_H
#define QCS_ARITH_H

#include "qcs.h"
#include "qcs_rom.h"

/* cppcheck-suppress shiftNegativeLHS ; that is the question */
_Static_assert((-3 >> 1) == -2, "requantization needs an arithmetic right shift");

#if defined(__AVR__) && !defined(QCS_PLAIN)
#define QCS_AVR_KERNEL 1 /* qcs_int8_avr.c, on the tables of QCS_LAYOUT_PLAIN */
#else
#define QCS_AVR_KERNEL 0
#endif

/* TFLM's MultiplyByQuantizedMultiplier, double rounding: round(acc * 2^shift * multiplier / 2^31).
 * Mirrors qcskit.codec.learned.int8.requantize. */
#if QCS_AVR_KERNEL
int32_t qcs_requantize(int32_t acc, int32_t multiplier, int8_t shift);

#else
static inline int32_t qcs_requantize(int32_t acc, int32_t multiplier, int8_t shift) {
  const unsigned left = shift > 0 ? (unsigned)shift : 0U;
  const unsigned right = shift < 0 ? (unsigned)-shift : 0U;
  const int32_t shifted = (int32_t)((uint32_t)acc << left);
  const int32_t high = (int32_t)(((int64_t)shifted * multiplier + ((int64_t)1 << 30)) >> 31);
  /* Divide by 2^right, half away from zero (gemmlowp's RoundingDivideByPOT). */
  const uint32_t mask = ((uint32_t)1 << right) - 1U;
  const uint32_t half = (mask >> 1) + (high < 0 ? 1U : 0U);
  return (high >> right) + (((uint32_t)high & mask) > half ? 1 : 0);
}
#endif

/* How many of the ascending thresholds[n] are <= acc, by bisection. */
static inline uint8_t qcs_count_reached(const int32_t *thresholds, unsigned n, int32_t acc) {
  const int32_t *first = thresholds; /* of n that may be above acc */
  while (n > 0) {
    const unsigned half = n >> 1;
    if (acc >= qcs_rom_i32(first + half)) {
      first += half + 1U;
      n -= half + 1U;
    } else {
      n = half;
    }
  }
  return (uint8_t)(first - thresholds);
}

#endif
