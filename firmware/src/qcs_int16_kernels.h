/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of the int16 encoder, one signature each: plain C defines them, that of an instruction
 * set sits behind the compiler's feature macro (qcs_layout.h). All read the same tables.
 *
 * Preconditions, proved by the exporter: every partial sum of a row fits int32; hidden layers:
 * |(sum + bias) << shift| < 2^30, multipliers in [2^30, 2^31), shifts -31 .. 30. */
#ifndef QCS_INT16_KERNELS_H
#define QCS_INT16_KERNELS_H

#include "qcs_arith.h"
#include "qcs_int16.h"
#include "qcs_pack.h"

/* Whether qcs_int16_dsp.c does the sums: its loads need not be aligned. */
#if QCS_LAYOUT == QCS_LAYOUT_DSP && defined(__ARM_FEATURE_UNALIGNED)
#define QCS_INT16_DSP 1
#else
#define QCS_INT16_DSP 0
#endif

/* Rows that share one pass over x. */
#define QCS_INT16_ROWS 4U

static inline int16_t qcs_clamp(int32_t value, int16_t low, int16_t high) {
  if (value < low)
    return low;
  return value > high ? high : (int16_t)value;
}

/* ADC counts[n] -> int16 network input x[n]; `run` of them, 1 or n, share a front end. Mirrors
 * qcskit.codec.learned.chain.DenseChain.network_input. */
void qcs_int16_input_step(const qcs_front_end_t *front_end, uint16_t run, uint16_t n,
                          const int16_t counts[], int16_t x[]);

/* sums[i] = sum of rows[i * n + j] * x[j], j = 0 .. n - 1, n > 0, for i < min(left,
 * QCS_INT16_ROWS); rows in flash. */
void qcs_int16_sums(const int8_t *rows, const int16_t x[], uint16_t n, uint16_t left,
                    int32_t sums[QCS_INT16_ROWS]);

/* y[i] = output i of a hidden layer, from the sums of rows first .. first + count - 1, y that of
 * row `first`; count 1 .. QCS_INT16_ROWS. Mirrors qcskit.codec.learned.int16.dense behind the
 * product. */
void qcs_int16_finish(const qcs_int16_layer_t *layer, uint16_t first, uint16_t count,
                      const int32_t sums[QCS_INT16_ROWS], int16_t y[]);

#endif
