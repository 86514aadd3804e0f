/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the sparse codec share. */
#ifndef QCS_SPARSE_PARTS_H
#define QCS_SPARSE_PARTS_H

#include <stdbool.h>
#include <stddef.h>

#include "qcs_arith.h"
#include "qcs_sparse.h"

#if defined(__ARM_FEATURE_SIMD32) && !defined(QCS_PLAIN)
#define QCS_SPARSE_DSP 1
#include <arm_acle.h>
#else
#define QCS_SPARSE_DSP 0
#endif

/* a * b. On an AVR inlined: the library's takes twice as long. */
static inline int32_t qcs_sparse_product(int16_t a, int16_t b) {
#if QCS_AVR_KERNEL
  int32_t product;
  uint8_t zero = 0;
  __asm__("muls %B[a], %B[b]\n"
          "movw %C[p], r0\n"
          "mul %A[a], %A[b]\n"
          "movw %A[p], r0\n"
          "mulsu %B[a], %A[b]\n"
          "sbc %D[p], %[zero]\n"
          "add %B[p], r0\n"
          "adc %C[p], r1\n"
          "adc %D[p], %[zero]\n"
          "mulsu %B[b], %A[a]\n"
          "sbc %D[p], %[zero]\n"
          "add %B[p], r0\n"
          "adc %C[p], r1\n"
          "adc %D[p], %[zero]\n"
          "clr r1\n"
          : [p] "=&r"(product)
          : [a] "a"(a), [b] "a"(b), [zero] "r"(zero)
          : "r0");
  return product;
#else
  return (int32_t)a * b;
  /* The word of a vector beyond the guard. */
  uint32_t qcs_sparse_flagged(const qcs_sparse_model_t *model, const qcs_sparse_found_t *found);

#endif
}

/* |value|, at most 32767. */
static inline int32_t qcs_sparse_magnitude(int32_t value) {
  const uint32_t magnitude = value < 0 ? 0U - (uint32_t)value : (uint32_t)value;
  return magnitude > 32767U ? 32767 : (int32_t)magnitude;
}

/* Counts to y: clamped, less the centre, shifted. */
static inline void qcs_sparse_align(const qcs_sparse_model_t *model, const int16_t counts[],
                                    int16_t y[]) {
  const int32_t low = model->low, high = model->high, centre = model->centre;
  const uint8_t shift = model->align;
  int16_t *const end = y + model->inputs;
  *end = 0; /* where inputs are odd */
  do {
    int32_t count = *counts++;
    if (count < low)
      count = low;
    if (count > high)
      count = high;
    *y++ = (int16_t)((uint32_t)(count - centre) << shift);
  } while (y < end);
}

/* The correlations c of y (stride) with every column. The profile tells steps by name. */
void qcs_sparse_correlate_step(const qcs_sparse_model_t *model, const int16_t y[], int16_t c[]);

/* Find the support of one vector; y: scratch of an encode, begins with the aligned counts. Inline:
 * it is the frame of an encode. */
static inline void qcs_sparse_find(const qcs_sparse_model_t *model, const int16_t counts[],
                                   int16_t y[], qcs_sparse_found_t *found) {
  int16_t *const c = y + model->stride;
  qcs_sparse_align(model, counts, y);
  qcs_sparse_correlate_step(model, y, c);
  model->search(model, c, found);
}

/* The word of cells: of each coefficient, how many of `half` - 1 thresholds its magnitude reaches,
 * above the middle or, of v as of -1 - v, below. half: at most 256. */
uint32_t qcs_sparse_cells(const qcs_sparse_model_t *model, const qcs_sparse_found_t *found,
                          const int16_t thresholds[], uint16_t half);

/* The word of a vector beyond the guard. */
uint32_t qcs_sparse_flagged(const qcs_sparse_model_t *model, const qcs_sparse_found_t *found);

#endif
