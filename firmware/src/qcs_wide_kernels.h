/* Kernels of the wide encoder, one signature each: plain C defines them, that of an instruction set
 * sits behind the compiler's feature macro (qcs_layout.h). All read the same tables.
 *
 * Preconditions, proved by the exporter: every partial sum of a row fits int32; hidden layers:
 * |(sum + bias) << shift| < 2^30, multipliers in [2^30, 2^31), shifts -31 .. 30. */
#ifndef QCS_WIDE_KERNELS_H
#define QCS_WIDE_KERNELS_H

#include "qcs_wide.h"

/* Whether qcs_wide_dsp.c does the sums: its loads need not be aligned. */
#if QCS_LAYOUT == QCS_LAYOUT_CHAIN && defined(__ARM_FEATURE_UNALIGNED)
#define QCS_WIDE_DSP 1
#else
#define QCS_WIDE_DSP 0
#endif

/* Rows that share one pass over x. */
#define QCS_WIDE_ROWS 4U

static inline int16_t qcs_clamp(int32_t value, int16_t low, int16_t high) {
  if (value < low)
    return low;
  return value > high ? high : (int16_t)value;
}

/* sums[i] = sum of rows[i * n + j] * x[j], j = 0 .. n - 1, n > 0, for i < min(left, QCS_WIDE_ROWS);
 * rows in flash. */
void qcs_wide_sums(const int8_t *rows, const int16_t x[], uint16_t n, uint16_t left,
                   int32_t sums[QCS_WIDE_ROWS]);

/* y[i] = output i of a hidden layer, from the sums of rows first .. first + count - 1, y that of
 * row `first`; count 1 .. QCS_WIDE_ROWS. Mirrors qcskit.codec.wide.dense behind the product. */
void qcs_wide_finish(const qcs_wide_dense_t *layer, uint16_t first, uint16_t count,
                     const int32_t sums[QCS_WIDE_ROWS], int16_t y[]);

#endif
